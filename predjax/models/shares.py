"""The share of a batch in one call of a loss: the samples of a replica, or one of several parts of these samples."""

from typing import Any, NamedTuple

import jax


class Share(NamedTuple):
    """A share of a batch. Each call returns a share of the loss, and the shares add up to the loss of the whole batch.

    The samples of the batch are those of replica 0, replica 1 ...; those of a replica are its part 0, part 1 ...
    """

    axis_name: str | None = None  # the mapped axis of the replicas; None: there is one
    number: Any = 0  # of the part
    parts: int = 1  # equal parts of the samples of a replica
    whole: Any = None  # frames (parts * B, T, H, W, C) of all parts of the replica; None where there is one part

    def find_first(self, size: int) -> Any:
        """Return the number in the whole batch of the first of the `size` samples of this share."""
        replica = 0 if self.axis_name is None else jax.lax.axis_index(self.axis_name)
        return (replica * self.parts + self.number) * size

    @property
    def count(self) -> Any:
        """The number of shares of the whole batch."""
        return self.parts * (1 if self.axis_name is None else jax.lax.axis_size(self.axis_name))


WHOLE = Share()
