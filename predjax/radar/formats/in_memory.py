"""Datasets of xarray that are in memory, in the shape of open netCDF files: readers find frames and labels by the same
rules as in files, and pixels are read when they are indexed."""

import contextlib
import os

import numpy as np
import xarray as xr

from predjax.radar.formats.zarr import ZarrStore
from predjax.radar.movies import DIMENSIONS

_LIMITS = ("valid_min", "valid_max", "valid_range")


class InMemory(str):
    """The name of a dataset in the place of a path; `store` is what an open file would be."""

    store: ZarrStore


def list_datasets(data) -> list[xr.Dataset] | None:
    """The datasets of `data`, which is one, a DataArray, or a sequence of them; None where it is none of these.

    Errors: ValueError for a sequence of datasets and paths.
    """
    items = [data] if isinstance(data, xr.Dataset | xr.DataArray) else data
    if not isinstance(items, list | tuple) or not any(isinstance(one, xr.Dataset | xr.DataArray) for one in items):
        return None
    other = next((one for one in items if not isinstance(one, xr.Dataset | xr.DataArray)), None)
    if other is not None:
        raise ValueError(f"datasets and paths cannot be read together, found {other} among datasets")
    return [one.to_dataset(name=_choose_name(one)) if isinstance(one, xr.DataArray) else one for one in items]


def _choose_name(array: xr.DataArray):
    """The array's own name, unless it has none or that of a coordinate."""
    taken = {*array.dims, *array.coords}
    names = (array.name, "frames", "values")
    return next((name for name in names if name is not None and name not in taken), "predjax_values")


def is_movies(dataset: xr.Dataset) -> bool:
    """Whether a dataset is Movies already."""
    return "frames" in dataset and dataset["frames"].dims == DIMENSIONS and "source" in dataset.attrs


def as_file(dataset: xr.Dataset, default: str = "dataset") -> InMemory:
    """A dataset as a file, under the path of the one that it was opened from, else the default."""
    name = InMemory(os.fspath(dataset.encoding.get("source") or default))
    labels = " ".join(str(label) for label in dataset.coords if label not in dataset.dims)
    stored = {key: _encode(one, labels) for key, one in dataset.variables.items()}
    store = ZarrStore(str(name), xr.Dataset(stored, attrs=dataset.attrs))
    for variable in store.variables.values():
        if variable.dtype.kind in "OUT" and all(isinstance(text, str) for text in variable[...].flat):
            variable.dtype = str  # as the netCDF library has it
    name.store = store
    return name


def _encode(variable: xr.Variable, coordinates: str) -> xr.Variable:
    """A variable as it would lie in a file that packs nothing: dates as numbers, and in the attributes what xarray
    keeps beside them when it decodes a file."""
    attrs, encoding = dict(variable.attrs), variable.encoding
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
    plain = xr.Variable(variable.dims, variable._data, attrs)
    if variable.dtype.kind in "mMO":
        with contextlib.suppress(ValueError, TypeError):  # what cannot be encoded is refused where it is needed
            plain = xr.conventions.encode_cf_variable(plain)
    plain.encoding = {"fill_value": None}  # says that `_FillValue`, where there is one, was meant
    return plain


def _unpack_limits(limits, key: str, scale: float, offset: float) -> np.ndarray:
    """Limits of packed numbers as limits of values, half a number wider, for values are rounded."""
    wider = {"valid_min": -0.5, "valid_max": 0.5, "valid_range": np.array([-0.5, 0.5])}[key]
    return (np.asarray(limits, float) + wider) * scale + offset
