"""Forecast files find the observed windows that they forecast."""

import shutil

import netCDF4
import numpy as np
import pytest
import xarray as xr

from predjax.nowcasts.forecast import to_forecast
from predjax.nowcasts.persistence import persist
from predjax.radar.forecasts import match_forecasts, read_forecasts
from predjax.radar.movies import build_movies
from predjax.radar.step import Step
from predjax.radar.windows.batches import read_windows
from predjax.radar.windows.index import Window
from predjax.radar.writers import write_forecast

TIMES = np.datetime64("2020-05-01T12:00", "ns") + np.arange(12) * np.timedelta64(5, "m")


def movies(units="mm/h", y=(7000.0, 0.0), shape=(8, 6)):
    values = np.random.default_rng(0).gamma(1.0, 2.0, (1, 12, *shape, 1)).astype(np.float32)
    values[:, :, 0, 0] = np.nan
    attrs = [{"units": "m", "standard_name": f"projection_{axis}_coordinate"} for axis in "yx"]
    return build_movies(
        values,
        {
            "time": TIMES[None],
            "y": xr.Variable("y", np.linspace(*y, shape[0]), attrs[0]),
            "x": xr.Variable("x", np.arange(shape[1]) * 1000.0, attrs[1]),
        },
        attrs={"units": units, "standard_name": "rainfall_rate", "variable": "rain"},
        source="observed.nc",
        files=["observed.nc"],
    )


def write(path, source, window, crop=0, steps=4):
    batch = read_windows([source], [window], 3 + steps, crop)
    frames = persist(batch.frames[:, :3], steps)[0]
    write_forecast(path, to_forecast(frames, source, window, 3, "persistence", "test"))
    return frames


def test_a_written_forecast_finds_its_window(tmp_path):
    source, window = movies(), Window(0, 0, 4, 0, 0)
    frames = write(tmp_path / "a.nc", source, window)
    (match,) = match_forecasts(read_forecasts(str(tmp_path / "a.nc")), [source], 3)
    assert match.window == window
    np.testing.assert_array_equal(match.read(4, (8, 6))[0], frames)


def test_rows_are_turned_and_crops_are_placed(tmp_path):
    source, window = movies(y=(0.0, 7000.0)), Window(0, 0, 2, 3, 1)  # the writer turns rows: row 0 is north
    frames = write(tmp_path / "a.nc", source, window, crop=4)
    (match,) = match_forecasts(read_forecasts(tmp_path / "a.nc"), [source], 3)
    assert match.window == Window(0, 0, 2, 0, 0)
    assert match.part == ((3, 1), (True, False))
    whole = match.read(4, (8, 6))[0]
    np.testing.assert_array_equal(whole[:, 3:7, 1:5], frames)
    assert np.isnan(whole).sum() == np.isnan(frames).sum() + 4 * (8 * 6 - 4 * 4)


def test_members_and_the_epoch_as_init_time(tmp_path):
    """The layout of pysteps: (ens_number, time, y, x), time in seconds since the init time."""
    values = np.random.default_rng(1).random((3, 2, 8, 6), dtype=np.float32)
    with netCDF4.Dataset(tmp_path / "p.nc", "w") as file:
        for name, size in zip(("ens_number", "time", "y", "x"), values.shape):
            file.createDimension(name, size)
        time = file.createVariable("time", "f8", ("time",))
        time.units, time[:] = "seconds since 2020-05-01 12:20:00", [300, 600]
        for name, numbers in (("y", np.linspace(7000, 0, 8)), ("x", np.arange(6) * 1000.0)):
            axis = file.createVariable(name, "f8", (name,))
            axis.axis, axis.units, axis[:] = name.upper(), "m", numbers
        rain = file.createVariable("precip_intensity", "f4", ("ens_number", "time", "y", "x"))
        rain.units, rain[:] = "mm h-1", values
    (match,) = match_forecasts(read_forecasts(tmp_path / "p.nc"), [movies()], 2)
    assert match.window == Window(0, 0, 3, 0, 0)
    np.testing.assert_array_equal(match.read(2, (8, 6))[..., 0], values)
    assert "the init time is the date from which the times count" in match.forecast.movies.attrs["remarks"]


