"""Composites in ODIM HDF5, the data model of EUMETNET OPERA.

Michelson et al. (2014), EUMETNET OPERA weather radar information model for implementation with the HDF5 file format,
version 2.2. A group has the attributes of the groups above it besides its own. The time of a frame is the nominal time
of the product, /what/date and time. Of a forecast (how/simulated), such as RV and WN of the German weather service,
this is the init time; the valid time of a sum is its end, and that of another image the minute at which it starts.
"""

import re
from typing import Any

import netCDF4
import numpy as np
import xarray as xr

from predjax import units
from predjax.messages import warn_once
from predjax.radar.formats import times
from predjax.radar.formats.composites import AMOUNT, RATE, REFLECTIVITY, Composite, as_code, label_composite
from predjax.radar.formats.decode import check_dtype
from predjax.radar.formats.hdf5 import HDF5, attributes_at, find_array, number, open_hdf5, text
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.radar.formats.open_files import OPEN_FILES
from predjax.radar.formats.placement import place_corners
from predjax.radar.formats.polar import ADVICE
from predjax.radar.grid import Grid

QUANTITIES = {**dict.fromkeys(("DBZH", "DBZV", "TH", "TV"), REFLECTIVITY), "RATE": RATE, "ACRR": AMOUNT}
_OBJECTS = ("COMP", "IMAGE")
_POLAR = ("PVOL", "SCAN", "ELEV", "AZIM", "RAY")
_CORNERS = ("UL", "UR", "LL", "LR")


def is_odim(path: str, start: bytes) -> bool:
    """Return whether a file is an ODIM file, composite or not, by its first bytes and its content."""
    if start != HDF5:
        return False
    with NETCDF_LOCK:
        file = OPEN_FILES.get(path, open_hdf5)
        return "what" in file.groups and "object" in file["what"].ncattrs()


def open_odim(path: str, variable: str = "") -> xr.Dataset:
    """Open a composite as a lazy CF Dataset of undecoded pixels.

    The `variable` is a quantity ("DBZH") or a group ("dataset2/data1"); empty: the only one that can be meant.

    Errors: ValueError, one line with the file, the rule and what was found.
    """
    with NETCDF_LOCK:
        return label_composite(_read_composite(OPEN_FILES.get(path, open_hdf5), path, variable))


def _read_composite(file: netCDF4.Dataset, path: str, variable: str) -> Composite:
    what = attributes_at(file, "what")
    kind = text(what, "object", f"{path}: what")
    if kind not in _OBJECTS:
        polar = f", which is polar: {ADVICE}" if kind in _POLAR else ""
        raise ValueError(f"{path}: the object must be a composite ({', '.join(_OBJECTS)}), found {kind}{polar}")
    group, described = _find_data(file, path, variable)
    name = f"{path}: {group}"
    parent = group.split("/")[0]
    array = file[group].variables.get("data")
    if array is None:
        raise ValueError(f"{name}: there is no array 'data'")
    check_dtype(array.dtype, name)
    where = attributes_at(file, f"{group}/where", f"{parent}/where", "where")
    shape = tuple(int(number(where, key, f"{path}: where")) for key in ("ysize", "xsize"))
    if array.shape != shape:
        raise ValueError(
            f"{name}: the array must have ysize x xsize = {shape[0]} x {shape[1]} pixels, found "
            f"{' x '.join(map(str, array.shape))}"
        )
    try:
        how = attributes_at(file, f"{group}/how", f"{parent}/how", "how")
    except AttributeError:
        how = {}  # anything may be there, also what the netCDF library cannot read
    quantity = str(described["quantity"])
    attrs = dict(QUANTITIES[quantity])
    time, valid = _date(what, "", f"{path}: what"), None
    if str(how.get("simulated")).strip("\0 ").lower() in ("true", "1"):
        valid = _find_valid_time(described, attrs["units"] == "mm", name)
    attrs |= {key: how[key] for key in ("zr_a", "zr_b") if {"zr_a", "zr_b"} <= how.keys()}
    grid = _place(where, shape, path)
    if not grid.mapping:
        attrs["proj4"] = text(where, "projdef", path)
    return Composite(
        name=quantity,
        pixels=find_array(path, array),
        attrs=attrs | _describe_packing(array.dtype, described, attrs["units"], name),
        grid=grid,
        time=time if valid is None else valid,
        period=_find_period(described, name) if attrs["units"] == "mm" else None,
        file_attrs={"institution": str(what["source"])} if what.get("source") else {},
        init_time=time if "simulated" in how else None,
        remarks=() if valid is None else ("frames of a forecast (how/simulated), no observations",),
    )


