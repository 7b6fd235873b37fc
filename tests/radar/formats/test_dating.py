"""The dates of frames: by labels of files and Datasets, by names of files, or by nothing, which a line says."""

import netCDF4
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from predjax.radar.readers import read_movies
from predjax.radar.windows.runs import find_periods

START, STEP = np.datetime64("2026-06-01T22:05", "ns"), np.timedelta64(5, "m")
PIXELS = {axis: (axis, np.arange(size), {"units": "km"}) for axis, size in (("y", 4), ("x", 5))}
HELP = "--time_pattern reads dates in file names, --time none numbers the frames"


def rain(times=None, frames=4, attrs=None):
    """Frames with the given label of time, or with none."""
    coords = PIXELS if times is None else {**PIXELS, "time": ("time", times, attrs or {})}
    units = {"units": "mm h-1", "standard_name": "rainfall_rate"}
    return xr.Dataset({"rain": (("time", "y", "x"), np.zeros((frames, 4, 5), np.float32), units)}, coords)


def read(data, **options):
    (movies,) = read_movies(data, **options)
    return movies


def test_characters_of_wrf_are_dates(tmp_path):
    texts = ["2026-06-01_22:05:00", "2026-06-01_22:10:00", "2026-06-01_23:00:00"]
    with netCDF4.Dataset(tmp_path / "wrf.nc", "w") as file:
        for name, size in (("Time", 3), ("south_north", 4), ("west_east", 5), ("DateStrLen", 19)):
            file.createDimension(name, size)
        file.createVariable("Times", "S1", ("Time", "DateStrLen"))[:] = netCDF4.stringtochar(np.array(texts, "S19"))
        file.createVariable("rain", "f4", ("Time", "south_north", "west_east"))[:] = 0
    movies = read(tmp_path / "wrf.nc")
    np.testing.assert_array_equal(movies.time.values[0], START + np.array([0, 1, 11]) * STEP)
    assert [period.frames for period in find_periods([movies])] == [2, 1]


@pytest.mark.parametrize("as_objects", [False, True])
def test_coordinates_with_a_time_zone_become_utc(as_objects):
    dates = pd.date_range("2026-06-02T00:05", periods=4, freq="5min", tz="Europe/Berlin")
    movies = read(rain(np.array(list(dates), object) if as_objects else dates))
    np.testing.assert_array_equal(movies.time.values[0], START + np.arange(4) * STEP)
    assert "time: texts are read as dates" in movies.attrs["remarks"]


def test_a_single_text_dates_a_single_frame():
    movies = read(rain(frames=1).isel(time=0).assign_coords(time="2026-06-01T22:05Z"))
    assert movies.time.values.tolist() == [[START.astype(int)]]


def test_dates_by_their_units_come_before_other_labels():
    since = ("time", 5 * np.arange(4), {"units": "minutes since 2026-06-01 22:05"})
    movies = read(rain(np.arange(4)).assign(valid_time=since))
    assert movies.time.values[0, 1] == START + STEP and not movies.attrs["remarks"]


def test_equally_spaced_numbers_count_frames_and_a_line_says_so():
    movies = read(rain(5 * np.arange(4), attrs={"units": "minutes"}))
    assert movies.time.values.tolist() == [[0, 1, 2, 3]]
    rule = "time holds 0, 5, 10 in 'minutes', which are no dates; they are equally spaced, and the frames are numbered"
    assert movies.attrs["remarks"] == [f"{rule}: {HELP}"]
    assert read(rain()).attrs["remarks"] == ["there are no times, the frames are numbered"]


@pytest.mark.parametrize("times", [[0, 5, 10, 60], ["a", "b", "c", "d"], [3, 2, 1, 0], [5, 5, 5, 5]])
def test_labels_that_may_hide_a_gap_are_refused_unless_they_are_to_be_ignored(times):
    with pytest.raises(ValueError, match=f"which are no dates, and frames may be missing between them: {HELP}"):
        read(rain(np.array(times)))
    movies = read(rain(np.array(times)), time="none")
    assert movies.time.values.tolist() == [[0, 1, 2, 3]]
    assert movies.attrs["remarks"] == ["times are ignored (time), the frames are numbered (--time none)"]


