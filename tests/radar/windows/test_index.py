"""The index of windows: computed as it would be listed, and in no memory to speak of."""

import tracemalloc

import numpy as np
import pytest
import xarray as xr
from timed_movies import build

from predjax.jobs.data import spread
from predjax.radar.config import DataConfig
from predjax.radar.windows.index import Window, WindowIndex
from predjax.radar.windows.runs import Period, find_periods


def list_windows(sources, length, **config):
    return list(WindowIndex(sources, find_periods(sources), length, DataConfig(**config)))


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_no_window_crosses_a_gap(stride):
    movies = build(times=[[0, 5, 10, 15, 30, 35, 40, 45, 50, 75, 80]])
    windows = list_windows([movies], 3, window_stride=stride)
    for window in windows:
        steps = np.diff(movies.time.values[0, window.start : window.start + 3])
        assert (steps == np.timedelta64(300, "s")).all()
    starts = [window.start for window in windows]
    assert starts == {1: [0, 1, 4, 5, 6], 2: [0, 4, 6], 3: [0, 4]}[stride]


def test_tiles_of_a_grid_cover_the_frame():
    movies = build(frames=2, height=7, width=8)
    windows = list_windows([movies], 2, crop=3, crop_mode="grid")
    seen = np.zeros((7, 8), int)
    for window in windows:
        assert 0 <= window.y <= 4 and 0 <= window.x <= 5
        seen[window.y : window.y + 3, window.x : window.x + 3] += 1
    assert (seen > 0).all() and len(windows) == 9
    whole = list_windows([movies], 2, crop=7, crop_mode="grid")
    assert [(window.y, window.x) for window in whole] == [(0, 0), (0, 1)]


def test_centre_crop_and_whole_frames():
    movies = build(frames=3, height=6, width=9)
    assert list_windows([movies], 3, crop=4, crop_mode="centre") == [Window(0, 0, 0, 1, 2)]
    assert list_windows([movies], 3) == [Window(0, 0, 0, 0, 0)]
    assert list_windows([movies], 3, crop=4, crop_mode="random") == [Window(0, 0, 0, 0, 0)]


def test_a_window_longer_than_any_run_names_the_longest():
    sources = [build(1, 5, source="short.nc"), build(2, 9, source="long.nc")]
    message = "a window of 10 frames is longer than any run of frames without a gap: the longest has 9, in long.nc"
    with pytest.raises(ValueError, match=message):
        list_windows(sources, 10)
    assert len(WindowIndex(sources, [], 10, DataConfig())) == 0


def test_a_crop_larger_than_a_frame_names_the_file():
    sources = [build(height=20, width=20), build(height=6, width=9, source="small.nc")]
    with pytest.raises(ValueError, match=r"crop 7 is larger than the frame 6x9 of small\.nc"):
        list_windows(sources, 2, crop=7)


@pytest.mark.parametrize("mode", ["random", "grid", "centre"])
@pytest.mark.parametrize("stride", [1, 2, 5])
def test_windows_are_counted_as_they_would_be_listed(mode, stride):
    """Period after period, start after start, crop after crop: the order that seeds and resumed runs rest on."""
    sources = [build(times=[[0, 5, 10, 15, 30, 35, 40, 60], [0, 5, 10, 15, 20, 25, 30, 35]]), build(2, 9, 7, 11)]
    periods = find_periods(sources)
    corners = {
        "random": ([(0, 0)], [(0, 0)]),
        "centre": ([(1, 2)], [(1, 3)]),
        "grid": (
            [(y, x) for y in (0, 2) for x in (0, 4)],
            [(y, x) for y in (0, 3) for x in (0, 4, 7)],
        ),
    }[mode]
    expected = [
        Window(period.source, period.movie, start, y, x)
        for period in periods
        for start in range(period.start, period.stop - 3 + 1, stride)
        for y, x in corners[period.source]
    ]
    index = WindowIndex(sources, periods, 3, DataConfig(window_stride=stride, crop=4, crop_mode=mode))
    assert len(index) == len(expected) and list(index) == expected
    assert index[-1] == expected[-1] and index[2:5] == expected[2:5] and index[::-1] == expected[::-1]
    for number in (len(expected), -len(expected) - 1):
        with pytest.raises(IndexError):
            index[number]


@pytest.mark.parametrize("count", [1, 7, 8, 30])
def test_windows_are_spread_from_the_first_to_the_last(count):
    movies = build(1, 10)
    index = WindowIndex([movies], find_periods([movies]), 3, DataConfig())
    chosen = [window.start for window in spread(index, count)]
    assert len(chosen) == min(count, 8) and chosen == sorted(set(chosen)) and chosen[0] == 0
    assert chosen[-1] == 7 or count == 1


@pytest.mark.parametrize("config", [DataConfig(), DataConfig(crop=4, crop_mode="grid")])
def test_eight_of_a_million_windows_are_chosen_without_a_list(config):
    frames = 1_500_000
    values = np.broadcast_to(np.float32(0), (1, frames, 8, 8, 1))
    movies = xr.Dataset({"frames": (("movie", "time", "y", "x", "channel"), values)}, attrs={"source": "years.nc"})
    periods = [Period(0, 0, start, start + 150_000) for start in range(0, frames, 150_000)]
    tracemalloc.start()
    try:
        index = WindowIndex([movies], periods, 20, config)
        chosen = spread(index, 8)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(index) == 10 * 149_981 * (4 if config.crop else 1)
    assert chosen[0].start == 0 and chosen[-1].start == frames - 20 and len(set(chosen)) == 8
    assert peak < 100_000  # a list of the windows takes 250 MB
