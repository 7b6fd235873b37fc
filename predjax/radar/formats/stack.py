"""Arrays of one shape, from several places, as one array that is read when it is indexed."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Stack(NamedTuple):
    """Arrays of one shape and type, one after another along a new first axis; a `lazy.Readable`."""

    path: str  # the file or folder
    parts: tuple[Any, ...]  # what tells the arrays, such as their names
    shape: tuple[int, ...]
    dtype: np.dtype
    read_part: Callable[[Any, tuple], np.ndarray]  # reads a part of one array; can be pickled

    @property
    def reads_lists(self) -> bool:
        """False, because none of the libraries that read the arrays reads lists of indices."""
        return False

    def read(self, key: tuple) -> np.ndarray:
        """Read a part; see `lazy.Readable`. Errors: those of `read_part`."""
        first, *rest = key or (slice(None),)
        if not isinstance(first, slice):
            return self.read_part(self.parts[first], tuple(rest))
        found = [self.read_part(part, tuple(rest)) for part in self.parts[first]]
        return np.stack(found) if found else np.empty((0, *self.shape[1:]), self.dtype)[(slice(None), *rest)]
