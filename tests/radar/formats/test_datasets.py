"""Datasets of xarray are read by the rules of files: the same labels, the same values."""

import netCDF4
import numpy as np
import pytest
import xarray as xr
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tiny import ROOT

import predjax
from predjax.radar.feed import Feed
from predjax.radar.formats.lazy import find_codes
from predjax.radar.readers import read_movies

SAMPLE = ROOT / "data" / "radar_movies.nc"
TIMES = np.datetime64("2026-06-01T12:00", "ns") + np.arange(5) * np.timedelta64(300, "s")


def make_frames(**attrs):
    values = np.random.default_rng(0).random((5, 6, 7)).astype(np.float32)
    values[:, 0, 0] = np.nan
    return xr.DataArray(values, dims=("time", "y", "x"), coords={"time": TIMES}, attrs=attrs)


def assert_same(one, other):
    """The same movies, but for the type that they have on disk."""
    assert one.attrs == other.attrs
    for name in ("frames", "time", "y", "x", "channel"):
        np.testing.assert_array_equal(one[name].values, other[name].values)
        known = {key: value for key, value in other[name].attrs.items() if key != "dtype_on_disk"}
        assert {key: value for key, value in one[name].attrs.items() if key != "dtype_on_disk"} == known


@pytest.mark.parametrize("decoding", [{}, {"decode_coords": "all"}, {"mask_and_scale": False}, {"decode_cf": False}])
def test_an_opened_file_gives_what_the_file_gives(decoding):
    (file,) = read_movies(SAMPLE)
    with xr.open_dataset(SAMPLE, **decoding) as dataset:
        (movies,) = read_movies(dataset)
        assert_same(movies.isel(movie=slice(3)), file.isel(movie=slice(3)))
        mapping = file.frames.attrs["grid_mapping"]
        assert movies[mapping].attrs.keys() >= {"grid_mapping_name"}


def test_limits_of_packed_numbers_hold_after_they_are_unpacked(tmp_path):
    path = tmp_path / "packed.nc"
    with netCDF4.Dataset(path, "w") as file:
        for name, size in (("time", 2), ("y", 2), ("x", 3)):
            file.createDimension(name, size)
        rain = file.createVariable("rain", "u1", ("time", "y", "x"), fill_value=255)
        rain.set_auto_maskandscale(False)
        rain.setncatts({"scale_factor": 0.1, "add_offset": -0.1, "valid_range": np.array([1, 7], np.uint8)})
        rain.units, rain[:] = "mm/h", np.arange(12).reshape(2, 2, 3)
    (file,) = read_movies(path)
    assert np.isnan(file.frames.values).sum() == 5
    with xr.open_dataset(path) as dataset:
        found = read_movies(dataset)[0].frames.values
    np.testing.assert_allclose(found, file.frames.values, rtol=1e-6)


def test_an_array_without_names_is_known_by_its_dimensions():
    array = make_frames(units="mm h-1")
    (movies,) = read_movies(array)
    assert movies.frames.attrs["units"] == "mm/h" and movies.attrs["step_seconds"] == 300
    np.testing.assert_array_equal(movies.frames.values[0, ..., 0], array.values)
    np.testing.assert_array_equal(movies["time"].values, TIMES[None])
    # As in files: dimensions of any order and name whose coordinates say what they are.
    turned = array.rename(time="a", y="b", x="c").transpose("b", "a", "c")
    turned = turned.assign_coords(b=("b", np.arange(6.0), {"axis": "Y"}), c=("c", np.arange(7.0), {"axis": "X"}))
    assert read_movies(turned)[0].frames.equals(movies.frames)


def test_several_datasets_are_joined_in_time():
    array = make_frames(units="dBZ")
    (movies,) = read_movies([array.isel(time=[3]), array.isel(time=slice(0, 3)).to_dataset(name="rain")])[:1]
    assert movies.sizes["time"] == 1  # another name is another variable
    (movies,) = read_movies([array.isel(time=[3]), array.isel(time=slice(0, 3))])
    np.testing.assert_array_equal(movies["time"].values, TIMES[None, :4])
    assert movies.attrs["source"] == "dataset 1, dataset 2"


def test_series_keep_the_names_of_their_features():
    values = xr.DataArray(
        np.arange(8.0).reshape(4, 2), dims=("time", "feature"), coords={"feature": ["low", "high"]}, name="rates"
    )
    (movies,) = read_movies(values)
    assert movies.frames.shape == (1, 4, 1, 1, 2) and movies["channel"].values.tolist() == ["low", "high"]


