"""netCDF files as movies: order, joining, units, laziness and locking."""

import logging
import threading
import time

import netCDF4
import numpy as np
import pytest
import xarray as xr
from chaos_feed import write_bomb

from predjax.radar.formats import frames as file_frames
from predjax.radar.formats import open_files
from predjax.radar.formats.catalogue import Reading
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.radar.movies import check_movies
from predjax.radar.readers import read_gridded, read_movies

RNG = np.random.default_rng(0)
SECONDS = "seconds since 2020-01-01"


def write(
    path, values, dims=("time", "y", "x"), *, name="rain", times=None, seconds=300, start=0, coords=True, **attrs
):
    """A file with one variable; attributes of the variable by keyword."""
    values = np.asarray(values)
    with netCDF4.Dataset(path, "w") as file:
        for dim, size in zip(dims, values.shape):
            file.createDimension(dim, size)
        variable = file.createVariable(name, values.dtype, dims, fill_value=attrs.pop("_FillValue", None))
        variable.set_auto_maskandscale(False)
        variable.setncatts({"units": "mm/h"} | attrs)
        variable[...] = values
        if "time" in dims and times is not False:
            time = file.createVariable("time", "f8", ("time",))
            time.units = SECONDS
            time[:] = start + seconds * np.arange(values.shape[dims.index("time")]) if times is None else times
        for dim in ("y", "x") if coords else ():
            axis = file.createVariable(dim, "f8", (dim,))
            axis.units, axis[:] = "m", 1000.0 * np.arange(values.shape[dims.index(dim)])
    return path


def add(path, name, values, dims=(), **attrs):
    open_files.OPEN_FILES.close()  # HDF5 changes no file that is open
    with netCDF4.Dataset(path, "a") as file:
        if "nv" in dims:
            file.createDimension("nv", 2)
        variable = file.createVariable(name, np.asarray(values).dtype, dims)
        variable.setncatts(attrs)
        variable[...] = values


def annotate(path, name, **attrs):
    open_files.OPEN_FILES.close()
    with netCDF4.Dataset(path, "a") as file:
        (file.variables[name] if name else file).setncatts(attrs)


def read(*paths, **options):
    return [check_movies(movies) for movies in read_gridded(paths, Reading(**options))]


@pytest.fixture
def frames():
    return RNG.integers(0, 100, (4, 5, 6)).astype("f4")


def test_frames_and_labels(tmp_path, frames):
    path = write(tmp_path / "a.nc", frames, standard_name="rainfall_rate", long_name="rain", grid_mapping="crs")
    add(path, "crs", np.int32(0), grid_mapping_name="latitude_longitude", earth_radius=6371000.0)
    annotate(path, "y", units="m", standard_name="projection_y_coordinate")
    annotate(path, None, title="Rain", institution="Office", history="made", source="radar")
    (movies,) = read(path)
    np.testing.assert_array_equal(movies.frames.values, frames[None, ..., None])
    assert movies.frames.attrs == {
        "units": "mm/h",
        "units_on_disk": "mm/h",
        "source_units": "mm/h",
        "standard_name": "rainfall_rate",
        "long_name": "rain",
        "variable": "rain",
        "grid_mapping": "crs",
        "dtype_on_disk": "float32",
    }
    assert movies["crs"].attrs == {"grid_mapping_name": "latitude_longitude", "earth_radius": 6371000.0}
    assert movies.attrs["source"] == "a.nc" and movies.attrs["files"] == [str(path)]
    assert movies.attrs["step_seconds"] == 300 and movies.attrs["title"] == "Rain"
    np.testing.assert_array_equal(movies.y, 1000.0 * np.arange(5))
    assert movies.y.attrs == {"units": "m", "standard_name": "projection_y_coordinate"}
    np.testing.assert_array_equal(movies.time[0], np.datetime64("2020-01-01") + np.arange(4) * np.timedelta64(300, "s"))


