"""Attributes of HDF5 files that follow no netCDF conventions, read by the netCDF library. Called under NETCDF_LOCK."""

import netCDF4
import numpy as np

from predjax.radar.formats import cf


def group_at(dataset: netCDF4.Dataset, path: str) -> netCDF4.Dataset | None:
    """The group at `path` ("dataset1/what"), or None."""
    for part in path.split("/"):
        dataset = dataset.groups.get(part) if dataset is not None else None
    return dataset


def attributes_at(dataset: netCDF4.Dataset, *paths: str) -> dict:
    """The attributes of groups, those that do not exist left out; the first group that has an attribute gives it."""
    found: dict = {}
    for path in paths:
        group = group_at(dataset, path)
        found = ({} if group is None else cf.attributes(group)) | found
    return found


def text(attrs: dict, key: str, name: str) -> str:
    """The attribute `key` as text.

    Raises:
      ValueError: it is missing, or no text; `name` is that of the file and the group.
    """
    value = attrs.get(key)
    value = value[0] if isinstance(value, list) and len(value) == 1 else value
    if not isinstance(value, str) or not value.strip("\0 "):
        raise ValueError(f"{name}: the attribute {key} must be a text, found {_found(value)}")
    return value.strip("\0 ")


def number(attrs: dict, key: str, name: str) -> float:
    """The attribute `key` as a finite number; errors as of `text`. Numbers written as text are read."""
    value = attrs.get(key)
    try:
        found = np.asarray(value, np.float64).ravel()
    except (TypeError, ValueError):
        found = np.empty(0)
    if value is None or found.size != 1 or not np.isfinite(found[0]):
        raise ValueError(f"{name}: the attribute {key} must be a number, found {_found(value)}")
    return float(found[0])


def _found(value) -> str:
    return "none" if value is None else repr(value)
