"""Lazy frames: every part tells what it is read from, and reads nothing for it."""

import numpy as np
import pytest
import xarray as xr

from predjax.radar.formats.decode import Decoder
from predjax.radar.formats.lazy import cut_frames, find_codes, find_source, read_later
from predjax.radar.formats.npy import ArrayFrames
from predjax.radar.movies import DIMENSIONS

CODES = np.arange(2 * 5 * 4 * 3, dtype=np.uint8).reshape(2, 5, 4, 3, 1)


class Counted(ArrayFrames):
    reads = 0

    def read(self, key):
        type(self).reads += 1
        return super().read(key)


@pytest.fixture
def frames():
    Counted.reads = 0
    return read_later(DIMENSIONS, Counted(CODES, Decoder(dtype="|u1", scale=0.5, offset=-32.0), "a.npy"))


@pytest.mark.parametrize(
    "part",
    [
        {},
        {"time": slice(1, None, 2), "y": slice(None, None, -1)},
        {"movie": 1},
        {"time": 2, "channel": 0},
        {"time": [3, 0], "movie": slice(1, 2)},
        {"x": [2, 0], "y": [1, 1]},
    ],
    ids=str,
)
def test_a_part_knows_its_codes(frames, part):
    cut = frames.isel(part)
    codes, table = find_codes(cut)
    assert Counted.reads == 0
    assert codes.dims == cut.dims and codes.dtype == np.uint8
    np.testing.assert_array_equal(codes.values, xr.Variable(DIMENSIONS, CODES).isel(part).values)
    np.testing.assert_array_equal(table[codes.values], cut.values)


def test_a_part_of_a_part_knows_its_codes(frames):
    cut = frames[:, ::-1][:, 1:4].isel(y=slice(2))
    np.testing.assert_array_equal(find_codes(cut)[0].values, CODES[:, ::-1][:, 1:4, :2])


@pytest.mark.parametrize("change", [lambda one: one.load(), lambda one: one * 2])
def test_numbers_in_memory_come_from_nowhere(frames, change):
    assert find_source(change(frames)) is None and find_codes(change(frames)) is None


def test_points_have_no_codes(frames):
    points = xr.Variable(("point",), [0, 1])
    chosen = frames.isel(y=points, x=points)
    assert find_codes(chosen) is None
    np.testing.assert_array_equal(chosen.values, (CODES[:, :, [0, 1], [0, 1]] * 0.5 - 32))


def test_empty_parts_are_not_read(frames):
    assert frames[:, :0].values.shape == (2, 0, 4, 3, 1) and frames[0, :0].values.dtype == np.float32
    assert Counted.reads == 0


def test_cut_frames_count_through_the_movies(frames):
    np.testing.assert_array_equal(cut_frames(frames, 3, 7).values[0] * 2 + 64, CODES.reshape(10, 4, 3, 1)[3:7])
