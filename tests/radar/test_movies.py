"""What Movies must keep, and what the errors say when they do not."""

import numpy as np
import pytest

from predjax.radar.formats.lazy import read_later
from predjax.radar.movies import DIMENSIONS, build_movies, check_movies, check_together, give_step, has_times


def make(values=None, units="mm/h", minutes=(0, 5, 10), source="a.nc"):
    frames = np.ones((1, len(minutes), 4, 5, 1), np.float32) if values is None else values
    time = np.datetime64("2020-01-01T00:00") + np.array([minutes]) * np.timedelta64(1, "m")
    return build_movies(frames, {"time": time}, attrs={"units": units}, source=source, files=[source])


def test_the_labels_of_frames_without_coordinates_are_numbers():
    movies = check_movies(
        build_movies(np.ones((2, 3, 4, 5, 2), np.float32), attrs={"units": "1"}, source="a.npy", files=["a.npy"])
    )
    assert movies.frames.dims == ("movie", "time", "y", "x", "channel")
    np.testing.assert_array_equal(movies.time, [[0, 1, 2]] * 2)
    np.testing.assert_array_equal(movies.x, range(5))
    np.testing.assert_array_equal(movies.channel, [0, 1])
    assert movies.time.dtype == np.int64 and movies.time.attrs["units"] == "1" and movies.y.attrs["units"] == "1"
    assert "step_seconds" not in movies.attrs and not has_times(movies)


def test_the_step_is_the_most_frequent_difference_even_beside_gaps():
    movies = check_movies(make(minutes=(0, 5, 10, 30, 35, 60)))
    assert movies.attrs["step_seconds"] == 300.0 and has_times(movies)


def test_no_coverage_in_some_frames_is_fine_and_in_all_is_an_error():
    frames = np.full((1, 3, 4, 5, 1), np.nan, np.float32)
    with pytest.raises(ValueError, match=r"a\.nc: no finite value in any of 3 frames"):
        check_movies(make(frames))
    frames[0, 1, 2, 2] = 0
    check_movies(make(frames))
    many = np.full((1, 50, 2, 2, 1), np.nan, np.float32)
    times = tuple(range(50))
    with pytest.raises(ValueError, match="in any of 50 frames"):
        check_movies(make(many, minutes=times))
    many[0, 20] = 0  # none of the frames that are looked at first
    check_movies(make(many, minutes=times))


@pytest.mark.parametrize(
    ("units", "value", "fine"),
    [
        ("mm/h", 2000, True),
        ("mm/h", 2001, False),
        ("mm/h", -0.005, True),
        ("mm/h", -1, False),
        ("dBZ", -99, True),
        ("dBZ", 121, False),
        ("dBZ", -150, False),
        ("1", 1e6, True),
        ("K", -1e6, True),
        ("1", np.inf, False),
        ("mm/h", -np.inf, False),
    ],
)
def test_values_lie_where_weather_lies(units, value, fine):
    frames = np.zeros((1, 3, 4, 5, 1), np.float32)
    frames[0, 1, 2, 3] = value
    if fine:
        check_movies(make(frames, units))
    else:
        with pytest.raises(ValueError, match=rf"a\.nc: values in {units} .* frame 1 of movie 0 holds {value:g}"):
            check_movies(make(frames, units))


@pytest.mark.parametrize("minutes", [(0, 5, 5), (0, 10, 5)])
def test_times_must_increase(minutes):
    with pytest.raises(ValueError, match=r"a\.nc: the times of movie 0 must increase, but frame 1 is at 2020"):
        check_movies(make(minutes=minutes))


def test_a_missing_time_is_named():
    movies = make()
    movies["time"] = (("movie", "time"), np.array([["2020-01-01", "NaT", "2020-01-02"]], "datetime64[ns]"))
    with pytest.raises(ValueError, match="the time of frame 1 is missing"):
        check_movies(movies)


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        (lambda m: m.rename(frames="rain"), "need a variable 'frames', found rain"),
        (lambda m: m.transpose("time", "movie", ...), "frames must have the dimensions"),
        (lambda m: m.assign(frames=m.frames.astype("f8")), "must be float32, not float64"),
        (lambda m: m.isel(time=slice(0)), "no frames to read .*time 0"),
        (lambda m: m.assign(frames=m.frames.assign_attrs(units=3)), "need an attribute 'units'"),
        (lambda m: m.drop_vars("y"), "coordinate 'y' must have the dimensions"),
        (lambda m: m.assign(forcings=("time", [0, 1, 2])), "forcings must have the dimensions"),
    ],
)
def test_the_form_is_checked(broken, rule):
    with pytest.raises(ValueError, match=rule):
        check_movies(broken(make()))


def test_a_data_set_has_one_unit_and_the_same_channels():
    rain, reflectivity = make(source="a.nc"), make(units="dBZ", source="b.nc")
    with pytest.raises(ValueError, match=r"a\.nc is in mm/h and b\.nc in dBZ: choose one with --units"):
        check_together([rain, make(), reflectivity])
    two = make(np.ones((1, 3, 4, 5, 2), np.float32), source="two.nc")
    with pytest.raises(
        ValueError, match=r"a\.nc has the channels \[0\] and two\.nc has \[0, 1\]: they cannot be used together"
    ):
        check_together([rain, two])
    forced = rain.assign(forcings=(("movie", "time", "forcing"), np.zeros((1, 3, 1), np.float32)))
    with pytest.raises(ValueError, match="forcings"):
        check_together([rain, forced.assign_coords(forcing=["wind"])])
    other_grid = make(np.ones((1, 2, 8, 8, 1), np.float32), minutes=(0, 10))
    assert len(check_together([rain, other_grid])) == 2


def test_only_a_few_frames_are_looked_at():
    looked_at = []

    class Spy:
        shape, dtype, reads_lists = (1, 1000, 4, 5, 1), np.dtype("f4"), False

        def read(self, key):
            looked_at.append(key[1])
            return np.zeros((4, 5, 1), "f4")

    movies = make(read_later(DIMENSIONS, Spy()), minutes=np.arange(1000) * 5)
    check_movies(movies)
    assert len(looked_at) == 8 and looked_at[0] == 0 and looked_at[-1] == 999


def test_a_step_that_is_given_is_that_of_the_movies():
    times = np.datetime64("2020-01-01", "ns") + np.array([[0, 280, 600]]) * np.timedelta64(1, "s")
    labels = {"attrs": {"units": "mm/h"}, "source": "a.nc", "files": ["a.nc"]}
    movies = build_movies(np.zeros((1, 3, 2, 2, 1), np.float32), {"time": times}, **labels)
    assert movies.attrs["remarks"][0].startswith("the times are not equally spaced: a step of 300 s is taken")
    given = give_step(movies, "5min")
    assert given.attrs["step_seconds"] == 300 and give_step(movies, "") is movies
    assert given.attrs["remarks"] == ["the step is 300 s as given, times may be off by 45 s"]
    with pytest.raises(
        ValueError, match=r"a\.nc: no two frames are 600 s apart, as --step says: the step found is 300"
    ):
        give_step(movies, "10min")
    numbered = give_step(build_movies(np.zeros((1, 3, 2, 2, 1), np.float32), **labels), "300s")
    assert numbered.attrs["step_seconds"] == 300 and numbered.attrs["remarks"] == ["the step is 300 s as given"]