@pytest.mark.parametrize(
    "order",
    [
        ("time", "y", "x"),
        ("x", "y", "time"),
        ("y", "time", "x"),
        ("movie", "time", "y", "x"),
        ("y", "x", "time", "movie"),
        ("channel", "x", "movie", "time", "y"),
    ],
)
def test_every_order_of_dimensions_gives_the_same_frames(tmp_path, order):
    full = RNG.random((2, 4, 5, 6, 3)).astype("f4")
    everything = ("movie", "time", "y", "x", "channel")
    there = full[tuple(slice(None) if dim in order else slice(1) for dim in everything)]
    stored = there.reshape([n for n, dim in zip(full.shape, everything) if dim in order])
    stored = stored.transpose([[dim for dim in everything if dim in order].index(dim) for dim in order])
    (movies,) = read(write(tmp_path / "a.nc", stored, order))
    np.testing.assert_array_equal(movies.frames.values, there)
    window = movies.frames[-1, 1:3, 2:5, 1:4]
    np.testing.assert_array_equal(window.values, there[-1, 1:3, 2:5, 1:4])


def test_indexing_equals_that_of_the_array(tmp_path, frames):
    (movies,) = read(write(tmp_path / "a.nc", frames))
    whole = frames[None, ..., None]
    for key in [
        (0, 2), (0, slice(None, None, 2), 3), (slice(None), slice(3, 0, -1)), (0, -1, slice(-2, None)),
        (0, [3, 1], [0, 2]), (0, slice(2, 2)), (0, slice(1, 3), slice(None), slice(None, None, 3), 0),
    ]:  # fmt: skip
        expected = whole[key] if not isinstance(key[1], list) else whole[0][[3, 1]][:, [0, 2]]
        np.testing.assert_array_equal(movies.frames[key].values, expected)


def test_packed_values_equal_those_of_xarray(tmp_path):
    stored = RNG.integers(0, 300, (4, 5, 6)).astype("i2")
    stored[1, :2] = -1
    path = write(tmp_path / "a.nc", stored, scale_factor=0.07, add_offset=0.35, _FillValue=np.int16(-1))
    with NETCDF_LOCK, xr.open_dataset(path) as dataset:
        expected = dataset.rain.values
    assert expected.dtype == np.float64 and np.isnan(expected).any()
    (movies,) = read(path)
    np.testing.assert_array_equal(movies.frames.values[0, ..., 0], expected.astype("f4"))
    assert movies.frames.attrs["dtype_on_disk"] == "int16"


def test_coordinates_stay_as_they_are_found(tmp_path, frames):
    path = write(tmp_path / "a.nc", frames, coords=False)
    add(path, "y", np.float32([5, 4, 3, 2, 1]), ("y",), units="km")
    (movies,) = read(path)
    np.testing.assert_array_equal(movies.y, [5, 4, 3, 2, 1])
    assert movies.y.dtype == np.float64 and movies.y.attrs == {"units": "km"}
    assert movies.x.attrs == {"units": "1"} and movies.x.values.tolist() == list(range(6))
    add(path, "x", np.arange(6.0), ("x",), units="degree_E")  # one of CF's spellings
    assert read(path)[0].x.attrs == {"units": "degrees_east"}


def test_without_times_the_frames_are_numbered_and_each_file_stands_alone(tmp_path, frames):
    paths = [write(tmp_path / f"{name}.nc", frames, times=False) for name in "ab"]
    first, second = read(*paths)
    assert first.time.values.tolist() == [[0, 1, 2, 3]] and first.time.attrs["units"] == "1"
    assert "step_seconds" not in second.attrs and second.attrs["source"] == "b.nc"


def single_frames(folder, frames, **attrs):
    paths = []
    for number, frame in enumerate(frames):
        path = write(folder / f"f{number:03d}.nc", frame, ("y", "x"), **attrs)
        add(path, "valid_time", np.int64(600 * (number + 1)), standard_name="time", units=SECONDS)
        paths.append(path)
    return paths


def test_files_of_one_frame_are_joined_in_order_of_time(tmp_path, frames):
    paths = single_frames(tmp_path, frames)
    (movies,) = read(*paths[::-1])
    np.testing.assert_array_equal(movies.frames.values[0, ..., 0], frames)
    assert movies.attrs["files"] == [str(path) for path in paths] and movies.attrs["step_seconds"] == 600
    assert movies.attrs["source"] == f"{tmp_path.name}/*.nc"


def test_files_of_one_frame_with_a_time_dimension_are_joined(tmp_path, frames):
    paths = [write(tmp_path / f"{n}.nc", frames[n : n + 1], start=300 * n) for n in range(4)]
    (movies,) = read(*paths)
    np.testing.assert_array_equal(movies.frames.values[0, ..., 0], frames)
    assert movies.attrs["step_seconds"] == 300


