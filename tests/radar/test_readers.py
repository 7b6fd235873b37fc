"""Paths to files, files to data sets."""

import netCDF4
import numpy as np
import pytest

from predjax.radar.config import LAYOUTS
from predjax.radar.readers import expand_paths, read_movies


@pytest.fixture
def folder(tmp_path):
    np.save(tmp_path / "b.npy", np.ones((3, 4, 8, 8), np.float32))
    np.save(tmp_path / "a.npy", np.ones((2, 8, 8, 5), np.uint8))
    for name in ("notes.md", "notes.txt"):
        (tmp_path / name).write_text("hello")
    (tmp_path / "deep").mkdir()
    np.save(tmp_path / "deep" / "c.npy", np.ones((4, 8, 8), np.uint8))
    return tmp_path


def netcdf(path, units="mm/h", start=0, size=4):
    with netCDF4.Dataset(path, "w") as file:
        for dim, length in (("time", 3), ("y", size), ("x", size)):
            file.createDimension(dim, length)
        time = file.createVariable("time", "i8", ("time",))
        time.units, time[:] = "minutes since 2020-01-01", start + 5 * np.arange(3)
        rain = file.createVariable("rain", "f4", ("time", "y", "x"))
        rain.units, rain[:] = units, 1
    return path


def names(files, folder):
    return [file.relative_to(folder).as_posix() for file in files]


def test_a_folder_gives_its_files_of_a_known_format_in_order(folder):
    assert names(expand_paths(folder), folder) == ["a.npy", "b.npy"]
    assert names(expand_paths(str(folder)), folder) == ["a.npy", "b.npy"]


def test_globs_are_sorted_and_the_order_given_is_kept(folder):
    assert names(expand_paths(f"{folder}/b.npy, {folder}/*.npy"), folder) == ["b.npy", "a.npy"]
    assert names(expand_paths([f"{folder}/**/*.npy"]), folder) == ["a.npy", "b.npy", "deep/c.npy"]
    assert names(expand_paths([folder / "deep", folder / "b.npy"]), folder) == ["deep/c.npy", "b.npy"]


def test_a_comma_may_be_part_of_a_name(folder):
    np.save(folder / "x,y.npy", np.ones((3, 4, 4)))
    assert names(expand_paths(str(folder / "x,y.npy")), folder) == ["x,y.npy"]


def test_the_home_folder_is_known(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    assert names(expand_paths("~/b.npy"), folder) == ["b.npy"]


@pytest.mark.parametrize("pattern", ["nothing.npy", "*.nc", "deep/*.nc"])
def test_what_matches_nothing_is_named(folder, pattern):
    with pytest.raises(FileNotFoundError, match="no file matches") as error:
        expand_paths(f"{folder}/b.npy,{folder}/{pattern}")
    assert f"{folder}/{pattern}" in str(error.value)


def test_an_empty_folder_and_no_path_are_errors(folder):
    (folder / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"empty has no file of a known format \(\.npy"):
        expand_paths(folder / "empty")
    for nothing in ("", " , ", []):
        with pytest.raises(FileNotFoundError, match="no data path was given"):
            expand_paths(nothing)


def test_the_suffix_tells_the_format(folder):
    sources = read_movies(folder)
    assert [movies.attrs["source"] for movies in sources] == ["a.npy", "b.npy"]
    assert [movies.frames.shape for movies in sources] == [(2, 5, 8, 8, 1), (3, 4, 8, 8, 1)]
    with pytest.raises(ValueError, match=r"notes\.md: the format '\.md' is unknown; known are \.npy, \.npz, \.nc"):
        read_movies(folder / "notes.md")


def test_netcdf_files_are_read_together_and_stand_where_the_first_stood(tmp_path):
    np.save(tmp_path / "m.npy", np.ones((3, 4, 4), np.float32))
    for name, options in (("a.nc", {}), ("b.NC", {"start": 15}), ("c.nc4", {"size": 6})):
        netcdf(tmp_path / name, **options)
    files = [tmp_path / name for name in ("m.npy", "b.NC", "c.nc4", "a.nc")]
    sources = read_movies(files, units="mm/h")
    assert [movies.attrs["source"] for movies in sources] == ["m.npy", "b.NC, a.nc", "c.nc4"]
    assert [movies.sizes["time"] for movies in sources] == [3, 6, 3]
    assert {movies.frames.attrs["units"] for movies in sources} == {"mm/h"}


def test_different_units_need_a_choice(tmp_path):
    netcdf(tmp_path / "a.nc"), netcdf(tmp_path / "b.nc", "dBZ")
    with pytest.raises(ValueError, match=r"a\.nc is in mm/h and b\.nc in dBZ: choose one with --units"):
        read_movies(tmp_path)
    rain, converted = read_movies(tmp_path, units="mm/h")
    assert rain.frames.values.max() == 1
    np.testing.assert_allclose(converted.frames.values, (10**0.1 / 200) ** (1 / 1.6), rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"layout": "time,x,z"}, "layout must be one of 'auto', 'movie,y,x,time'"),
        ({"units": "kg"}, "units must be one of 'file', 'mm/h', 'dBZ', not 'kg'"),
        ({"forcings": ("wind",)}, r"a\.npy: an array has no variable 'wind'; forcings need netCDF files"),
    ],
)
def test_options_are_checked(folder, options, rule):
    with pytest.raises(ValueError, match=rule):
        read_movies(folder, **options)


