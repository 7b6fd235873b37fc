"""The members of an ensemble in a scratch file, read in parts because they may be larger than the memory."""

from collections.abc import Iterable
from typing import BinaryIO, NamedTuple

import numpy as np
import xarray as xr

from predjax.radar.formats.lazy import read_later


class _Scratch(NamedTuple):
    """An array of values in a file without a header."""

    file: BinaryIO
    shape: tuple[int, ...]
    dtype: np.dtype = np.dtype(np.float32)
    reads_lists: bool = False

    def read(self, key: tuple) -> np.ndarray:
        """Copy a part; the file is mapped for this moment only, as mapped pages count as memory in use."""
        return np.array(np.memmap(self.file, self.dtype, "r", shape=self.shape)[key])


def store_members(file: BinaryIO, groups: Iterable[np.ndarray]) -> xr.Variable:
    """Write groups (e, T, H, W, C) of members as they come; return all members, which are read when they are indexed.

    Returns:
      (realization, lead_time, y, x, channel), float32; valid until the file is closed.
    """
    count, shape = 0, ()
    for group in groups:
        np.ascontiguousarray(group, np.float32).tofile(file)
        count, shape = count + len(group), group.shape[1:]
    file.flush()
    return read_later(("realization", "lead_time", "y", "x", "channel"), _Scratch(file, (count, *shape)))
