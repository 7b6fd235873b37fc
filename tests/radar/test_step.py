"""The time step: found in times, and compared with a tolerance."""

import numpy as np
import pytest
import xarray as xr

from predjax.radar.step import Step

MINUTE = np.timedelta64(1, "m")


def times(*minutes):
    return np.datetime64("2020-01-01", "ns") + np.array([minutes]) * MINUTE


def test_the_step_is_the_most_frequent_difference():
    assert Step.of_times(times(0, 5, 10, 30, 35, 60)) == (300.0, 0.01)
    assert Step.of_times(times(0)) is None


def jitter(step, frames, most):
    seconds = step * np.arange(frames) + np.random.default_rng(0).integers(0, most, frames)
    return np.datetime64("2020-01-01", "ns") + np.delete(seconds, [3, 4, 9]) * np.timedelta64(1, "s")


@pytest.mark.parametrize("step", [60, 120, 150, 300, 360, 600, 900])
@pytest.mark.parametrize("frames", [20, 100])
def test_times_that_jitter_by_seconds_have_a_round_step(step, frames):
    times = jitter(step, frames, min(20, step // 10))
    found = Step.of_times(times)
    assert found.seconds == step
    gaps = np.flatnonzero(~Step(step, 0.15).follows(times)).tolist()
    assert gaps == [2, 6] and found.agrees(Step(step)) and not found.agrees(Step(2 * step))


def test_of_few_times_the_step_is_known_as_far_as_they_tell():
    start, second = times(0)[0, 0], np.timedelta64(1, "s")
    assert Step.of_times(start + second * np.array([0, 302, 600])) == Step(300.0) and not Step(300.0).describe()
    found = Step.of_times(start + second * np.array([0, 312, 600]))
    assert found == Step(300.0, 0.15)
    said = "the times are not equally spaced: a step of 300 s is taken, times may be off by 45 s; --step sets it"
    assert found.describe() == said


def test_counting_back_takes_the_times_that_are_there():
    frames = list(jitter(300, 20, 20))
    found = Step(300.0, 0.15).count_back(frames, frames[-1], 18)
    missing = [time for time in found if time not in frames]
    assert len(missing) == 3 and set(frames[2:]) <= set(found) and sorted(found) == found
    assert Step(300.0).count_back(list(times(0, 5)[0]), times(5)[0, 0], 3) == [*times(-5, 0, 5)[0]]


def test_movies_say_their_step_and_numbered_frames_have_none():
    movies = xr.Dataset(coords={"time": (("movie", "time"), times(0, 5, 10))})
    assert Step.of(movies).seconds == 300
    assert Step.of(movies.assign_attrs(step_seconds=600.0)).seconds == 600
    assert Step.of(movies.assign_attrs(Step.given(600.0).attrs)) == Step.given(600.0)
    numbered = xr.Dataset(coords={"time": (("movie", "time"), [[0, 1, 2]])}, attrs={"step_seconds": 600.0})
    assert Step.of(numbered) is None


@pytest.mark.parametrize(("seconds", "fits"), [(300, True), (303, True), (297, True), (303.1, False), (600, False)])
def test_a_step_may_be_off_by_a_hundredth(seconds, fits):
    assert Step(300.0).fits(seconds) == Step(300.0).allows(seconds - 300) == fits
    assert Step(300.0, tolerance=1.0).fits(seconds)
