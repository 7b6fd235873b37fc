"""Moving-MNIST files of PredRNN."""

import numpy as np
import pytest

from predjax.radar.formats.npz import read_npz
from predjax.radar.movies import check_movies

RAW = np.random.default_rng(0).integers(0, 256, (60, 1, 6, 8)).astype(np.uint8)


def clips(length_in=2, length_out=3, movies=4, start_out=None):
    starts = np.arange(movies) * (length_in + length_out)
    out = starts + length_in if start_out is None else np.arange(movies) * length_out + start_out
    return np.stack(
        [np.stack([starts, np.full(movies, length_in)], 1), np.stack([out, np.full(movies, length_out)], 1)]
    ).astype(np.int32)


@pytest.fixture
def save(tmp_path):
    def write(name="m.npz", **arrays):
        np.savez(tmp_path / name, **arrays)
        return tmp_path / name

    return write


@pytest.mark.parametrize("output", [{}, {"output_raw_data": np.zeros((0, 1, 6, 8))}, {"output_raw_data": np.zeros(0)}])
def test_a_movie_is_its_input_frames_and_then_its_output_frames(save, output):
    path = save(clips=clips(), dims=np.array([[1, 6, 8]]), input_raw_data=RAW, **output)
    movies = check_movies(read_npz(path))
    assert movies.frames.shape == (4, 5, 6, 8, 1) and movies.frames.attrs["units"] == "1"
    assert movies.frames.attrs["dtype_on_disk"] == "uint8"
    np.testing.assert_array_equal(movies.frames.values[..., 0], RAW[:20, 0].reshape(4, 5, 6, 8))
    np.testing.assert_array_equal(movies.frames[2, 1:4, 2:5, 3:].values[..., 0], RAW[11:14, 0, 2:5, 3:])
    np.testing.assert_array_equal(movies.frames[3, 4].values[..., 0], RAW[19, 0])


def test_output_frames_of_their_own(save):
    rest = np.random.default_rng(1).random((30, 2, 6, 8), np.float32)
    raw = np.random.default_rng(2).random((30, 2, 6, 8), np.float32)
    path = save(clips=clips(start_out=1), dims=np.array([[2, 6, 8]]), input_raw_data=raw, output_raw_data=rest)
    movies = check_movies(read_npz(path))
    np.testing.assert_array_equal(movies.frames[1, :2].values, np.moveaxis(raw[5:7], 1, -1))
    np.testing.assert_array_equal(movies.frames[1, 2:].values, np.moveaxis(rest[4:7], 1, -1))


def test_a_single_array_is_read_like_a_npy_file(save):
    movies = check_movies(read_npz(save(movies=np.ones((3, 8, 8, 5), np.float16))))
    assert movies.frames.shape == (3, 5, 8, 8, 1)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"clips": None}, "needs clips, dims, input_raw_data or one array, found dims, input_raw_data"),
        ({"clips": clips(movies=20)}, "the input clips ask for frames 0 to 97, there are 60"),
        ({"clips": clips(start_out=56)}, "the output clips ask for frames 56 to 68, there are 60"),
        ({"clips": clips() - np.array([5, 0])}, "ask for frames -5 to"),
        ({"clips": np.zeros((2, 4, 3), int)}, r"clips must have the shape \(2, movies, 2\), found \(2, 4, 3\)"),
        ({"clips": clips() * 1.0}, "clips must be whole numbers, found float64"),
        ({"clips": clips() + np.array([[[0, 0], [0, 1], [0, 0], [0, 0]]])}, "all input clips must have one length"),
        ({"dims": np.array([[1, 8, 8]])}, r"input_raw_data must have the shape .* \(1, 8, 8\), found \(60, 1, 6, 8\)"),
        ({"input_raw_data": np.array([{}])}, "input_raw_data: values must be .* found Python objects"),
        ({"input_raw_data": RAW > 3}, "input_raw_data: values must be integers or real numbers, found true/false"),
    ],
)
def test_what_does_not_fit_is_named(change, rule, save):
    arrays = {"clips": clips(), "dims": np.array([[1, 6, 8]]), "input_raw_data": RAW} | change
    path = save(**{key: value for key, value in arrays.items() if value is not None})
    with pytest.raises(ValueError, match=rule) as error:
        read_npz(path)
    assert "m.npz" in str(error.value) and "pickle" not in str(error.value) and "\n" not in str(error.value)


def test_a_file_that_is_no_archive_or_not_a_whole_one(save, tmp_path):
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(ValueError, match=r"text\.npz: not a \.npz file"):
        read_npz(tmp_path / "text.npz")
    path = save(a=np.zeros((4, 8, 8)))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"m\.npz: the \.npz file is truncated"):
        read_npz(path)
