"""Frames as files store them: small integers and the table of their values, for half or a quarter of the bytes.

Where 8 or 16 bits are stored, a table holds the value of every number that they can be: packing, missing values, valid
range and units in one. Looking it up gives the same bits on any device, which arithmetic in single precision does not.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from predjax.radar.formats.lazy import find_codes
from predjax.radar.movies import Movies


class Stored(NamedTuple):
    """Frames that `decode` turns into values; arrays of numpy or jax.

    codes: the bits of the stored integers, uint8 or uint16.
    table: (256,) or (65536,) float32, the value of every code; NaN = no coverage.
    """

    codes: np.ndarray
    table: np.ndarray


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


def decode(frames):
    """The float32 values of `Stored` frames, NaN = no coverage; other frames as they are. Also inside jit."""
    return frames.table[frames.codes] if isinstance(frames, Stored) else frames


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
