"""The arrays that batches are cut from: frames in memory or in their files, as values or as codes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from predjax.radar.formats.lazy import find_codes
from predjax.radar.movies import Sources


class Arrays(NamedTuple):
    """The arrays that batches of one source are cut from, in memory or indexed lazily."""

    frames: Any  # (movie, time, y, x, channel), codes, or values where there is no `table`
    table: np.ndarray | None  # the value of every code, or None
    forcings: Any  # values, or None

    @property
    def dtype(self) -> np.dtype:
        """The type of the frames that are cut out."""
        return np.dtype(np.float32) if self.table is None else self.frames.dtype


def open_arrays(sources: Sources, used: Sequence[int], limit: int) -> dict[int, Arrays]:
    """Return the arrays of each of the `used` sources, in memory where all of them take less than `limit` bytes."""
    arrays: dict[int, Arrays] = {}
    for source in used:
        variables = sources[source].variables  # they are indexed faster than the DataArrays
        frames, table = find_codes(variables["frames"]) or (variables["frames"], None)
        arrays[source] = Arrays(frames, table, variables.get("forcings"))
    kept = [array for one in arrays.values() for array in (one.frames, one.forcings) if array is not None]
    if sum(array.size * array.dtype.itemsize for array in kept) >= limit:
        return arrays
    return {
        source: Arrays(frames.values, table, None if forcings is None else forcings.values)
        for source, (frames, table, forcings) in arrays.items()
    }
