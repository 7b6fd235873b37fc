"""Moving MNIST: the box, the bounces and the file."""

import numpy as np
import pytest

from predjax.radar import readers
from predjax.synthetic.__main__ import main
from predjax.synthetic.movie_file import MovieFile
from predjax.synthetic.moving_mnist import (
    STEP,
    MovingMnistConfig,
    begin,
    draw_futures,
    follow,
    make_mnist_movie,
    read_digits,
    write_moving_mnist,
)


@pytest.fixture(scope="module")
def digits():
    """Ten discs and bars that fill their 28x28 pixels, so that every pixel of a digit counts."""
    y, x = np.mgrid[:28, :28]
    shapes = [np.full((28, 28), 200 + i) for i in range(5)]
    shapes += [np.where(np.hypot(y - 13.5, x - 13.5) < 9 + i, 255, 0) for i in range(5)]
    return np.array(shapes).astype(np.uint8)


def bounce(seed, num_frames, stochastic=False):
    rng = np.random.default_rng(seed)
    return np.array([motion.place for motion in follow(begin(rng), num_frames, rng if stochastic else None)])


@pytest.mark.parametrize("stochastic", [False, True])
def test_digits_stay_in_the_box_and_reach_its_edges(stochastic):
    places = np.concatenate([bounce(i, 200, stochastic) for i in range(20)])
    assert places.min() == 0 and places.max() == 1


def test_velocity_is_constant_between_bounces():
    for seed in range(20):
        places = bounce(seed, 60)
        moves = np.diff(places, axis=0)
        free = ((places > 0) & (places < 1)).all(1)
        free = free[1:] & free[:-1]
        np.testing.assert_allclose(np.hypot(*moves[free].T), STEP, rtol=1e-9)
        turned = np.sign(moves[1:]) != np.sign(moves[:-1])
        at_edge = (places[1:-1] == 0) | (places[1:-1] == 1)
        assert not (turned & ~at_edge & (np.abs(moves[1:]) > 1e-12)).any()


def test_directions_away_from_an_edge_are_equally_likely():
    """From the middle of the left edge: the angle is uniform over the half circle to the right."""
    rng = np.random.default_rng(0)
    edge = begin(rng)._replace(place=np.array([0.5, 0.0]))
    moved = np.array([follow(edge, 1, rng)[0].place for _ in range(4000)]) - edge.place
    np.testing.assert_allclose(np.hypot(*moved.T), STEP)
    counts = np.histogram(np.arctan2(*moved.T), 8, (-np.pi / 2, np.pi / 2))[0]
    assert counts.sum() == 4000 and np.abs(counts - 500).max() < 5 * np.sqrt(500 * 7 / 8)


def test_futures_are_those_of_the_movies_past(digits):
    """Without an edge in reach they are the movie's rest; the mean of many is that of rests with other draws."""
    config = MovingMnistConfig(6, 3, num_digits=1, stochastic=True)
    certain = 0
    for movie in range(30):
        rest = make_mnist_movie(digits, 6, 2, movie, 1, True)[3:]
        futures = draw_futures(digits, config, 2, movie, 8)
        assert futures.shape == (8, 3, 64, 64)
        np.testing.assert_array_equal(futures, draw_futures(digits, config, 2, movie, 8))
        same = (futures == futures[0]).all()
        certain += same
        assert not same or (futures == rest).all()
    assert 0 < certain < 30
    long, short = make_mnist_movie(digits, 9, 2, 4, 2, True), make_mnist_movie(digits, 5, 2, 4, 2, True)
    np.testing.assert_array_equal(long[:5], short)  # what comes later decides nothing


def test_a_frame_holds_whole_digits(digits):
    """Full squares: each of the two shows all its pixels, and an overlap shows the brighter one."""
    for movie in range(10):
        frames = make_mnist_movie(digits[:1], 12, 1, movie)
        for frame in frames:
            rows, columns = np.nonzero(frame)
            assert set(np.unique(frame)) == {0, 200}
            assert 28**2 <= len(rows) <= 2 * 28**2
            assert np.ptp(rows) >= 27 and np.ptp(columns) >= 27


