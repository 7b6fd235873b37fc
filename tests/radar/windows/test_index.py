"""Periods, splits and windows: never across a gap, no frame in two parts, a window between them."""

import itertools

import numpy as np
import pytest
import xarray as xr

from predjax.radar.config import DataConfig
from predjax.radar.windows.index import Period, Window, find_periods, find_windows, split_periods


def build(movies=1, frames=10, height=6, width=8, *, times=None, source="a.nc", step_seconds=300.0):
    """Movies in memory; without `times` (movie, time in minutes) the frames are numbered."""
    if times is None:
        time, attrs = np.broadcast_to(np.arange(frames), (movies, frames)).copy(), {"units": "1"}
    else:
        minutes = np.atleast_2d(np.asarray(times, float))
        time = np.datetime64("2020-01-01", "ns") + (minutes * 60e9).astype("timedelta64[ns]")
        (movies, frames), attrs = minutes.shape, {}
    values = np.zeros((movies, frames, height, width, 1), np.float32)
    dataset = xr.Dataset(
        {"frames": (("movie", "time", "y", "x", "channel"), values, {"units": "dBZ"})},
        coords={"time": (("movie", "time"), time, attrs)},
        attrs={"source": source, "files": [source]},
    )
    if times is not None:
        dataset.attrs["step_seconds"] = step_seconds
    return dataset


def lengths(periods):
    return [period.stop - period.start for period in periods]


def test_a_gap_ends_a_period():
    times = [[0, 5, 10, 20, 25, 30], [0, 5, 10, 15, 20, 25]]
    assert find_periods([build(times=times)]) == [Period(0, 0, 0, 3), Period(0, 0, 3, 6), Period(0, 1, 0, 6)]


def test_a_step_that_is_too_short_is_a_gap_as_well():
    assert lengths(find_periods([build(times=[[0, 5, 10, 12, 17]])])) == [3, 2]


def test_one_percent_of_the_step_is_no_gap():
    assert lengths(find_periods([build(times=[[0, 5.04, 10, 15]])])) == [4]
    assert lengths(find_periods([build(times=[[0, 5.06, 10.06, 15.06]])])) == [1, 3]


def test_numbered_frames_have_no_gap():
    assert find_periods([build(2, 7), build(1, 3)]) == [Period(0, 0, 0, 7), Period(0, 1, 0, 7), Period(1, 0, 0, 3)]


def test_sources_keep_their_own_step():
    ten = build(times=[[0, 10, 20]], step_seconds=600.0)
    assert lengths(find_periods([build(times=[[0, 5, 10, 15]]), ten])) == [4, 3]


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_no_window_crosses_a_gap(stride):
    movies = build(times=[[0, 5, 10, 15, 30, 35, 40, 45, 50, 75, 80]])
    windows = find_windows([movies], find_periods([movies]), 3, stride)
    for window in windows:
        steps = np.diff(movies.time.values[0, window.start : window.start + 3])
        assert (steps == np.timedelta64(300, "s")).all()
    starts = [window.start for window in windows]
    assert starts == {1: [0, 1, 4, 5, 6], 2: [0, 4, 6], 3: [0, 4]}[stride]


def test_tiles_of_a_grid_cover_the_frame():
    movies = build(frames=2, height=7, width=8)
    windows = find_windows([movies], find_periods([movies]), 2, crop=3, crop_mode="grid")
    seen = np.zeros((7, 8), int)
    for window in windows:
        assert 0 <= window.y <= 4 and 0 <= window.x <= 5
        seen[window.y : window.y + 3, window.x : window.x + 3] += 1
    assert (seen > 0).all() and len(windows) == 9
    whole = find_windows([movies], find_periods([movies]), 2, crop=7, crop_mode="grid")
    assert [(window.y, window.x) for window in whole] == [(0, 0), (0, 1)]


def test_centre_crop_and_whole_frames():
    movies = build(frames=3, height=6, width=9)
    periods = find_periods([movies])
    assert find_windows([movies], periods, 3, crop=4) == [Window(0, 0, 0, 1, 2)]
    assert find_windows([movies], periods, 3) == [Window(0, 0, 0, 0, 0)]
    assert find_windows([movies], periods, 3, crop=4, crop_mode="random") == [Window(0, 0, 0, 0, 0)]


def test_a_window_longer_than_any_run_names_the_longest():
    sources = [build(1, 5, source="short.nc"), build(2, 9, source="long.nc")]
    message = "a window of 10 frames is longer than any run of frames without a gap: the longest has 9, in long.nc"
    with pytest.raises(ValueError, match=message):
        find_windows(sources, find_periods(sources), 10)
    assert find_windows(sources, [], 10) == []


def test_a_crop_larger_than_a_frame_names_the_file():
    sources = [build(height=20, width=20), build(height=6, width=9, source="small.nc")]
    with pytest.raises(ValueError, match=r"crop 7 is larger than the frame 6x9 of small\.nc"):
        find_windows(sources, find_periods(sources), 2, crop=7)


def test_split_by_movie_holds_out_the_last_movies():
    periods = find_periods([build(6, 8), build(4, 8)])
    split = split_periods(periods, 5, DataConfig(valid_fraction=0.2, test_fraction=0.3))
    assert split.train == periods[:5] and split.valid == periods[5:7] and split.test == periods[7:]
    assert split.rule == "split by movie: 5 for training, 2 for validation, 3 for the test"


