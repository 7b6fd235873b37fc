"""Arrays in files that are read in parts.

A memory map would do the same, but where the file shrinks or the disk fails, the system ends the process with a signal.
"""

import dataclasses
import io
import itertools
import math
import os
from typing import Any

import numpy as np

_WORTH_SKIPPING = 2**14  # bytes between two parts: fewer are read along, which takes less time than another read
_MOST = 2**24  # bytes to read at once where most of them are not wanted


@dataclasses.dataclass(frozen=True, eq=False)
class DiskArray:
    """An array of numbers in a file; indexing gives a part of it, and `numpy.asarray` reads a part.

    Errors of reading: OSError from the operating system, or ValueError where the file is not as it was when it was
    opened; both name it.
    """

    path: str
    state: tuple[int, int]  # size and time of change in ns of the file
    dtype: np.dtype
    start: int  # the byte of the first number
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # bytes, as of an array in memory

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of numbers."""
        return math.prod(self.shape)

    def __getitem__(self, key: tuple | int | slice | None) -> "DiskArray":
        """Return a part; the key has an integer or a slice for each of the first axes, and None for new ones."""
        axes = iter(zip(self.shape, self.strides))
        start, found = self.start, []
        for one in key if isinstance(key, tuple) else (key,):
            if one is None:
                found.append((1, 0))
                continue
            size, stride = next(axes)
            if isinstance(one, slice):
                first, last, step = one.indices(size)
                size = len(range(first, last, step))
                start, found = start + first * stride * (size > 0), [*found, (size, stride * step)]
            else:
                start += range(size)[one] * stride
        found += axes
        return self._replace(start, found)

    def transpose(self, axes: list[int]) -> "DiskArray":
        """Return the array with its axes in another order."""
        return self._replace(self.start, [(self.shape[axis], self.strides[axis]) for axis in axes])

    def divide(self, count: int) -> "DiskArray":
        """Return the array with its first axis divided into `count` equal parts, which are the new first axis.

        Errors: ValueError, the parts are not equal.
        """
        if count < 1 or self.shape[0] % count:
            raise ValueError(f"{self.path}: the {self.shape[0]} frames are not {count} movies of equal length")
        size, stride = self.shape[0] // count, self.strides[0]
        rest = zip(self.shape[1:], self.strides[1:])
        return self._replace(self.start, [(count, size * stride), (size, stride), *rest])

    def _replace(self, start: int, axes: list[tuple[int, int]]) -> "DiskArray":
        shape, strides = tuple(size for size, _ in axes), tuple(stride for _, stride in axes)
        return dataclasses.replace(self, start=start, shape=shape, strides=strides)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if not self.size:
            return np.empty(self.shape, dtype or self.dtype)
        try:
            with open(self.path, "rb", buffering=0) as file:
                status = os.fstat(file.fileno())
                if (status.st_size, status.st_mtime_ns) != self.state:
                    found = f"it had {self.state[0]} bytes, now it has {status.st_size}"
                    raise ValueError(f"{self.path}: the file was changed while it was in use: {found}")
                values = self._read(file)
        except OSError as error:
            raise OSError(error.errno, error.strerror, self.path) from None
        return values if dtype is None else values.astype(dtype, copy=False)

    def _read(self, file: io.FileIO) -> np.ndarray:
        """Read blocks, each from its first to its last number; blocks with little between them are read as one."""
        spans = [(size - 1) * stride for size, stride in zip(self.shape, self.strides)]
        inner, outer = sorted(range(self.ndim), key=lambda axis: -abs(spans[axis])), []
        size = sum(map(abs, spans)) + self.dtype.itemsize  # of a block, in bytes
        while inner and abs(self.strides[inner[0]]) - (size - abs(spans[inner[0]])) > _WORTH_SKIPPING:
            outer.append(inner.pop(0))
            size -= abs(spans[outer[-1]])
        shape, strides = ([values[axis] for axis in inner] for values in (self.shape, self.strides))
        wanted = math.prod(shape) * self.dtype.itemsize
        if size > max(_MOST, 4 * wanted):
            before, half = (slice(None),) * inner[0], shape[0] // 2
            halves = (self[(*before, part)]._read(file) for part in (slice(half), slice(half, None)))
            return np.concatenate(list(halves), inner[0])
        data, shift = np.empty(size, np.uint8), sum(min(0, spans[axis]) for axis in inner)
        if not outer and size == wanted:
            self._read_bytes(file, self.start + shift, data)
            return np.ndarray(self.shape, self.dtype, data, -shift, self.strides)
        values = np.empty(self.shape, self.dtype)
        blocks, block = values.transpose(outer + inner), np.ndarray(shape, self.dtype, data, -shift, strides)
        for place in itertools.product(*(range(self.shape[axis]) for axis in outer)):
            begin = self.start + sum(n * self.strides[axis] for n, axis in zip(place, outer))
            self._read_bytes(file, begin + shift, data)
            blocks[place] = block
        return values

    def _read_bytes(self, file: io.FileIO, first: int, data: np.ndarray) -> None:
        file.seek(first)
        done = 0
        while done < len(data):  # the system reads 2 GiB at a time
            size = file.readinto(memoryview(data)[done:])  # type: ignore[arg-type]  # an array is a buffer
            if not size:
                raise ValueError(f"{self.path}: the file was truncated while it was in use")
            done += size
