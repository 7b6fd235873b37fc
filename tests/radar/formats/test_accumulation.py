"""Periods of accumulations: what tells them, and sums that overlap or run on."""

import numpy as np
import pytest
import xarray as xr

from predjax.radar.formats.accumulation import Period, choose_period, name_durations, settle_period, show_duration
from predjax.radar.readers import read_movies

STEP = 300.0


def showers(length=30, seed=0):
    """Sums of 5 minutes (time, y, x) in mm: showers of a few pixels that move, and flicker at their edges."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:32, :32]
    frames = np.zeros((length, 32, 32))
    for _ in range(12):
        begin, row, column, speed = rng.uniform((0, 0, -10, 0.5), (length, 32, 32, 2))
        for time in range(length):
            strength = np.exp(-(((time - begin) / 6) ** 2)) * rng.uniform(0.5, 1.5)
            frames[time] += strength * np.exp(-((y - row) ** 2 + (x - column - speed * time) ** 2) / 6)
    return np.where(frames < 0.1, 0, frames)


def overlap(frames, steps):
    return np.stack([frames[max(0, end - steps) : end].sum(0) for end in range(1, len(frames) + 1)])[steps - 1 :]


def label(frames, time=None, **attrs):
    time = np.datetime64("2026-06-01", "ns") + np.arange(len(frames)) * np.timedelta64(5, "m") if time is None else time
    attrs = {"units": "mm"} | attrs
    pixels = {axis: (axis, np.arange(float(size)), {"units": "km"}) for axis, size in zip("yx", frames.shape[1:])}
    return xr.Dataset({"rain": (("time", "y", "x"), frames.astype("f4"), attrs)}, {"time": time, **pixels})


def read(dataset, **options):
    (movies,) = read_movies(dataset, **options)
    return movies


def test_sums_of_one_step_become_rates_with_a_line():
    frames = showers()
    movies = read(label(frames))
    np.testing.assert_allclose(movies.frames.values[0, ..., 0], frames * 12, rtol=1e-6)
    assert movies.attrs["remarks"] == [
        "sums of 5min (by the time step, as nothing else tells it) are read as mean rain rates"
    ]


@pytest.mark.parametrize("unit", ["mm/h", "dBZ"])
@pytest.mark.parametrize("steps", [2, 3, 12])
def test_sums_that_overlap_are_found_and_read_with_their_period(steps, unit):
    sums = overlap(showers(30 + steps), steps)
    with pytest.raises(ValueError, match=r"dataset: rain: of \d+ pixels that become wet \d+ are dry in the next frame"):
        read(label(sums), units=unit)
    movies = read(label(sums), units=unit, accumulation_period=f"{5 * steps}min")
    assert f"sums of {5 * steps}min (by --accumulation_period)" in movies.attrs["remarks"][-1]
    assert movies.attrs["remarks"][-1].endswith("there is one every 5min, so they overlap")
    if unit == "mm/h":
        np.testing.assert_allclose(movies.frames.values[0, ..., 0], sums * 12 / steps, rtol=1e-5)


@pytest.mark.parametrize("restart", [30, 12])
def test_sums_that_run_on_are_found_and_can_be_made_differences(restart):
    frames = showers()
    sums = np.concatenate([np.cumsum(part, 0) for part in np.split(frames, range(restart, 30, restart))])
    sums[:, :3] = np.nan
    ds = label(sums)
    with pytest.raises(ValueError, match=r"the sums never fall but where they start again.*rise = ds\.rain") as error:
        read(ds)
    lines = str(error.value).split("first, ")[1].split(" with xarray")[0]
    exec(lines, {"ds": ds})  # the advice itself
    rates = read(ds).frames.values[0, ..., 0]
    assert np.isnan(rates[0]).all() and np.isnan(rates[:, :3]).all()
    np.testing.assert_allclose(rates[1:, 3:], frames[1:, 3:] * 12, atol=1e-3)


def test_too_little_rain_to_see_it_is_said():
    frames = np.zeros((40, 8, 8))
    frames[:, 2] = 0.5
    assert read(label(frames)).attrs["remarks"][-1].startswith("the frames looked at have too little rain")


def test_sums_of_other_periods_than_the_step_are_not_taken_as_of_one_step():
    frames = showers()
    with pytest.raises(ValueError, match=r"'1-hour accumulation' speaks of 60min, and frames are 5min apart: .*60min"):
        read(label(frames, long_name="1-hour accumulation"))
    with pytest.raises(ValueError, match=r"'interval: 15 minutes' speaks of 15min"):
        read(label(frames, cell_methods="time: sum (interval: 15 minutes)"))
    usual = label(frames, long_name="5 min rain", cell_methods="time: sum (interval: 1 minute)")
    assert len(read(usual).attrs["remarks"]) == 1


def test_bounds_that_overlap_need_the_users_word():
    dataset = label(showers())
    dataset["time"].attrs["bounds"] = "time_bounds"
    ends = dataset.time.values
    dataset["time_bounds"] = ("time", "nv"), np.stack([ends - np.timedelta64(1, "h"), ends], 1)
    with pytest.raises(
        ValueError, match=r"rain: sums of 60min \(by time bounds\) every 5min overlap: --accumulation_period"
    ):
        read(dataset)
    assert read(dataset, accumulation_period="1h").attrs["remarks"][0].startswith("sums of 60min (by --accum")
    with pytest.raises(ValueError, match=r"is 60min by time bounds, and 10min by --accumulation_period"):
        read(dataset, accumulation_period="10min")
    dataset["time_bounds"][:, 0] = ends[0] - np.timedelta64(5, "m")
    with pytest.raises(ValueError, match=r"time_bounds: all sums begin at 2026-05-31T23:55:00, so they run on"):
        read(dataset)


def test_a_unit_that_counts_its_time_tells_the_period():
    frames = showers()
    movies = read(label(frames, units="0.1 mm/5min"))
    np.testing.assert_allclose(movies.frames.values[0, ..., 0], frames * 1.2, rtol=1e-6)
    assert movies.attrs["remarks"] == ["sums of 5min (by the unit 0.1 mm/5min) are read as mean rain rates"]
    with pytest.raises(ValueError, match="every 5min overlap"):
        read(label(frames, units="mm/30min"))


def test_durations_in_names_and_cell_methods():
    found = {"Rain (24h)": 86400.0, "hourly rain": 3600.0, "rain 15 min": 900.0}
    found |= {"1 h accumulation every 5 min": 3600.0, "5 min scans in 1 h": 3600.0}
    for name, seconds in found.items():
        assert name_durations({"long_name": name}, "x") == {name: seconds}
    assert name_durations({"long_name": "5.5 mm/h at 2 d, v1h2"}, "rain_1d") == {}
    assert name_durations({}, "acc_60min") == {"acc 60min": 3600.0}


def test_the_period_is_the_users_then_the_files_then_the_step():
    bounds = Period(300.0, "time bounds")
    assert choose_period(None, "mm", "", "a") is None
    assert choose_period(bounds, "mm", "", "a") == bounds
    assert choose_period(bounds, "mm", "5min", "a") == Period(300.0, "--accumulation_period", declared=True)
    assert (
        settle_period(None, {}, STEP, "a").seconds == STEP
        and settle_period(bounds, {"day": 86400.0}, 900.0, "a") == bounds
    )
    with pytest.raises(ValueError, match=r"nothing tells its period.*--accumulation_period 60min would state it"):
        settle_period(None, {}, None, "a")
    assert [show_duration(seconds) for seconds in (300, 3600, 90)] == ["5min", "60min", "90s"]
