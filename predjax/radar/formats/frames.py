"""The frames of one or many files as one lazy array: indexing reads only the chosen frames."""

import itertools
from typing import Any

import numpy as np

from predjax.radar.formats.labels import Field
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.radar.formats.possible_values import Judged, Tally

_UNREADABLE = (RuntimeError, OSError, IndexError)


class FileFrames:
    """Frames (movie, time, y, x, field) that lie in one or many files, or (movie, time, field) without pixels.

    The `tally` counts the values that were read and that `possible_values` changed.
    """

    reads_lists = False

    def __init__(
        self,
        parts: list[tuple[str, tuple[Field, ...]]],
        frames: np.ndarray,
        shape: tuple,
        dtype: Any = None,
        tally: Tally | None = None,
    ) -> None:
        """Take the path and fields of each file, and for each frame in time the number of its file and its index in it.

        With the `dtype` of codes, frames are codes instead of values.
        """
        self._parts, self._frames, self._coded = parts, frames, dtype is not None
        self.shape, self.dtype = shape, np.dtype(dtype or np.float32)
        self.tally = tally or Tally()

    def codes(self) -> tuple["FileFrames", np.ndarray] | None:
        """Return the same frames as codes and the table that decodes them, or None where no single table does."""
        decoders = {field.decoder for _, fields in self._parts for field in fields}
        table = decoders.pop().table if len(decoders) == 1 else None
        if table is None:
            return None
        code = np.min_scalar_type(len(table) - 1)
        return FileFrames(self._parts, self._frames, self.shape, code, self.tally), table

    def cut(self, start: int, stop: int) -> "FileFrames":
        """Return the frames from `start` to `stop` alone, without references to other files."""
        parts, numbers = np.unique(self._frames[start:stop, 0], return_inverse=True)
        frames = np.stack([numbers, self._frames[start:stop, 1]], axis=1)
        shape = (self.shape[0], len(frames), *self.shape[2:])
        return FileFrames([self._parts[part] for part in parts], frames, shape, self.dtype if self._coded else None)

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
                one = all_fields[field]
                place = values[:, begin:end, ..., number]
                place[...], judged = read_field(file, one, where, self._coded)
                if judged:
                    self._check_rare(file, one, where, judged)
                self.tally.add(place.size, judged)
        values = values.reshape([len(one) for one in ranges])
        return values[tuple(slice(None) if isinstance(k, slice) else 0 for k in key)]

    def _check_rare(self, file: str, field: Field, where: dict[str, range], judged: Judged) -> None:
        """Raise a ValueError for frames in which too much rain is negative; see `Tally.check_rare`."""
        full = {"y": range(self.shape[2]), "x": range(self.shape[3])}
        shape = tuple(map(len, where.values()))
        judged = judged.change(lambda array: np.broadcast_to(array, shape).reshape(-1, *shape[2:]))
        name = f"{file}: {field.array.name}"
        frames = [(name, movie, time, field.axes) for movie in where["movie"] for time in where["time"]]

        def read_frame(frame: tuple) -> Judged | None:
            _, movie, time, _ = frame
            place = {"movie": range(movie, movie + 1), "time": range(time, time + 1)}
            return read_field(file, field, place | full)[1]

        whole = all(len(where[axis]) == len(full[axis]) for axis in full)
        self.tally.check_rare(judged, frames, whole, read_frame)

    def _runs(self, times: range) -> list[tuple[int, int]]:
        """Return the pieces [begin, end) of `times` whose frames follow each other in one file."""
        frames = self._frames[times.start : times.stop : times.step] if len(times) else self._frames[:0]
        breaks = np.flatnonzero((np.diff(frames[:, 0]) != 0) | (np.diff(frames[:, 1]) != 1)) + 1
        edges = [0, *breaks.tolist(), len(frames)]
        return [(begin, end) for begin, end in itertools.pairwise(edges) if end > begin]


def read_field(
    file: str, field: Field, where: dict[str, range], as_codes: bool = False
) -> tuple[np.ndarray, Judged | None]:
    """Read and decode a piece of one field; `where` has the ranges along "movie", "time", "y" and "x".

    Returns:
      An array that broadcasts to (movie, time, y, x), float32 or codes, and the kinds of its changed values in the same
      shape; see `Decoder.decode`.

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
    values, judged = (field.decoder.codes if as_codes else field.decoder.decode)(stored, name)

    def place(array: np.ndarray) -> np.ndarray:
        ordered = array.transpose([roles.index(role) for role in order])
        return ordered.reshape([len(where[role]) if role in roles else 1 for role in where])

    return place(values), judged and judged.change(place)


def _find_unreadable(field: Field, where: dict[str, range]) -> str:
    """Return "frame N" for the first frame that cannot be read, or "the data" if each frame alone can be read."""
    for number in where["time"]:
        piece = where | {"time": range(number, number + 1)}
        try:
            field.array.read(tuple(axis if isinstance(axis, int) else _slice(piece[axis]) for axis in field.axes))
        except _UNREADABLE:
            return f"frame {number}"
    return "the data"


def _slice(positions: range) -> slice:
    return slice(positions.start, positions.stop, positions.step)
