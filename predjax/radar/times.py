"""Times of netCDF files: dates from CF numbers, and the period of an accumulation."""

import numpy as np
import xarray as xr

_CALENDARS = ("standard", "gregorian", "proleptic_gregorian")


def decode_times(numbers: np.ndarray, attrs: dict, name: str) -> np.ndarray:
    """Dates (datetime64[ns], the shape of `numbers`) of numbers with units like "seconds since 1970-01-01".

    Real numbers are rounded to the millisecond: 5 minutes written in days are not 300 seconds exactly.

    Raises:
      ValueError: another calendar, a missing or infinite number, or a date outside 1678-2262.
    """
    calendar = str(attrs.get("calendar", "standard")).lower()
    if calendar not in _CALENDARS:
        raise ValueError(f"{name}: the calendar must be one of {', '.join(_CALENDARS)}, found {calendar!r}")
    numbers = np.asarray(numbers)
    missing = [attrs[key] for key in ("_FillValue", "missing_value") if key in attrs]
    if not np.isfinite(numbers).all() or any((numbers == number).any() for number in missing):
        raise ValueError(f"{name}: a time is missing")
    flat = xr.Variable("time", numbers.ravel(), {"units": str(attrs["units"]), "calendar": calendar})
    try:
        dates = xr.decode_cf(xr.Dataset({"time": flat})).variables["time"].values
        if dates.dtype.kind != "M":
            raise ValueError("outside 1678-2262")
        dates = dates.astype("datetime64[ns]")
    except (ValueError, OverflowError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{name}: times in {attrs['units']!r} cannot be dates ({reason})") from None
    if numbers.dtype.kind == "f":
        dates = (dates + np.timedelta64(500, "us")).astype("datetime64[ms]").astype("datetime64[ns]")
    return dates.reshape(numbers.shape)


def check_increasing(times: np.ndarray, name: str) -> None:
    """Refuses times (movie, time) that do not increase from frame to frame.

    Raises:
      ValueError: names the first two frames in the wrong order.
    """
    wrong = np.argwhere(np.diff(times, axis=1) <= np.timedelta64(0, "ns"))
    if wrong.size:
        movie, frame = wrong[0]
        pair = [np.datetime_as_string(times[movie, f], unit="s") for f in (frame, frame + 1)]
        raise ValueError(
            f"{name}: times must increase, but frame {frame} is at {pair[0]} and frame {frame + 1} at {pair[1]}"
        )


def one_period(seconds: np.ndarray, name: str) -> float:
    """The one length in seconds of all accumulations of a file.

    Raises:
      ValueError: they are not positive, or differ by more than 1 %.
    """
    shortest, longest = float(np.min(seconds)), float(np.max(seconds))
    if shortest <= 0 or longest > 1.01 * shortest:
        raise ValueError(
            f"{name}: the accumulation periods must be positive and all the same, "
            f"found {shortest:g} to {longest:g} seconds"
        )
    return float(np.median(seconds))
