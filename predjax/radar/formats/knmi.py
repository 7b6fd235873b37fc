"""Composites in the HDF5 layout of KNMI, the Dutch weather service: rain accumulations and reflectivities.

A file is one image, or the images of a forecast, each with its own time.

Roozekrans and Holleman (2003), KNMI HDF5 data format specification. The earth of its projections is often in
kilometres, which is turned into metres.
"""

import re
from typing import Any

import netCDF4
import numpy as np
import xarray as xr

from predjax import units
from predjax.messages import warn_once
from predjax.radar.formats import times
from predjax.radar.formats.composites import (
    AMOUNT,
    RATE,
    REFLECTIVITY,
    Composite,
    as_code,
    label_composite,
)
from predjax.radar.formats.decode import check_dtype
from predjax.radar.formats.hdf5 import HDF5, attributes_at, find_array, number, open_hdf5, text
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.radar.formats.open_files import OPEN_FILES, FileArray
from predjax.radar.formats.placement import place_offset
from predjax.radar.formats.stack import Stack
from predjax.radar.grid import Grid

QUANTITIES = {"DBZ": REFLECTIVITY, "MM": AMOUNT, "MM/H": RATE, "MM/HR": RATE}  # by the unit: names have changed
_MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
_METRES = {"KM": 1000.0, "M": 1.0}
_FORMULA = re.compile(r"GEO\s*=\s*([-+0-9.eE]+)\s*\*\s*PV\s*\+?\s*([-+0-9.eE]+)")


def is_knmi(path: str, start: bytes) -> bool:
    """Return whether a file, by its first bytes and its content, has KNMI's layout."""
    if start != HDF5:
        return False
    with NETCDF_LOCK:
        return {"overview", "image1"} <= OPEN_FILES.get(path, open_hdf5).groups.keys()


def open_knmi(path: str, variable: str = "") -> xr.Dataset:
    """Open a composite as a lazy CF Dataset of undecoded pixels.

    The `variable` is a parameter ("PRECIP") or a group ("image2"); empty: the only one that can be meant.

    Errors: ValueError, one line with the file, the rule and what was found.
    """
    with NETCDF_LOCK:
        return label_composite(_read_composite(OPEN_FILES.get(path, open_hdf5), path, variable))


def _read_composite(file: netCDF4.Dataset, path: str, variable: str) -> Composite:
    groups, parameter, unit = _find_images(file, path, variable)
    arrays, packings = [], []
    for group in groups:
        name = f"{path}: {group}"
        array = file[group].variables.get("image_data")
        if array is None:
            raise ValueError(f"{name}: there is no array 'image_data'")
        check_dtype(array.dtype, name)
        arrays.append(find_array(path, array))
        packings.append(_describe_packing(file, group, array.dtype, unit, name))
        if (array.shape, array.dtype, packings[-1]) != (arrays[0].shape, arrays[0].dtype, packings[0]):
            raise ValueError(f"{name}: its shape, type or calibration is not the one of {groups[0]}")
    overview = attributes_at(file, "overview")
    start, end = (_date(overview, f"product_datetime_{which}", f"{path}: overview") for which in ("start", "end"))
    attrs, is_forecast = QUANTITIES[unit] | packings[0], len(groups) > 1
    time, period = _date_images(file, groups, path) if is_forecast else (end, np.array([start, end]))
    remarks: tuple[str, ...] = ("the init time is product_datetime_start",) if is_forecast else ()
    if "geo_dim_pixel" not in attributes_at(file, "geographic"):
        remarks += ("geo_dim_pixel does not tell the unit of the pixel sizes: they are taken as km",)
    if attrs["units"] == "mm":
        names = "image_datetime_valid" if is_forecast else "overview: product_datetime_start to product_datetime_end"
        seconds = times.one_period((period[..., 1] - period[..., 0]) / np.timedelta64(1, "s"), f"{path}: {names}")
        if is_forecast:
            remarks = (
                *remarks,
                f"forecast sums do not say their period: the step of {seconds / 60:g} minutes is taken",
            )
    group_name = overview.get("product_group_name")
    return Composite(
        name=parameter,
        pixels=_stack(arrays) if is_forecast else arrays[0],
        attrs=attrs,
        grid=_grid(file, arrays[0].shape, path),
        time=time,
        period=period if attrs["units"] == "mm" else None,
        file_attrs={"institution": "Royal Netherlands Meteorological Institute (KNMI)"}
        | ({"title": str(group_name)} if group_name else {}),
        init_time=start if is_forecast else None,
        remarks=remarks,
    )


def _stack(arrays: list[FileArray]) -> Stack:
    """Return the images (y, x) of a forecast as one array (time, y, x)."""
    first = arrays[0]
    return Stack(first.path, tuple(arrays), (len(arrays), *first.shape), first.dtype, FileArray.read)


