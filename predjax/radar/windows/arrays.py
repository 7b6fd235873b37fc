"""What batches are cut from: frames in memory or in their files, as values or as codes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from xarray.core import indexing

from predjax.radar.movies import Movies


class Arrays(NamedTuple):
    """What batches of one source are cut from, in memory or indexed lazily.

    frames: (movie, time, y, x, channel), codes of `table`, or values where that is None; forcings: values, or None.
    """

    frames: Any
    table: np.ndarray | None
    forcings: Any

    @property
    def dtype(self) -> np.dtype:
        """Of the frames that are cut out."""
        return np.dtype(np.float32) if self.table is None else self.frames.dtype


def find_stored(frames: xr.DataArray) -> tuple[xr.Variable, np.ndarray] | None:
    """The codes behind frames that a reader left in their file, read when they are indexed, and the table of them.

    None for frames in memory (somebody may have changed them) and for those that no single table decodes.
    """
    # No public way leads to what an xarray variable reads from. Where this one ends, frames are decoded on the host.
    lazy: Any = getattr(frames.variable, "_data", None)
    reader: Any = lazy.array if type(lazy) is indexing.LazilyIndexedArray else None
    found = reader.stored() if hasattr(reader, "stored") else None
    if found is None:
        return None
    codes, table = found
    return xr.Variable(frames.dims, indexing.LazilyIndexedArray(codes, lazy.key)), table


def open_arrays(sources: Sequence[Movies], used: Sequence[int], limit: int) -> dict[int, Arrays]:
    """The arrays of each of the `used` sources: numpy's where all take less than `limit` bytes, else as they came."""
    arrays: dict[int, Arrays] = {}
    for source in used:
        frames, table = find_stored(sources[source]["frames"]) or (sources[source]["frames"], None)
        arrays[source] = Arrays(frames, table, sources[source].get("forcings"))
    kept = [array for one in arrays.values() for array in (one.frames, one.forcings) if array is not None]
    if sum(array.size * array.dtype.itemsize for array in kept) >= limit:
        return arrays
    return {
        source: Arrays(frames.values, table, None if forcings is None else forcings.values)
        for source, (frames, table, forcings) in arrays.items()
    }
