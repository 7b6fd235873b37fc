"""Runs of frames: never across a gap."""

from timed_movies import build

from predjax.radar.windows.runs import Period, find_longest, find_periods


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


def test_times_that_jitter_are_no_gaps_and_gaps_stay_gaps():
    movies = build(times=[[0, 5.3, 10, 14.8, 25, 30.2]])
    movies.attrs["step_tolerance"] = 0.15
    assert lengths(find_periods([movies])) == [4, 2]


def test_numbered_frames_have_no_gap():
    assert find_periods([build(2, 7), build(1, 3)]) == [Period(0, 0, 0, 7), Period(0, 1, 0, 7), Period(1, 0, 0, 3)]


def test_sources_keep_their_own_step():
    ten = build(times=[[0, 10, 20]], step_seconds=600.0)
    assert lengths(find_periods([build(times=[[0, 5, 10, 15]]), ten])) == [4, 3]


def test_the_first_of_the_longest_runs_is_found():
    periods = find_periods([build(times=[[0, 5, 20, 25, 30, 60, 65, 70]])])
    assert find_longest(periods) == periods[1] and periods[1].frames == 3
    assert find_longest([]) is None
