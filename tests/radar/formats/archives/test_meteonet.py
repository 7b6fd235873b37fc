"""MeteoNet: rain in .npz files with pickled dates."""

import datetime
import pickle

import numpy as np
import pytest

from predjax.radar.formats import npz
from predjax.radar.readers import read_movies

pytestmark = pytest.mark.usefixtures("as_in_a_new_process")
START = datetime.datetime(2018, 5, 1, 23, 50)
UTC = datetime.UTC


def make(count=4, start=START):
    """Maps and dates; -1 is missing."""
    data = np.arange(count * 3 * 5, dtype="i2").reshape(count, 3, 5)
    data[:, 0, 0] = -1
    return {
        "data": data,
        "dates": np.array([start + datetime.timedelta(minutes=5 * number) for number in range(count)]),
        "miss_dates": np.array([], object),
    }


def save(path, **changes):
    np.savez_compressed(path, **make() | changes)
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])  # numpy 1.9 to 1.16 wrote 2, then 3, and 4 since 2.0
def test_rain_and_dates_are_read_and_nothing_is_unpickled(tmp_path, monkeypatch, protocol):
    dump = pickle.dump
    monkeypatch.setattr(pickle, "dump", lambda array, stream, **_: dump(array, stream, protocol=protocol))
    path = save(tmp_path / "rainfall_NW_2018_05.1.npz")
    monkeypatch.setattr(pickle, "load", lambda *_, **__: pytest.fail("it was unpickled"))
    (movies,) = read_movies(path)
    data = make()["data"]
    np.testing.assert_allclose(
        movies.frames.values[0, ..., 0], np.where(data < 0, np.nan, data * 0.12), rtol=1e-6, equal_nan=True
    )
    np.testing.assert_array_equal(movies.frames[0, 1:3, 2, ::2].values[..., 0], (data[1:3, 2, ::2] * 0.12).astype("f4"))
    assert (movies.frames.attrs["units"], movies.attrs["step_seconds"]) == ("mm/h", 300)
    np.testing.assert_array_equal(movies.time.values[0], make()["dates"].astype("M8[ns]"))
    assert (
        movies.attrs["remarks"][0]
        == "MeteoNet, by its description: 0.01 mm in 5 minutes, -1 is no coverage; dates of the file in UTC"
    )


def test_files_are_joined_in_time_and_two_are_in_memory(tmp_path):
    for number in range(3):
        save(tmp_path / f"{number}.npz", **make(start=START + datetime.timedelta(minutes=20 * number)))
    (movies,) = read_movies(tmp_path)
    assert movies.sizes["time"] == 12
    read, calls = npz.read_array, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "predjax.radar.formats.archives.whole_arrays.read_array", lambda *a: (calls.append(a[2]), read(*a))[1]
        )
        for frame in (3, 4, 3, 4, 8):
            movies.frames[0, frame].load()
    assert len(calls) <= 3


def test_dates_of_numpy_are_read_as_well(tmp_path):
    (movies,) = read_movies(save(tmp_path / "a.npz", dates=make()["dates"].astype("M8[s]")))
    np.testing.assert_array_equal(movies.time.values[0], make()["dates"].astype("M8[ns]"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": np.zeros((4, 3, 5), "u1")}, r"data must be int16 \(time, y, x\), found uint8 \(4, 3, 5\)"),
        ({"dates": make(3)["dates"]}, "there must be a date for each map, found 3 for 4"),
        ({"dates": np.array(["2018"] * 4, object)}, "there must be a date for each map, found 0 for 4"),
        ({"dates": np.array([START.replace(tzinfo=UTC)] * 4)}, "dates: they must be dates of Python or numpy .*zones"),
        ({"dates": np.array(["multiarray"] * 4, object)}, "dates: they must be dates of Python or numpy"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, changes, message):
    with pytest.raises(ValueError, match=rf"a\.npz: {message}"):
        read_movies(save(tmp_path / "a.npz", **changes))


def test_reflectivity_and_other_variables_are_refused(tmp_path):
    with pytest.raises(ValueError, match="of MeteoNet rainfall is read; reflectivity is coded in another way"):
        read_movies(save(tmp_path / "reflectivity_new_NW_2018_05.1.npz"))
    with pytest.raises(ValueError, match="there is no variable 'quality', only rainfall"):
        read_movies(save(tmp_path / "a.npz"), variable="quality")
