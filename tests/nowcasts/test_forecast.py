"""The door out: labels of the predicted frames."""

import numpy as np
import pytest
import xarray as xr

from predjax.nowcasts.forecast import lead_timedeltas, to_forecast
from predjax.radar.movies import build_movies
from predjax.radar.windows.index import Window

START = np.datetime64("2020-10-31T05:50", "ns")


def make_movies(*, step_seconds=600, times=True, movies=2, grid_mapping=True):
    rng = np.random.default_rng(0)
    frames = rng.random((movies, 8, 6, 5, 1), np.float32)
    attrs = {"units": "mm/h", "standard_name": "rainfall_rate", "long_name": "rain rate", "variable": "rainrate"}
    attrs |= {"zr_a": 200.0, "zr_b": 1.6, "dtype_on_disk": "int16"} | ({"grid_mapping": "proj"} if grid_mapping else {})
    start = START + np.arange(movies)[:, None] * np.timedelta64(1, "D")
    place = {"units": "km"}
    dataset = build_movies(
        frames,
        {
            "time": start + np.arange(8) * np.timedelta64(step_seconds, "s") if times else None,
            "y": xr.Variable("y", 127.75 - 0.5 * np.arange(6), place | {"standard_name": "projection_y_coordinate"}),
            "x": xr.Variable("x", -127.75 + 0.5 * np.arange(5), place | {"standard_name": "projection_x_coordinate"}),
        },
        attrs=attrs,
        source="bom_frames/*.nc",
        files=["a.nc", "b.nc"],
    )
    dataset["proj"] = xr.Variable((), 0, {"grid_mapping_name": "albers_conical_equal_area", "GeoTransform": "0 1 2"})
    return dataset.assign_attrs(title="Rain", institution="Bureau", references="doi", history="made once")


def label(movies, frames=None, *, window=None, input_length=4, **options):
    window = window or Window(source=0, movie=1, start=2, y=1, x=2)
    frames = np.zeros((3, 4, 3, 1), np.float32) if frames is None else frames
    return to_forecast(frames, movies, window, input_length, "persistence", "predjax 1.2", **options)


def test_init_time_is_that_of_the_last_observed_frame():
    forecast = label(make_movies())
    # movie 1 starts a day later; frames 2, 3, 4, 5 are observed
    init = START + np.timedelta64(1, "D") + np.timedelta64(50, "m")
    assert forecast.init_time.values == init
    assert forecast.lead_time.values.tolist() == [10, 20, 30] and forecast.lead_time.attrs["units"] == "minutes"
    assert forecast.lead_time.dtype.kind == "i"
    assert (forecast.valid_time.values == init + np.array([10, 20, 30], "timedelta64[m]")).all()


def test_frames_lie_on_the_pixels_of_the_crop_under_the_name_of_the_data():
    frames = np.random.default_rng(1).random((3, 4, 3, 1), np.float32)
    frames[:, 0, 0] = np.nan
    forecast = label(make_movies(), frames)
    assert list(forecast.data_vars) == ["rainrate"]
    assert forecast.rainrate.dims == ("lead_time", "y", "x", "channel")
    np.testing.assert_array_equal(forecast.rainrate, frames)
    assert forecast.y.values.tolist() == [127.25, 126.75, 126.25, 125.75] and forecast.y.attrs["units"] == "km"
    assert forecast.x.values.tolist() == [-126.75, -126.25, -125.75]
    assert forecast.rainrate.attrs == {
        "standard_name": "rainfall_rate",
        "long_name": "rain rate",
        "units": "mm/h",
        "zr_a": 200.0,
        "zr_b": 1.6,
        "grid_mapping": "proj",
    }


def test_members_are_numbered_from_one():
    frames = np.random.default_rng(2).random((3, 2, 4, 3, 1), np.float32)
    forecast = label(make_movies(), frames)
    assert forecast.rainrate.dims == ("realization", "lead_time", "y", "x", "channel")
    np.testing.assert_array_equal(forecast.rainrate, frames)
    assert forecast.realization.values.tolist() == [1, 2, 3] and forecast.lead_time.values.tolist() == [10, 20]


def test_the_projection_goes_with_it_but_not_the_corner_of_the_whole_grid():
    forecast = label(make_movies())
    assert forecast.proj.attrs == {"grid_mapping_name": "albers_conical_equal_area"}
    assert "proj" not in label(make_movies(grid_mapping=False)).coords


def test_provenance_names_the_method_the_movie_and_the_maker():
    attrs = label(make_movies()).attrs
    assert attrs["title"] == "Nowcast by persistence of Rain" and attrs["source"] == "predjax 1.2"
    assert attrs["institution"] == "Bureau" and attrs["references"] == "doi"
    first, second = attrs["history"].splitlines()
    assert first == "made once" and second.endswith("nowcast by persistence from movie 1 of bom_frames/*.nc")


def test_movies_without_times_are_counted_in_frames():
    forecast = label(make_movies(times=False))
    assert forecast.init_time.item() == 5 and forecast.init_time.attrs["units"] == "1"
    assert forecast.lead_time.values.tolist() == [1, 2, 3] and forecast.lead_time.attrs["units"] == "1"
    assert forecast.valid_time.values.tolist() == [6, 7, 8]


def test_a_step_that_is_no_whole_minute_is_given_in_seconds():
    forecast = label(make_movies(step_seconds=150))
    assert forecast.lead_time.values.tolist() == [150, 300, 450] and forecast.lead_time.attrs["units"] == "seconds"
    assert forecast.valid_time.values[0] - forecast.init_time.values == np.timedelta64(150, "s")


def test_a_forecast_may_go_beyond_the_end_of_the_movie():
    forecast = label(make_movies(), np.zeros((20, 6, 5, 1)), window=Window(0, 0, 4, 0, 0))
    assert forecast.init_time.values == START + np.timedelta64(70, "m") and forecast.sizes["lead_time"] == 20


def test_lead_times_become_durations_whatever_their_unit():
    for units, seconds in (("minutes", 300), ("seconds", 5)):
        lead_time = xr.DataArray([5], dims="lead_time", attrs={"units": units})
        assert lead_timedeltas(lead_time).tolist() == [seconds * 10**9]
    with pytest.raises(ValueError, match="'1' are no durations"):
        lead_timedeltas(xr.DataArray([5], attrs={"units": "1"}, dims="lead_time"))


@pytest.mark.parametrize(
    ("frames", "options", "message"),
    [
        (np.zeros((3, 4, 3)), {}, r"must be \(T, H, W, C\) or \(E, T, H, W, C\), not \(3, 4, 3\)"),
        (np.zeros((3, 6, 5, 1)), {}, r"bom_frames/\*.nc: predicted frames of 6x5x1 at pixel \(1, 2\)"),
        (np.zeros((3, 4, 3, 2)), {}, "4x3x2"),
        (None, {"input_length": 7}, "starts at frame 2 with 7 observed of 8 frames"),
        (None, {"input_length": -1}, "no last observed frame"),
    ],
)
def test_frames_that_do_not_continue_the_window_are_refused(frames, options, message):
    with pytest.raises(ValueError, match=message):
        label(make_movies(), frames, **options)


@pytest.mark.parametrize("step", [None, 0.5])
def test_an_unknown_time_step_is_an_error(step):
    movies = make_movies()
    movies.attrs.pop("step_seconds")
    movies.attrs |= {} if step is None else {"step_seconds": step}
    with pytest.raises(ValueError, match=f"time step of whole seconds, found {step}"):
        label(movies)