def test_names_of_files_date_frames_without_times(tmp_path):
    for minute in (5, 10, 20):
        rain(frames=1).to_netcdf(tmp_path / f"r_2026060122{minute:02d}.nc")
    movies = read(tmp_path, time_pattern="%Y%m%d%H%M")
    np.testing.assert_array_equal(movies.time.values[0], START + np.array([0, 1, 3]) * STEP)
    assert movies.attrs["remarks"] == ["dated by the names of files (%Y%m%d%H%M), taken as UTC"]
    rain(frames=1).to_netcdf(tmp_path / "other.nc")
    with pytest.raises(ValueError, match=r"other\.nc: the time_pattern %Y%m%d%H%M is not in its name"):
        read(tmp_path, time_pattern="%Y%m%d%H%M")


def test_names_and_labels_must_agree(tmp_path):
    path = tmp_path / "r_202606012205.nc"
    rain(START + np.array([0]) * STEP + np.timedelta64(30, "s"), 1).to_netcdf(path)
    assert read(path, time_pattern="%Y%m%d%H%M").time.values[0, 0] == START + np.timedelta64(30, "s")
    path = tmp_path / "late" / path.name
    path.parent.mkdir()
    rain(START + np.array([12]) * STEP, 1).to_netcdf(path)
    named = r"the name says 2026-06-01T22:05:00 \(--time_pattern %Y%m%d%H%M\), time says 2026-06-01T23:05:00"
    with pytest.raises(ValueError, match=named):
        read(path, time_pattern="%Y%m%d%H%M")
    path = tmp_path / "several" / path.name
    path.parent.mkdir()
    rain().to_netcdf(path)
    with pytest.raises(ValueError, match="holds 4 frames, and --time_pattern %Y%m%d%H%M dates files of one frame"):
        read(path, time_pattern="%Y%m%d%H%M")


def test_arrays_of_several_frames_are_not_dated_by_their_names(tmp_path):
    np.save(tmp_path / "a_20260601.npy", np.zeros((2, 4, 4), np.float32))
    with pytest.raises(ValueError, match="holds 2 frames, and --time_pattern %Y%m%d dates files of one frame"):
        read(tmp_path / "a_20260601.npy", time_pattern="%Y%m%d")
    np.savez(tmp_path / "b_20260601.npz", np.zeros((2, 4, 4), np.float32))
    with pytest.raises(ValueError, match=r"b_20260601\.npz: --time_pattern dates frames of files that are joined"):
        read(tmp_path / "b_20260601.npz", time_pattern="%Y%m%d")


@pytest.mark.parametrize(("shape", "layout"), [((4, 6), "auto"), ((1, 4, 6), "auto"), ((6, 4), "x,y,time")])
def test_arrays_of_one_frame_are_joined_by_the_dates_of_their_names(tmp_path, shape, layout):
    frames = np.random.default_rng(0).uniform(0, 9, (3, *shape)).astype("f4")
    for minute, frame in zip((10, 5, 20), frames):
        np.save(tmp_path / f"r_2026060122{minute:02d}.npy", frame)
    movies = read(tmp_path, time_pattern="%Y%m%d%H%M", source_units="mm/5min", layout=layout)
    np.testing.assert_array_equal(movies.time.values[0], START + np.array([0, 1, 3]) * STEP)
    expected = frames[[1, 0, 2]] * 12
    expected = expected.swapaxes(1, 2) if layout != "auto" else expected.reshape(3, 4, 6)
    np.testing.assert_allclose(movies.frames.values[0, ..., 0], expected, rtol=1e-6)
    assert "dated by the names of files (%Y%m%d%H%M), taken as UTC" in movies.attrs["remarks"]
    assert [period.frames for period in find_periods([movies])] == [2, 1]
