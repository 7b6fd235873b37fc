"""Arrays of .npy files: layouts, number types, laziness, and what is refused."""

import logging

import numpy as np
import pytest

from predjax.radar.formats.npy import read_npy
from predjax.radar.formats.quantity import UnitOptions
from predjax.radar.movies import check_movies


@pytest.fixture
def save(tmp_path):
    def write(array, name="a.npy", **options):
        np.save(tmp_path / name, array, **options)
        return tmp_path / name

    return write


@pytest.mark.parametrize("shape", [(7, 40, 40, 40), (7, 5, 40, 30), (7, 40, 5, 40)])
def test_an_ambiguous_layout_lists_the_choices(shape, save):
    with pytest.raises(ValueError) as error:
        read_npy(save(np.zeros(shape, np.uint8)))
    assert "a.npy" in str(error.value) and str(shape) in str(error.value)
    assert "--layout movie,y,x,time or movie,time,y,x" in str(error.value)


@pytest.mark.parametrize("shape", [(3,), (), (1, 2, 3, 4, 5, 6)])
def test_arrays_of_other_dimensions_are_refused(shape, save):
    with pytest.raises(ValueError, match=r"a\.npy: an array needs 2 to 5 axes"):
        read_npy(save(np.zeros(shape)))


@pytest.mark.parametrize(
    ("layout", "axes"),
    [
        ("movie,y,x,time", (0, 2, 3, 1)),
        ("movie,time,y,x", (0, 1, 2, 3)),
    ],
)
def test_every_layout_gives_the_same_movies(layout, axes, save):
    frames = np.random.default_rng(0).random((3, 4, 6, 5), np.float32)
    movies = check_movies(read_npy(save(frames.transpose(axes)), layout))
    np.testing.assert_array_equal(movies.frames.values, frames[..., None])
    assert movies.frames.dims == ("movie", "time", "y", "x", "channel")


def test_one_movie_and_channels(save):
    frames = np.random.default_rng(0).random((4, 6, 5), np.float32)
    np.testing.assert_array_equal(read_npy(save(frames)).frames.values, frames[None, ..., None])
    frames = np.random.default_rng(0).random((2, 4, 6, 5, 3), np.float32)
    np.testing.assert_array_equal(read_npy(save(frames)).frames.values, frames)
    with pytest.raises(ValueError, match="the layout time,y,x has 3 axes, the array has the shape"):
        read_npy(save(frames), "time,y,x")


@pytest.mark.parametrize("dtype", ["u1", "<i2", ">i2", "<f2", ">f4", "<f4", "<f8", ">f8", "<i4", "<i8"])
def test_every_number_type_becomes_float32(dtype, save):
    frames = np.arange(2 * 3 * 4 * 4).reshape(2, 3, 4, 4).astype(dtype)
    movies = check_movies(read_npy(save(frames)))
    values = movies.frames[1, 1:, 0:2].values
    assert values.dtype == np.dtype("f4") and values.dtype.isnative
    np.testing.assert_array_equal(values, frames[1, 1:, 0:2, :, None].astype("f4"))
    assert movies.frames.attrs == {"units": "1", "dtype_on_disk": str(np.dtype(dtype))}


def test_missing_values_stay_missing_and_a_unit_can_be_told(save):
    frames = np.ones((2, 3, 4, 4), np.float32)
    frames[0, :, 1] = np.nan
    movies = check_movies(read_npy(save(frames), units=UnitOptions("mm/h")))
    assert movies.frames.attrs["units"] == "mm/h"
    np.testing.assert_array_equal(movies.frames.values[..., 0], frames)
    frames[1, 2, 3, 3] = -8888
    path = save(frames)
    with pytest.raises(ValueError, match=r"a\.npy: holds -8888, .* _FillValue"):
        check_movies(read_npy(path, units=UnitOptions("mm/h")))
    check_movies(read_npy(path))


