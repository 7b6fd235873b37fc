"""Composites as CF Datasets. A file holds one image with its labels, or the images of a forecast."""

from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from predjax.radar.formats.lazy import read_later
from predjax.radar.formats.netcdf import build_dataset
from predjax.radar.formats.open_files import FileArray
from predjax.radar.formats.stack import Stack
from predjax.radar.grid import Grid

REFLECTIVITY = {"units": "dBZ", "standard_name": "equivalent_reflectivity_factor", "long_name": "radar reflectivity"}
RATE = {"units": "mm/h", "standard_name": "rainfall_rate", "long_name": "rain rate"}
AMOUNT = {"units": "mm", "standard_name": "rainfall_amount", "long_name": "accumulated rain"}
CLOCK = {"units": "nanoseconds since 1970-01-01", "calendar": "proleptic_gregorian", "standard_name": "time"}


class Composite(NamedTuple):
    """One image and its labels, or the images of a forecast."""

    name: str  # of the quantity
    pixels: FileArray | Stack  # the array (y, x) or (time, y, x)
    attrs: dict  # the attributes of the pixels: units, packing, names; see `decode.read_packing`
    grid: Grid  # where the pixels lie
    time: Any  # datetime64 () or (time,)
    period: Any  # start and end of accumulations, datetime64 (2,) or (time, 2), or None
    file_attrs: dict  # of the whole file
    init_time: np.datetime64 | None = None  # of a forecast, or of the observation that it begins with
    remarks: tuple[str, ...] = ()  # lines on what was taken for what


def label_composite(composite: Composite) -> xr.Dataset:
    """Return the lazy Dataset of a composite: undecoded pixels, time, y, x, and the grid mapping where it is known."""
    grid, time = composite.grid, dict(CLOCK)
    dims = ("time",) if composite.time.ndim else ()
    variables = {composite.name: read_later((*dims, "y", "x"), composite.pixels, dict(composite.attrs))}
    if composite.period is not None:
        bounds = np.array(composite.period, "datetime64[ns]").view("i8")
        variables["time_bounds"] = xr.Variable((*dims, "bounds"), bounds)
        time["bounds"] = "time_bounds"
    variables["time"] = xr.Variable(dims, composite.time.astype("datetime64[ns]").view("i8"), time)
    if composite.init_time is not None:
        init = composite.init_time.astype("datetime64[ns]").view("i8")
        name = "forecast_reference_time"
        variables[name] = xr.Variable((), init, CLOCK | {"standard_name": name})
    is_forecast = composite.init_time is not None and bool((composite.time > composite.init_time).any())
    variables |= {axis: one for axis, one in (("y", grid.y), ("x", grid.x)) if one is not None}
    if grid.mapping:
        variables[grid.mapping_name] = xr.Variable((), 0, grid.mapping)
        variables[composite.name].attrs["grid_mapping"] = grid.mapping_name
    dataset = build_dataset(variables, composite.file_attrs, composite.pixels.path)
    dataset.encoding |= {"remarks": composite.remarks, "init_time": str(composite.init_time) if is_forecast else ""}
    return dataset


def as_code(number: float, dtype: np.dtype) -> float | np.generic:
    """Return a code as CF has it, of the type of the pixels, where the type can hold it."""
    try:
        code = dtype.newbyteorder("=").type(number)
    except (ValueError, OverflowError):
        return number
    return code if code == number else number
