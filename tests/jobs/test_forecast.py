"""`predjax.forecast` of frames in memory."""

import pytest
import xarray as xr
from tiny import ROOT

import predjax
from predjax.nowcasts.baselines import BASELINES, Baseline

SAMPLE = str(ROOT / "data" / "radar_movies.nc")


@pytest.fixture(scope="module")
def sample():
    with xr.open_dataset(SAMPLE) as dataset:
        yield dataset


def test_forecast_takes_a_dataset_of_frames(tiny_run, sample, tmp_path):
    """The same from the file, from the dataset that was opened from it, and from an array of its frames."""
    movie = sample.isel(movie=3)
    path = tmp_path / "movie.nc"
    movie.to_netcdf(path)
    of_file = predjax.forecast(tiny_run, path, lead_time=10)
    assert isinstance(of_file, xr.Dataset) and of_file["reflectivity"].dims == ("lead_time", "y", "x", "channel")
    for data in (movie, movie["reflectivity"], [movie.isel(time=slice(0, 7)), movie.isel(time=slice(7, None))]):
        found = predjax.forecast(tiny_run, data, lead_time=10)
        xr.testing.assert_equal(found, of_file if "crs" in found else of_file.drop_vars("crs"))  # no part of an array
    time = movie["time"].values[5]
    for init_time in (time, f"{time.astype('datetime64[s]')}Z"):
        early = predjax.forecast(tiny_run, movie, init_time=init_time, num_steps=1)
        assert early["valid_time"].values == movie["time"].values[6]
    numbered = predjax.forecast("persistence", movie["reflectivity"].drop_vars("time"), init_time=5, num_steps=1)
    assert numbered["valid_time"].values == 6


def test_frames_without_times_have_the_step_that_is_given(sample, monkeypatch):
    asked = []

    def make(setting):
        asked.append(setting.sampling.step_minutes)
        return predjax.persist

    monkeypatch.setitem(BASELINES, "persistence", Baseline(make))
    array = sample["reflectivity"][3].drop_vars("time")
    assert predjax.forecast("persistence", array, num_steps=1)["lead_time"].values.tolist() == [1]
    assert predjax.forecast("persistence", array, step="10min", lead_time=20)["lead_time"].values.tolist() == [1, 2]
    assert asked == [5, 10]  # the usual one where nothing tells it


def test_forecast_refuses_datasets_in_one_line(tiny_run, sample):
    array = sample["reflectivity"][3]
    for data, options, message in (
        (array.drop_vars("time"), {"lead_time": 10}, "lead_time 10 min needs frames with times"),
        (array.assign_attrs(units="K"), {}, "is in K, the model was trained on dBZ"),
        (array[:2], {}, "are missing"),
        (array[::2], {}, "a step of 600 s"),
        (array, {"lead_tim": 10}, "'lead_tim' is no option"),
        (array, {"areas": "a.csv"}, "predjax.find_rain_on_areas"),
        (array, {"lead_time": 7}, "no multiple"),
        (array, {"data_path": "a.nc"}, "forecast has no data_path"),
    ):
        with pytest.raises(ValueError, match=message) as error:
            predjax.forecast(tiny_run, data, **options)
        assert "\n" not in str(error.value)