def test_fortran_order_is_read_and_remarked(save, caplog):
    frames = np.asfortranarray(np.random.default_rng(0).random((2, 3, 4, 4), np.float32))
    with caplog.at_level(logging.INFO, "predjax"):
        movies = read_npy(save(frames))
    assert "Fortran order" in caplog.text
    np.testing.assert_array_equal(movies.frames[1, 2].values[..., 0], frames[1, 2])


def test_only_what_is_indexed_is_read(tmp_path):
    # A sparse file of 40 GB: reading all of it would not fit, reading a window is immediate.
    path = tmp_path / "large.npy"
    header = np.lib.format.header_data_from_array_1_0(np.zeros(0, np.float32))
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header | {"shape": (1000, 100, 320, 320)})
        file.truncate(file.tell() + 1000 * 100 * 320 * 320 * 4)
    movies = check_movies(read_npy(path))
    assert movies.frames[999, 40:60, 10:42, 10:42].values.shape == (20, 32, 32, 1)


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "the file is empty"),
        (b"1,2,3\n4,5,6\n", r"not a \.npy file .*1,2,3"),
        (b"\x93NUMPY\x01", "damaged or cut off"),
        (b"\x93NUMPY\x01\x00\x76\x00{'descr'", "damaged or cut off"),
        (b"\x93NUMPY\x09\x00\x76\x00{'descr'", "damaged or cut off"),
    ],
)
def test_what_is_no_array_is_named_on_one_line(content, rule, tmp_path):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(ValueError, match=rf"a\.npy: .*{rule}") as error:
        read_npy(tmp_path / "a.npy")
    assert "pickle" not in str(error.value) and "\n" not in str(error.value)


def test_a_truncated_array_is_named_with_its_sizes(save):
    path = save(np.zeros((2, 3, 4, 4)))
    content = path.read_bytes()
    path.write_bytes(content[:-100])
    with pytest.raises(ValueError, match=rf"truncated: it has {len(content) - 100} bytes, .* {len(content)}"):
        read_npy(path)


@pytest.mark.parametrize(
    ("array", "found"),
    [
        (np.array([[[{}]]], object), "Python objects"),
        (np.zeros((2, 4, 4), complex), "complex numbers"),
        (np.zeros((2, 4, 4), bool), "true/false"),
        (np.full((2, 4, 4), "a"), "text"),
        (np.zeros((2, 4, 4), "datetime64[s]"), "dates"),
        (np.zeros((2, 4, 4), [("a", "f4")]), "records"),
    ],
)
def test_what_is_no_real_number_is_refused(array, found, save):
    with pytest.raises(ValueError, match=found) as error:
        read_npy(save(array, allow_pickle=True))
    assert "pickle" not in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("shape", [(0, 3, 4, 4), (2, 0, 4, 4)])
def test_an_empty_array_is_refused(shape, save):
    with pytest.raises(ValueError, match=r"a\.npy: the array is empty"):
        read_npy(save(np.zeros(shape)))


def test_a_user_states_the_unit_and_the_period(save):
    path = save(np.full((2, 3, 4, 4), 0.5, np.float32))
    for options, value in (
        (UnitOptions(source_units="mm/5min"), 6),
        (UnitOptions(source_units="mm", accumulation_period="15min"), 2),
        (UnitOptions(source_units="1e-6 m", accumulation_period="1h"), 0.0005),
    ):
        movies = check_movies(read_npy(path, "movie,time,y,x", units=options))
        assert movies.frames.attrs["units"] == "mm/h" and len(movies.attrs["remarks"]) == 3
        np.testing.assert_allclose(movies.frames.values, value, rtol=1e-6)
    dbz = read_npy(path, "movie,time,y,x", units=UnitOptions("mm/h", "dBZ"))
    np.testing.assert_allclose(dbz.frames.values, (10**0.05 / 200) ** (1 / 1.6), rtol=1e-6)
    with pytest.raises(ValueError, match=r"a\.npy is an accumulation, and nothing tells its period"):
        read_npy(path, "movie,time,y,x", units=UnitOptions(source_units="mm"))