def test_files_of_one_grid_are_joined_and_others_are_another_source(tmp_path, frames):
    first = write(tmp_path / "a.nc", frames, start=1200)
    second = write(tmp_path / "b.nc", frames + 1, start=0)
    other = write(tmp_path / "c.nc", frames[:, :3])
    slow = write(tmp_path / "d.nc", frames, seconds=600, start=86400)
    movies, small, ten_minutes = read(first, other, second, slow)
    np.testing.assert_array_equal(movies.frames.values[0, ..., 0], np.concatenate([frames + 1, frames]))
    np.testing.assert_array_equal(movies.frames[0, 3:5].values[..., 0], [frames[3] + 1, frames[0]])
    assert movies.attrs["files"] == [str(second), str(first)] and movies.attrs["source"] == "a.nc, b.nc"
    assert small.sizes["y"] == 3 and ten_minutes.attrs["step_seconds"] == 600


def test_a_grid_is_its_pixels_and_its_projection(tmp_path, frames):
    paths = []
    for number, latitude in enumerate((50.0, 50.0, 60.0)):
        paths.append(write(tmp_path / f"{number}.nc", frames, start=10000 * number, grid_mapping="crs"))
        add(paths[-1], "crs", np.int32(0), standard_parallel=np.array([latitude, 1.0]))
    shifted = write(tmp_path / "s.nc", frames, grid_mapping="crs", coords=False)
    add(shifted, "x", 1000.0 * np.arange(6) + 1, ("x",))
    assert [movies.attrs["source"] for movies in read(*paths, shifted)] == ["0.nc, 1.nc", "2.nc", "s.nc"]


def test_of_two_frames_of_one_time_the_first_files_is_kept_with_a_warning(tmp_path, frames, caplog):
    first = write(tmp_path / "a.nc", frames)
    second = write(tmp_path / "b.nc", frames + 1, start=600)
    (movies,) = read(first, second)
    np.testing.assert_array_equal(movies.frames.values[0, ..., 0], np.concatenate([frames, frames[2:] + 1]))
    (record,) = caplog.records
    assert record.levelno == logging.WARNING and record.name == "predjax"
    expected = (
        f"{first} and {second} both hold a frame of 2020-01-01T00:10:00 and 1 more times: the first file's is used"
    )
    assert record.getMessage() == expected


def test_movies_with_times_of_their_own(tmp_path):
    values = RNG.random((2, 3, 4, 5)).astype("f4")
    path = write(tmp_path / "a.nc", values, ("event", "time", "lat", "lon"), times=False, coords=False)
    add(path, "time", np.array([[0, 5, 10], [60, 65, 70]]), ("event", "time"), units="minutes since 2020-01-01")
    (movies,) = read(path)
    np.testing.assert_array_equal(
        movies.time[1], np.datetime64("2020-01-01T01:00") + np.arange(3) * np.timedelta64(5, "m")
    )
    np.testing.assert_array_equal(movies.frames[1].values[..., 0], values[1])
    assert movies.attrs["step_seconds"] == 300


@pytest.mark.parametrize("times", [(0, 300, 300, 600), (0, 600, 300, 900)])
def test_times_that_do_not_increase_inside_a_file_are_an_error(tmp_path, frames, times):
    with pytest.raises(ValueError, match=r"a\.nc: time: times must increase, but frame 1 is at"):
        read(write(tmp_path / "a.nc", frames, times=times))


def test_a_gap_stays_in_the_movie(tmp_path, frames):
    (movies,) = read(write(tmp_path / "a.nc", frames, times=(0, 300, 3000, 3300)))
    assert movies.attrs["step_seconds"] == 300 and movies.sizes["time"] == 4


def test_other_calendars_are_an_error(tmp_path, frames):
    path = write(tmp_path / "a.nc", frames)
    annotate(path, "time", calendar="360_day")
    with pytest.raises(ValueError, match=r"a\.nc: time: the calendar must be one of .*, found '360_day'"):
        read(path)


def test_a_single_frame_without_a_time_is_an_error(tmp_path, frames):
    path = write(tmp_path / "a.nc", frames[0], ("y", "x"))
    with pytest.raises(ValueError, match="neither a time dimension nor a single time"):
        read(path)


