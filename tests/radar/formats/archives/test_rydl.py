"""The archive of RainNet: a data set for each time."""

import h5py
import numpy as np
import pytest

from predjax.radar.readers import read_movies

pytestmark = pytest.mark.usefixtures("as_in_a_new_process")


def write(path, frames, names):
    with h5py.File(path, "w") as file:
        for name, frame in zip(names, frames):
            file[name] = frame
    return path


def test_whole_numbers_are_hundredths_of_mm_in_five_minutes(tmp_path):
    frames = np.arange(3 * 4 * 5, dtype="i2").reshape(3, 4, 5)
    frames[:, 0, 0] = -1
    names = ["201606010010", "201606010000", "201605312355"]  # of which the last is the first
    (movies,) = read_movies(write(tmp_path / "RYDL.hdf5", frames, names))
    truth = np.where(frames < 0, np.nan, frames * 0.12)[::-1]
    np.testing.assert_allclose(movies.frames.values[0, ..., 0], truth, rtol=1e-6)
    assert movies.frames.attrs["units"] == "mm/h"
    found = movies.time.values[0].astype("M8[m]").astype(str).tolist()
    assert found == ["2016-05-31T23:55", "2016-06-01T00:00", "2016-06-01T00:10"]
    assert movies.attrs["remarks"][0] == (
        "RYDL, by its description: whole numbers are 0.01 mm in 5 minutes, -1 is no coverage; the names of the data "
        "sets are times in UTC"
    )


def test_real_numbers_are_mm_in_five_minutes(tmp_path):
    names = ["201606010000", "201606010005"]
    (movies,) = read_movies(write(tmp_path / "RYDL.h5", np.full((2, 4, 5), 0.5, "f4"), names), units="mm/h")
    assert movies.frames.values.max() == 6
    assert "real numbers are mm in 5 minutes" in movies.attrs["remarks"][0]


def test_what_is_wrong_is_named(tmp_path):
    path = write(tmp_path / "RYDL.h5", np.zeros((2, 4, 5)), ["201606010000", "201606010075"])
    with pytest.raises(ValueError, match=r"RYDL\.h5: 201606010075: a date must be YYYYmmddHHMM, found '201606010075'"):
        read_movies(path)
    path = write(tmp_path / "other.h5", np.zeros((1, 4, 5)), ["201606010000"])
    with pytest.raises(ValueError, match=r"other\.h5: there is no variable 'rain', only RY"):
        read_movies(path, variable="rain")
