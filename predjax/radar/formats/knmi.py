"""Composites in the HDF5 layout of KNMI, the Dutch weather service: rain accumulations and reflectivities.

Roozekrans and Holleman (2003), KNMI HDF5 data format specification. The earth of its projections is often in
kilometres, which is turned into metres.
"""

import re
from typing import Any

import netCDF4
import numpy as np

from predjax import units as unit_names
from predjax.messages import warn_once
from predjax.radar.formats import times
from predjax.radar.formats.decode import Decoder, check_dtype
from predjax.radar.formats.hdf5 import attributes_at, number, text
from predjax.radar.formats.netcdf_header import Field, Header
from predjax.radar.formats.placement import place_offset
from predjax.radar.formats.quantity import plan_conversion
from predjax.radar.grid import Grid

_DBZ = {"units": "dBZ", "standard_name": "equivalent_reflectivity_factor", "long_name": "radar reflectivity"}
_RATE = {"units": "mm/h", "standard_name": "rainfall_rate", "long_name": "rain rate"}
_AMOUNT = {"units": "mm", "standard_name": "rainfall_amount", "long_name": "accumulated rain"}
QUANTITIES = {"DBZ": _DBZ, "MM": _AMOUNT, "MM/H": _RATE, "MM/HR": _RATE}  # by the unit: names have changed
_MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
_METRES = {"KM": 1000.0, "M": 1.0}
_FORMULA = re.compile(r"GEO\s*=\s*([-+0-9.eE]+)\s*\*\s*PV\s*\+?\s*([-+0-9.eE]+)")


def is_knmi(dataset: netCDF4.Dataset) -> bool:
    """Whether an open HDF5 file has KNMI's layout."""
    return {"overview", "image1"} <= dataset.groups.keys()


def read_knmi(dataset: netCDF4.Dataset, file: str, variable: str, units: str) -> Header:
    """Reads the labels of a composite; accumulations become mm/h by the period of the product.

    Args:
      dataset: the open file; called under NETCDF_LOCK.
      file: its path.
      variable: a parameter ("PRECIP") or a group ("image2"); empty: the only one that can be meant.
      units: "file", "mm/h" or "dBZ".

    Raises:
      ValueError: one line with the file, the rule and what was found.
    """
    path, parameter, unit = _find_image(dataset, file, variable)
    name = f"{file}: {path}"
    array = dataset[path].variables.get("image_data")
    if array is None:
        raise ValueError(f"{name}: there is no array 'image_data'")
    check_dtype(array.dtype, name)
    overview = attributes_at(dataset, "overview")
    start, end = (_date(overview, f"product_datetime_{which}", f"{file}: overview") for which in ("start", "end"))
    conversion = plan_conversion(QUANTITIES[unit], {}, units, name)
    seconds = (end - start) / np.timedelta64(1, "s")
    grid = _grid(dataset, array.shape, file)
    return Header(
        file=file,
        grid=grid,
        movies=1,
        length=1,
        time=np.array([[end]]),
        fields=(Field(f"{path}/image_data", ("y", "x"), _packing(dataset, path, array.dtype, unit, name)),),
        forcings=(),
        forcing_names=(),
        channel=None,
        conversion=conversion,
        period=times.one_period(seconds, f"{file}: overview: product_datetime_start to product_datetime_end")
        if conversion.accumulation
        else None,
        attrs={"variable": parameter, "dtype_on_disk": str(array.dtype), "grid_mapping": grid.mapping_name},
        file_attrs={"institution": "Royal Netherlands Meteorological Institute (KNMI)"}
        | ({"title": str(overview["product_group_name"])} if overview.get("product_group_name") else {}),
        chunk=1,
    )


def _find_image(dataset: netCDF4.Dataset, file: str, wanted: str) -> tuple[str, str, str]:
    """Group, parameter and unit of the image that is meant: the attribute image_geo_parameter is "PRECIP_[MM]"."""
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
    if len(same) > 1:
        raise ValueError(f"{file}: forecasts and other files of several images of one kind are not read: {listed}")
    if len(chosen) > 1:
        raise ValueError(f"{file}: several images could be the frames: {listed}; choose one with --variable")
    return chosen[0], *found[chosen[0]]


def _date(overview: dict, key: str, name: str) -> np.datetime64:
    """ "12-AUG-2010;00:05:00.000" in any case."""
    said = text(overview, key, name)
    match = re.fullmatch(r"(\d\d)-([A-Za-z]{3})-(\d{4});(\d\d):(\d\d):(\d\d)(?:\.\d*)?", said)
    if not match or match[2].upper() not in _MONTHS:
        raise ValueError(f"{name}: {key} must be a date like 12-AUG-2010;00:05:00.000, found {said!r}")
    day, month, year, *clock = match.groups()
    stamp = f"{year}{_MONTHS.index(month.upper()) + 1:02d}{day}{''.join(clock)}"
    return times.parse_stamp(stamp, "YYYYmmddHHMMSS", f"{name}: {key}")


def _packing(dataset: netCDF4.Dataset, path: str, dtype: np.dtype, unit: str, name: str) -> Decoder:
    """By the formula of the calibration.

    Out of the image is no coverage, and so are missing data; but the code 0 for missing data, which is that of the
    lowest value as well, marks pixels without an echo.
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
    return Decoder(
        dtype=dtype.str,
        scale=scale,
        offset=offset,
        missing=(outside,) if dry else tuple(dict.fromkeys((missing, outside))),
        dry=(missing,) if dry else (),
        dry_value=unit_names.DRY_DBZ if unit == "DBZ" else 0.0,
    )


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
