"""TaxiBJ: flow in .npz files, observed and following frames apart."""

import numpy as np
import pytest

from predjax.radar.readers import read_movies

pytestmark = pytest.mark.usefixtures("as_in_a_new_process")
PARTS = {name: size for name, size in (("X_train", 3), ("Y_train", 3), ("X_test", 2), ("Y_test", 2))}


@pytest.fixture
def arrays():
    draw = np.random.default_rng(0).random
    return {name: draw((size, 4, 2, 5, 6), "f4") for name, size in PARTS.items()}


def test_a_movie_is_the_frames_of_x_and_then_of_y(tmp_path, arrays):
    np.savez(path := tmp_path / "dataset.npz", **arrays)
    (movies,) = read_movies(path)
    rows = [np.concatenate([arrays[f"X_{part}"], arrays[f"Y_{part}"]], 1) for part in ("train", "test")]
    np.testing.assert_array_equal(movies.frames.values, np.moveaxis(np.concatenate(rows), 2, 4))
    assert movies.frames.attrs["units"] == "1"
    assert movies.attrs["remarks"][0] == (
        "TaxiBJ: movies are the frames of X and then of Y, movie,time,channel,y,x: 3 of train, 2 of test; --variable "
        "train takes one part alone"
    )
    np.testing.assert_array_equal(read_movies(path, variable="test")[0].frames.values, np.moveaxis(rows[1], 2, 4))


def test_what_does_not_fit_is_named(tmp_path, arrays):
    np.savez(path := tmp_path / "a.npz", **arrays | {"Y_test": np.zeros((2, 4, 2, 5, 7), "f4")})
    with pytest.raises(ValueError, match=r"a\.npz: Y_test of float32 \(2, 4, 2, 5, 7\) does not fit X_test,Y_test of"):
        read_movies(path)
    with pytest.raises(ValueError, match=r"a\.npz: there is no part 'valid'; there are train, test"):
        read_movies(path, variable="valid")
    np.savez(path := tmp_path / "flat.npz", **{name: np.zeros((2, 4, 5)) for name in PARTS})
    with pytest.raises(ValueError, match=r"flat\.npz: X and Y must have the axes movie, time, channel, y, x, found"):
        read_movies(path)
