"""Dates of time labels that are not CF numbers: texts, digits such as 202606011205, days with fractions, file names."""

import datetime
import pathlib
import re

import numpy as np

from predjax.radar.formats.times import SINCE, check_present, decode_times

_ISO = re.compile(  # ISO 8601, in its extended and basic forms, and as WRF writes it
    r"(?P<Y>\d{4})(?P<s>[-/]?)(?P<m>\d\d)(?P=s)(?P<d>\d\d)"
    r"(?:[T _](?P<H>\d\d)(?::?(?P<M>\d\d)(?::?(?P<S>\d\d)(?:[.,](?P<f>\d{1,9}))?)?)?"
    r"\s*(?P<z>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?)?",
    re.IGNORECASE,
)
_DIGITS: dict[int, tuple[str, ...]] = {
    8: ("ymd", "yyyymmdd"),
    12: ("ymdhm", "yyyymmddhhmm"),
    14: ("ymdhms", "yyyymmddhhmmss"),
}
DAYS = re.compile(r"days? as %Y%m%d\.%f", re.IGNORECASE)
_YEARS = (1950, 2100)  # other numbers of these digits are rather no dates
_REGEX = {"Y": r"\d{4}", "y": r"\d\d", "j": r"\d{3}", "f": r"\d{1,6}", "b": r"[^\W\d]+", "B": r"[^\W\d]+"}
_REGEX |= dict.fromkeys("mdHMSI", r"\d\d") | {"p": "[AaPp][Mm]", "z": r"Z|[+-]\d\d:?\d\d", "%": "%"}


class NotDates(ValueError):
    """A time label exists, but nothing says how to read it as dates."""


def read_dates(values: np.ndarray, attrs: dict, name: str) -> tuple[np.ndarray, str]:
    """Return the dates (datetime64[ns]) of a time label, and a remark if they are not CF numbers, else "".

    These are read: numbers "since" a date, days as %Y%m%d.%f, texts in ISO 8601 (UTC without a zone) or as WRF writes
    them, and digits YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, as text or as numbers without another unit, where all of
    them are dates from 1950 to 2100 that increase along the last axis.

    Errors: ValueError, a date is missing or impossible; `NotDates`, the label cannot be read as dates.
    """
    values, units, short = np.asarray(values), str(attrs.get("units", "")).strip(), name.rpartition(": ")[2]
    if values.dtype.kind in "OUST":
        dates, naive = _read_texts(values, name)
        return dates, f"{short}: texts are read as dates" + (", taken as UTC, as they name no offset" if naive else "")
    if values.dtype.kind in "iuf" and SINCE.search(units):
        return decode_times(values, attrs, name), ""
    if values.dtype.kind in "iuf" and DAYS.fullmatch(units):
        return _read_days(values, attrs, name), f"{short}: numbers in {units!r} are read as dates, taken as UTC"
    if values.dtype.kind in "iuf":
        check_present(values, attrs, name)
        letters = re.sub("[^a-z]", "", units.lower())
        found, names = _read_digits(values), _DIGITS.get(len(f"{values.flat[0]:.0f}") if values.size else 0, ())
        if found is not None and (units in ("", "1") or letters in names):
            return found, f"{short}: numbers {names[-1].upper()} are read as dates, taken as UTC"
    shown = ", ".join(f"{one:.12g}" for one in values.flat[:3]) if values.dtype.kind in "iuf" else values.dtype
    raise NotDates(f"{name} holds {shown} {f'in {units!r}' if units else 'without units'}, which are no dates")


def _read_texts(values: np.ndarray, name: str) -> tuple[np.ndarray, bool]:
    """Return the dates of texts, and whether any of them lacks an offset from UTC."""
    texts = [one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in values.ravel().tolist()]
    texts = [text.strip(" \0") for text in texts]
    if not all(texts) or "NaT" in texts:
        raise ValueError(f"{name}: a time is missing")
    naive = any(not (match := _ISO.fullmatch(text)) or not match["z"] for text in texts)
    if all(re.fullmatch("[0-9]{8,14}", text) for text in texts):
        dates = _read_digits(np.array(texts, np.int64).reshape(values.shape))
    else:
        parsed = [_parse_iso(text) for text in texts]
        dates = None if None in parsed else np.array(parsed, "datetime64[ns]").reshape(values.shape)
    if dates is None:
        raise NotDates(f"{name} holds texts such as {texts[0]!r}, which are no dates")
    return dates, naive


