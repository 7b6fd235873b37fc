"""The arrays that batches are cut from: in memory where all fit, as codes where a file has them."""

import numpy as np
import pytest

from predjax.radar.readers import read_movies
from predjax.radar.windows.arrays import open_arrays


@pytest.fixture
def sources(tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "a.npy", rng.integers(0, 256, (3, 4, 8, 8), np.uint8))
    np.save(tmp_path / "b.npy", rng.random((2, 4, 8, 8)).astype(np.float32))
    return read_movies(f"{tmp_path}/a.npy,{tmp_path}/b.npy")


def test_codes_and_values_are_the_frames(sources):
    arrays = open_arrays(sources, [0, 1], 2**20)
    assert arrays[0].frames.dtype == arrays[0].dtype == np.uint8 and arrays[1].dtype == np.float32
    assert arrays[1].table is None and arrays[0].forcings is None
    np.testing.assert_array_equal(arrays[0].table[arrays[0].frames], sources[0].frames.values)
    np.testing.assert_array_equal(arrays[1].frames, sources[1].frames.values)


def test_all_are_in_memory_or_none_is(sources):
    """3 x 4 x 64 codes of a byte and 2 x 4 x 64 values of four: 2816 bytes."""
    for limit, in_memory in ((2817, True), (2816, False)):
        arrays = open_arrays(sources, [0, 1], limit)
        assert [isinstance(one.frames, np.ndarray) for one in arrays.values()] == [in_memory] * 2
    assert isinstance(open_arrays(sources, [0], 769)[0].frames, np.ndarray)


def test_forcings_are_kept_with_the_frames(sources):
    forced = sources[0].assign(forcings=(("movie", "time", "forcing"), np.ones((3, 4, 2), np.float32)))
    np.testing.assert_array_equal(open_arrays([forced], [0], 2**20)[0].forcings, forced.forcings)