def test_what_does_not_meet_is_refused_in_one_line(tmp_path):
    source = movies()
    write(tmp_path / "a.nc", source, Window(0, 0, 4, 0, 0))
    forecasts = read_forecasts(tmp_path / "a.nc")
    with pytest.raises(ValueError, match=r"a\.nc: its pixels \(8x6.*are not those of observed\.nc \(8x7"):
        match_forecasts(forecasts, [movies(shape=(8, 7), y=(9000.0, 1000.0))], 3)
    with pytest.raises(ValueError, match=r"a\.nc is in mm/h, observed\.nc in dBZ"):
        match_forecasts(forecasts, [movies(units="dBZ")], 3)
    later = source.assign_coords(time=source.time + np.timedelta64(1, "D"))
    with pytest.raises(ValueError, match=r"a\.nc: init time 2020-05-01T12:30 .* is not in observed\.nc"):
        match_forecasts(forecasts, [later], 3)
    with pytest.raises(ValueError, match="init time"):
        match_forecasts(forecasts, [source], 9)  # nine frames before the init time are not there


def test_forecasts_without_observations_are_named_and_left_out(tmp_path, caplog):
    source = movies()
    write(tmp_path / "a.nc", source, Window(0, 0, 4, 0, 0))
    write(tmp_path / "b.nc", source, Window(0, 0, 0, 0, 0))
    matches = match_forecasts(read_forecasts(tmp_path), [source.isel(time=slice(3, None))], 3)
    assert [match.forecast.path for match in matches] == [str(tmp_path / "a.nc")]
    assert "b.nc" in caplog.text


def save(path, times, reference=True, since=None, values=None):
    """A forecast of 8 x 6 pixels at `times`, whose numbers count from the date `since`."""
    values = np.ones((len(times), 8, 6), np.float32) if values is None else values
    dims = ("realization", "time", "y", "x")[-values.ndim :]
    grid = {
        "y": ("y", np.linspace(7000, 0, 8), {"units": "m", "standard_name": "projection_y_coordinate"}),
        "x": ("x", np.arange(6) * 1000.0, {"units": "m", "standard_name": "projection_x_coordinate"}),
    }
    attrs = {"standard_name": "rainfall_rate", "units": "mm/h"}
    dataset = xr.Dataset({"rain": (dims, values, attrs)}, {"time": times, **grid})
    if reference:
        name = {"standard_name": "forecast_reference_time"}
        dataset = dataset.assign_coords(forecast_reference_time=((), TIMES[4], name))
    dataset.to_netcdf(path, encoding={"time": {"units": f"seconds since {since}"}} if since else {})
    return path


def test_a_frame_of_the_init_time_is_left_out(tmp_path, caplog):
    caplog.set_level("INFO")
    values = np.arange(4, dtype=np.float32)[:, None, None] * np.ones((8, 6), np.float32)
    (forecast,) = read_forecasts(save(tmp_path / "a.nc", TIMES[4:8], values=values))
    assert forecast.init_time == TIMES[4] and forecast.movies.sizes["time"] == 3
    assert "1 of 1 forecasts begin with a frame of their init time (lead time 0), which is left out" in caplog.text
    (match,) = match_forecasts([forecast], [movies()], 3)
    assert match.window == Window(0, 0, 2, 0, 0)
    np.testing.assert_array_equal(match.read(3, (8, 6))[0, :, 0, 0, 0], [1, 2, 3])
    with pytest.raises(ValueError, match="the only frame is of the init time"):
        read_forecasts(save(tmp_path / "b.nc", TIMES[4:5]))
    with pytest.raises(ValueError, match="init time 2020-05-01T12:20 is after the first valid time, 2020-05-01T12:15"):
        read_forecasts(save(tmp_path / "c.nc", TIMES[3:8]))