def test_places_of_pixels_are_no_frames():
    places = {name: (("y", "x"), np.ones((6, 7))) for name in ("lat", "lon")}
    array = make_frames(units="mm/h").assign_coords(places)
    assert read_movies(array)[0].frames.attrs["variable"] == "frames"


def test_what_cannot_be_read_is_one_line():
    array = make_frames(units="K")
    both = xr.Dataset({"a": array, "b": array})
    for data, options, message in (
        (array, {"units": "dBZ"}, "cannot be converted"),
        (array.rename(y="depth"), {}, "'depth'|dimensions"),
        (both, {}, "several variables could be the frames: a, b"),
        (both, {"variable": "c"}, "no variable 'c'"),
        (array.isel(time=[1, 0]), {}, "times must increase"),
        (array.astype(complex), {}, "complex"),
        ([array, SAMPLE], {}, "datasets and paths"),
        (array.isel(time=slice(0)), {}, "no frames"),
    ):
        with pytest.raises(ValueError, match=message) as error:
            read_movies(data, **options)
        assert "\n" not in str(error.value)
    assert read_movies(both, variable="b")[0].frames.attrs["variable"] == "b"


def test_movies_stay_as_they_are():
    movies = read_movies(SAMPLE)
    assert predjax.read_movies(movies)[0] is movies[0]
    feed = Feed(movies)
    feed.scan()
    assert len(feed.times()) == 160 * 20


def test_a_scale_that_is_not_linear_is_a_variable():
    codes = np.random.default_rng(0).integers(0, 256, (2, 4, 5)).astype("u1")
    values = np.append(np.geomspace(0.1, 200, 255), np.nan)
    rain = xr.Variable(("time", "y", "x"), codes, {"units": "mm/h", "code_values": "rates"})
    dataset = xr.Dataset({"rain": rain, "rates": ("code", values)}, {"time": TIMES[:2]})
    (movies,) = read_movies(dataset)
    np.testing.assert_array_equal(movies.frames.values[0, ..., 0], values.astype("f4")[codes])
    (converted,) = read_movies(dataset, units="dBZ")
    expected = 10 * np.log10(200 * values[codes] ** 1.6)
    np.testing.assert_allclose(converted.frames.values[0, ..., 0], expected, rtol=1e-5)
    _, table = find_codes(movies.frames)
    np.testing.assert_array_equal(table, values.astype("f4"))
    with pytest.raises(ValueError, match=r"rain: there is no variable 'rates' of code_values"):
        read_movies(dataset.drop_vars("rates"))
    with pytest.raises(ValueError, match=r"rain: code_values must be of all codes of uint8 or uint16, found \(4,\)"):
        read_movies(dataset.drop_vars("rates").assign(rates=("code", values[:4])))


SPELLINGS = {  # of dimensions, those that nothing tells among them
    "movie": ("movie", "Sample", "event", "member", "realization", "batch", "n"),
    "time": ("time", "Time", "t", "valid_time", "frame", "nt", "step", "lead"),
    "y": ("y", "lat", "Latitude", "rows", "ny", "south_north", "yc", "j", "i", "h"),
    "x": ("x", "lon", "Longitude", "cols", "nx", "west_east", "xc", "i", "j", "w"),
    "channel": ("channel", "band", "c"),
}


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_dimensions_of_any_spelling_and_order_give_the_frames_or_are_refused(data):
    axes = data.draw(st.permutations(["time", "y", "x", *data.draw(st.sets(st.sampled_from(["movie", "channel"])))]))
    names = [data.draw(st.sampled_from(SPELLINGS[axis])) for axis in axes]
    assume(len(set(names)) == len(names))
    # Who calls the rows i means the rows of a matrix, which come before the columns.
    assume("i" not in names or names[axes.index("y")] == "j" or axes.index("y") < axes.index("x"))
    sizes = {"movie": 2, "time": 3, "y": 4, "x": 5, "channel": 2}
    frames = np.arange(np.prod([sizes[axis] for axis in axes]), dtype="f4").reshape([sizes[axis] for axis in axes])
    try:
        (movies,) = read_movies(xr.Dataset({"rain": (names, frames, {"units": "K"})}))
    except ValueError as error:
        assert "dimension" in str(error)
        return
    kept = [axis for axis in ("movie", "time", "y", "x", "channel") if axis in axes]
    expected = frames.transpose([axes.index(axis) for axis in kept])
    np.testing.assert_array_equal(movies.frames.values.squeeze(), expected)