def _date_images(file: netCDF4.Dataset, groups: list[str], path: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the times (image,) of the images of a forecast, and start and end (image, 2) of each, a step apart."""
    attrs = {group: attributes_at(file, group) for group in groups}
    time = np.array([_date(attrs[group], "image_datetime_valid", f"{path}: {group}") for group in groups])
    times.check_increasing(time[None], f"{path}: image_datetime_valid")
    steps = np.diff(time)
    return time, np.stack([time - np.append(steps[:1], steps), time], axis=-1)


def _find_images(dataset: netCDF4.Dataset, file: str, wanted: str) -> tuple[list[str], str, str]:
    """Return the groups of the wanted image, its parameter and its unit; image_geo_parameter is like "PRECIP_[MM]".

    Several groups, which all have an `image_datetime_valid`, are the images of a forecast.
    """
    found = {}
    for group in filter(re.compile(r"image\d+").fullmatch, dataset.groups):
        said = text(attributes_at(dataset, group), "image_geo_parameter", f"{file}: {group}")
        parameter, _, unit = said.partition("[")
        found[group] = (parameter.strip("_ "), unit.strip("] ").upper())
    listed = ", ".join(f"{group} ({parameter}_[{unit}])" for group, (parameter, unit) in found.items())
    wanted = wanted.strip("/").removesuffix("/image_data").partition("_[")[0]
    known = {group: one for group, one in found.items() if one[1] in QUANTITIES}
    chosen = [group for group, one in known.items() if wanted in ("", group, one[0])]
    if not known:
        raise ValueError(f"{file}: the unit of an image must be one of {', '.join(QUANTITIES)}, found {listed}")
    if not chosen:
        raise ValueError(f"{file}: there is no image {wanted!r} of rain or reflectivity; there are {listed}")
    same = [group for group, one in found.items() if one == found[chosen[0]]]
    if len({found[group] for group in chosen}) > 1:
        raise ValueError(f"{file}: several images could be the frames: {listed}; choose one with --variable")
    if len(same) > 1 and not all("image_datetime_valid" in attributes_at(dataset, group) for group in same):
        raise ValueError(f"{file}: several images of one kind need an image_datetime_valid each: {listed}")
    return sorted(same, key=lambda group: int(group.removeprefix("image"))), *found[chosen[0]]


def _date(overview: dict, key: str, name: str) -> np.datetime64:
    """Return the date of a text such as "12-AUG-2010;00:05:00.000", in capitals or not."""
    said = text(overview, key, name)
    match = re.fullmatch(r"(\d\d)-([A-Za-z]{3})-(\d{4});(\d\d):(\d\d):(\d\d)(?:\.\d*)?", said)
    if not match or match[2].upper() not in _MONTHS:
        raise ValueError(f"{name}: {key} must be a date like 12-AUG-2010;00:05:00.000, found {said!r}")
    day, month, year, *clock = match.groups()
    stamp = f"{year}{_MONTHS.index(month.upper()) + 1:02d}{day}{''.join(clock)}"
    return times.parse_stamp(stamp, "YYYYmmddHHMMSS", f"{name}: {key}")


def _describe_packing(dataset: netCDF4.Dataset, path: str, dtype: np.dtype, unit: str, name: str) -> dict:
    """Return the attributes of the packing, from the formula of the calibration.

    The codes for "out of image" and "missing data" mean no coverage. The exception is 0 as the code of missing data:
    it is also the code of the lowest value, and marks pixels without an echo.
    """
    name = f"{name}/calibration"
    # Some files calibrate their first image only.
    attrs = attributes_at(dataset, f"{path}/calibration", "image1/calibration")
    formula = text(attrs, "calibration_formulas", name)
    match: Any = _FORMULA.fullmatch(formula)  # of None the groups are an AttributeError
    try:
        scale, offset = (float(part) for part in match.groups())
    except (AttributeError, ValueError):
        raise ValueError(f"{name}: calibration_formulas must be GEO=a*PV+b, found {formula!r}") from None
    outside = number(attrs, "calibration_out_of_image", name)
    missing = number(attrs, "calibration_missing_data", name) if "calibration_missing_data" in attrs else outside
    dry = missing == 0 != outside
    if dry:
        warn_once("KNMI files whose calibration_missing_data is 0: such pixels are taken as covered, without an echo")
    attrs = {"scale_factor": scale, "add_offset": offset, "_FillValue": as_code(outside, dtype)}
    if dry:
        return attrs | {"dry_codes": as_code(missing, dtype), "dry_value": units.DRY_DBZ if unit == "DBZ" else 0.0}
    return attrs if missing == outside else attrs | {"missing_value": as_code(missing, dtype)}


def _grid(dataset: netCDF4.Dataset, found: tuple[int, ...], file: str) -> Grid:
    name = f"{file}: geographic"
    attrs = attributes_at(dataset, "geographic")
    shape = tuple(int(number(attrs, f"geo_number_{key}", name)) for key in ("rows", "columns"))
    if found != shape:
        raise ValueError(
            f"{name}: an image must have geo_number_rows x geo_number_columns = {shape[0]} x {shape[1]} pixels, found "
            f"{' x '.join(map(str, found))}"
        )
    unit = text(attrs, "geo_dim_pixel", name).split(",")[0].upper() if "geo_dim_pixel" in attrs else "KM"
    if unit not in _METRES:
        raise ValueError(f"{name}: geo_dim_pixel must be one of {', '.join(_METRES)}, found {unit!r}")
    height, width = (number(attrs, f"geo_pixel_size_{axis}", name) * _METRES[unit] for axis in ("y", "x"))
    row, column = (number(attrs, f"geo_{key}_offset", name) for key in ("row", "column"))
    if height >= 0 or width <= 0:
        raise ValueError(f"{name}: rows must go south and columns east, but a pixel is {height:g} x {width:g} m")
    proj4 = text(
        attributes_at(dataset, "geographic/map_projection"), "projection_proj4_params", f"{name}/map_projection"
    )
    return place_offset(proj4, shape, (-height, width), (row * height, column * width), name)
