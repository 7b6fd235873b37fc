"""Composites, which are one image with its own labels a file, as CF Datasets."""

from typing import NamedTuple

import numpy as np
import xarray as xr

from predjax.radar.formats.lazy import read_later
from predjax.radar.formats.netcdf import build_dataset
from predjax.radar.formats.open_files import FileArray
from predjax.radar.grid import Grid

REFLECTIVITY = {"units": "dBZ", "standard_name": "equivalent_reflectivity_factor", "long_name": "radar reflectivity"}
RATE = {"units": "mm/h", "standard_name": "rainfall_rate", "long_name": "rain rate"}
AMOUNT = {"units": "mm", "standard_name": "rainfall_amount", "long_name": "accumulated rain"}
CLOCK = {"units": "nanoseconds since 1970-01-01", "calendar": "proleptic_gregorian", "standard_name": "time"}


class Composite(NamedTuple):
    """One image and its labels."""

    name: str  # of the quantity
    pixels: FileArray  # the array (y, x)
    attrs: dict  # the attributes of the pixels: units, packing, names; see `decode.read_packing`
    grid: Grid  # where the pixels lie
    time: np.datetime64
    period: tuple[np.datetime64, np.datetime64] | None  # start and end of an accumulation, or None
    file_attrs: dict  # of the whole file


def label_composite(composite: Composite) -> xr.Dataset:
    """Return the lazy Dataset of a composite: undecoded pixels, time, y, x, and the grid mapping where it is known."""
    grid, time = composite.grid, dict(CLOCK)
    variables = {composite.name: read_later(("y", "x"), composite.pixels, dict(composite.attrs))}
    if composite.period:
        variables["time_bounds"] = xr.Variable(("bounds",), np.array(composite.period, "datetime64[ns]").view("i8"))
        time["bounds"] = "time_bounds"
    variables["time"] = xr.Variable((), composite.time.astype("datetime64[ns]").view("i8"), time)
    variables |= {axis: one for axis, one in (("y", grid.y), ("x", grid.x)) if one is not None}
    if grid.mapping:
        variables[grid.mapping_name] = xr.Variable((), 0, grid.mapping)
        variables[composite.name].attrs["grid_mapping"] = grid.mapping_name
    return build_dataset(variables, composite.file_attrs, composite.pixels.path)


def as_code(number: float, dtype: np.dtype) -> float | np.generic:
    """Return a code as CF has it, of the type of the pixels, where the type can hold it."""
    try:
        code = dtype.newbyteorder("=").type(number)
    except (ValueError, OverflowError):
        return number
    return code if code == number else number