# Units ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("units", "attrs", "factor"),
    [
        ("mm h-1", {}, 1),
        ("kg m-2 s-1", {"standard_name": "precipitation_flux"}, 3600),
        ("m s-1", {"standard_name": "lwe_precipitation_rate"}, 3.6e6),
        ("kg m**-2 h**-1", {}, 1),
        ("mm/day", {}, 1 / 24),
    ],
)
def test_rates_of_any_unit_become_mm_per_hour(tmp_path, frames, units, attrs, factor):
    stored = (frames / factor).astype("f8")
    (movies,) = read(write(tmp_path / "a.nc", stored, units=units, **attrs))
    assert movies.frames.attrs["units"] == "mm/h"
    np.testing.assert_array_equal(movies.frames.values[0, ..., 0], (stored * factor).astype("f4"))


def test_what_is_no_rain_keeps_its_unit(tmp_path, frames):
    (wind,) = read(write(tmp_path / "a.nc", frames, units="m s-1", standard_name="eastward_wind"))
    (vapour,) = read(
        write(tmp_path / "b.nc", frames, units="kg m-2", standard_name="atmosphere_mass_content_of_water_vapor")
    )
    assert wind.frames.attrs["units"] == "m/s" and vapour.frames.attrs["units"] == "mm"
    np.testing.assert_array_equal(wind.frames.values[0, ..., 0], frames)
    with pytest.raises(ValueError, match=r"a\.nc: rain: the unit 'm s-1' cannot be converted to mm/h"):
        read(tmp_path / "a.nc", units="mm/h")


def with_bounds(path):
    add(path, "bounds", 1800.0 * np.arange(4)[:, None] + [-600, 0], ("time", "nv"))
    annotate(path, "time", bounds="bounds")


@pytest.mark.parametrize(
    ("prepare", "minutes"),
    [
        (with_bounds, 10),
        (lambda path: add(path, "start_time", 1800.0 * np.arange(4) - 900, ("time",), units=SECONDS), 15),
        (lambda path: annotate(path, "rain", accumulation_minutes=20), 20),
        (lambda path: annotate(path, None, accumulation_minutes=np.float32(30)), 30),
        (lambda path: None, 30),
    ],
)
@pytest.mark.parametrize("attrs", [{"units": "mm"}, {"units": "kg m-2", "standard_name": "rainfall_amount"}])
def test_accumulations_become_rates_by_their_period(tmp_path, frames, prepare, minutes, attrs):
    path = write(tmp_path / "a.nc", frames, seconds=1800, **attrs)
    prepare(path)
    (movies,) = read(path)
    assert movies.attrs["remarks"][0].startswith(f"sums of {minutes}min (by ")
    np.testing.assert_array_equal(movies.frames.values[0, ..., 0], (frames.astype("f8") * (60 / minutes)).astype("f4"))
    assert movies.frames.attrs["units"] == "mm/h" and movies.frames.attrs["long_name"] == "rain rate"
    assert movies.frames.attrs.get("standard_name", "rainfall_rate") == "rainfall_rate"


def test_the_period_of_single_frames_is_their_own_or_the_step_of_the_series(tmp_path, frames):
    paths = single_frames(tmp_path, frames, units="mm")
    (movies,) = read(*paths)
    np.testing.assert_array_equal(movies.frames.values[0, ..., 0], frames * 6)
    with pytest.raises(ValueError, match=r"f000\.nc: rain is an accumulation, and nothing tells its period"):
        read(paths[0])
    for path in paths:
        with netCDF4.Dataset(path) as file:
            end = file["valid_time"][...].item()
        add(path, "start_time", np.int64(end - 3600), units=SECONDS)
    with pytest.raises(ValueError, match=r"f000\.nc: rain: sums of 60min \(by start_time\) every 10min overlap"):
        read(*paths)
    stated = read(*paths, accumulation_period="1h")[0]
    np.testing.assert_array_equal(stated.frames.values[0, ..., 0], frames)
    np.testing.assert_array_equal(read(paths[1])[0].frames.values[0, 0, ..., 0], frames[1])


def test_growing_accumulations_are_an_error(tmp_path, frames):
    path = write(tmp_path / "a.nc", frames, units="mm", start=300)
    add(path, "start_time", 0.0, (), units=SECONDS)
    with pytest.raises(ValueError, match=r"a\.nc: start_time: all sums begin at 2020-01-01T00:00:00, so they run on"):
        read(path)