def _parse_iso(text: str) -> np.datetime64 | None:
    match = _ISO.fullmatch(text)
    if not match:
        return None
    try:
        date = datetime.datetime(*(int(match[part] or 0) for part in "YmdHMS"))  # type: ignore[arg-type]  # six
    except ValueError:
        return None
    zone = re.fullmatch(r"([+-])(\d\d):?(\d\d)?", match["z"] or "")
    if zone:
        minutes = int(zone[2]) * 60 + int(zone[3] or 0)
        date -= datetime.timedelta(minutes=-minutes if zone[1] == "-" else minutes)
    if not 1739 < date.year < 2261:
        return None
    return np.datetime64(date, "ns") + np.timedelta64(int((match["f"] or "").ljust(9, "0")), "ns")


def _read_digits(numbers: np.ndarray) -> np.ndarray | None:
    """Return the dates of whole numbers YYYYMMDD[HHMM[SS]] that increase; None for other numbers."""
    if not numbers.size or (numbers.dtype.kind == "f" and numbers.itemsize < 8):  # which has 7 digits
        return None
    whole = numbers.astype(np.int64)
    widths = {len(str(one)) for one in (whole.min(), whole.max())}
    width = widths.pop()
    if widths or width not in _DIGITS or (whole != numbers).any():
        return None
    whole = whole * 10 ** (14 - width)
    year = whole // 10**10
    month, day, hour, minute, second = (whole // 10**n % 100 for n in (8, 6, 4, 2, 0))
    if not ((year >= _YEARS[0]) & (year <= _YEARS[1]) & (month >= 1) & (month <= 12) & (day >= 1)).all():
        return None
    months = (12 * (year - 1970) + month - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (day - 1)
    if not ((days.astype("datetime64[M]") == months) & (hour < 24) & (minute < 60) & (second < 60)).all():
        return None
    dates = days.astype("datetime64[ns]") + ((hour * 60 + minute) * 60 + second).astype("timedelta64[s]")
    return dates if (np.diff(whole, axis=-1) > 0).all() else None


def _read_days(numbers: np.ndarray, attrs: dict, name: str) -> np.ndarray:
    check_present(numbers, attrs, name)
    days = np.floor(numbers.astype(np.float64))
    dates = [_read_digits(day.reshape(1)) for day in days.ravel()]
    if numbers.dtype == np.float32 or any(date is None for date in dates):
        raise ValueError(
            f"{name}: times in {attrs['units']!r} cannot be dates, found {numbers.flat[0]} {numbers.dtype}"
        )
    fractions = np.rint((numbers - days) * 86_400_000).astype("timedelta64[ms]")
    return np.array(dates, "datetime64[ns]").reshape(numbers.shape) + fractions


def read_file_name(file: str, pattern: str) -> np.datetime64:
    """Return the date (datetime64[ns], UTC) in the name of a file, found by the strptime `pattern`.

    No further digits may stand before or after the date.

    Errors: ValueError, the pattern fits nowhere, or gives several dates.
    """
    name = pathlib.Path(file).name
    parts = re.split(r"%(.)", pattern)
    regex = "".join(_REGEX.get(part, "$.") if i % 2 else re.escape(part) for i, part in enumerate(parts))
    first, last = (part in _REGEX and part not in "bBpz%" for part in (pattern[1:2], pattern[-1:]))
    before = r"(?<!\d)" if pattern.startswith("%") and first else ""
    after = r"(?!\d)" if pattern[-2:-1] == "%" and last else ""
    found = {}
    for match in re.finditer(f"(?={before}({regex}){after})", name):
        try:
            date = datetime.datetime.strptime(match[1], pattern)
        except ValueError:
            continue
        date = date if date.tzinfo is None else date.astimezone(datetime.UTC).replace(tzinfo=None)
        if 1739 < date.year < 2261:
            found[np.datetime64(date, "ns")] = match[1]
    if len(found) != 1:
        what = f"fits {' and '.join(found.values())}, several dates" if found else "is not in its name"
        raise ValueError(f"{file}: the time_pattern {pattern} {what}")
    return next(iter(found))
