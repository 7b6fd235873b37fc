"""Zarr stores (version 2 or 3) with CF variables, as MLCast archives are. Needs the extra `zarr`."""

import importlib.util
import os
from typing import Any

import numpy as np
import xarray as xr

from predjax.messages import warn_once
from predjax.radar.formats.datasets import read_from_file
from predjax.radar.formats.engines import list_engines
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.radar.formats.open_files import OPEN_FILES

_MARKS = ("zarr.json", ".zgroup", ".zmetadata")


def is_zarr(path: str, start: bytes) -> bool:
    """Return whether `path` is the folder of a Zarr store."""
    return os.path.isdir(path) and any(os.path.isfile(os.path.join(path, mark)) for mark in _MARKS)


def open_zarr(path: str, variable: str = "") -> xr.Dataset:
    """Open a store as a lazy Dataset of undecoded numbers with all variables, whatever the `variable`.

    Errors: ValueError, the extra `zarr` is not installed, or the store cannot be opened.
    """
    if importlib.util.find_spec("zarr") is None:
        raise ValueError(f"{path}: Zarr stores need the extra zarr: pip install 'predjax[zarr]'")
    with NETCDF_LOCK:
        try:
            store = OPEN_FILES.get(path, _open_store)
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise ValueError(f"{path}: the Zarr store is damaged or holds no variables ({reason})") from None
    return read_from_file(store, path, _open_store)


def _open_store(path: str) -> xr.Dataset:
    list_engines()  # in the order in which they can be loaded together
    store = xr.open_dataset(
        path, engine="zarr", chunks=None, cache=False, decode_cf=False, backend_kwargs={"consolidated": False}
    )
    for variable in store.variables.values():
        fill: Any = variable.attrs.get("_FillValue")
        declared = "fill_value" in variable.encoding  # version 3 has it beside _FillValue, version 2 only one of them
        if variable.dtype.kind == "f" and not declared and np.ndim(fill) == 0 and fill == 0:
            # The value of what is not written, in many stores the default: it would make missing of all that is dry.
            warn_once("Zarr stores of version 2 whose fill value is 0: it is taken as 0, and not as no coverage")
            del variable.attrs["_FillValue"]
    return store
