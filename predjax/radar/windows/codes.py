"""Frames as codes, small integers with a table of their values, which take half or a quarter of the bytes.

Where a file stores 8 or 16 bits, a table holds the value of every possible number: packing, missing values, valid range
and units in one. A look-up gives the same bits on any device; arithmetic in single precision does not. The update
decodes inside jit, so this module knows arrays alone.
"""

from typing import Any, NamedTuple


class CodedFrames(NamedTuple):
    """Frames that `decode` turns into values; arrays of numpy or jax."""

    codes: Any  # the bits of the integers in the file, uint8 or uint16
    table: Any  # (256,) or (65536,) float32, the value of every code; NaN = no coverage


def decode(frames: Any) -> Any:
    """Return the float32 values of `CodedFrames`, NaN = no coverage; other frames as they are. Also inside jit."""
    return frames.table[frames.codes] if isinstance(frames, CodedFrames) else frames
