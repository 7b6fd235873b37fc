"""HDF5 files with a data set for each frame or movie, as published archives have them, as one array."""

import importlib.util
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from predjax.radar.formats.decode import check_dtype
from predjax.radar.formats.hdf5 import HDF5, open_hdf5
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.radar.formats.open_files import OPEN_FILES

_SUFFIXES = (".h5", ".hdf", ".hdf5", ".hd5", "-hd5")


def open_data_sets(path: str) -> Any:
    """Open an HDF5 file by h5py where it is installed, else by the netCDF library; both give `file[name]`.

    h5py lists many data sets sooner, and knows the compression LZF, which is its own.

    Errors: ValueError or OSError, one line: it is no HDF5 file, or a damaged one.
    """
    if importlib.util.find_spec("h5py") is None:
        return open_hdf5(path)
    import h5py

    try:
        return h5py.File(path)
    except (OSError, RuntimeError) as error:
        raise ValueError(f"{path}: the HDF5 file is truncated or damaged ({error})") from None


def list_names(path: str, start: bytes, group: str = "") -> list[str]:
    """Return the names of all data sets and groups in an HDF5 file or in a group of it, sorted; none of another file.

    `start` has the first bytes of the file.
    """
    if start != HDF5 or not path.lower().endswith(_SUFFIXES):
        return []
    with NETCDF_LOCK:
        file = OPEN_FILES.get(path, open_data_sets)
        where = file[group] if group else file
        names = [*where.variables, *where.groups] if hasattr(where, "variables") else list(where)
    return sorted(map(str, names))  # those that are no text are bytes of h5py


class DataSets(NamedTuple):
    """Data sets of one shape and type, one after another along a new first axis; a `lazy.Readable`."""

    path: str
    names: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def reads_lists(self) -> bool:
        """Not in the HDF5 libraries."""
        return False

    def read(self, key: tuple) -> np.ndarray:
        """Read a part; see `lazy.Readable`.

        Errors: ValueError, a data set differs from the first one, or has a compression that needs h5py.
        """
        first, *rest = key or (slice(None),)
        chosen = self.names[first]
        found = [self._read(name, tuple(rest)) for name in ([chosen] if isinstance(chosen, str) else chosen)]
        if isinstance(chosen, str):
            return found[0]
        return np.stack(found) if found else np.empty((0, *self.shape[1:]), self.dtype)[(slice(None), *rest)]

    def _read(self, name: str, key: tuple) -> np.ndarray:
        with NETCDF_LOCK:
            one = OPEN_FILES.get(self.path, open_data_sets)[name]
            if (one.shape, one.dtype) != (self.shape[1:], self.dtype):
                raise ValueError(
                    f"{self.path}: {name}: it must be {self.dtype} of the shape {self.shape[1:]} like "
                    f"{self.names[0]}, found {one.dtype} of {one.shape}"
                )
            try:
                return np.asarray(one[key or ...])
            except RuntimeError as error:
                if "filter" not in str(error).lower():
                    raise
                raise ValueError(
                    f"{self.path}: {name}: it is compressed with LZF, which needs h5py: pip install 'predjax[hdf5]'"
                ) from None


def stack_data_sets(path: str, names: Sequence[str], axes: int) -> DataSets:
    """Return data sets as one array; each has as many `axes` as the first one, which gives shape and type.

    Errors: ValueError, the first one has other axes, or holds no numbers.
    """
    with NETCDF_LOCK:
        first = OPEN_FILES.get(path, open_data_sets)[names[0]]
        name = f"{path}: {names[0]}"
        if len(first.shape) != axes:
            raise ValueError(f"{name}: a data set must have {axes} axes, its shape is {first.shape}")
        check_dtype(first.dtype, name)
        return DataSets(os.fspath(path), tuple(names), (len(names), *first.shape), first.dtype)
