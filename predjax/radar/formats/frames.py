"""The frames of one or many files as one lazy array: indexing reads only the chosen frames."""

import itertools
from typing import Any

import numpy as np

from predjax.radar.formats.labels import Field
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK

_UNREADABLE = (RuntimeError, OSError, IndexError)


class FileFrames:
    """Frames (movie, time, y, x, field) that lie in one or many files, or (movie, time, field) without pixels."""

    reads_lists = False

    def __init__(
        self, parts: list[tuple[str, tuple[Field, ...]]], frames: np.ndarray, shape: tuple, dtype: Any = np.float32
    ) -> None:
        """Take path and fields of every file, and for every frame in time its file's number and its place in it.

        The decoders of the fields return `dtype`: float32, or the type of the codes.
        """
        self._parts, self._frames = parts, frames
        self.shape, self.dtype = shape, np.dtype(dtype)

    def codes(self) -> tuple["FileFrames", np.ndarray] | None:
        """Return the same frames as codes and the table that decodes them, or None where no single table does."""
        decoders = {field.decoder for _, fields in self._parts for field in fields}
        table = decoders.pop().table if len(decoders) == 1 else None
        if table is None:
            return None
        parts = [
            # The codes are read as values are, by one function of (stored, name).
            (file, tuple(field._replace(decoder=field.decoder.codes) for field in fields))  # type: ignore[arg-type]
            for file, fields in self._parts
        ]
        return FileFrames(parts, self._frames, self.shape, np.min_scalar_type(len(table) - 1)), table

    def cut(self, start: int, stop: int) -> "FileFrames":
        """Return the frames from `start` to `stop` alone, which know nothing of other files."""
        parts, numbers = np.unique(self._frames[start:stop, 0], return_inverse=True)
        frames = np.stack([numbers, self._frames[start:stop, 1]], axis=1)
        shape = (self.shape[0], len(frames), *self.shape[2:])
        return FileFrames([self._parts[part] for part in parts], frames, shape, self.dtype)

    def read(self, key: tuple) -> np.ndarray:
        """Read and decode a part; see `lazy.Readable`."""
        # Whole numbers become ranges of one, so that every file is read the same way; undone at the end.
        ranges = [
            range(size)[k] if isinstance(k, slice) else range(size)[k : k + 1 or None]
            for k, size in zip(key, self.shape)
        ]
        movies, times, *pixels, fields = ranges
        y, x = pixels or (range(1), range(1))
        values = np.empty((len(movies), len(times), len(y), len(x), len(fields)), self.dtype)
        for begin, end in self._runs(times):
            part, first = self._frames[times[begin]]
            file, all_fields = self._parts[part]
            where = {"movie": movies, "time": range(first, first + end - begin), "y": y, "x": x}
            for number, field in enumerate(fields):
                values[:, begin:end, ..., number] = read_field(file, all_fields[field], where)
        values = values.reshape([len(one) for one in ranges])
        return values[tuple(slice(None) if isinstance(k, slice) else 0 for k in key)]

    def _runs(self, times: range) -> list[tuple[int, int]]:
        """Return the pieces [begin, end) of `times` whose frames follow each other in one file."""
        frames = self._frames[times.start : times.stop : times.step] if len(times) else self._frames[:0]
        breaks = np.flatnonzero((np.diff(frames[:, 0]) != 0) | (np.diff(frames[:, 1]) != 1)) + 1
        edges = [0, *breaks.tolist(), len(frames)]
        return [(begin, end) for begin, end in itertools.pairwise(edges) if end > begin]


def read_field(file: str, field: Field, where: dict[str, range]) -> np.ndarray:
    """Read and decode a piece of one field; `where` has the ranges along "movie", "time", "y" and "x".

    Returns:
      An array that broadcasts to (movie, time, y, x): float32, or codes where the decoder gives codes.

    Errors: ValueError, the data are damaged, or a value is impossible.
    """
    name = f"{file}: {field.array.name}"
    key = tuple(axis if isinstance(axis, int) else _slice(where[axis]) for axis in field.axes)
    with NETCDF_LOCK:
        try:
            stored = field.array.read(key)
        except _UNREADABLE as error:
            if "filter" in str(error).lower():
                raise ValueError(
                    f"{name}: has a compression that the netCDF library does not know: h5repack -f GZIP=1 changes it"
                ) from None
            frame = _find_unreadable(field, where)
            raise ValueError(f"{name}: {frame} cannot be read ({error}): is the file damaged?") from None
    roles = [axis for axis in field.axes if not isinstance(axis, int)]
    order = [role for role in where if role in roles]
    values = field.decoder(stored, name).transpose([roles.index(role) for role in order])
    return values.reshape([len(where[role]) if role in roles else 1 for role in where])


def _find_unreadable(field: Field, where: dict[str, range]) -> str:
    """Return "frame N" for the first frame that cannot be read, or "the data" where each can be read by itself."""
    for number in where["time"]:
        piece = where | {"time": range(number, number + 1)}
        try:
            field.array.read(tuple(axis if isinstance(axis, int) else _slice(piece[axis]) for axis in field.axes))
        except _UNREADABLE:
            return f"frame {number}"
    return "the data"


def _slice(positions: range) -> slice:
    return slice(positions.start, positions.stop, positions.step)