@pytest.mark.parametrize("where", ["rain", None])
def test_reflectivity_becomes_rain_by_the_files_own_relation(tmp_path, frames, where):
    path = write(tmp_path / "a.nc", frames / 2, units="DBZ")
    annotate(path, where, zr_a=300.0, zr_b=np.float32(1.5))
    (movies,) = read(path)
    assert movies.frames.attrs["units"] == "dBZ" and movies.frames.attrs["zr_a"] == 300
    assert movies.attrs["remarks"] == []
    (movies,) = read(path, units="mm/h")
    assert movies.attrs["remarks"] == ["dBZ to mm/h by Z = 300 R^1.5 (the file's own)"]
    expected = (10 ** (frames.astype("f8") / 20) / 300) ** (1 / 1.5)
    np.testing.assert_array_equal(movies.frames.values[0, ..., 0], expected.astype("f4"))
    assert movies.frames.attrs["standard_name"] == "rainfall_rate" and movies.frames.attrs["zr_b"] == 1.5


def test_rain_becomes_reflectivity_by_marshall_and_palmers_relation(tmp_path, caplog):
    rain = np.zeros((3, 4, 5), "f4")
    rain[:, 1] = 1.0
    path = write(tmp_path / "a.nc", rain)
    with caplog.at_level(logging.INFO, "predjax"):
        (movies,) = read_movies([path], units="dBZ")
    assert caplog.messages == ["a.nc: mm/h to dBZ by Z = 200 R^1.6 (Marshall and Palmer's, the file has none)"]
    values = movies.frames.values[0, 0, :2, 0, 0]
    np.testing.assert_allclose(values, [-32, 23.0103], rtol=1e-6)
    assert movies.frames.attrs["units"] == "dBZ" and movies.frames.attrs["zr_a"] == 200
    assert read(path, units="mm/h")[0].frames.values.max() == 1


@pytest.mark.parametrize("attrs", [{"zr_a": 200.0}, {"zr_a": 200.0, "zr_b": 0.0}, {"zr_a": "x", "zr_b": 1.0}])
def test_half_a_relation_is_an_error(tmp_path, frames, attrs):
    with pytest.raises(ValueError, match="zr_a and zr_b must be two positive numbers"):
        read(write(tmp_path / "a.nc", frames, units="dBZ", **attrs), units="mm/h")


# Choosing ------------------------------------------------------------------------------------------------------


def test_a_variable_in_a_group(tmp_path, frames):
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        for dim, size in zip(("time", "y", "x"), frames.shape):
            file.createDimension(dim, size)
        time = file.createVariable("time", "i8", ("time",))
        time.units, time[:] = SECONDS, 300 * np.arange(4)
        file.createGroup("radar").createVariable("rain", "f4", ("time", "y", "x"))[:] = frames
    (movies,) = read(tmp_path / "a.nc", variable="radar/rain")
    np.testing.assert_array_equal(movies.frames.values[0, ..., 0], frames)
    assert movies.attrs["step_seconds"] == 300 and movies.frames.attrs["units"] == "1"
    with pytest.raises(ValueError, match=r"a\.nc: the frames are inside a group: there are radar/rain"):
        read(tmp_path / "a.nc")


def test_forcings_of_time_alone(tmp_path, frames):
    path = write(tmp_path / "a.nc", frames)
    add(path, "hour", np.arange(4.0), ("time",))
    add(path, "speed", np.float32(3))
    movies = read(path, forcings=("hour", "speed"))[0]
    assert movies.forcings.dims == ("movie", "time", "forcing") and movies.forcing.values.tolist() == ["hour", "speed"]
    np.testing.assert_array_equal(movies.forcings.values, [[[0, 3], [1, 3], [2, 3], [3, 3]]])
    np.testing.assert_array_equal(movies.forcings[0, 1:3].values, [[1, 3], [2, 3]])
    assert movies.forcings.dtype == np.float32


def test_forcings_of_maps_and_of_many_files(tmp_path, frames):
    heights = RNG.random((5, 6)).astype("f4")
    paths = [write(tmp_path / "a.nc", frames), write(tmp_path / "b.nc", frames, start=1200)]
    for number, path in enumerate(paths):
        add(path, "height", heights, ("y", "x"))
        add(path, "hour", np.arange(4.0) + 4 * number, ("time",))
    (movies,) = read(*paths, variable="rain", forcings=("height", "hour"))
    assert movies.forcings.shape == (1, 8, 5, 6, 2)
    np.testing.assert_array_equal(movies.forcings[0, 5, ..., 0].values, heights)
    np.testing.assert_array_equal(movies.forcings[0, :, 2, 3, 1].values, np.arange(8))
    np.testing.assert_array_equal(movies.forcings[0, 3:6, 1:3, 2:4, 0].values, [heights[1:3, 2:4]] * 3)


