"""Read .npy files as Movies: indexing reads only the chosen frames."""

import itertools
import logging
import math
import operator
import os
import pathlib
import warnings
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np

from predjax.radar.formats.accumulation import convert_unlabelled
from predjax.radar.formats.decode import Decoder, check_dtype
from predjax.radar.formats.disk_array import DiskArray
from predjax.radar.formats.layouts import find_layout
from predjax.radar.formats.lazy import read_later
from predjax.radar.formats.possible_values import Judged, Tally
from predjax.radar.formats.quantity import AS_STATED, UnitOptions, plan_conversion
from predjax.radar.movies import DIMENSIONS, Movies, build_movies

_LOG = logging.getLogger("predjax")
_MAGIC = b"\x93NUMPY"
_VERSIONS = ((1, 0), (2, 0), (3, 0))


class ArrayFrames:
    """Frames from an array (movie, time, y, x, channel) of any number type, decoded to float32 when indexed.

    With `coded`, they are the decoder's codes instead of values. `tally` counts the values that `possible_values`
    changed.
    """

    reads_lists = False

    def __init__(
        self, array: Any, decoder: Decoder, name: str, coded: bool = False, tally: Tally | None = None
    ) -> None:
        self._array, self._decoder, self._name, self._coded = array, decoder, name, coded
        self.shape = array.shape
        self.dtype = np.dtype(f"u{array.dtype.itemsize}" if coded else np.float32)
        self.tally = tally or Tally()

    def codes(self) -> tuple["ArrayFrames", np.ndarray] | None:
        """Return the same frames as codes and the table that decodes them, or None where no table does."""
        table = self._decoder.table
        if table is None:
            return None
        return ArrayFrames(self._array, self._decoder, self._name, True, self.tally), table

    def cut(self, start: int, stop: int) -> "ArrayFrames":
        """Return frames [start, stop), counted through the movies, as one movie in memory."""
        length, parts = self.shape[1], []
        for movie in range(start // length, (stop - 1) // length + 1):
            times = slice(max(start - movie * length, 0), stop - movie * length)
            parts.append(np.asarray(self._array[(slice(movie, movie + 1), times, *[slice(None)] * 3)]))
        return ArrayFrames(np.concatenate(parts, axis=1), self._decoder, self._name, self._coded)

    def read(self, key: tuple) -> np.ndarray:
        """Read and decode a part; see `lazy.Readable`."""
        part = self._array[key]
        # Codes are the array itself, which others may change: a copy of those in memory.
        decode, copied = (self._decoder.codes, np.array) if self._coded else (self._decoder.decode, np.asarray)
        values, judged = decode(copied(part), self._name)
        if judged:
            self._check_rare(key, judged)
        self.tally.add(values.size, judged)
        return values

    def _check_rare(self, key: tuple, judged: Judged) -> None:
        """Raise a ValueError for frames in which too much rain is negative; see `Tally.check_rare`."""
        ranges = [range(size)[k] if isinstance(k, slice) else [k] for k, size in zip(key, self.shape)]
        shape = tuple(map(len, ranges))
        frames = [(self._name, int(movie), int(time)) for movie in ranges[0] for time in ranges[1]]
        self.tally.check_rare(
            judged.change(lambda array: array.reshape(-1, *shape[2:])),
            frames,
            shape[2:] == self.shape[2:],
            lambda frame: self._decoder.decode(np.asarray(self._array[frame[1:]]), self._name)[1],
        )


def read_npy(file: str | os.PathLike, layout: str = "auto", units: UnitOptions = AS_STATED) -> Movies:
    """Read the array of a .npy file as Movies without dates, which are not checked yet. Pixels are read when indexed.

    An array has no unit of its own. The unit is `source_units`, else `units`; without both it is "1". The layout names
    the axes (see `radar.config.check_layout`), or is "auto" (see `layouts.find_layout`).

    Errors: ValueError or OSError, one line with the file, the rule and what was found.
    """
    return label_array(open_npy(file), file, layout, units)


def label_array(array: np.ndarray | DiskArray, file: str | os.PathLike, layout: str, units: UnitOptions) -> Movies:
    """Return Movies from an array whose axes are `layout`; see `read_npy`."""
    if array.size == 0:
        raise ValueError(f"{file}: the array is empty, its shape is {array.shape}")
    layout, remarks = (layout, []) if layout != "auto" else find_layout(array, file)
    axes = ["channel" if name == "feature" else name for name in layout.split(",")]
    if len(axes) != array.ndim:
        raise ValueError(f"{file}: the layout {layout} has {len(axes)} axes, the array has the shape {array.shape}")
    if array.ndim > 1 and array.shape[0] > 1 and array.strides[0] < array.strides[-1]:
        _LOG.info("%s: the array is in Fortran order, reading windows of it is slow", file)
    ordered = array.transpose([axes.index(name) for name in DIMENSIONS if name in axes])
    ordered = ordered[tuple(slice(None) if name in axes else None for name in DIMENSIONS)]
    return label_frames(ordered, file, units, remarks)


def label_frames(array: Any, file: str | os.PathLike, units: UnitOptions, remarks: Sequence[str] = ()) -> Movies:
    """Return Movies from anything that is indexed like an array (movie, time, y, x, channel)."""
    conversion = plan_conversion({}, {}, units, str(file))
    decoder, found = convert_unlabelled(conversion, Decoder(dtype=array.dtype.str), units, str(file))
    name = pathlib.Path(file).name
    numbered = "frames" if array.shape[2:4] == (1, 1) else "frames and pixels"
    return build_movies(
        read_later(DIMENSIONS, ArrayFrames(array, decoder, str(file))),
        attrs=dict(conversion.attrs) | {"dtype_on_disk": str(array.dtype)},
        source=name,
        files=[str(file)],
        remarks=[*remarks, *found, f"an array has no labels: {numbered} are numbered"],
    )


def open_npy(file: str | os.PathLike) -> DiskArray:
    """Return the array of a .npy file, which is read in parts.

    Raises:
      ValueError: the file is empty, not .npy, truncated, or has no numbers. Nothing is ever unpickled.
      OSError: from the operating system.
    """
    path = pathlib.Path(file)
    with path.open("rb") as stream:
        status = os.fstat(stream.fileno())
        start, size = stream.read(8), status.st_size
        if not start:
            raise ValueError(f"{file}: the file is empty")
        if start[:6] != _MAGIC:
            raise ValueError(f"{file}: not a .npy file (it starts with {start!r})")
        stream.seek(0)
        shape, fortran, dtype = read_array_header(stream, str(file), size)
        begin = stream.tell()
    if 0 in shape:
        raise ValueError(f"{file}: the array is empty, its shape is {shape}")
    sizes = shape if fortran else shape[::-1]
    strides = tuple(itertools.accumulate(sizes[:-1], operator.mul, initial=dtype.itemsize)) if shape else ()
    state = size, status.st_mtime_ns
    return DiskArray(str(file), state, dtype, begin, shape, strides if fortran else strides[::-1])


def read_array_header(stream: BinaryIO, name: str, size: int) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Return the shape of the array in a .npy file, whether it is in Fortran order, and its type.

    The stream is at the beginning of the file before, and at the first number afterwards; `size` is the file's bytes.

    Errors: ValueError, the header is damaged or truncated, or the array has no numbers.
    """
    try:
        version = np.lib.format.read_magic(stream)
        if version not in _VERSIONS:
            raise ValueError("version")
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes that Python 2 wrote, and of whatever a damaged header is
            shape, fortran, dtype = read(stream)
    except Exception:  # numpy parses the header as Python, which fails in many ways
        raise ValueError(f"{name}: the header of the .npy file is damaged or cut off ({size} bytes)") from None
    check_dtype(dtype, name)
    if not all(type(n) is int and 0 <= n < 2**63 for n in shape):
        raise ValueError(f"{name}: the shape {shape} is impossible")
    needed = stream.tell() + dtype.itemsize * math.prod(shape)
    if size < needed:
        raise ValueError(f"{name}: the file is truncated: it has {size} bytes, its header asks for {needed}")
    return shape, fortran, dtype
