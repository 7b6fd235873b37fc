"""RYDL, the archive of RainNet: composites RY of DWD as an HDF5 file with a data set for each frame.

Ayzel, Scheffer and Heistermann (2020), Geosci. Model Dev. 13, 2631-2644. The name of a data set is its time,
YYYYmmddHHMM; the values are rain depths of 5 minutes.
"""

import re

import numpy as np
import xarray as xr

from predjax.radar.formats.archives.data_sets import list_names, stack_data_sets
from predjax.radar.formats.composites import AMOUNT, CLOCK
from predjax.radar.formats.lazy import read_later
from predjax.radar.formats.netcdf import build_dataset
from predjax.radar.formats.times import parse_stamp

VARIABLE = "RY"
_STAMP = re.compile(r"\d{12}")


def is_rydl(path: str, start: bytes) -> bool:
    """Return whether a file is an HDF5 file whose data sets all have times as names, by first bytes and content."""
    names = list_names(path, start)
    return bool(names) and all(map(_STAMP.fullmatch, names))


def open_rydl(path: str, variable: str = "") -> xr.Dataset:
    """Open the frames (time, y, x) as a lazy CF Dataset; whole numbers are hundredths of mm, real ones mm.

    Errors: ValueError, one line with the file, the rule and what was found.
    """
    if variable not in ("", VARIABLE):
        raise ValueError(f"{path}: there is no variable {variable!r}, only {VARIABLE}")
    with open(path, "rb") as stream:
        names = list_names(path, stream.read(8))
    times = np.array([parse_stamp(name, "YYYYmmddHHMM", f"{path}: {name}") for name in names])
    frames = stack_data_sets(path, names, 2)
    whole = frames.dtype.kind in "iu"
    attrs = AMOUNT | {"accumulation_minutes": 5} | ({"scale_factor": 0.01} if whole else {})
    if frames.dtype.kind == "i":
        attrs["_FillValue"] = frames.dtype.type(-1)
    variables = {
        VARIABLE: read_later(("time", "y", "x"), frames, attrs),
        "time": xr.Variable(("time",), times.view("i8"), CLOCK),
    }
    dataset = build_dataset(variables, {}, path)
    unit = "whole numbers are 0.01 mm in 5 minutes, -1 is no coverage" if whole else "real numbers are mm in 5 minutes"
    dataset.encoding["remarks"] = (f"RYDL, by its description: {unit}; the names of the data sets are times in UTC",)
    return dataset
