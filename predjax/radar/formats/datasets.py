"""Datasets of xarray, in memory or opened by any engine, made undecoded as the formats of this package give them."""

import contextlib
import os
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import xarray as xr

from predjax.radar.formats.composites import CLOCK
from predjax.radar.formats.engines import find_options
from predjax.radar.formats.lazy import read_later
from predjax.radar.formats.name_dates import TIME_REMARK, find_date
from predjax.radar.formats.netcdf import build_dataset
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.radar.formats.open_files import OPEN_FILES, FileArray
from predjax.radar.movies import DIMENSIONS

_LIMITS = ("valid_min", "valid_max", "valid_range")


def wrap_array(array: xr.DataArray) -> xr.Dataset:
    """Return a DataArray as the variable of a Dataset."""
    return array.to_dataset(name=_choose_name(array))


def _choose_name(array: xr.DataArray) -> Hashable:
    """Return the name of an array, or another one if it has none or has the name of a coordinate."""
    taken = {*array.dims, *array.coords}
    names = (array.name, "frames", "values")
    return next((name for name in names if name is not None and name not in taken), "predjax_values")


def is_movies(dataset: xr.Dataset) -> bool:
    """Return whether a dataset is Movies already."""
    return "frames" in dataset and dataset["frames"].dims == DIMENSIONS and "source" in dataset.attrs


def open_with(engine: str, path: str) -> xr.Dataset:
    """Open a file by an engine of xarray as a lazy Dataset of undecoded numbers with all variables.

    Errors: ValueError, one line: the engine cannot open the file.
    """
    with NETCDF_LOCK:
        opened = OPEN_FILES.get(path, _open_file, engine)
        found = read_from_file(opened, path, _open_file, engine)
        found.encoding["remarks"] = opened.encoding.get("remarks", ())
        return found


def _open_file(path: str, engine: str) -> xr.Dataset:
    try:
        opened = xr.open_dataset(path, engine=engine, chunks=None, cache=False, **find_options(engine))
    except Exception as error:  # each engine raises its own
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(f"{path}: the engine {engine} cannot open it ({reason})") from None
    found = encode_dataset(opened, path)  # some engines decode all the same
    found.set_close(opened.close)
    date = find_date(path) if engine == "rasterio" else None
    if date is not None and "time" not in found.variables:
        found["time"] = xr.Variable((), date.view("i8"), CLOCK)
        found.encoding["remarks"] = (TIME_REMARK,)
    return found


def read_from_file(dataset: xr.Dataset, path: str, opener: Callable[..., xr.Dataset], *options: str) -> xr.Dataset:
    """Return a Dataset like `dataset` whose arrays open the file whenever they are read, and close it afterwards."""
    variables = {}
    for name, one in dataset.variables.items():
        array = FileArray(path, str(name), one.shape, one.dtype, opener, options)
        variables[str(name)] = read_later(one.dims, array, dict(one.attrs))
        variables[str(name)].encoding = dict(one.encoding)
    return build_dataset(variables, dict(dataset.attrs), path)


def name_dataset(dataset: xr.Dataset, default: str) -> str:
    """Return the path of the file that a Dataset was opened from, else the default."""
    return os.fspath(dataset.encoding.get("source") or default)


def encode_dataset(dataset: xr.Dataset, path: str) -> xr.Dataset:
    """Return a decoded Dataset in the form that it would have in a file without packing."""
    labels = " ".join(str(label) for label in dataset.coords if label not in dataset.dims)
    variables = {str(name): _encode(one, labels) for name, one in dataset.variables.items()}
    return build_dataset(variables, dict(dataset.attrs), path)


def _encode(variable: xr.Variable, coordinates: str) -> xr.Variable:
    """Return a variable with dates as numbers, and with the attributes that xarray had moved to its encoding."""
    plain, attrs, encoding = variable.copy(deep=False), dict(variable.attrs), variable.encoding
    if "grid_mapping" in encoding:
        attrs.setdefault("grid_mapping", encoding["grid_mapping"])
    if coordinates:
        attrs["coordinates"] = coordinates
    scale, offset = (encoding.get(key) for key in ("scale_factor", "add_offset"))
    if not (scale is None and offset is None):  # the limits are still those of packed numbers
        scale, offset = 1.0 if scale is None else float(scale), 0.0 if offset is None else float(offset)
        for key in _LIMITS:
            if key in attrs and np.asarray(attrs[key]).dtype.kind in "iu":
                attrs[key] = _unpack_limits(attrs[key], key, scale, offset)
    plain.attrs, plain.encoding = attrs, {}
    if _has_zone(variable):  # neither numpy nor CF numbers know one: texts with offsets from UTC do
        dates = variable.values.flat if isinstance(variable.dtype, np.dtype) else variable.to_index()
        texts = [date.isoformat() for date in dates]
        plain = xr.Variable(variable.dims, np.array(texts, object).reshape(variable.shape), attrs)
    elif variable.dtype.kind in "mMO":
        with contextlib.suppress(ValueError, TypeError):  # what cannot be encoded is refused where it is needed
            plain = xr.conventions.encode_cf_variable(plain)
    return plain


def _has_zone(variable: xr.Variable) -> bool:
    """Return whether a variable holds dates with a time zone."""
    if not isinstance(variable.dtype, np.dtype):
        return getattr(variable.dtype, "tz", None) is not None  # a coordinate of pandas
    if variable.dtype.kind != "O":
        return False
    first = variable[(slice(1),) * variable.ndim].values
    return any(getattr(one, "tzinfo", None) is not None for one in np.asarray(first, object).flat)


def _unpack_limits(limits: Any, key: str, scale: float, offset: float) -> np.ndarray:
    """Return limits of packed numbers as limits of values, half a packing step wider because values are rounded."""
    wider = {"valid_min": -0.5, "valid_max": 0.5, "valid_range": np.array([-0.5, 0.5])}[key]
    return (np.asarray(limits, float) + wider) * scale + offset
