"""netCDF and HDF5 files as the netCDF library opens them, and their attributes. All under NETCDF_LOCK."""

import contextlib
import pathlib

import netCDF4
import numpy as np

from predjax.radar.formats.classic import check_classic_size
from predjax.radar.formats.open_files import OPEN_FILES, FileArray, read_start
from predjax.radar.formats.other_files import LINKS, open_at_most
from predjax.radar.formats.polar import check_not_nexrad

HDF5 = b"\x89HDF\r\n\x1a\n"
_CLASSIC = (b"CDF\x01", b"CDF\x02", b"CDF\x05")


def open_hdf5(path: str) -> netCDF4.Dataset:
    """Open a netCDF or HDF5 file for reading with masks, scaling and text conversion off.

    Raises:
      FileNotFoundError, PermissionError: from the operating system.
      ValueError: it is not a netCDF file, or a truncated or damaged one.
    """
    start = read_start(path)
    if not start:
        raise ValueError(f"{path}: the file is empty")
    if start[:4] in _CLASSIC:
        check_classic_size(path)
    elif start != HDF5:
        check_not_nexrad(start, path)
        raise ValueError(f"{path}: not a netCDF file (it starts with {start!r})")
    try:
        with open_at_most(1) if OPEN_FILES.alone else contextlib.nullcontext():
            dataset = netCDF4.Dataset(pathlib.Path(path))
    except (OSError, RuntimeError, AttributeError, KeyError, UnicodeDecodeError) as error:
        reason = str(getattr(error, "strerror", None) or error)
        other = f", or {LINKS}" if OPEN_FILES.alone and start == HDF5 else ""
        raise ValueError(f"{path}: the netCDF file is truncated or damaged{other} ({reason})") from None
    dataset.set_auto_maskandscale(False)
    return dataset


def find_array(path: str, variable: netCDF4.Variable) -> FileArray:
    """Return the array of a variable of an open file, to be read later."""
    group = variable.group().path.strip("/")
    # The dtype of texts and of ragged arrays is no type of numpy, or the type of their elements.
    plain = isinstance(variable.dtype, np.dtype) and not isinstance(variable.datatype, netCDF4.VLType)
    name = f"{group}/{variable.name}" if group else variable.name
    return FileArray(path, name, variable.shape, variable.dtype if plain else np.dtype(object), open_hdf5)


def attributes(item: netCDF4.Dataset | netCDF4.Variable) -> dict:
    """Return the attributes of a variable or group."""
    return {key: item.getncattr(key) for key in item.ncattrs()}


def group_at(dataset: netCDF4.Dataset, path: str) -> netCDF4.Dataset | None:
    """Return the group at `path` ("dataset1/what"), or None."""
    for part in path.split("/"):
        dataset = dataset.groups.get(part) if dataset is not None else None
    return dataset


def attributes_at(dataset: netCDF4.Dataset, *paths: str) -> dict:
    """Return the attributes of those groups that exist; of an attribute in several, the value in the first group."""
    found: dict = {}
    for path in paths:
        group = group_at(dataset, path)
        found = ({} if group is None else attributes(group)) | found
    return found


def text(attrs: dict, key: str, name: str) -> str:
    """Return the attribute `key` as text.

    Errors: ValueError, it is missing or not text; `name` is the file and the group, for the message.
    """
    value = attrs.get(key)
    value = value[0] if isinstance(value, list) and len(value) == 1 else value
    if not isinstance(value, str) or not value.strip("\0 "):
        raise ValueError(f"{name}: the attribute {key} must be a text, found {_found(value)}")
    return value.strip("\0 ")


def number(attrs: dict, key: str, name: str) -> float:
    """Return the attribute `key` as a finite number; errors: see `text`. Numbers written as text are read."""
    value = attrs.get(key)
    try:
        found = np.asarray(value, np.float64).ravel()
    except (TypeError, ValueError):
        found = np.empty(0)
    if value is None or found.size != 1 or not np.isfinite(found[0]):
        raise ValueError(f"{name}: the attribute {key} must be a number, found {_found(value)}")
    return float(found[0])


def _found(value: object) -> str:
    return "none" if value is None else repr(value)
