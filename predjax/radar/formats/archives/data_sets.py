"""HDF5 files of published archives that have a data set for each frame or movie, read as one array."""

import contextlib
import functools
import importlib.util
from collections.abc import Sequence
from typing import Any

import numpy as np

from predjax.radar.formats.decode import check_dtype
from predjax.radar.formats.hdf5 import HDF5, open_hdf5
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.radar.formats.open_files import OPEN_FILES
from predjax.radar.formats.other_files import open_at_most, read_part
from predjax.radar.formats.stack import Stack

_SUFFIXES = (".h5", ".hdf", ".hdf5", ".hd5", "-hd5")


def open_data_sets(path: str) -> Any:
    """Open an HDF5 file with h5py if it is installed, else with the netCDF library; both give `file[name]`.

    h5py lists many data sets faster, and knows its own compression LZF.

    Errors: ValueError or OSError, one line: the file is not an HDF5 file, or is damaged.
    """
    if importlib.util.find_spec("h5py") is None:
        return open_hdf5(path)
    import h5py

    try:
        with open_at_most(1) if OPEN_FILES.alone else contextlib.nullcontext():
            return h5py.File(path)
    except (OSError, RuntimeError) as error:
        raise ValueError(f"{path}: the HDF5 file is truncated or damaged ({error})") from None


def list_names(path: str, start: bytes, group: str = "") -> list[str]:
    """Return the sorted names of all data sets and groups in an HDF5 file or a group of it; [] for another file.

    `start` has the first bytes of the file.
    """
    if start != HDF5 or not path.lower().endswith(_SUFFIXES):
        return []
    with NETCDF_LOCK:
        file = OPEN_FILES.get(path, open_data_sets)
        where = _find(path, group) if group else file
        names = [*where.variables, *where.groups] if hasattr(where, "variables") else list(where)
    return sorted(map(str, names))  # those that are no text are bytes of h5py


def _find(path: str, name: str) -> Any:
    """Return a data set or group. Errors: ValueError, the name is a link to another file, or to nothing."""
    file = OPEN_FILES.get(path, open_data_sets)
    try:
        with open_at_most(0) if OPEN_FILES.alone else contextlib.nullcontext():
            return file[name]
    except (KeyError, OSError) as error:
        raise ValueError(f"{path}: {name} cannot be opened ({error})") from None


def _read(path: str, like: tuple[str, tuple[int, ...], np.dtype], name: str, key: tuple) -> np.ndarray:
    """Read a part of a data set, which must have the name, shape and type of `like`, the first data set.

    Errors: ValueError, it has another shape or type, or a compression that needs h5py.
    """
    first, shape, dtype = like
    with NETCDF_LOCK:
        one = _find(path, name)
        if (one.shape, one.dtype) != (shape, dtype):
            rule = f"it must be {dtype} of the shape {shape} like {first}"
            raise ValueError(f"{path}: {name}: {rule}, found {one.dtype} of {one.shape}")
        try:
            return read_part(path, one, key, OPEN_FILES.alone)
        except RuntimeError as error:
            if "filter" not in str(error).lower():
                raise
            rule = "it is compressed with LZF, which needs h5py: pip install 'predjax[hdf5]'"
            raise ValueError(f"{path}: {name}: {rule}") from None


def stack_data_sets(path: str, names: Sequence[str], axes: int) -> Stack:
    """Return data sets as one array; the first one, which must have these `axes`, gives the shape and type of all.

    Errors: ValueError, the first one has other axes, or holds no numbers.
    """
    with NETCDF_LOCK:
        first = _find(path, names[0])
        name = f"{path}: {names[0]}"
        if len(first.shape) != axes:
            raise ValueError(f"{name}: a data set must have {axes} axes, its shape is {first.shape}")
        check_dtype(first.dtype, name)
        like = names[0], first.shape, first.dtype
        read = functools.partial(_read, path, like)
        return Stack(path, tuple(names), (len(names), *first.shape), first.dtype, read)
