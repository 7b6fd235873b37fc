"""Zarr stores (version 2 or 3) with CF variables, as MLCast archives are, in the shape of an open netCDF file.

So everything that reads labels and frames of netCDF files reads these: xarray opens the store without dask and decodes
nothing, and pixels are read when they are indexed. Needs the extra `zarr`.
"""

import importlib.util
import os
from typing import Any

import numpy as np
import xarray as xr

from predjax.messages import warn_once

_MARKS = ("zarr.json", ".zgroup", ".zmetadata")


class _Attributes:
    """The attributes of a variable or of the store, asked as netCDF4 has it."""

    def __init__(self, attrs: dict):
        self._attrs = attrs

    def ncattrs(self) -> list[str]:
        """The names."""
        return list(self._attrs)

    def getncattr(self, name: str):
        """The value of one."""
        return self._attrs[name]


class ZarrVariable(_Attributes):
    """An array of a store: the part of netCDF4.Variable that readers use."""

    def __init__(self, name: str, variable: xr.Variable, store: "ZarrStore"):
        attrs = dict(variable.attrs)
        fill: Any = attrs.get("_FillValue")
        declared = "fill_value" in variable.encoding  # version 3 has it beside _FillValue, version 2 only one of them
        if variable.dtype.kind == "f" and not declared and np.ndim(fill) == 0 and fill == 0:
            # The value of what is not written, in many stores the default: it would make missing of all that is dry.
            warn_once("Zarr stores of version 2 whose fill value is 0: it is taken as 0, and not as no coverage")
            del attrs["_FillValue"]
        super().__init__(attrs)
        self.name, self.dtype = name, variable.dtype
        self.dimensions, self.shape = tuple(map(str, variable.dims)), variable.shape
        self.ndim, self.size = variable.ndim, variable.size
        self._variable, self._store = variable, store

    def group(self) -> "ZarrStore":
        """The store."""
        return self._store

    def chunking(self) -> list[int] | str:
        """The shape of a chunk."""
        return list(self._variable.encoding.get("chunks") or ()) or "contiguous"

    def __getitem__(self, key) -> np.ndarray:
        return self._variable[key].values


class ZarrStore(_Attributes):
    """A store: the part of netCDF4.Dataset that readers use."""

    parent, path = None, "/"

    def __init__(self, path: str, dataset: xr.Dataset):
        super().__init__(dict(dataset.attrs))
        self._path, self._dataset = path, dataset
        self.groups: dict = {}
        self.dimensions = tuple(map(str, dataset.sizes))
        self.variables = {str(name): ZarrVariable(str(name), one, self) for name, one in dataset.variables.items()}

    def filepath(self) -> str:
        """Where it lies."""
        return self._path

    def close(self) -> None:
        """Closes it."""
        self._dataset.close()


def is_zarr(path: str | os.PathLike) -> bool:
    """Whether `path` is the folder of a Zarr store."""
    return os.path.isdir(path) and any(os.path.isfile(os.path.join(path, mark)) for mark in _MARKS)


def open_zarr(path: str) -> ZarrStore:
    """Opens a store for reading, with all automatic decoding off.

    Raises:
      ValueError: the extra `zarr` is not installed, or the store cannot be opened.
    """
    if importlib.util.find_spec("zarr") is None:
        raise ValueError(f"{path}: Zarr stores need the extra zarr: pip install 'predjax[zarr]'")
    try:
        dataset = xr.open_dataset(
            path, engine="zarr", chunks=None, cache=False, decode_cf=False, backend_kwargs={"consolidated": False}
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: the Zarr store is damaged or holds no variables ({_first_line(error)})") from None
    return ZarrStore(path, dataset)


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
