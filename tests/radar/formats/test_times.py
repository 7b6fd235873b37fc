"""CF times to dates, and accumulation periods."""

import cftime
import numpy as np
import pytest

from predjax.radar.formats.times import check_increasing, decode_times, one_period


def test_numbers_since_become_dates_exactly():
    dates = decode_times(np.array([0, 300, 600]), {"units": "seconds since 2020-10-31 05:50:00 UTC"}, "a.nc: time")
    expected = np.datetime64("2020-10-31T05:50") + np.arange(3) * np.timedelta64(5, "m")
    np.testing.assert_array_equal(dates, expected)
    assert dates.dtype == "datetime64[ns]"


def test_nanoseconds_are_exact():
    dates = decode_times(np.array([1, 2]), {"units": "nanoseconds since 2000-01-01"}, "a.nc: time")
    np.testing.assert_array_equal(dates, np.datetime64("2000-01-01", "ns") + np.array([1, 2]))


@pytest.mark.parametrize(("unit", "per_day"), [("days", 1), ("hours", 24), ("minutes", 1440)])
def test_real_numbers_are_rounded_to_the_millisecond(unit, per_day):
    expected = np.datetime64("2020-10-31T00:00") + np.arange(288) * np.timedelta64(5, "m")
    numbers = 44133.0 * per_day + np.arange(288) / 288 * per_day
    dates = decode_times(numbers.reshape(2, 144), {"units": f"{unit} since 1900-01-01"}, "a.nc: time")
    np.testing.assert_array_equal(dates, expected.reshape(2, 144) + (dates[0, 0] - expected[0]))
    assert (np.diff(dates) == np.timedelta64(300, "s")).all()


@pytest.mark.parametrize(("unit", "per_day"), [("days", 1), ("hours", 24)])
def test_numbers_of_single_precision_are_rounded_to_the_second(unit, per_day):
    numbers = np.float32(np.arange(288) / 288 * per_day)
    dates = decode_times(numbers, {"units": f"{unit} since 2026-06-01"}, "a.nc: time")
    np.testing.assert_array_equal(dates, np.datetime64("2026-06-01T00:00") + np.arange(288) * np.timedelta64(5, "m"))


@pytest.mark.parametrize("calendar", ["standard", "proleptic_gregorian"])
@pytest.mark.parametrize(("unit", "per_day"), [("days", 1), ("hours", 24), ("seconds", 86400)])
@pytest.mark.parametrize("origin", ["0001-01-01", "1600-01-01T12:00:00", "1858-11-17 00:00:00", "2100-01-01"])
def test_dates_are_right_from_any_origin(calendar, unit, per_day, origin):
    units = f"{unit} since {origin}"
    when = [cftime.datetime(2020, 10, 31, hour, calendar=calendar) for hour in (0, 6, 12)]
    numbers = cftime.date2num(when, units, calendar)
    dates = decode_times(numbers, {"units": units, "calendar": calendar}, "a.nc: time")
    np.testing.assert_array_equal(dates, np.datetime64("2020-10-31T00") + np.arange(0, 13, 6) * np.timedelta64(1, "h"))


@pytest.mark.parametrize("calendar", ["360_day", "noleap", "julian"])
def test_other_calendars_are_named(calendar):
    with pytest.raises(ValueError, match=f"a.nc: time: the calendar must be one of standard, .* found '{calendar}'"):
        decode_times(np.array([1]), {"units": "days since 2000-01-01", "calendar": calendar}, "a.nc: time")


@pytest.mark.parametrize(
    ("numbers", "attrs", "rule"),
    [
        ([1.0, np.nan], {}, "a time is missing"),
        ([1, -1], {"_FillValue": -1}, "a time is missing"),
        ([1, 10**9], {}, "cannot be dates"),
        ([1, 2], {"units": "fortnights since 2000-01-01"}, "cannot be dates"),
        ([1, 2], {"units": "days since yesterday"}, "cannot be dates"),
    ],
)
def test_what_is_no_date_is_named_on_one_line(numbers, attrs, rule):
    with pytest.raises(ValueError, match=f"a.nc: time: .*{rule}") as error:
        decode_times(np.array(numbers), {"units": "days since 2000-01-01"} | attrs, "a.nc: time")
    assert "\n" not in str(error.value)


def test_the_first_two_frames_in_the_wrong_order_are_named():
    times = np.array([["2020-01-01T00:00", "2020-01-01T00:10", "2020-01-01T00:05"]], "datetime64[ns]")
    with pytest.raises(ValueError, match=r"frame 1 is at 2020-01-01T00:10:00 and frame 2 at 2020-01-01T00:05:00"):
        check_increasing(times, "a.nc")
    check_increasing(times[:, :2], "a.nc")


def test_accumulations_of_a_file_have_one_period():
    assert one_period(np.array([600.0, 600.0, 601.0]), "a.nc") == 600
    for wrong in ([600, 1200], [0, 0], [-600]):
        with pytest.raises(ValueError, match=r"a\.nc: the accumulation periods must be positive and all the same"):
            one_period(np.array(wrong), "a.nc")
