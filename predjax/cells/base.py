"""What the cells share: sizes, a start at zero, and the loop over the steps of a sequence."""

import haiku as hk
import jax
import jax.numpy as jnp

from predjax.cells.derived import derived_once
from predjax.cells.options import check_count


class RecurrentCell(hk.RNNCore):
    """`(inputs (B, *S, I), state) -> (outputs (B, *S, features), state)`, real outputs.

    Args:
      features: of the outputs.
      spatial_shape: S, `(h, w)` of a map or () for vectors.
      kernel_shape: `(k, k)` with k odd where the linear maps are convolutions, () where each pixel is on its own.
    """

    def __init__(self, features, spatial_shape=(), kernel_shape=(), name=None):
        super().__init__(name=name)
        self.features = check_count("features", features)
        self.spatial_shape, self.kernel_shape = tuple(spatial_shape), tuple(kernel_shape)
        if self.kernel_shape and (len(self.spatial_shape), len(self.kernel_shape)) != (2, 2):
            raise ValueError(f"a kernel {self.kernel_shape} needs a map (h, w), not spatial_shape {self.spatial_shape}")
        if any(k % 2 == 0 or k != self.kernel_shape[0] for k in self.kernel_shape):
            raise ValueError(f"kernel_shape must be (k, k) with k odd, not {self.kernel_shape}")

    def zeros(self, batch_size, features=None, dtype=float):
        """`(B, *S, features)`."""
        return jnp.zeros((batch_size, *self.spatial_shape, features or self.features), dtype)

    def initial_state(self, batch_size):
        """All zeros."""
        return self.zeros(batch_size)


def unroll(cell, inputs, state):
    """All steps of a sequence, one after the other, inside a Haiku function.

    Args:
      cell: `(inputs (B, ...), state) -> (outputs (B, ...), state)`, as every `hk.RNNCore`.
      inputs: `(B, T, *S, I)`, or any tree of such arrays.
      state: as `cell.initial_state(B)`, or the last state of what came before.

    Returns:
      Outputs `(B, T, *S, F)` and the last state.
    """
    with derived_once():
        cell(jax.tree.map(lambda a: a[:, 0], inputs), state)  # under jit nothing of it is computed but what steps share
        return hk.dynamic_unroll(cell, inputs, state, time_major=False)