@pytest.mark.parametrize("since", [None, "1970-01-01", "2020-05-01 12:25:00", "2020-05-01"])
def test_an_init_time_that_nothing_says_is_asked_for(tmp_path, since):
    path = save(tmp_path / "a.nc", TIMES[5:8], reference=False, since=since)
    with pytest.raises(ValueError, match=r"a\.nc: nothing says its init time: .* --first_lead 5 .*--first_lead 0"):
        read_forecasts(path)
    assert read_forecasts(path, first_lead=5)[0].init_time == TIMES[4]
    (forecast,) = read_forecasts(path, first_lead=0)
    assert forecast.init_time == TIMES[5] and forecast.movies.sizes["time"] == 2


def test_times_that_count_from_one_step_before_the_first_tell_the_init_time(tmp_path):
    path = save(tmp_path / "a.nc", TIMES[5:8], reference=False, since="2020-05-01 12:20:00")
    for lead in (None, 0):  # which is for files that do not say it
        assert read_forecasts(path, first_lead=lead)[0].init_time == TIMES[4]


def test_a_member_without_values_is_named(tmp_path):
    """A pixel counts as forecast where all members are, so that nothing would be left to score."""
    values = np.ones((3, 3, 8, 6), np.float32)
    values[1, 2] = np.nan
    values[:, :, 0] = np.nan
    (match,) = match_forecasts(read_forecasts(save(tmp_path / "a.nc", TIMES[5:8], values=values)), [movies()], 3)
    assert match.read(2, (8, 6)).shape == (3, 2, 8, 6, 1)
    with pytest.raises(ValueError, match=r"a\.nc: member 2 of 3 has no value at lead time 3 of 3, others have"):
        match.read(3, (8, 6))
    values[:, 2] = np.nan  # no member has one: nothing is forecast there, which the coverage says
    (match,) = match_forecasts(read_forecasts(save(tmp_path / "b.nc", TIMES[5:8], values=values)), [movies()], 3)
    assert np.isnan(match.read(3, (8, 6))[:, 2]).all()


def test_observations_may_jitter_by_seconds(tmp_path):
    source, window = movies(), Window(0, 0, 4, 0, 0)
    write(tmp_path / "a.nc", source, window)
    jitter = np.random.default_rng(2).integers(-20, 20, 12) * np.timedelta64(1, "s")
    times = TIMES + jitter
    observed = source.assign_coords(time=(("movie", "time"), times[None]))
    observed.attrs |= Step.of_times(times).attrs
    (match,) = match_forecasts(read_forecasts(tmp_path / "a.nc"), [observed], 3)
    assert match.window == window
    late = observed.assign_coords(time=(("movie", "time"), (times + np.timedelta64(90, "s"))[None]))
    with pytest.raises(ValueError, match="is not in observed"):
        match_forecasts(read_forecasts(tmp_path / "a.nc"), [late], 3)


def test_two_forecasts_of_the_same_frames_are_refused(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / f"{name}.nc", movies(), Window(0, 0, 4, 0, 0))
    with pytest.raises(ValueError, match=r"a\.nc and .*b\.nc forecast the same frames: members are a dimension"):
        match_forecasts(read_forecasts(tmp_path), [movies()], 3)


def test_frames_of_one_init_time_in_a_file_each_are_one_forecast(tmp_path):
    source = movies()
    frames = write(tmp_path / "whole.nc", source, Window(0, 0, 4, 0, 0))
    whole = xr.open_dataset(tmp_path / "whole.nc", decode_times=False)
    (tmp_path / "apart").mkdir()
    for lead in range(4):
        whole.isel(time=[lead]).to_netcdf(tmp_path / "apart" / f"{lead}.nc")
    whole.close()
    (match,) = match_forecasts(read_forecasts(tmp_path / "apart"), [source], 3)
    np.testing.assert_array_equal(match.read(4, (8, 6))[0], frames)
    shutil.copy(tmp_path / "apart" / "0.nc", tmp_path / "apart" / "member2.nc")
    with pytest.raises(ValueError, match="both forecast one time from one init time: members are a dimension"):
        read_forecasts(tmp_path / "apart")
