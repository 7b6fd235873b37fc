"""Dates in the names of files whose format has no place for them."""

import pathlib
import re

import numpy as np

from predjax.radar.formats.times import parse_stamp

TIME_REMARK = "times from the names of the files, taken as UTC"
_HKO = re.compile(r"RAD(\d{12})")
_STAMP = re.compile(r"(?<!\d)(\d{8})[-_T]?(\d{6}|\d{4})(?!\d)")


def is_hko(file: str) -> bool:
    """Return whether a file has a name like the radar images of Hong Kong's HKO-7: RADyymmddHHMMSS."""
    return _HKO.fullmatch(pathlib.Path(file).stem) is not None


def find_date(file: str) -> np.datetime64 | None:
    """Return the date in the name of a file, given by digits from the year to minutes or seconds; None without one.

    >>> find_date("rain_20260601-1205.tif"), find_date("rain_2026.tif")
    (np.datetime64('2026-06-01T12:05:00.000000000'), None)

    Errors: ValueError, the digits are no date.
    """
    stem = pathlib.Path(file).stem
    hko = _HKO.fullmatch(stem)
    stamps = [f"20{hko[1]}"] if hko else [day + clock for day, clock in _STAMP.findall(stem)]
    return parse_stamp(stamps[0], "YYYYmmddHHMMSS"[: len(stamps[0])], file) if len(stamps) == 1 else None
