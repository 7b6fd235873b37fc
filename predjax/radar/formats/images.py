"""Grey images of one frame each, dated by their names; and folders of images that are the frames of one movie.

HKO-7 (Shi et al. 2017, NeurIPS 30) has radar images of that kind: RADyymmddHHMMSS.png, whose grey level p is
p * 70 / 255 - 10 dBZ. The frames of KTH's videos are folders of numbered images.
"""

import functools
import os
import pathlib
import re
from collections.abc import Sequence

import numpy as np
import xarray as xr

from predjax.radar.formats.composites import CLOCK, REFLECTIVITY
from predjax.radar.formats.grey_image import IMAGE, read_grey
from predjax.radar.formats.lazy import read_later
from predjax.radar.formats.name_dates import TIME_REMARK, find_date, is_hko
from predjax.radar.formats.netcdf import build_dataset
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.radar.formats.open_files import OPEN_FILES
from predjax.radar.formats.stack import Stack

SUFFIXES = (".png", ".gif", ".jpg", ".jpeg")
_STARTS = (b"\x89PNG", b"GIF8", b"\xff\xd8\xff")
_HKO_ATTRS = REFLECTIVITY | {"scale_factor": 70 / 255, "add_offset": -10.0}
_HKO_REMARK = (
    "HKO-7, by its description: the grey level p is p * 70 / 255 - 10 dBZ; what no radar sees is not marked, and "
    "counts as seen"
)
_GREY_REMARK = "values are the grey levels of the images"
_ORDER_REMARK = "no dates in the names of the files: frames are numbered in the order of the names"


def _read_image(like: tuple[str, tuple[int, ...], np.dtype], file: str, key: tuple) -> np.ndarray:
    """Read a part of an image, which must have the shape and type of `like`, the first image.

    Errors: ValueError, it cannot be read, or has another size or type.
    """
    first, shape, dtype = like
    with NETCDF_LOCK:
        image = OPEN_FILES.get(file, read_grey).variables[IMAGE]
    if (image.shape, image.dtype) != (shape, dtype):
        rule = f"{dtype} of {shape} like {os.path.basename(first)}"
        raise ValueError(f"{file}: an image must be {rule}, found {image.dtype} of {image.shape}")
    return image[key]


def is_image(path: str, start: bytes) -> bool:
    """Return whether a file is an image, by its first bytes or by the end of its name."""
    return start.startswith(_STARTS) or (bool(start) and path.lower().endswith(SUFFIXES))


def is_image_folder(path: str, start: bytes) -> bool:
    """Return whether a folder holds only images, apart from hidden files."""
    if start:
        return False
    try:
        names = [name for name in os.listdir(path) if not name.startswith(".")]
    except OSError:
        return False
    return bool(names) and all(name.lower().endswith(SUFFIXES) for name in names)


def open_image(path: str, variable: str = "") -> xr.Dataset:
    """Open one image, whose name has its date, as a Dataset (time, y, x).

    Errors: ValueError, one line with the file, the rule and what was found.
    """
    found = _open([path], path, variable)
    if "time" not in found.variables:
        raise ValueError(
            f"{path}: its name has no date like 202606011205 or 20260601_120500: name its folder instead, whose images "
            "are then the frames of one movie in the order of their names"
        )
    return found


def open_image_folder(path: str, variable: str = "") -> xr.Dataset:
    """Open the images of a folder as a Dataset (time, y, x), with times where their names have dates.

    Errors: ValueError, one line with the file, the rule and what was found.
    """
    return _open([str(one) for one in pathlib.Path(path).iterdir() if not one.name.startswith(".")], path, variable)


def _open(files: Sequence[str], path: str, variable: str) -> xr.Dataset:
    if variable not in ("", IMAGE):
        raise ValueError(f"{path}: there is no variable {variable!r}, only {IMAGE}")
    dates = {file: date for file in files if (date := find_date(file)) is not None}
    undated = next((file for file in files if file not in dates), None)
    if dates and undated:
        raise ValueError(f"{undated}: its name has no date, but {next(iter(dates))} has one: keep them apart")
    files = sorted(files, key=lambda file: (dates.get(file), _natural_order(file)))
    hko = all(map(is_hko, files))
    with NETCDF_LOCK:
        first = OPEN_FILES.get(files[0], read_grey).variables[IMAGE]
    read = functools.partial(_read_image, (files[0], first.shape, first.dtype))
    frames = Stack(path, tuple(files), (len(files), *first.shape), first.dtype, read)
    variables = {IMAGE: read_later(("time", "y", "x"), frames, dict(_HKO_ATTRS) if hko else {})}
    if dates:
        times = np.array([dates[file] for file in files])
        variables["time"] = xr.Variable(("time",), times.view("i8"), CLOCK)
    dataset = build_dataset(variables, {}, path)
    dataset.encoding["remarks"] = (
        _HKO_REMARK if hko else _GREY_REMARK,
        TIME_REMARK if dates else _ORDER_REMARK,
    )
    return dataset


def _natural_order(file: str) -> list[tuple[int, str]]:
    """Return a sorting key that puts frame 2 before frame 10."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", os.path.basename(file))]
