"""The coverage and the range of movies, and of how many frames they are."""

import numpy as np
import pytest

from predjax.radar.formats.lazy import read_later
from predjax.radar.movies import DIMENSIONS, build_movies
from predjax.radar.pixels import measure_pixels


def make(frames):
    return build_movies(frames, attrs={"units": "mm/h"}, source="a.nc", files=["a.nc"])


def test_all_frames_are_measured_where_the_time_allows():
    frames = np.ones((2, 3, 4, 5, 1), np.float32)
    frames[0, 1] = np.nan
    frames[1, 2, 0, 0] = 7.5
    frames[1, 0, :, :2] = -2
    found = measure_pixels(make(frames), 60)
    assert (found.frames, found.empty, found.low, found.high, found.unreadable) == (6, 1, -2, 7.5, 0)
    assert found.covered == pytest.approx(5 / 6)
    assert found.brightest == (1, 2)


def test_without_time_one_block_is_measured(monkeypatch):
    monkeypatch.setattr("predjax.radar.pixels.BLOCK_PIXELS", 20)
    frames = np.arange(6, dtype=np.float32).reshape(2, 3, 1, 1, 1) * np.ones((4, 5, 1), np.float32)
    found = measure_pixels(make(frames), 0)
    assert (found.frames, found.low, found.high) == (1, 0, 0)


def test_without_a_value_there_is_no_brightest_frame():
    found = measure_pixels(make(np.full((1, 2, 3, 3, 1), np.nan, np.float32)), 60)
    assert (found.covered, found.empty, found.brightest) == (0, 2, None)
    assert np.isnan([found.low, found.high]).all()


class Damaged:
    """Frames of ones, whose second one cannot be read."""

    reads_lists = False
    shape, dtype = (1, 3, 2, 2, 1), np.dtype(np.float32)

    def read(self, key):
        if key[1] == slice(1, 2, 1):
            raise ValueError("a.nc: frame 1 cannot be read")
        return np.ones(self.shape, np.float32)[key]


def test_a_frame_that_cannot_be_read_is_counted(monkeypatch):
    monkeypatch.setattr("predjax.radar.pixels.BLOCK_PIXELS", 4)
    found = measure_pixels(make(read_later(DIMENSIONS, Damaged())), 60)
    assert (found.frames, found.covered, found.unreadable) == (2, 1, 1)
    assert found.reason == "a.nc: frame 1 cannot be read"
