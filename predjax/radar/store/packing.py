"""The packing of values in a store: as codes of the source, as codes of a ladder of values, or as float32.

A code is a place in a table of values, so that every packing decodes by one look-up. These are the ladders, and the
largest error of a value within their range (half a step):

==========  ========================================================  ==================================
            uint16                                                    uint8
==========  ========================================================  ==================================
dBZ         -100 to 120 by 0.005: 0.0025 dB                           -32 to 95 by 0.5: 0.25 dB
mm/h        -0.01 to 20 by 0.001, to 220 by 0.01, to 2000 by 0.1:     0, then 0.02 to 400 by 4 %: 2 %
            0.0005, 0.005 and 0.05 mm/h                               (0.01 mm/h below 0.02)
==========  ========================================================  ==================================

Values in steps of 0.5, 0.1, 0.01 and 0.005 dB, as files have them, are kept to the bit. A value outside of a ladder
goes to the nearest end.
"""

from typing import NamedTuple

import numpy as np
import xarray as xr

from predjax.radar.formats.lazy import find_codes
from predjax.radar.movies import Movies

DTYPES = ("auto", "uint8", "uint16", "float32")
_STEPS = {
    ("dBZ", "uint16"): ((-100.0, 120.0, 0.005),),
    ("dBZ", "uint8"): ((-32.0, 95.0, 0.5),),
    ("mm/h", "uint16"): ((-0.01, 20.0, 0.001), (20.0, 220.0, 0.01), (220.0, 2000.0, 0.1)),
}
_RATE_RANGE = (0.02, 400.0)  # mm/h in 8 bits: of equal ratios


class Packing(NamedTuple):
    """The map from the frames of a grid to numbers in a file, and back to values."""

    dtype: str  # the type of the numbers, little-endian
    table: np.ndarray | None  # (256,) or (65536,) float32, the value of every code, NaN = no coverage; None for float32
    values: np.ndarray | None  # the values of the ladder, increasing; None for codes of the source and for float32
    # JSON: "kind" ("source codes", "ladder" or "float32"); for a ladder also its "steps" (from, to, step), the code of
    # no coverage as "missing_code", and, with a single step, "scale" and "offset".
    description: dict

    def encode(self, frames: np.ndarray) -> tuple[np.ndarray, int]:
        """Return values (frame, ...) as numbers to store, and the number of values outside of the ladder."""
        if self.values is None or self.table is None:
            return np.ascontiguousarray(frames, self.dtype), 0
        codes = np.empty(frames.shape, self.dtype)
        for frame, coded in zip(frames, codes):  # one by one, which keeps the copies small
            coded[...] = np.where(np.isnan(frame), len(self.table) - 1, self._find_codes(frame))
        outside = (frames < self.values[0]) | (frames > self.values[-1])
        return codes, int(np.count_nonzero(outside))

    def _find_codes(self, frame: np.ndarray) -> np.ndarray:
        """Return the index of the nearest of `values` for each number; a NaN gets any index."""
        assert self.values is not None, "only a ladder is searched"
        steps = self.description["steps"]
        if isinstance(steps[-1][2], str):
            return np.searchsorted((self.values[1:].astype(np.float64) + self.values[:-1]) / 2, frame)
        # Arithmetic is many times faster than a search in tens of thousands of values.
        frame = np.clip(frame, steps[0][0], steps[-1][1], dtype=np.float64)
        codes, first = np.zeros(frame.shape), 0
        for low, high, step in steps:
            inside = frame >= low
            if not inside.any():
                break
            codes = np.where(inside, first + np.rint((frame - low) / step), codes)
            first += round((high - low) / step)
        return codes


def choose_packing(movies: Movies, dtype: str) -> tuple[Packing, xr.Variable]:
    """Choose the packing of a grid, and return it with the frames to read for it: codes of the source, or values.

    Codes of the source are kept where one table decodes all of them and `dtype` has room for them: nothing is lost.
    Otherwise dBZ and mm/h become codes of a ladder. "auto" is uint16, and float32 for any other unit.

    Errors: ValueError, there is no ladder for the unit.
    """
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, not {dtype!r}")
    frames, coded, units = movies["frames"], find_codes(movies["frames"]), movies["frames"].attrs["units"]
    if coded and dtype != "float32" and coded[0].dtype.itemsize <= (1 if dtype == "uint8" else 2):
        codes, table = coded
        return Packing(codes.dtype.newbyteorder("<").str, table, None, {"kind": "source codes"}), codes
    if dtype == "float32" or (dtype == "auto" and units not in ("dBZ", "mm/h")):
        return Packing("<f4", None, None, {"kind": "float32"}), frames.variable
    if units not in ("dBZ", "mm/h"):
        raise ValueError(
            f"{movies.attrs['source']}: {dtype} codes are for dBZ, mm/h and integers that fit, not for "
            f"{frames.attrs.get('dtype_on_disk', 'numbers')} of unit {units!r}: use float32"
        )
    return make_ladder(units, "uint8" if dtype == "uint8" else "uint16"), frames.variable


def make_ladder(units: str, dtype: str) -> Packing:
    """Return the packing of dBZ or mm/h as "uint8" or "uint16" codes; see the table above."""
    steps = _STEPS.get((units, dtype))
    size = 256 if dtype == "uint8" else 65536
    description = {"kind": "ladder", "missing_code": size - 1}
    if steps:
        parts = [low + step * np.arange(round((high - low) / step)) for low, high, step in steps]
        # Rounded once to decimals, a step of 0.1 dB is the same float32 as in a file that stores it.
        values = np.append(np.concatenate(parts), steps[-1][1]).round(6)
        description["steps"] = [list(step) for step in steps]
        if len(steps) == 1:
            description |= {"scale": steps[0][2], "offset": steps[0][0]}
    else:
        values = np.append(0.0, np.geomspace(*_RATE_RANGE, size - 2))
        ratio = (_RATE_RANGE[1] / _RATE_RANGE[0]) ** (1 / (size - 3))
        description["steps"] = [[0.0, _RATE_RANGE[0], _RATE_RANGE[0]], [*_RATE_RANGE, f"ratio {ratio:.6f}"]]
    values = values.astype(np.float32)
    table = np.full(size, np.nan, np.float32)
    table[: len(values)] = values
    return Packing("|u1" if dtype == "uint8" else "<u2", table, values, description)
