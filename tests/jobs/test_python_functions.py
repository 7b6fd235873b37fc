"""The functions of the package do what the commands do, on files and on datasets in memory."""

import logging

import numpy as np
import pytest
import xarray as xr
from tiny import ROOT

import predjax
from predjax.commands.evaluate import main as evaluate_command

SAMPLE = str(ROOT / "data" / "radar_movies.nc")


@pytest.fixture(scope="module")
def sample():
    with xr.open_dataset(SAMPLE) as dataset:
        yield dataset


def test_evaluate_gives_what_the_command_writes(tiny_run, sample, tmp_path, caplog):
    flags = ["--max_cases", "4", "--num_steps", "2", "--thresholds", "10,30", "--windows", "5", "--crop", "24"]
    paths = ["--checkpoint", str(tiny_run), "--data_path", SAMPLE, "--output", str(tmp_path / "skill")]
    assert evaluate_command([*paths, *flags]) == 0
    options = {"max_cases": 4, "num_steps": 2, "thresholds": (10, 30), "windows": (5,), "crop": 24}
    caplog.clear()
    found = predjax.evaluate(tiny_run, SAMPLE, **options)
    with xr.open_dataset(tmp_path / "skill" / "skill.nc") as written:
        xr.testing.assert_equal(found, written)
        assert found.attrs.keys() == written.attrs.keys()
        assert all(np.array_equal(value, written.attrs[name]) for name, value in found.attrs.items())
    assert "overlap the training data" in found.attrs["warning"]
    assert [record.levelno for record in caplog.records if "overlap" in record.message] == [logging.WARNING]
    of_dataset = predjax.evaluate(tiny_run, sample, **options)
    xr.testing.assert_identical(of_dataset, found)


def test_evaluate_without_data_or_without_a_model(tiny_run, sample):
    held_out = predjax.evaluate(tiny_run, max_cases=2, baselines=["persistence"], windows=(5,))
    assert held_out.method.values.tolist() == ["predrnn_v2", "persistence"] and "warning" not in held_out.attrs
    array = sample["reflectivity"][:2]
    alone = predjax.evaluate(None, array, baselines="persistence", num_steps=3, window_stride=8)
    assert alone.method.values.tolist() == ["persistence"] and alone.lead_time.values.tolist() == [5, 10, 15]
    values = array.values
    squares = [np.square(values[:, s + 6] - values[:, s + 3]) for s in (0, 8)]
    np.testing.assert_allclose(alone.rmse[0, 2], np.sqrt(np.nanmean(squares)), rtol=1e-5)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"baselines": ["climatology"]}, "baseline 'climatology' is not one of"),
        ({"thresholds": ["wet"]}, "expected float values"),
        ({"thresholds": [500.0]}, "threshold 500 dBZ"),
        ({"num_steps": 2.5}, "num_steps must be a whole number, not 2.5"),
        ({"num_steps": 0}, "num_steps must be positive"),
        ({"input_length": 0}, "input_length must be at least 1"),
        ({"max_cases": -1}, "max_cases must not be negative"),
        ({"stride": 3}, "has no stride; it has"),
        ({"crop": -1}, "crop must be 0"),
        ({"crop": "x"}, "crop"),
        ({"units": "K"}, "units must be one of"),
        ({"data": None}, "evaluate needs"),
    ],
)
def test_evaluate_refuses_in_one_line(sample, arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        predjax.evaluate(None, **{"data": sample.isel(movie=[0]), **arguments})
    assert "\n" not in str(error.value)


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
    early = predjax.forecast(tiny_run, movie, init_time=movie["time"].values[5], num_steps=1)
    assert early["valid_time"].values == movie["time"].values[6]


def test_forecast_refuses_datasets_in_one_line(tiny_run, sample):
    array = sample["reflectivity"][3]
    for data, options, message in (
        (array.assign_attrs(units="K"), {}, "is in K, the model was trained on dBZ"),
        (array[:2], {}, "are missing"),
        (array[::2], {}, "a step of 600 s"),
        (array, {"lead_tim": 10}, "'lead_tim' is no option"),
        (array, {"lead_time": 7}, "no multiple"),
    ):
        with pytest.raises(ValueError, match=message) as error:
            predjax.forecast(tiny_run, data, **options)
        assert "\n" not in str(error.value)
