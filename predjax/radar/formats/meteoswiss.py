"""Composites of MeteoSwiss in GIF files: AQC and CPC, sums of 5 minutes on the Swiss grid.

A file is named by its product, year, day of the year, hour and minute (UTC), and the minutes that it sums:
AQC161932105F_00005.801.gif. The places in the palette stand for
(10^((code - 71.5) / 20) / 316)^(1 / 1.5) mm in 5 minutes, as pysteps' `import_mch_gif` decodes them (Pulkkinen et al.
2019, Geosci. Model Dev. 12, 4185-4219); codes 0, 1 and 251 to 254 for none, and 255 for no data.
"""

import datetime
import os
import re

import numpy as np
import xarray as xr

from predjax.radar.formats.composites import AMOUNT, Composite, label_composite
from predjax.radar.formats.grey_image import IMAGE, read_palette
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.radar.formats.open_files import OPEN_FILES, FileArray
from predjax.radar.formats.placement import place_offset

SHAPE = (640, 710)
PRODUCTS = ("AQC", "CPC")
_NAME = re.compile(r"([A-Z]{3})(\d{2})(\d{3})(\d{2})(\d{2}).*?(?:_(\d{5}))?\.\d+\.gif")
_PROJ4 = (
    "+proj=somerc +lon_0=7.43958333333333 +lat_0=46.9524055555556 +k_0=1 +x_0=600000 +y_0=200000 +ellps=bessel "
    "+towgs84=674.374,15.056,405.346,0,0,0,0 +units=m +no_defs"
)
_UPPER_LEFT = (480_000.0, 255_000.0)
_REMARK = "MeteoSwiss: codes of the palette are mm in 5 minutes by the table of AQC and CPC; times of the names in UTC"


def is_meteoswiss(path: str, start: bytes) -> bool:
    """Return whether a file is a GIF image, by its first bytes, with the name of a product of MeteoSwiss."""
    return start.startswith(b"GIF8") and _NAME.fullmatch(os.path.basename(path)) is not None


def open_meteoswiss(path: str, variable: str = "") -> xr.Dataset:
    """Open a composite as a lazy CF Dataset of the codes and the table of their values.

    Errors: ValueError, one line with the file, the rule and what was found.
    """
    match = _NAME.fullmatch(os.path.basename(path))
    assert match is not None, "its name tells the format"
    product, year, day, hour, minute, minutes = match.groups()
    if product not in PRODUCTS or minutes != "00005":
        known = " and ".join(PRODUCTS)
        raise ValueError(f"{path}: a table is known for {known} of 5 minutes (_00005), not for other products")
    if variable not in ("", product):
        raise ValueError(f"{path}: there is no variable {variable!r}, only {product}")
    try:
        start = datetime.datetime.strptime(f"20{year} {day} {hour} {minute}", "%Y %j %H %M")
        if f"{start:%y%j}" != year + day:
            raise ValueError  # Python takes day 366 of any year
    except ValueError:
        raise ValueError(f"{path}: its name must have a date yydddHHMM, found {path}") from None
    with NETCDF_LOCK:
        pixels = OPEN_FILES.get(path, read_palette).variables[IMAGE]
    if pixels.shape != SHAPE:
        raise ValueError(f"{path}: an image must have {SHAPE[0]} x {SHAPE[1]} pixels, found {pixels.shape}")
    dataset = label_composite(
        Composite(
            name=product,
            pixels=FileArray(path, IMAGE, pixels.shape, pixels.dtype, read_palette),
            attrs=AMOUNT | {"code_values": "values", "zr_a": 316.0, "zr_b": 1.5, "accumulation_minutes": 5},
            grid=place_offset(_PROJ4, SHAPE, (1000.0, 1000.0), _UPPER_LEFT, path),
            time=np.datetime64(start),
            period=None,
            file_attrs={"institution": "MeteoSwiss"},
        )
    )
    dataset["values"] = xr.Variable(("code",), make_table())
    dataset.encoding["remarks"] = (_REMARK,)
    return dataset


def make_table() -> np.ndarray:
    """Return the rain of every code in mm; NaN is no data.

    >>> make_table()[[0, 100, 255]].round(3)
    array([0.   , 0.192,   nan])
    """
    values = (10 ** ((np.arange(256) - 71.5) / 20) / 316) ** (1 / 1.5)
    values[[0, 1, *range(251, 255)]] = 0
    values[255] = np.nan
    return values
