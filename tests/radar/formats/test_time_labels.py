"""Dates of texts, of digits and of names of files: the true ones or none."""

import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predjax.radar.formats.time_labels import NotDates, read_dates, read_file_name

NAME = "a.nc: time"
FIVE = np.datetime64("2026-06-01T22:05", "ns") + np.arange(3) * np.timedelta64(5, "m")


@pytest.mark.parametrize(
    ("first", "written"),
    [
        ("2026-06-01T22:05:00Z", "%Y-%m-%dT%H:%M:%SZ"),
        ("2026-06-01 22:05", "%Y-%m-%d %H:%M"),
        ("2026-06-01_22:05:00", "%Y-%m-%d_%H:%M:%S"),
        ("20260601T220500Z", "%Y%m%dT%H%M%SZ"),
        ("2026/06/01 22:05:00 UTC", "%Y/%m/%d %H:%M:%S UTC"),
        ("2026-06-01T22:05:00.000000+00:00", "%Y-%m-%dT%H:%M:%S.%f+00:00"),
        ("202606012205", "%Y%m%d%H%M"),
    ],
)
@pytest.mark.parametrize("kind", ["U", "S", "O"])
def test_texts_are_dates(first, written, kind):
    texts = [date.strftime(written) for date in FIVE.astype("datetime64[us]").tolist()]
    assert texts[0] == first
    dates, remark = read_dates(np.array(texts, kind), {}, NAME)
    np.testing.assert_array_equal(dates, FIVE)
    naive = "" if written.endswith(("Z", "UTC", "+00:00")) else ", taken as UTC, as they name no offset"
    assert remark == f"time: texts are read as dates{naive}"


def test_offsets_and_fractions_count():
    dates, _ = read_dates(np.array(["2026-06-02T00:05:00.25+02:00", "2026-06-01T18:35-0330"]), {}, NAME)
    np.testing.assert_array_equal(dates, np.array(["2026-06-01T22:05:00.25", "2026-06-01T22:05"], "datetime64[ns]"))


@pytest.mark.parametrize("dtype", ["i8", "u8", "f8"])
@pytest.mark.parametrize("units", ["", "1", "YYYYMMDDhhmm", "%Y%m%d%H%M"])
def test_digits_are_dates(dtype, units):
    dates, remark = read_dates(np.array([202606012205, 202606012210, 202606012215], dtype), {"units": units}, NAME)
    np.testing.assert_array_equal(dates, FIVE)
    assert remark == "time: numbers YYYYMMDDHHMM are read as dates, taken as UTC"


def test_days_have_fractions():
    numbers = 20260601 + (1325 + 5 * np.arange(3)) / 1440
    dates, remark = read_dates(numbers, {"units": "day as %Y%m%d.%f"}, NAME)
    np.testing.assert_array_equal(dates, FIVE)
    assert remark == "time: numbers in 'day as %Y%m%d.%f' are read as dates, taken as UTC"
    with pytest.raises(ValueError, match=r"cannot be dates, found .* float32"):
        read_dates(numbers.astype("f4"), {"units": "day as %Y%m%d.%f"}, NAME)


@pytest.mark.parametrize(
    ("values", "units"),
    [
        ([202606010010, 202606010005], ""),  # these do not increase
        ([202606010010, 202606010010], ""),
        ([202606312200, 202606312205], ""),  # there is no 31st of June
        ([202606012360], ""),
        ([194906012200], ""),
        ([202606012205, 20260601221000], ""),
        ([2026060122, 2026060123], ""),  # of ten digits, which may also be YYMMDDHHMM
        ([202606010005, 202606010010], "minutes"),
        ([202606010005, 202606010010], "YYYYMMDD"),
        ([202606010005.5], ""),
        ([0, 5, 10], "minutes"),
        (["first", "second"], ""),
        (["01.06.2026 22:05"], ""),
        (["2026-06-01T24:05"], ""),
        (["2026-06-01T22:05 CEST"], ""),
        ([True], ""),
    ],
)
def test_what_may_be_something_else_is_not_a_date(values, units):
    with pytest.raises(NotDates, match=r"^a\.nc: time holds .*, which are no dates$"):
        read_dates(np.array(values), {"units": units}, NAME)