def test_a_forcing_of_many_values_and_one_that_is_not_there(tmp_path, frames):
    path = write(tmp_path / "a.nc", frames)
    with netCDF4.Dataset(path, "a") as file:
        file.createDimension("action", 2)
    add(path, "actions", np.arange(8.0).reshape(4, 2), ("time", "action"))
    movies = read(path, forcings=("actions",))[0]
    assert movies.forcing.values.tolist() == ["actions[0]", "actions[1]"]
    np.testing.assert_array_equal(movies.forcings.values[0], np.arange(8).reshape(4, 2))
    with pytest.raises(ValueError, match=r"a\.nc: wind: there is no such forcing variable; there are rain, time"):
        read(path, forcings=("wind",))


def test_forcings_are_named_by_their_components(tmp_path, frames):
    path = write(tmp_path / "a.nc", frames)
    with netCDF4.Dataset(path, "a") as file:
        file.createDimension("component", 2)
        file.createVariable("component", str, ("component",))[:] = np.array(["xx", "yy"], object)
        file.createDimension("short", 3)
    add(path, "strain", np.zeros((4, 2)), ("time", "component"))
    add(path, "brief", np.zeros(3), ("short",))
    assert read(path, forcings=("strain",))[0].forcing.values.tolist() == ["strain xx", "strain yy"]


@pytest.mark.parametrize("lengths", [(3,), (5,)])
def test_forcings_of_another_length_are_refused(tmp_path, frames, lengths):
    path = tmp_path / "a.nc"
    with netCDF4.Dataset(path, "w") as file:
        for name, size in {"movie": 2, "time": 4, "feature": 3}.items():
            file.createDimension(name, size)
        file.createVariable("stress", "f4", ("movie", "time", "feature"))[:] = 0
        file.createGroup("other").createDimension("time", *lengths)
        file["other"].createVariable("strain", "f4", ("movie", "time"))[:] = 0
    with pytest.raises(ValueError, match=rf"a.nc: other/strain: the size {lengths[0]} along time is not .* frames, 4"):
        read(path, forcings=("other/strain",))


def test_a_channel_dimension_with_names(tmp_path, frames):
    path = write(tmp_path / "a.nc", np.stack([frames, frames * 2]), ("channel", "time", "y", "x"))
    with netCDF4.Dataset(path, "a") as file:
        labels = file.createVariable("channel", str, ("channel",))
        labels[:] = np.array(["low", "high"], object)
    (movies,) = read(path)
    assert movies.channel.values.tolist() == ["low", "high"]
    np.testing.assert_array_equal(movies.frames[0, 1:3, ..., 1].values, frames[1:3] * 2)


# Damage --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["NETCDF4", "NETCDF3_CLASSIC", "NETCDF3_64BIT"])
def test_a_truncated_file_is_an_error(tmp_path, frames, form):
    path = tmp_path / "a.nc"
    data = xr.Dataset({"rain": (("time", "y", "x"), np.tile(frames, (10, 1, 1)), {"units": "mm/h"})})
    with NETCDF_LOCK:
        data.assign_coords(time=np.datetime64("2020-01-01", "ns") + np.arange(40)).to_netcdf(path, format=form)
    assert len(read(path)) == 1
    path.write_bytes(path.read_bytes()[:-600])
    with pytest.raises(ValueError, match=r"a\.nc: the (netCDF )?file is truncated") as error:
        read(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("content", "rule"), [(b"", "the file is empty"), (b"time,rain\n", "not a netCDF file")])
def test_what_is_no_netcdf_is_an_error(tmp_path, content, rule):
    (tmp_path / "a.nc").write_bytes(content)
    with pytest.raises(ValueError, match=rf"a\.nc: {rule}"):
        read(tmp_path / "a.nc")


def test_a_damaged_chunk_is_an_error_that_names_the_file(tmp_path):
    values = RNG.random((4, 50, 60)).astype("f4")
    path = tmp_path / "a.nc"
    with netCDF4.Dataset(path, "w") as file:
        for dim, size in zip(("time", "y", "x"), values.shape):
            file.createDimension(dim, size)
        file.createVariable("rain", "f4", ("time", "y", "x"), zlib=True, chunksizes=(1, 50, 60))[:] = values
    (movies,) = read(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 2000] = b"\0" * 2000
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match=r"a\.nc: rain: frame \d+ cannot be read"):
        _ = movies.frames.values


