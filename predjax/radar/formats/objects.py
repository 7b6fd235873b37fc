"""Python objects that hold frames (of xarray, numpy, pandas, or several of them), as named Datasets and arrays."""

import io
import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import netCDF4
import numpy as np
import pandas as pd
import xarray as xr

from predjax.radar.formats.datasets import encode_dataset, is_movies, name_dataset, wrap_array
from predjax.radar.formats.netcdf import build_dataset

TAKEN = (
    "paths, Datasets, DataArrays, DataTrees and Movies of xarray, arrays of numpy, DataFrames and Series of pandas, "
    "and lists and dicts of these"
)


class Named(NamedTuple):
    """An object and its name in messages; a Dataset is in the form that it has in a file without packing."""

    name: str
    data: xr.Dataset | np.ndarray
    remarks: tuple[str, ...] = ()


def keep(data: Any) -> Any:
    """Return data that can be read twice: an iterator, such as the paths of `Path.glob`, becomes a list."""
    return list(data) if isinstance(data, Iterator) and not isinstance(data, io.IOBase) else data


def holds_paths(data: Any) -> bool:
    """Return whether data are paths: one, or a sequence of them alone."""
    if isinstance(data, str | os.PathLike):
        return True
    return isinstance(data, list | tuple) and all(isinstance(one, str | os.PathLike) for one in data)


def list_objects(data: Any) -> list[Named]:
    """Return the objects that data consist of, by name: the keys of a dict, the file of a Dataset, else by number.

    Movies stay as they are.

    Errors: ValueError, an object of another type, or paths among objects; names the type, and the types that are taken.
    """
    if isinstance(data, Mapping) and not isinstance(data, xr.Dataset | xr.DataTree):
        return [_name(one, str(key), str(key)) for key, one in data.items()]
    items = data if isinstance(data, list | tuple) else [data]
    numbers = [f" {number}" for number in range(1, len(items) + 1)] if len(items) > 1 else [""]
    return [_name(one, f"dataset{number}", f"array{number}") for one, number in zip(items, numbers)]


def _name(item: Any, dataset: str, array: str) -> Named:
    if isinstance(item, xr.Dataset) and is_movies(item):
        return Named(item.attrs["source"], item)
    if isinstance(item, xr.DataArray):
        item = wrap_array(item)
    if isinstance(item, xr.Dataset):
        dataset = name_dataset(item, dataset)
        return Named(dataset, encode_dataset(item, dataset))
    if isinstance(item, xr.DataTree):
        return Named(dataset, _flatten(item, dataset))
    if isinstance(item, pd.DataFrame | pd.Series):
        return _label_table(item.to_frame() if isinstance(item, pd.Series) else item, dataset)
    if isinstance(item, np.ma.MaskedArray):
        return Named(array, np.ma.filled(item.astype(np.float32), np.nan))
    if isinstance(item, np.ndarray) or (hasattr(item, "__array__") and hasattr(item, "ndim")):
        return Named(array, np.asarray(item))
    if isinstance(item, str | os.PathLike):
        raise ValueError(f"datasets and paths cannot be read together, found {item} among datasets")
    kind = type(item)
    name = (
        kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__.split('.')[0]}.{kind.__qualname__}"
    )
    if isinstance(item, netCDF4.Dataset):
        raise ValueError(f"an open {name} cannot be read: give its path, {item.filepath()}")
    raise ValueError(f"data of the type {name} cannot be read; there are {TAKEN}")


def _flatten(tree: xr.DataTree, name: str) -> xr.Dataset:
    """Return the nodes of a tree as the groups of a file: variables and dimensions inside one are "group/name"."""
    variables: dict[str, xr.Variable] = {}
    owners: dict[str, dict[str, str]] = {}  # of each node, the full names of the dimensions that it sees
    for path, node in tree.subtree_with_keys:
        group = "" if path == "." else f"{path}/"
        parent = owners.get(os.path.dirname(path) or ".", {}) if group else {}
        encoded = encode_dataset(node.to_dataset(inherit=not group), name)
        owners[path] = {str(one): f"{group}{one}" for one in encoded.sizes} | parent
        for key, variable in encoded.variables.items():
            renamed = variable.copy(deep=False)
            renamed.dims = tuple(owners[path][str(one)] for one in variable.dims)
            variables[f"{group}{key}"] = renamed
    return build_dataset(variables, dict(tree.attrs), name)


def _label_table(table: pd.DataFrame, name: str) -> Named:
    """Return a DataFrame as a series: its index is time, its columns are features."""
    index = table.index
    if isinstance(index, pd.MultiIndex):
        levels = ", ".join(map(str, index.names))
        raise ValueError(f"{name}: a DataFrame must have one index, its dates, found {levels}: give frame.to_xarray()")
    wrong = next(
        (column for column, kind in table.dtypes.items() if not pd.api.types.is_any_real_numeric_dtype(kind)), None
    )
    if wrong is not None:
        kind = table.dtypes[wrong]
        raise ValueError(
            f"{name}: the column {wrong!r} of a DataFrame holds {kind}, no numbers: leave it out, or set_index"
        )
    remarks: list[str] = []
    coords: dict[str, Any] = {"feature": ("feature", [str(column) for column in table.columns])}
    if isinstance(index, pd.DatetimeIndex):
        if not index.tz:
            remarks.append("the index of the DataFrame has no time zone: its dates are taken as UTC")
        coords["time"] = ("time", index.tz_convert("UTC").tz_localize(None).values if index.tz else index.values)
    elif pd.api.types.is_any_real_numeric_dtype(index.dtype):
        remarks.append(f"the index of the DataFrame ({index.dtype}) has no dates: its rows are numbered")
    else:
        raise ValueError(
            f"{name}: the index of a DataFrame must be dates (pandas.to_datetime) or numbers, found {index.dtype}"
        )
    values = table.to_numpy(np.float64, na_value=np.nan)
    attrs = {key: table.attrs[key] for key in ("units",) if key in table.attrs}
    frames = xr.Dataset({"values": (("time", "feature"), values, attrs)}, coords)
    return Named(name, encode_dataset(frames, name), tuple(remarks))