def test_all_layouts_are_read(tmp_path):
    frames = np.random.default_rng(0).random((1, 3, 5, 5, 1), np.float32)
    axes = ("movie", "time", "y", "x", "channel")
    for layout in (one for one in LAYOUTS if "y" in one.split(",")):
        order = [axes.index(name) for name in layout.split(",")]
        dropped = tuple(i for i in range(5) if i not in order)
        kept = [i for i in range(5) if i in order]
        np.save(tmp_path / "a.npy", frames.squeeze(dropped).transpose([kept.index(i) for i in order]))
        np.testing.assert_array_equal(read_movies(tmp_path / "a.npy", layout=layout)[0].frames.values, frames)


def test_the_clips_of_moving_mnist(tmp_path):
    clips = np.array([[[0, 2], [5, 2]], [[2, 3], [7, 3]]])
    raw = np.random.default_rng(0).random((10, 1, 4, 4), np.float32)
    np.savez(tmp_path / "mnist.npz", clips=clips, dims=[[1, 4, 4]], input_raw_data=raw)
    (movies,) = read_movies(tmp_path / "mnist.npz")
    np.testing.assert_array_equal(movies.frames.values[..., 0], raw[:, 0].reshape(2, 5, 4, 4))


def test_a_glob_of_radar_frames(shared):
    (movies,) = read_movies(f"{shared}/radar/bom_frames/*.nc")
    assert movies.attrs["source"] == "bom_frames/*.nc" and movies.sizes["time"] == 12
    sources = read_movies(
        f"{shared}/radar/bom_frames,{shared}/radar/knmi_20100826.nc,{shared}/radar/fmi_*.nc", units="mm/h"
    )
    assert [movies.sizes["time"] for movies in sources] == [12, 92, 80]


def test_an_array_is_read_with_its_layout():
    array = np.arange(2 * 3 * 4 * 5, dtype="i2").reshape(2, 4, 5, 3)
    (movies,) = read_movies(array, layout="movie,y,x,time", units="mm/h")
    np.testing.assert_array_equal(movies.frames.values[..., 0], np.moveaxis(array, -1, 1))
    assert movies.frames.attrs["units"] == "mm/h" and movies.attrs["source"] == "array"


@pytest.mark.parametrize(
    ("array", "layout", "message"),
    [
        (np.zeros((3, 4, 4, 4)), "auto", r"array: the shape \(3, 4, 4, 4\) does not tell the axes"),
        (np.zeros((3, 4, 4)), "movie,time,y,x", r"array: the layout movie,time,y,x has 4 axes"),
        (np.zeros((3, 4, 4), complex), "time,y,x", "array: values must be integers or real numbers, found complex"),
        (np.zeros((0, 4, 4)), "time,y,x", "array: the array is empty"),
    ],
)
def test_an_array_that_cannot_be_read_is_one_line(array, layout, message):
    with pytest.raises(ValueError, match=message):
        read_movies(array, layout=layout)


def test_movies_in_memory_are_looked_at_in_every_frame():
    """Nothing decodes them, so that nothing knows what -3 means."""
    array = np.ones((30, 4, 4), np.float32)
    (movies,) = read_movies(array, layout="time,y,x", units="mm/h")
    movies = movies.load()
    assert read_movies(movies)[0] is movies
    with pytest.raises(ValueError, match="array: Movies stay in mm/h: give units=dBZ where they are read"):
        read_movies(movies, units="dBZ")
    movies.frames[0, 5, 0, 0] = -3
    with pytest.raises(ValueError, match=r"array: values in mm/h must be between -0\.01 and 2000, but one is -3"):
        read_movies(movies)
