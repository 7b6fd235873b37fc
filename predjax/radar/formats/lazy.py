"""Lazy arrays for xarray, which are read when they are indexed. The only file that knows xarray's lazy indexing."""

from collections.abc import Hashable, Iterable
from typing import Any, Protocol, runtime_checkable

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from predjax.messages import one_line_messages
from predjax.radar.formats.possible_values import Tally


class Readable(Protocol):
    """An array that lies in files."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the whole array."""

    @property
    def dtype(self) -> np.dtype:
        """The type of the whole array."""

    @property
    def reads_lists(self) -> bool:
        """Whether `read` also takes a list of indices for each axis."""

    def read(self, key: tuple) -> np.ndarray:
        """Read a part of the array; `key` has an integer or a slice for each axis."""


@runtime_checkable
class Coded(Readable, Protocol):
    """Frames whose values may be stored as codes, with a table of their values."""

    def codes(self) -> tuple[Readable, np.ndarray] | None:
        """Return the same frames as codes, and the table of their values; None where no single table decodes them."""


@runtime_checkable
class Divisible(Readable, Protocol):
    """Frames (movie, time, y, x, channel) that can be cut in time; a part can be sent to another process."""

    def cut(self, start: int, stop: int) -> Readable:
        """Return frames [start, stop), counted through the movies, as one movie without references to other frames."""


class _Array(BackendArray):
    """A `Readable` in the form that xarray's lazy arrays take."""

    def __init__(self, source: Readable) -> None:
        self.source, self.shape, self.dtype = source, source.shape, source.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> np.ndarray:
        if isinstance(key, indexing.VectorizedIndexer) and any(np.size(part) == 0 for part in key.tuple):
            # No points, which xarray before 2026.9 cannot cut out.
            return np.broadcast_to(np.empty((), self.dtype), self.shape)[key.tuple]
        kept = [(part, size) for part, size in zip(key.tuple, self.shape) if not _is_number(part)]
        if any(isinstance(part, slice) for part, _ in kept):  # else they may be points
            sizes = [len(range(size)[part]) if isinstance(part, slice) else len(part) for part, size in kept]
            if 0 in sizes:
                empty = np.empty(sizes, self.dtype).view(_Empty)
                empty.origin = self.source, key.tuple
                return empty
        support = indexing.IndexingSupport.OUTER if self.source.reads_lists else indexing.IndexingSupport.BASIC
        return indexing.explicit_indexing_adapter(key, self.shape, support, one_line_messages()(self.source.read))


class _Empty(np.ndarray):
    """An empty part of an array, with the array and the index of each of its axes."""

    origin: tuple[Readable, tuple] | None = None


def _is_number(part: Any) -> bool:
    return isinstance(part, int | np.integer)


def read_later(dims: Iterable[Hashable], source: Readable, attrs: dict | None = None) -> xr.Variable:
    """Return a variable whose numbers are read from `source` when they are indexed."""
    return xr.Variable(tuple(dims), indexing.LazilyIndexedArray(_Array(source)), attrs)


def find_source(variable: xr.Variable | xr.DataArray) -> Readable | None:
    """Return the `Readable` behind a lazy variable or a part of one; None for data in memory.

    xarray hands on the arrays that it reads, but not their source. So an empty part is read, which costs nothing and
    carries its source along.
    """
    origin = getattr(variable[:0].data, "origin", None) if variable.ndim else None
    return origin and origin[0]


def find_tally(variable: xr.Variable | xr.DataArray) -> Tally | None:
    """Return the counts of the values that were changed when a lazy variable was read; None for data in memory."""
    return getattr(find_source(variable), "tally", None)


def _find_part(variable: xr.Variable | xr.DataArray) -> tuple | None:
    """Return the index along each axis that cuts a variable out of its source (see `find_source`), or None.

    A part that is empty along one axis gives the indices of all other axes.
    """
    if variable.ndim < 2:
        return None
    origins: list[Any] = [getattr(part.data, "origin", None) for part in (variable[:0], variable[:, :0])]
    if None in origins:
        return None
    (_, key), (_, other) = origins
    first = next(axis for axis, part in enumerate(key) if not _is_number(part))
    return (*key[:first], other[first], *key[first + 1 :])


def find_codes(frames: xr.Variable | xr.DataArray) -> tuple[xr.Variable, np.ndarray] | None:
    """Return the codes of lazy frames, to be read when indexed, and the table of their values.

    None for frames in memory (somebody may have changed them) and for frames that no single table decodes.
    """
    source, part = find_source(frames), _find_part(frames)
    found = source.codes() if part and isinstance(source, Coded) else None
    if part is None or found is None:
        return None
    names = iter(frames.dims)
    index = {f"axis {axis}" if _is_number(one) else next(names): one for axis, one in enumerate(part)}
    return read_later(index, found[0]).isel(index), found[1]


def cut_frames(frames: xr.Variable, start: int, stop: int) -> xr.Variable:
    """Return frames [start, stop) of whole lazy frames. Unlike a slice, they do not refer to all files."""
    source = find_source(frames)
    assert isinstance(source, Divisible), "a reader made them"
    return read_later(frames.dims, source.cut(start, stop))
