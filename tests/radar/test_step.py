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


def test_movies_say_their_step_and_numbered_frames_have_none():
    movies = xr.Dataset(coords={"time": (("movie", "time"), times(0, 5, 10))})
    assert Step.of(movies).seconds == 300
    assert Step.of(movies.assign_attrs(step_seconds=600.0)).seconds == 600
    numbered = xr.Dataset(coords={"time": (("movie", "time"), [[0, 1, 2]])}, attrs={"step_seconds": 600.0})
    assert Step.of(numbered) is None


@pytest.mark.parametrize(("seconds", "fits"), [(300, True), (303, True), (297, True), (303.1, False), (600, False)])
def test_a_step_may_be_off_by_a_hundredth(seconds, fits):
    assert Step(300.0).fits(seconds) == Step(300.0).allows(seconds - 300) == fits
    assert Step(300.0, tolerance=1.0).fits(seconds)
