"""Arrays in .npz files, which are read as a whole when a part of them is indexed."""

import contextlib
from typing import Any, NamedTuple

import numpy as np

from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.radar.formats.npz import list_arrays, open_npz, read_array, read_shape
from predjax.radar.formats.open_files import OpenFiles

# Those read last stay in memory: two, because a window of frames may lie in two files.
_WHOLE = OpenFiles(limit=2)


class _Whole(NamedTuple):
    array: np.ndarray

    def close(self) -> None:
        """Do nothing: the file was read as a whole."""


class WholeArray(NamedTuple):
    """Arrays of a .npz file as one: each row of arrays is joined along their second axis, the rows along the first.

    It is a `lazy.Readable`.
    """

    path: str
    rows: tuple[str, ...]  # the names of the arrays of each row, with commas between
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def reads_lists(self) -> bool:
        """False, because arrays of numpy take lists otherwise than xarray does."""
        return False

    def read(self, key: tuple) -> np.ndarray:
        """Read a part; see `lazy.Readable`."""
        with NETCDF_LOCK:
            return _WHOLE.get(self.path, _read_rows, *self.rows).array[key]


def list_npz(path: str) -> set[str]:
    """Return the names of the arrays in a file; none if it is not a readable .npz file."""
    if path.lower().endswith(".npz"):
        with contextlib.suppress(ValueError, OSError), open_npz(path) as archive:
            return set(list_arrays(archive))
    return set()


def join_arrays(path: str, *rows: str) -> WholeArray:
    """Return arrays of a file as one.

    Errors: ValueError, an array is damaged, has no numbers, or has another type or shape than its neighbours.
    """
    with open_npz(path) as archive:
        found = [[read_shape(archive, name, path) for name in row.split(",")] for row in rows]
    first, dtype = found[0][0]
    lengths = [sum(shape[1] for shape, _ in row) if len(row) > 1 else row[0][0][1] for row in found]
    for row, names in zip(found, rows):
        for (shape, one), name in zip(row, names.split(",")):
            same = shape[0] == row[0][0][0] and shape[2:] == first[2:] and one == dtype
            if not same or lengths[rows.index(names)] != lengths[0]:
                raise ValueError(f"{path}: {name} of {one} {shape} does not fit {rows[0]} of {dtype} {first}")
    shape = (sum(row[0][0][0] for row in found), lengths[0], *first[2:])
    return WholeArray(path, rows, shape, dtype)


def _read_rows(path: str, *rows: str) -> Any:
    with open_npz(path) as archive:
        found = [[read_array(archive, name, path) for name in row.split(",")] for row in rows]
    joined = [row[0] if len(row) == 1 else np.concatenate(row, axis=1) for row in found]
    return _Whole(joined[0] if len(joined) == 1 else np.concatenate(joined))
