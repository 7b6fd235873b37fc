"""Times of files: dates from CF numbers and from digits, and the period of an accumulation."""

import datetime
import functools
import re
from typing import Any

import netCDF4
import numpy as np

from predjax.radar.formats.decode import read_numbers

_CALENDARS = ("standard", "gregorian", "proleptic_gregorian")
_STAMP = ((0, 4), (4, 6), (6, 8), (8, 10), (10, 12), (12, 14))  # of YYYYmmddHHMMSS
SINCE = re.compile(r"\s+since\s+", re.IGNORECASE)  # in the units of CF times
# The date from which CF times count, as it is read in full: cftime leaves out zones by name, hours without minutes
# and offsets of one digit.
_ORIGIN = re.compile(
    r"[+-]?\d{1,4}-\d{1,2}-\d{1,2}([T ]+\d{1,2}:\d{1,2}(:\d{1,2}(\.\d*)?)?)?\s*(Z|UTC|GMT|[+-]\d\d(:?\d\d)?)?", re.I
)
_RANGE = 8.26e18  # nanoseconds: 261 years to either side of 2000 fit in datetime64[ns]


def decode_times(numbers: np.ndarray, attrs: dict, name: str) -> np.ndarray:
    """Return the dates (datetime64[ns]) of numbers with units like "seconds since 1970-01-01".

    Real numbers are rounded to the millisecond, of single precision to the second: 5 minutes written in days are not
    300 seconds exactly.

    Errors: ValueError, another calendar, a missing or infinite number, or a date outside 1739-2261.
    """
    calendar = str(attrs.get("calendar", "standard")).lower()
    if calendar not in _CALENDARS:
        raise ValueError(f"{name}: the calendar must be one of {', '.join(_CALENDARS)}, found {calendar!r}")
    numbers = np.asarray(numbers)
    packed = [key for key in ("scale_factor", "add_offset") if key in attrs]
    if packed:
        raise ValueError(f"{name}: times must not be packed, found the attribute {packed[0]}")
    check_present(numbers, attrs, name)
    try:
        unit, since, origin = SINCE.sub(" since ", str(attrs["units"])).partition(" since ")
        zero, length = _clock(unit.strip().lower() + since + origin, calendar)
    except (ValueError, TypeError, OverflowError) as error:
        reason = str(error).splitlines()[0][:200]
        raise ValueError(f"{name}: times in {attrs['units']!r} cannot be dates ({reason})") from None
    if (np.abs(numbers.astype(np.float64) - zero) > _RANGE / length).any():
        raise ValueError(f"{name}: times in {attrs['units']!r} cannot be dates (outside 1739-2261)")
    if numbers.dtype.kind == "f" or zero != int(zero):
        unit_of_rounding = 10**9 if numbers.dtype in (np.float16, np.float32) else 10**6
        elapsed = np.rint((numbers - zero) * (length / unit_of_rounding)).astype(np.int64) * unit_of_rounding
    else:
        elapsed = (numbers.astype(np.int64) - int(zero)) * length
    return np.datetime64("2000-01-01", "ns") + elapsed.astype("timedelta64[ns]")


def check_present(numbers: np.ndarray, attrs: dict, name: str) -> None:
    """Raise a ValueError if one of the times is missing: infinite, NaN, or a declared fill value."""
    missing = [number for key in ("_FillValue", "missing_value") for number in read_numbers(attrs.get(key), key, name)]
    if not np.isfinite(numbers).all() or any((numbers == number).any() for number in missing):
        raise ValueError(f"{name}: a time is missing")


@functools.lru_cache(maxsize=64)
def _clock(units: str, calendar: str) -> tuple[float, int]:
    """Return the number of the date 2000-01-01 00:00 UTC in these units, and the length of a unit in nanoseconds.

    Computed once for a folder of frames, which has one clock. A date of our own time is the same in all calendars,
    whatever the date from which they count.
    """
    if units.lower().startswith("nanoseconds "):
        zero, _ = _clock(f"microseconds {units.partition(' ')[2]}", calendar)
        return zero * 1000, 1  # xarray writes these, the netCDF library does not know them
    if not _ORIGIN.fullmatch(units.partition(" since ")[2].strip()):
        raise ValueError("need a date, hour:minute and offset from UTC, such as 2026-06-01 12:00:00 +00:00")
    first, second = (datetime.datetime(2000, 1, n) for n in (1, 2))
    start: Any = netCDF4.date2num(first, units, calendar)
    day: Any = netCDF4.date2num(second, units, calendar)
    return start, round(86_400_000_000_000 / (day - start))


def parse_stamp(text: str, pattern: str, name: str) -> np.datetime64:
    """Return the date (datetime64[ns], UTC) that digits in a fixed order stand for.

    >>> parse_stamp("201609281605", "YYYYmmddHHMM", "obstime")
    np.datetime64('2016-09-28T16:05:00.000000000')

    The pattern has a letter for each digit: YYYYmmddHHMMSS or the first part of it. `name` is the file and attribute.

    Errors: ValueError, other characters, or no date.
    """
    try:
        if not re.fullmatch(r"[0-9]+", text) or len(text) != len(pattern):
            raise ValueError
        parts = [text[start:stop] for start, stop in _STAMP if stop <= len(pattern)]
        date = datetime.datetime(*map(int, parts))  # type: ignore[arg-type]  # six numbers at most, none is a time zone
        if not 1739 < date.year < 2261:
            raise ValueError
    except ValueError:
        raise ValueError(f"{name}: a date must be {pattern}, found {text!r}") from None
    return np.datetime64(date, "ns")


def check_increasing(times: np.ndarray, name: str) -> None:
    """Raise a ValueError if times (movie, time) do not increase; it names the first two frames in the wrong order."""
    wrong = np.argwhere(np.diff(times, axis=1) <= np.timedelta64(0, "ns"))
    if wrong.size:
        movie, frame = wrong[0]
        pair = [np.datetime_as_string(times[movie, f], unit="s") for f in (frame, frame + 1)]
        raise ValueError(
            f"{name}: times must increase, but frame {frame} is at {pair[0]} and frame {frame + 1} at {pair[1]}"
        )


def one_period(seconds: np.ndarray | np.floating, name: str) -> float:
    """Return the length in seconds that all accumulations of a file share.

    Errors: ValueError, they are not positive, or differ by more than 1 %.
    """
    shortest, longest = float(np.min(seconds)), float(np.max(seconds))
    if not (shortest > 0 and longest <= 1.01 * shortest):
        raise ValueError(
            f"{name}: the accumulation periods must be positive and all the same, "
            f"found {shortest:g} to {longest:g} seconds"
        )
    return float(np.median(seconds))
