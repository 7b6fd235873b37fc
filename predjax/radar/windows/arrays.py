"""What batches are cut from: frames in memory or in their files, as values or as codes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from predjax.radar.formats.lazy import find_codes
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


def open_arrays(sources: Sequence[Movies], used: Sequence[int], limit: int) -> dict[int, Arrays]:
    """The arrays of each of the `used` sources: numpy's where all take less than `limit` bytes, else as they came."""
    arrays: dict[int, Arrays] = {}
    for source in used:
        frames, table = find_codes(sources[source]["frames"]) or (sources[source]["frames"], None)
        arrays[source] = Arrays(frames, table, sources[source].get("forcings"))
    kept = [array for one in arrays.values() for array in (one.frames, one.forcings) if array is not None]
    if sum(array.size * array.dtype.itemsize for array in kept) >= limit:
        return arrays
    return {
        source: Arrays(frames.values, table, None if forcings is None else forcings.values)
        for source, (frames, table, forcings) in arrays.items()
    }