def _find_data(dataset: netCDF4.Dataset, file: str, wanted: str) -> tuple[str, dict]:
    """Return the path of the data group that `wanted` names, and the attributes of its `what`."""
    whats = {}
    for parent in sorted(filter(re.compile(r"dataset\d+").fullmatch, dataset.groups), key=_natural):
        for child in sorted(filter(re.compile(r"data\d+").fullmatch, dataset[parent].groups), key=_natural):
            paths = f"{parent}/{child}/what", f"{parent}/what", "what"
            whats[f"{parent}/{child}"] = attributes_at(dataset, *paths)
    found = {path: str(what.get("quantity", "none")) for path, what in whats.items()}
    if not found:
        raise ValueError(f"{file}: a composite needs a group dataset1/data1, found {', '.join(dataset.groups)}")
    wanted = wanted.strip("/").removesuffix("/data")
    known = {path: quantity for path, quantity in found.items() if quantity in QUANTITIES}
    chosen = {path: quantity for path, quantity in known.items() if wanted in ("", quantity, path, path.split("/")[0])}
    listed = ", ".join(f"{path} ({quantity})" for path, quantity in found.items())
    if not known:
        raise ValueError(f"{file}: the quantity must be one of {', '.join(QUANTITIES)}, found {listed}")
    if not chosen:
        raise ValueError(f"{file}: there is no {wanted!r} among {', '.join(QUANTITIES)}; there are {listed}")
    if len(chosen) > 1:
        raise ValueError(f"{file}: several data could be the frames: {listed}; choose one with --variable")
    path = next(iter(chosen))
    return path, whats[path]


def _natural(name: str) -> tuple[int, str]:
    return len(name), name


def _describe_packing(dtype: np.dtype, what: dict, unit: str, name: str) -> dict:
    """Return the attributes of the packing: `nodata` means no coverage, `undetect` means observed without echo."""
    gain, offset = (number(what, key, f"{name}: what") for key in ("gain", "offset"))
    codes: dict[str, Any] = {"nodata": np.nan, "undetect": np.nan}  # no pixel is NaN
    for key in codes:
        if key not in what:
            warn_once(f"ODIM files without {key}: no pixel of them is taken as such")
        elif not (isinstance(what[key], float | np.floating) and np.isnan(what[key])):
            codes[key] = as_code(number(what, key, f"{name}: what"), dtype)
    if codes["nodata"] == codes["undetect"]:
        warn_once(f"ODIM files whose nodata and undetect are both {codes['nodata']:g}: such pixels are no coverage")
    attrs = {"scale_factor": gain, "add_offset": offset, "_FillValue": codes["nodata"]}
    if not np.isnan(codes["undetect"]):
        attrs |= {"dry_codes": codes["undetect"], "dry_value": units.DRY_DBZ if unit == "dBZ" else 0.0}
    return attrs


def _place(where: dict, shape: tuple[int, ...], file: str) -> Grid:
    name = f"{file}: where"
    corners = {
        corner: (number(where, f"{corner}_lon", name), number(where, f"{corner}_lat", name))
        for corner in _CORNERS
        if f"{corner}_lon" in where
    }
    pixel = tuple(number(where, key, name) for key in ("yscale", "xscale")) if "xscale" in where else None
    return place_corners(text(where, "projdef", name), shape, pixel, corners, name)


def _date(what: dict, prefix: str, name: str) -> np.datetime64:
    """Return the date that `date` and `time` give, or with a `prefix` the attributes `startdate` and `starttime` ..."""
    parts = [text(what, f"{prefix}{part}", name) for part in ("date", "time")]
    return times.parse_stamp("".join(parts), "YYYYmmddHHMMSS", f"{name}/{prefix}date, {prefix}time")


def _find_valid_time(what: dict, is_sum: bool, name: str) -> np.datetime64:
    """Return the valid time of a forecast."""
    time = _date(what, "end" if is_sum else "start", f"{name}: what")
    return time if is_sum else (time + np.timedelta64(30, "s")).astype("datetime64[m]").astype("datetime64[ns]")


def _find_period(what: dict, name: str) -> tuple[np.datetime64, np.datetime64]:
    start, end = (_date(what, prefix, f"{name}: what") for prefix in ("start", "end"))
    times.one_period((end - start) / np.timedelta64(1, "s"), f"{name}: startdate to enddate")
    return start, end
