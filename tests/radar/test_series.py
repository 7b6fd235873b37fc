"""Vector series are movies of one pixel, whose channels are the features."""

import netCDF4
import numpy as np
import pytest
import xarray as xr

from predjax.nowcasts.forecast import to_forecast
from predjax.radar.formats.catalogue import Reading
from predjax.radar.formats.npy import read_npy
from predjax.radar.movies import check_movies, is_series
from predjax.radar.readers import read_gridded, read_movies
from predjax.radar.windows.index import Window
from predjax.radar.writers import write_forecast
from predjax.synthetic.__main__ import main as make

VALUES = np.random.default_rng(0).normal(size=(3, 8, 2)).astype(np.float32)


def save(path, **variables):
    """A file of `name=(dims, values[, attributes])`."""
    xr.Dataset(variables).to_netcdf(path)
    return path


@pytest.mark.parametrize(
    ("array", "layout"), [(VALUES[0], "auto"), (VALUES[0], "time,feature"), (VALUES, "movie,time,feature")]
)
def test_arrays_of_series(array, layout, tmp_path):
    np.save(tmp_path / "a.npy", array)
    movies = check_movies(read_npy(tmp_path / "a.npy", layout))
    assert is_series(movies)
    np.testing.assert_array_equal(movies.frames[:, :, 0, 0], array.reshape(-1, 8, 2))


@pytest.mark.parametrize("feature", ["feature", "station", "state_variable"])
def test_a_netcdf_series_has_one_further_dimension_of_any_name(feature, tmp_path):
    names = (feature, ["north", "south"])
    path = save(tmp_path / "a.nc", level=(("event", "time", feature), VALUES, {"units": "m"}), **{feature: names})
    (movies,) = read_gridded([path], Reading())
    check_movies(movies)
    assert is_series(movies) and movies.frames.attrs["units"] == "m" and movies.frames.attrs["variable"] == "level"
    assert movies.channel.values.tolist() == ["north", "south"]
    said = [] if feature == "feature" else [f"the dimension {feature} taken as the features of a series"]
    assert movies.attrs["remarks"] == [*said, "there are no times, the frames are numbered"]
    np.testing.assert_array_equal(movies.frames[:, :, 0, 0], VALUES)


def test_a_single_series_with_dates(tmp_path):
    time = ("time", np.arange(8) * 600, {"units": "seconds since 2020-01-01"})
    path = save(tmp_path / "a.nc", level=("time", VALUES[0, :, 0]), time=time)
    (movies,) = read_gridded([path], Reading())
    assert movies.sizes == {"movie": 1, "time": 8, "y": 1, "x": 1, "channel": 1} and movies.attrs["step_seconds"] == 600
    np.testing.assert_array_equal(movies.frames.values.ravel(), VALUES[0, :, 0])


def test_dimensions_in_another_order(tmp_path):
    path = save(tmp_path / "a.nc", level=(("feature", "time", "movie"), VALUES.T))
    np.testing.assert_array_equal(read_gridded([path], Reading())[0].frames[:, :, 0, 0], VALUES)


def test_numbers_along_time_that_belong_to_others_are_no_series(tmp_path):
    quality, date = ("time", np.zeros(8)), ("time", np.arange(8), {"units": "hours since 2020-01-01"})
    level = (("time", "feature"), VALUES[0], {"coordinates": "quality"})
    path = save(tmp_path / "a.nc", quality=quality, valid=date, level=level, time=("time", np.arange(8.0)))
    (movies,) = read_gridded([path], Reading())
    assert movies.frames.attrs["variable"] == "level"


def test_stations_with_places_are_features(tmp_path):
    lat = ("station", [50.0, 51.0], {"standard_name": "latitude", "units": "degrees_north"})
    lon = ("station", [5.0, 6.0], {"standard_name": "longitude", "units": "degrees_east"})
    path = save(tmp_path / "a.nc", rain=(("time", "station"), VALUES[0]), lat=lat, lon=lon)
    (movies,) = read_gridded([path], Reading())
    assert is_series(movies)
    np.testing.assert_array_equal(movies.frames[0, :, 0, 0], VALUES[0])


def test_maps_come_before_series_and_several_series_are_listed(tmp_path):
    maps, series = np.zeros((8, 3, 4), np.float32), ("time", VALUES[0, :, 0])
    path = save(tmp_path / "maps.nc", rain=(("time", "y", "x"), maps), gauge=series)
    assert not is_series(read_gridded([path], Reading())[0])
    assert is_series(read_gridded([path], Reading(variable="gauge"))[0])
    path = save(tmp_path / "series.nc", gauge=series, level=series)
    with pytest.raises(ValueError, match=r"series\.nc: several variables could be the frames: gauge, level; choose"):
        read_gridded([path], Reading())
    assert is_series(read_gridded([path], Reading(variable="level"))[0])


def test_what_drives_a_generated_system_is_a_forcing(tmp_path):
    path = tmp_path / "narma.nc"
    assert make(["narma", "--output", str(path), "--num_movies", "2", "--length", "30"]) == 0
    (movies,) = read_movies(path, forcings=("input",))
    with netCDF4.Dataset(path) as file:
        np.testing.assert_array_equal(movies.forcings.values, file["input"][:])
        np.testing.assert_array_equal(movies.frames[:, :, 0, 0], file["narma"][:])


@pytest.mark.parametrize("members", [0, 2])
@pytest.mark.parametrize("names", [["north", "south"], [3, 7]])
def test_a_forecast_of_a_series_has_features_and_no_pixels(names, members, tmp_path):
    path = save(tmp_path / "a.nc", level=(("movie", "time", "feature"), abs(VALUES), {"units": "mm/h"}))
    movies = read_movies(path)[0].assign_coords(channel=names)
    frames = np.arange(4, dtype=np.float32).reshape(2, 1, 1, 2)
    frames[1, 0, 0, 1] = np.nan
    given = np.stack([frames, frames + 1]) if members else frames
    forecast = to_forecast(given, movies, Window(0, 1, 2, 0, 0), 3, "gru", "test")
    write_forecast(tmp_path / "out.nc", forecast)
    with xr.open_dataset(tmp_path / "out.nc") as written:
        dims = ("realization", "time", "feature") if members else ("time", "feature")
        assert written.level.attrs["units"] == "mm h-1"
        assert written.level.dims == dims and written.feature.values.tolist() == names
        np.testing.assert_array_equal(written.level.values, given[..., 0, 0, :])
        assert written.time.values.tolist() == [5, 6] and "x" not in written.variables
    last = forecast.assign(last=forecast["level"].isel(lead_time=-1))
    write_forecast(tmp_path / "two.nc", last)
    with xr.open_dataset(tmp_path / "two.nc") as written:
        np.testing.assert_array_equal(written["last"].values, given[..., -1, 0, 0, :])
        assert written["last"].dims == (("realization", "feature") if members else ("feature",))
    with pytest.raises(ValueError, match="the pysteps layout holds"):
        write_forecast(tmp_path / "other.nc", forecast, layout="pysteps")
