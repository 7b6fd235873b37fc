"""Splits: no frame in two parts, and a window between them."""

import itertools

import pytest
from timed_movies import build

from predjax.radar.config import DataConfig
from predjax.radar.windows.index import WindowIndex
from predjax.radar.windows.runs import Period, find_periods
from predjax.radar.windows.splits import split_periods


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
    assert tuple(period.frames for period in (train, valid, test)) == expected
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
        {
            (window.source, window.movie, window.start + i)
            for window in WindowIndex(movies, part, 3, DataConfig())
            for i in range(3)
        }
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