@pytest.mark.parametrize("values", [["2026-06-01T00:00", ""], ["NaT"], [202606012205.0, np.nan]])
def test_a_missing_time_is_refused(values):
    with pytest.raises(ValueError, match=r"a\.nc: time: a time is missing"):
        read_dates(np.array(values), {}, NAME)


_UNITS = {"days": 86400, "Hours": 3600, "minutes": 60, "MINUTES": 60, "seconds": 1, "milliseconds": 1e-3, "min": 60}
_ORIGINS = ("1970-01-01", "1970-01-01 00:00:00", "1970-1-1 0:0:0", "1970-01-01T00:00:00Z", "1970-01-01 02:00 +02:00")
_ORIGINS += ("1970-01-01 00:00 UTC", "1970-01-01 00", "1970-01-01 00:00 CEST", "19700101", "01-01-1970")
_ORIGINS += (
    "1970-01-01 02:00 +2:00",
    "1970-01-01 05:30 +0530",
    "1969-12-31T18:30:00.0-05:30",
    "1970-01-01 02:00:00+02",
)
_TEXTS = ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d_%H:%M:%S", "%Y%m%dT%H%M%S", "%Y%m%d%H%M%S", "%Y%m%d%H%M", "%Y%m%d%H")
_TEXTS += ("%d.%m.%Y %H:%M", "%m/%d/%Y %H:%M", "%y%m%d%H%M", "%H:%M:%S", "%Y-%m-%dT%H:%M:%S+01:00", "%d%m%Y%H%M")
_NUMBERS = st.tuples(
    st.sampled_from(sorted(_UNITS)), st.sampled_from((" since ", " Since ", "  SINCE ")), st.sampled_from(_ORIGINS)
)


@settings(max_examples=50, deadline=None)
@given(
    start=st.datetimes(datetime.datetime(1951, 1, 1), datetime.datetime(2099, 12, 1)),
    step=st.integers(1, 90),
    spelling=_NUMBERS | st.sampled_from(_TEXTS),
    dtype=st.sampled_from(["i8", "f8", "f4", "U", "S", "O"]),
)
def test_a_spelling_gives_the_true_dates_or_is_refused(start, step, spelling, dtype):
    dates = [start.replace(second=0, microsecond=0) + n * datetime.timedelta(minutes=step) for n in range(4)]
    truth = np.array(dates, "datetime64[ns]")
    if isinstance(spelling, tuple):
        seconds = truth.astype("i8") / 1e9
        values, attrs = seconds / _UNITS[spelling[0]], {"units": "".join(spelling)}
        stored = values.astype("f8" if dtype in "USO" else dtype)
        if dtype == "f4" or (stored != values).any():  # the numbers themselves are other dates
            return
    else:
        texts = [date.strftime(spelling) for date in dates]
        attrs, stored = {}, np.array(texts)
        truth = truth - np.timedelta64(60 * spelling.endswith("+01:00"), "m")
        if not texts[0].isdigit() and dtype not in "USO":
            return
        stored = stored.astype("i8").astype(dtype) if dtype not in "USO" else stored.astype(dtype)
    try:
        found, _ = read_dates(stored, attrs, NAME)
    except ValueError:
        return
    np.testing.assert_allclose((found - truth) / np.timedelta64(1, "ms"), 0, atol=0.5)


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("radar_202606012205.nc", "%Y%m%d%H%M"),
        ("raa01-rw_10000-2606012205-dwd", "%y%m%d%H%M"),
        ("r_2026-06-01T22:05.png", "%Y-%m-%dT%H:%M"),
        ("of_20260601_2200_valid_20260601_2205.nc", "valid_%Y%m%d_%H%M"),
        ("2026152.2205.h5", "%Y%j.%H%M"),
        ("01Jun2026-2205.nc", "%d%b%Y-%H%M"),
    ],
)
def test_a_date_is_found_anywhere_in_the_name(name, pattern):
    assert read_file_name(f"/20250101/{name}", pattern) == FIVE[0]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("radar.nc", "radar.nc: the time_pattern %Y%m%d%H%M is not in its name"),
        ("radar_20260601220530.nc", "is not in its name"),  # its digits go on
        ("radar_202613012205.nc", "is not in its name"),
        ("202606012200_202606012205.nc", "fits 202606012200 and 202606012205, several dates"),
    ],
)
def test_a_name_without_one_date_is_refused(name, message):
    with pytest.raises(ValueError, match=message):
        read_file_name(name, "%Y%m%d%H%M")