def test_numbers_that_are_not_real_are_refused(tmp_path, frames):
    path = write(tmp_path / "a.nc", frames.astype("i1"), dtype="bool")
    with pytest.raises(ValueError, match=r"a\.nc: rain: values must be integers or real numbers, found true/false"):
        read(path)
    with netCDF4.Dataset(tmp_path / "b.nc", "w") as file:
        for dim, size in zip(("time", "y", "x"), frames.shape):
            file.createDimension(dim, size)
        pair = file.createCompoundType([("r", "f4"), ("i", "f4")], "complex")
        file.createVariable("rain", pair, ("time", "y", "x"))
    with pytest.raises(ValueError, match=r"b\.nc: rain: .* found records"):
        read(tmp_path / "b.nc")


def test_an_undeclared_fill_value_is_an_error_in_any_frame(tmp_path, frames):
    frames[1, 2, 3] = -8888
    path = write(tmp_path / "a.nc", frames)
    with pytest.raises(ValueError, match=r"a\.nc: rain: holds -8888, .* declare it as _FillValue"):
        read(path)
    annotate(path, "rain", missing_value=np.float32(-8888))
    assert np.isnan(read(path)[0].frames[0, 1, 2, 3, 0])


# Laziness, handles, threads ------------------------------------------------------------------------------------


def test_a_window_reads_its_own_files_and_pixels_alone(tmp_path, frames, monkeypatch):
    (movies,) = read_gridded(single_frames(tmp_path, np.tile(frames, (10, 1, 1))), Reading())
    calls = []
    read_field = file_frames.read_field

    def spy(file, field, where, *options):
        calls.append((file.rpartition("/")[2], where["y"], where["x"]))
        return read_field(file, field, where, *options)

    monkeypatch.setattr(file_frames, "read_field", spy)
    window = movies.frames[0, 7:10, 1:3, 2:5]
    assert not calls
    np.testing.assert_array_equal(window.values[..., 0], np.tile(frames, (3, 1, 1))[7:10, 1:3, 2:5])
    assert calls == [(f"f{n:03d}.nc", range(1, 3), range(2, 5)) for n in (7, 8, 9)]


def test_few_files_stay_open(tmp_path, frames, monkeypatch):
    monkeypatch.setattr(open_files.OPEN_FILES, "_limit", 3)
    open_files.OPEN_FILES.close()
    (movies,) = read(*single_frames(tmp_path, np.tile(frames, (5, 1, 1))))
    np.testing.assert_array_equal(movies.frames.values[0, ..., 0], np.tile(frames, (5, 1, 1)))
    assert len(open_files.OPEN_FILES) == 3
    open_files.OPEN_FILES.close()
    np.testing.assert_array_equal(movies.frames[0, 1].values[..., 0], frames[1])


def test_a_file_that_was_replaced_is_read_anew(tmp_path, frames):
    path = write(tmp_path / "a.nc", frames)
    assert read(path)[0].frames.values.max() == frames.max()
    write(tmp_path / "new.nc", frames * 2).replace(path)
    assert read(path)[0].frames.values.max() == frames.max() * 2


def test_a_long_chunk_in_time_is_remarked(tmp_path, caplog):
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        for dim, size in zip(("time", "y", "x"), (64, 4, 5)):
            file.createDimension(dim, size)
        file.createVariable("rain", "f4", ("time", "y", "x"), zlib=True, chunksizes=(64, 4, 5))[:] = 1
    read(tmp_path / "a.nc")
    assert "one compressed chunk holds 64 frames" in caplog.text


def test_threads_read_while_another_writes(tmp_path):
    frames = RNG.random((30, 40, 50)).astype("f4")
    single = read_gridded(single_frames(tmp_path, frames), Reading())[0]
    joined = read_gridded([write(tmp_path / "whole.nc", frames)], Reading())[0]
    failures, stop = [], threading.Event()

    def reading(movies):
        try:
            for number in range(30):
                start = number % 25
                np.testing.assert_array_equal(
                    movies.frames[0, start : start + 5, 3:20].values[..., 0], frames[start : start + 5, 3:20]
                )
        except BaseException as error:
            failures.append(error)

    def writing():
        while not stop.is_set():
            with NETCDF_LOCK:
                write(tmp_path / "other.nc", frames)
            time.sleep(0.001)  # a thread that takes the lock again at once starves the others

    readers = [threading.Thread(target=reading, args=(movies,)) for movies in (single, joined)]
    writer = threading.Thread(target=writing)
    for thread in (*readers, writer):
        thread.start()
    for thread in readers:
        thread.join()
    stop.set()
    writer.join()
    assert not failures


