"""What a checkpoint says of its data: found again in the same data, and overlaps in any other."""

import json

import numpy as np
import pytest
from timed_movies import build

from predjax.radar.windows.index import Window
from predjax.radar.windows.provenance import (
    count_overlaps,
    describe_periods,
    describe_sampling,
    find_other_sampling,
    restore_periods,
)
from predjax.radar.windows.runs import Period

MINUTES = [0, 5, 10, 15, 20, 25, 30, 35]


def place(movies, *, first=0.0, pixel=1.0, units="km"):
    """The movies on a grid in km."""
    axes = {axis: (axis, first + pixel * np.arange(movies.sizes[axis]), {"units": units}) for axis in ("y", "x")}
    return movies.assign_coords(axes)


def test_periods_are_found_again():
    sources = [place(build(times=[MINUTES])), build(2, 6)]
    periods = [Period(0, 0, 2, 6), Period(1, 1, 0, 5)]
    records = json.loads(json.dumps(describe_periods([place(sources[0]), place(sources[1])], periods)))
    assert records[0] == {
        "source": 0, "movie": 0, "start": 2, "stop": 6, "name": "a.nc", "grid": [6, 8, 0.0, 5000.0, 0.0, 7000.0],
        "first": "2020-01-01T00:10:00", "last": "2020-01-01T00:25:00",
    }  # fmt: skip
    assert (records[1]["first"], records[1]["last"]) == (0, 4)
    assert restore_periods([place(one) for one in sources], records) == periods


def test_other_data_are_refused():
    records = describe_periods([place(build(times=[MINUTES]))], [Period(0, 0, 2, 6)])
    with pytest.raises(ValueError, match=r"a\.nc: movie 0 until 2020-01-01T00:25:00 is not in the data any more"):
        restore_periods([place(build(times=[MINUTES[:4]]))], records)
    with pytest.raises(ValueError, match=r"the data changed, 2020-01-01T00:10:00 is 2020-01-01T00:20:00 now"):
        restore_periods([place(build(times=[[10 + minute for minute in MINUTES]]))], records)


@pytest.mark.parametrize(
    ("movies", "overlaps"),
    [
        (place(build(times=[MINUTES], source="other.nc")), 2),  # the same times and pixels in another file
        (place(build(times=[MINUTES]), pixel=1000.0, units="m"), 2),
        (place(build(times=[MINUTES]), first=1.0), 0),  # elsewhere
        (place(build(times=[[60 + minute for minute in MINUTES]])), 0),  # another time
        (place(build(times=[MINUTES]), units="1"), 2),  # pixel numbers: the same file
        (place(build(times=[MINUTES], source="other.nc"), units="1"), 0),
    ],
)
def test_windows_that_share_frames_are_counted(movies, overlaps):
    units = movies["x"].attrs["units"]
    trained = place(build(times=[MINUTES]), units="1" if units == "1" else "km")
    records = describe_periods([trained], [Period(0, 0, 2, 4)])
    assert count_overlaps([movies], [Window(0, 0, start, 0, 0) for start in (0, 3, 4, 5)], 3, records) == overlaps


def test_the_sampling_is_told_where_it_differs():
    sampling = describe_sampling([place(build(times=[MINUTES])), place(build(times=[MINUTES]), pixel=0.5), build()])
    assert sampling == {"steps": [300.0], "pixels": [500.0, 1000.0]}
    for same in ((300.0, 1000.0), (302.0, 505.0), (None, None), (300.0, None)):
        assert find_other_sampling(sampling, *same) == ""
    assert find_other_sampling({}, 600.0, 2000.0) == ""
    assert find_other_sampling(sampling, 600.0, 2000.0) == (
        "a step of 600 s where the model was trained on 300, "
        "pixels of 2000 m where the model was trained on 500 or 1000"
    )
