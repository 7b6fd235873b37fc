"""Composites in ODIM HDF5, the data model of EUMETNET OPERA.

Michelson et al. (2014), EUMETNET OPERA weather radar information model for implementation with the HDF5 file format,
version 2.2. A group has the attributes of the groups above it besides its own. The time of a frame is the nominal time
of the product, /what/date and time.
"""

import re

import netCDF4
import numpy as np

from predjax import units as unit_names
from predjax.messages import warn_once
from predjax.radar.formats import times
from predjax.radar.formats.decode import Decoder, as_stored, check_dtype
from predjax.radar.formats.hdf5 import attributes_at, number, text
from predjax.radar.formats.netcdf_header import Field, Header
from predjax.radar.formats.placement import place_corners
from predjax.radar.formats.quantity import plan_conversion

_REFLECTIVITY = {
    "units": "dBZ",
    "standard_name": "equivalent_reflectivity_factor",
    "long_name": "radar reflectivity",
}
QUANTITIES = {
    **dict.fromkeys(("DBZH", "DBZV", "TH", "TV"), _REFLECTIVITY),
    "RATE": {"units": "mm/h", "standard_name": "rainfall_rate", "long_name": "rain rate"},
    "ACRR": {"units": "mm", "standard_name": "rainfall_amount", "long_name": "accumulated rain"},
}
_OBJECTS = ("COMP", "IMAGE")
_CORNERS = ("UL", "UR", "LL", "LR")


def is_odim(dataset: netCDF4.Dataset) -> bool:
    """Whether an open HDF5 file is one of ODIM, composite or not."""
    return "what" in dataset.groups and "object" in dataset["what"].ncattrs()


def read_odim(dataset: netCDF4.Dataset, file: str, variable: str, units: str) -> Header:
    """Reads the labels of a composite.

    Args:
      dataset: the open file; called under NETCDF_LOCK.
      file: its path.
      variable: a quantity ("DBZH") or a group ("dataset2/data1"); empty: the only one that can be meant.
      units: "file", "mm/h" or "dBZ".

    Raises:
      ValueError: one line with the file, the rule and what was found.
    """
    what = attributes_at(dataset, "what")
    kind = text(what, "object", f"{file}: what")
    if kind not in _OBJECTS:
        raise ValueError(f"{file}: the object must be a composite ({', '.join(_OBJECTS)}), found {kind}")
    path, quantity = _find_data(dataset, file, variable)
    name = f"{file}: {path}"
    parent = path.split("/")[0]
    array = dataset[path].variables.get("data")
    if array is None:
        raise ValueError(f"{name}: there is no array 'data'")
    check_dtype(array.dtype, name)
    where = attributes_at(dataset, f"{path}/where", f"{parent}/where", "where")
    shape = tuple(int(number(where, key, f"{file}: where")) for key in ("ysize", "xsize"))
    if array.shape != shape:
        raise ValueError(
            f"{name}: the array must have ysize x xsize = {shape[0]} x {shape[1]} pixels, found "
            f"{' x '.join(map(str, array.shape))}"
        )
    try:
        how = attributes_at(dataset, f"{path}/how", f"{parent}/how", "how")
    except AttributeError:
        how = {}  # anything may be there, also what the netCDF library cannot read
    attrs = dict(QUANTITIES[quantity])
    attrs |= {key: how[key] for key in ("zr_a", "zr_b") if {"zr_a", "zr_b"} <= how.keys()}
    conversion = plan_conversion(attrs, {}, units, name)
    described = attributes_at(dataset, f"{path}/what", f"{parent}/what", "what")
    grid = _grid(where, shape, file)
    return Header(
        file=file,
        grid=grid,
        movies=1,
        length=1,
        time=np.array([[_date(what, "", f"{file}: what")]]),
        fields=(Field(f"{path}/data", ("y", "x"), _packing(array.dtype, described, attrs["units"], name)),),
        forcings=(),
        forcing_names=(),
        channel=None,
        conversion=conversion,
        period=_period(described, name) if conversion.accumulation else None,
        attrs={"variable": quantity, "dtype_on_disk": str(array.dtype)}
        | ({"grid_mapping": grid.mapping_name} if grid.mapping else {"proj4": text(where, "projdef", file)}),
        file_attrs={"institution": str(what["source"])} if what.get("source") else {},
        chunk=1,
    )


def _find_data(dataset: netCDF4.Dataset, file: str, wanted: str) -> tuple[str, str]:
    """The path of the group that is meant, and its quantity."""
    found = {}
    for parent in sorted(filter(re.compile(r"dataset\d+").fullmatch, dataset.groups), key=_natural):
        for child in sorted(filter(re.compile(r"data\d+").fullmatch, dataset[parent].groups), key=_natural):
            what = attributes_at(dataset, f"{parent}/{child}/what", f"{parent}/what", "what")
            found[f"{parent}/{child}"] = str(what.get("quantity", "none"))
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
    return next(iter(chosen.items()))


def _natural(name: str) -> tuple[int, str]:
    return len(name), name


def _packing(dtype: np.dtype, what: dict, units: str, name: str) -> Decoder:
    """`nodata` is no coverage; `undetect` is looked, nothing there: 0 mm, or what no rain is in dBZ."""
    gain, offset = (number(what, key, f"{name}: what") for key in ("gain", "offset"))
    codes: dict[str, tuple] = {}
    for key in ("nodata", "undetect"):
        if key not in what:
            warn_once(f"ODIM files without {key}: no pixel of them is taken as such")
            continue
        value = what[key]
        nan = isinstance(value, float | np.floating) and np.isnan(value)
        codes[key] = () if nan else (as_stored(np.asarray(number(what, key, f"{name}: what")), dtype, False),)
    if codes.get("nodata") and codes["nodata"] == codes.get("undetect"):
        warn_once(f"ODIM files whose nodata and undetect are both {codes['nodata'][0]:g}: such pixels are no coverage")
    return Decoder(
        dtype=dtype.str,
        scale=gain,
        offset=offset,
        missing=codes.get("nodata", ()),
        dry=codes.get("undetect", ()),
        dry_value=unit_names.DRY_DBZ if units == "dBZ" else 0.0,
    )


def _grid(where: dict, shape: tuple[int, ...], file: str):
    name = f"{file}: where"
    corners = {
        corner: (number(where, f"{corner}_lon", name), number(where, f"{corner}_lat", name))
        for corner in _CORNERS
        if f"{corner}_lon" in where
    }
    pixel = tuple(number(where, key, name) for key in ("yscale", "xscale")) if "xscale" in where else None
    return place_corners(text(where, "projdef", name), shape, pixel, corners, name)


def _date(what: dict, prefix: str, name: str) -> np.datetime64:
    """Of `date` and `time`, or `startdate` and `starttime` ..."""
    parts = [text(what, f"{prefix}{part}", name) for part in ("date", "time")]
    return times.parse_stamp("".join(parts), "YYYYmmddHHMMSS", f"{name}/{prefix}date, {prefix}time")


def _period(what: dict, name: str) -> float:
    """Seconds from start to end."""
    start, end = (_date(what, prefix, f"{name}: what") for prefix in ("start", "end"))
    return times.one_period((end - start) / np.timedelta64(1, "s"), f"{name}: startdate to enddate")
