"""Objects in memory are read as files are, or refused in one line that names their type and what is taken."""

import dask.array
import netCDF4
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from predjax.radar.feed import Feed
from predjax.radar.readers import read_movies

TIMES = np.datetime64("2026-06-01", "ns") + np.arange(8) * np.timedelta64(5, "m")
VALUES = np.random.default_rng(0).random((8, 6, 5)).astype("f4")
RAIN = xr.Dataset({"rain": (("time", "y", "x"), VALUES, {"units": "mm/h"})}, {"time": TIMES})
TABLE = pd.DataFrame({"north": np.arange(8.0), "south": np.arange(8)}, pd.DatetimeIndex(TIMES, name="date"))


def frames_of(data, **options):
    return [one.frames.values.squeeze() for one in read_movies(data, **options)]


def test_a_tree_is_read_as_the_groups_of_a_file(tmp_path):
    tree = xr.DataTree.from_dict(
        {
            "/": xr.Dataset({"time": TIMES}),
            "/scans/low": RAIN.drop_vars("time"),
            "/quality": xr.Dataset({"index": (("y", "x"), VALUES[0])}),
        }
    )
    tree.to_netcdf(tmp_path / "groups.nc")
    for data in (tree, tmp_path / "groups.nc"):
        with pytest.raises(ValueError, match=r"inside a group: there are .*scans/low/rain.*; choose with --variable"):
            read_movies(data)
        (movies,) = read_movies(data, variable="scans/low/rain")
        np.testing.assert_array_equal(movies.frames.values[0, ..., 0], VALUES)
        np.testing.assert_array_equal(movies["time"].values[0], TIMES)
    for node, options in ((tree["scans/low"], {}), (tree["scans"], {"variable": "low/rain"}), (xr.DataTree(RAIN), {})):
        (movies,) = read_movies(node, **options)
        np.testing.assert_array_equal(movies.frames.values[0, ..., 0], VALUES)
        np.testing.assert_array_equal(movies["time"].values[0], TIMES)


NO_UNIT = "no unit is stated: values are kept as they are; --source_units would state their unit"


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_a_table_is_a_series_with_its_index_as_time(zone):
    table = TABLE if zone is None else TABLE.tz_localize("UTC").tz_convert(zone)
    (movies,) = read_movies(table)
    np.testing.assert_array_equal(movies.frames.values[0, :, 0, 0], TABLE.to_numpy())
    np.testing.assert_array_equal(movies["time"].values[0], TIMES)
    assert movies["channel"].values.tolist() == ["north", "south"]
    naive = [] if zone else ["the index of the DataFrame has no time zone: its dates are taken as UTC"]
    assert movies.attrs["remarks"] == [NO_UNIT, *naive]
    np.testing.assert_array_equal(frames_of(table["south"])[0], np.arange(8))


def test_a_table_without_dates_is_numbered_which_is_said():
    (movies,) = read_movies(pd.DataFrame({"level": pd.array([1, None, 3], "Int64")}))
    np.testing.assert_array_equal(movies.frames.values.squeeze(), [1, np.nan, 3])
    assert movies["time"].values.tolist() == [[0, 1, 2]]
    assert "the index of the DataFrame (int64) has no dates: its rows are numbered" in movies.attrs["remarks"]


def test_arrays_are_read_by_their_layout_and_masks_are_missing():
    masked = np.ma.masked_less(VALUES, 0.5)
    lazy = dask.array.from_array(VALUES)
    for data, expected in ((VALUES, VALUES), (masked, np.where(VALUES < 0.5, np.nan, VALUES)), (lazy, VALUES)):
        (movies,) = read_movies(data)
        np.testing.assert_array_equal(movies.frames.values.squeeze(), expected)
        numbered = "an array has no labels: frames and pixels are numbered"
        assert movies.attrs["remarks"] == ["axes (8, 6, 5) taken as time,y,x", NO_UNIT, numbered]


def test_lists_and_dicts_hold_several():
    found = read_movies([VALUES, VALUES[:4]], layout="time,y,x")
    assert [one.attrs["source"] for one in found] == ["array 1", "array 2"] and found[1].sizes["time"] == 4
    found = read_movies({"train": VALUES, "valid": VALUES[:4]}, layout="movie,time,feature")
    assert [one.attrs["source"] for one in found] == ["train", "valid"]
    (joined,) = read_movies({"night": RAIN.isel(time=slice(4, 8)), "day": RAIN.rain[:4]})
    np.testing.assert_array_equal(joined.frames.values.squeeze(), VALUES)
    assert joined.attrs["source"] == "night, day"


def test_chunks_of_dask_are_loaded_when_they_are_indexed():
    loaded = []

    def load(block):
        loaded.append(block)
        return block

    values = np.arange(100 * 6 * 5, dtype="f4").reshape(100, 6, 5)
    lazy = dask.array.from_array(values, chunks=(1, 6, 5)).map_blocks(load, meta=values[:0])
    (movies,) = read_movies(xr.DataArray(lazy, dims=("time", "y", "x")))
    assert len(loaded) < 10  # that were checked
    np.testing.assert_array_equal(movies.frames.values[0, ..., 0], values)
    assert len(loaded) > 100


def test_paths_of_an_iterator_are_read_and_again_by_a_feed(tmp_path):
    np.save(tmp_path / "a.npy", VALUES)
    assert len(read_movies(tmp_path.glob("*.npy"))) == 1
    feed = Feed(tmp_path.glob("*.npy"))
    feed.scan()
    feed.scan()
    assert len(feed.times()) == 8
    feed = Feed({"a": VALUES})
    feed.scan()
    assert len(feed.times()) == 8


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            3,
            "data of the type int cannot be read; there are paths, Datasets, .* DataTrees .* numpy, .* lists and dicts",
        ),
        (None, "data of the type NoneType cannot be read"),
        (b"a.nc", "data of the type bytes cannot be read"),
        ([object()], "data of the type object cannot be read"),
        ({"a": "a.nc"}, "datasets and paths cannot be read together, found a.nc"),
        (["a.nc", RAIN], "datasets and paths cannot be read together, found a.nc"),
        (np.array(["a.nc"]), "array: values must be integers or real numbers, found text"),
        (RAIN.to_dataframe(), r"a DataFrame must have one index, .* found time, y, x: give frame.to_xarray\(\)"),
        (TABLE.assign(name="a"), "the column 'name' of a DataFrame holds .*, no numbers: leave it out, or set_index"),
        (TABLE.set_index(TABLE.index.astype(str)), "the index of a DataFrame must be dates .* or numbers, found"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_type(data, message):
    with pytest.raises(ValueError, match=message) as error:
        read_movies(data)
    assert "\n" not in str(error.value)


def test_open_files_and_options_that_arrays_do_not_have_are_refused(tmp_path):
    RAIN.to_netcdf(tmp_path / "a.nc")
    with netCDF4.Dataset(tmp_path / "a.nc") as file, pytest.raises(ValueError, match=r"open netCDF4.Dataset.*a\.nc"):
        read_movies(file)
    with (tmp_path / "a.nc").open("rb") as file, pytest.raises(ValueError, match=r"type _io\.BufferedReader"):
        read_movies(file)
    for options in ({"variable": "rain"}, {"forcings": ("rain",)}):
        with pytest.raises(ValueError, match="array: an array has no variable 'rain': give a Dataset"):
            read_movies(VALUES, **options)