def test_movies_without_a_window_are_not_held_out():
    periods = find_periods([build(3, 8), build(2, 3)])
    split = split_periods(periods, 5, DataConfig())
    assert [len(part) for part in split[:3]] == [3, 1, 1]
    assert (split.valid + split.test) == periods[1:3]


def test_periods_of_a_movie_stay_together():
    times = [[0, 5, 10, 30, 35, 40]] * 3
    split = split_periods(find_periods([build(times=times)]), 2, DataConfig())
    for part, movie in zip(split[:3], range(3)):
        assert {period.movie for period in part} == {movie} and len(part) == 2


@pytest.mark.parametrize(
    "frames, length, expected", [(200, 10, (120, 30, 30)), (60, 12, (12, 12, 12)), (61, 12, (13, 12, 12))]
)
def test_split_by_time_leaves_a_window_between_the_parts(frames, length, expected):
    split = split_periods([Period(0, 0, 4, 4 + frames)], length, DataConfig())
    (train,), (valid,), (test,) = split[:3]
    assert tuple(lengths([train, valid, test])) == expected
    assert train.start == 4 and test.stop == 4 + frames
    assert valid.start - train.stop == length == test.start - valid.stop
    assert split.rule == (
        f"split by time: {expected[0]} frames for training, {expected[1]} for validation, {expected[2]} for the test, "
        f"with {length} frames between the parts"
    )


def test_without_room_for_both_only_validation_is_held_out():
    split = split_periods([Period(0, 0, 0, 59)], 12, DataConfig())
    assert (split.train, split.valid, split.test) == ([Period(0, 0, 0, 35)], [Period(0, 0, 47, 59)], [])
    assert "35 frames for training, 12 for validation, 0 for the test" in split.rule
    assert split.rule.endswith("(the longest run of 59 frames has no room for a test part as well)")


def test_without_room_nothing_is_held_out():
    split = split_periods([Period(0, 0, 0, 35)], 12, DataConfig())
    assert (split.train, split.valid, split.test) == ([Period(0, 0, 0, 35)], [], [])
    assert split.rule == (
        "nothing is held out: the longest run of 35 frames has no room for training, a gap and "
        "a held-out part of at least 12 frames each"
    )


def test_a_fraction_of_zero_switches_a_part_off():
    periods = find_periods([build(10, 30)])
    for config in (DataConfig(test_fraction=0.0), DataConfig(test_fraction=0.0, split="time")):
        split = split_periods(periods, 5, config)
        assert split.valid and not split.test and "0 for the test" in split.rule
        assert "no room" not in split.rule
    split = split_periods(periods, 5, DataConfig(valid_fraction=0.0, split="time"))
    assert split.test and not split.valid
    split = split_periods(periods, 5, DataConfig(valid_fraction=0.0, test_fraction=0.0))
    assert split[:3] == (periods, [], []) and "fraction" in split.rule


def test_auto_is_by_movie_from_three_movies_on():
    two, three = find_periods([build(2, 100)]), find_periods([build(2, 100), build(1, 100)])
    assert split_periods(two, 5, DataConfig()).rule.startswith("split by time: ")
    assert split_periods(three, 5, DataConfig()).rule.startswith("split by movie: ")
    assert split_periods(two, 5, DataConfig(split="movie")).rule == (
        "split by movie: 1 for training, 1 for validation, 0 for the test"
    )
    only = split_periods(two[:1], 5, DataConfig(split="movie"))
    assert only.train == two[:1] and not only.valid + only.test and only.rule.startswith("nothing is held out: ")


@pytest.mark.parametrize("split", ["movie", "time"])
@pytest.mark.parametrize("fractions", [(0.15, 0.15), (0.4, 0.5), (0.5, 0.4), (0.01, 0.9)])
def test_parts_share_no_frame_and_training_keeps_a_window(split, fractions):
    times = [[0, 5, 10, 15, 20, 25, 30, 35, 40, 60, 65, 70, 75, 80, 85, 90]] * 3
    movies = [build(times=times), build(1, 40)]
    runs = find_periods(movies)
    config = DataConfig(split=split, valid_fraction=fractions[0], test_fraction=fractions[1])
    parts = split_periods(runs, 3, config)[:3]
    used = [
        {(window.source, window.movie, window.start + i) for window in find_windows(movies, part, 3) for i in range(3)}
        for part in parts
    ]
    assert used[0] and used[1]
    for one, other in itertools.combinations(used, 2):
        assert not one & other
    for one, other in itertools.combinations(parts, 2):
        for run, a, b in itertools.product(runs, one, other):
            inside = [run[:2] == c[:2] and run.start <= c.start and c.stop <= run.stop for c in (a, b)]
            assert not all(inside) or b.start - a.stop >= 3


def test_when_no_window_fits_training_keeps_all():
    periods = find_periods([build(4, 5)])
    split = split_periods(periods, 6, DataConfig())
    assert split[:3] == (periods, [], [])
    assert split.rule == "nothing is held out: no run of frames holds a window of 6 frames"