# Real files ----------------------------------------------------------------------------------------------------


def test_the_single_frames_of_a_radar_equal_its_event(shared):
    (single,) = read(*sorted((shared / "radar" / "bom_frames").glob("*.nc")))
    (event,) = read(shared / "radar" / "bom_20201031.nc")
    assert single.frames.shape == (1, 12, 512, 512, 1) and single.attrs["step_seconds"] == 600
    assert single.frames.attrs["units"] == event.frames.attrs["units"] == "mm/h"
    first = int(np.searchsorted(event.time.values[0], single.time.values[0, 0]))
    np.testing.assert_array_equal(event.time.values[0, first : first + 12], single.time.values[0])
    np.testing.assert_allclose(single.frames.values, event.frames[:, first : first + 12].values, rtol=1e-6)
    assert single.x.attrs["units"] == "km" and single["proj"].attrs["grid_mapping_name"] == "albers_conical_equal_area"


def test_a_composite_of_one_radar_is_mostly_no_coverage(shared):
    (movies,) = read(shared / "radar" / "knmi_20100826.nc")
    values = movies.frames[0, ::20].values
    assert np.isnan(values).mean() == pytest.approx(0.7437, abs=1e-4)
    assert np.nanmin(values) == 0 and movies.attrs["step_seconds"] == 300


def test_a_reflectivity_composite_becomes_rain_as_in_its_readme(shared):
    path = shared / "radar" / "fmi_20160928.nc"
    (dbz,), (rain,) = read(path), read(path, units="mm/h")
    with NETCDF_LOCK, netCDF4.Dataset(path) as file:
        file.set_auto_maskandscale(False)
        stored = file["reflectivity"][10, 300:556, 200:456]
    reflectivity = stored * np.float64(0.5) - 32
    expected = [reflectivity, (10 ** (reflectivity / 10) / 223) ** (1 / 1.53)]
    for movies, values in zip((dbz, rain), expected):
        window = movies.frames[0, 10, 300:556, 200:456, 0].values
        np.testing.assert_array_equal(window, np.where(stored == 255, np.nan, values).astype("f4"))
    assert dbz.frames.attrs["units"] == "dBZ" and rain.frames.attrs["units"] == "mm/h"
    assert (rain.frames.attrs["zr_a"], rain.frames.attrs["zr_b"]) == (223.0, 1.53)


@pytest.mark.parametrize("names", ["fmi_*.nc", pytest.param("*.nc", marks=pytest.mark.slow)])
def test_every_event_is_one_checked_movie_a_grid(names, shared):
    files = sorted((shared / "radar").glob(names))
    sizes = {movies.attrs["source"]: tuple(movies.sizes[dim] for dim in ("time", "y", "x")) for movies in read(*files)}
    assert sorted(name for source in sizes for name in source.split(", ")) == [file.name for file in files]
    known = {"fmi_20160928.nc, fmi_20170509.nc": (80, 1226, 760)}
    if names == "*.nc":
        known |= {"bom_20201031.nc": (144, 512, 512), "knmi_20100826.nc": (92, 765, 700)}
    assert known.items() <= sizes.items()


def test_a_variable_with_one_dimension_twice_is_no_frames_and_no_warning(tmp_path):
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        for name, size in (("time", 3), ("y", 4), ("x", 5)):
            file.createDimension(name, size)
        file.createVariable("covariance", "f4", ("y", "y"))[:] = 1
        file.createVariable("rain", "f4", ("time", "y", "x"))[:] = 2
    (movies,) = read_movies(tmp_path / "a.nc")
    assert movies.frames.attrs["variable"] == "rain" and (movies.frames.values == 2).all()
    with pytest.raises(ValueError, match=r"covariance: .*'y 1'"):
        read_movies(tmp_path / "a.nc", variable="covariance")


def test_an_axis_of_impossible_length_is_refused_before_it_is_read(tmp_path):
    write_bomb(tmp_path / "bomb.nc")
    assert (tmp_path / "bomb.nc").stat().st_size < 50_000
    with pytest.raises(ValueError, match=r"bomb\.nc: .*1073741824 pixels along y are not possible, at most"):
        read_movies(tmp_path / "bomb.nc")