def test_a_movie_depends_on_seed_and_number_alone(digits):
    movie = make_mnist_movie(digits, 8, 4, 1)
    np.testing.assert_array_equal(movie, make_mnist_movie(digits, 8, 4, 1))
    assert not np.array_equal(movie, make_mnist_movie(digits, 8, 4, 2))
    assert not np.array_equal(movie, make_mnist_movie(digits, 8, 5, 1))


def test_file_has_the_form_that_the_pytorch_code_reads(digits, tmp_path):
    file = MovieFile(str(tmp_path / "mnist.npz"), 3, 7)
    write_moving_mnist(file, digits, MovingMnistConfig(length=9, input_length=5))
    with np.load(tmp_path / "mnist.npz", allow_pickle=False) as stored:
        data = dict(stored)
    assert set(data) == {"clips", "dims", "input_raw_data", "output_raw_data"}
    assert data["dims"].tolist() == [[1, 64, 64]] and data["output_raw_data"].shape == (0, 1, 64, 64)
    assert data["input_raw_data"].dtype == np.float32
    for movie in range(3):
        # With one row of dims that code takes inputs and outputs from input_raw_data.
        parts = [data["input_raw_data"][start : start + count, 0] for start, count in data["clips"][:, movie]]
        assert [len(part) for part in parts] == [5, 4]
        np.testing.assert_array_equal(np.concatenate(parts), make_mnist_movie(digits, 9, 7, movie) / np.float32(255))


def test_file_is_read_by_the_package(digits, tmp_path):
    np.save(tmp_path / "digits.npy", digits)
    output = tmp_path / "mnist.npz"
    command = ["moving_mnist", "--digits", str(tmp_path / "digits.npy"), "--output", str(output)]
    lengths, moving = ["--length", "6", "--input_length", "3"], ["--num_digits", "3", "--stochastic"]
    assert main([*command, "--num_movies", "2", *lengths, *moving, "--seed", "5"]) == 0
    (movies,) = readers.read_movies(str(output))
    expected = np.stack([make_mnist_movie(digits, 6, 5, movie, 3, True) for movie in range(2)]) / np.float32(255)
    np.testing.assert_array_equal(movies.frames.values, expected[..., None])


def test_digits_come_from_npz_or_npy(digits, tmp_path):
    np.savez(tmp_path / "digits.npz", digits=digits, labels=np.arange(10))
    np.save(tmp_path / "digits.npy", digits)
    np.testing.assert_array_equal(read_digits(tmp_path / "digits.npz"), digits)
    np.testing.assert_array_equal(read_digits(tmp_path / "digits.npy"), digits)


@pytest.mark.parametrize(
    "stored, found",
    [
        (np.zeros((3, 28, 28)), r"float64 of shape \(3, 28, 28\)"),
        (np.zeros((3, 14, 14), np.uint8), r"uint8 of shape \(3, 14, 14\)"),
        (np.zeros((0, 28, 28), np.uint8), "no digit"),
        (np.array([None]), "neither .npy nor .npz"),
        ("hello", "neither .npy nor .npz"),
        ("", "No data left in file"),
    ],
)
def test_other_files_are_named(tmp_path, stored, found):
    path = tmp_path / "digits.npy"
    if isinstance(stored, str):
        path.write_text(stored)
    else:
        np.save(path, stored)
    with pytest.raises(ValueError, match=rf"digits\.npy: digits are uint8 .*; found {found}$"):
        read_digits(path)


def test_errors_are_one_line(digits, tmp_path, capsys):
    path = tmp_path / "digits.npz"
    np.savez(path, labels=digits)
    command = ["moving_mnist", "--digits", str(path), "--output", str(tmp_path / "out.npz")]
    assert main(command) == 2
    assert capsys.readouterr().err.endswith("found no array 'digits' but labels\n")
    np.savez(path, digits=digits)
    assert main([*command, "--length", "10"]) == 2
    expected = "predjax: input_length 10 must be at least 1 and smaller than the length 10\n"
    assert capsys.readouterr().err == expected
    assert main([*command[:-1], str(path)]) == 2
    assert capsys.readouterr().err == f"predjax: {path} exists; --overwrite replaces it\n"
