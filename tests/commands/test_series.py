"""A vector series through the commands: trained on, scored, exported, shown."""

import json

import numpy as np
import pytest
import xarray as xr

from predjax.commands.evaluate import main as evaluate
from predjax.commands.train import main as train
from predjax.synthetic.__main__ import main as make

LENGTHS = ["--input_length", "6", "--total_length", "10"]


@pytest.fixture(scope="module")
def lorenz(tmp_path_factory):
    path = tmp_path_factory.mktemp("lorenz") / "lorenz.nc"
    assert make(["lorenz63", "--output", str(path), "--num_movies", "4", "--length", "40"]) == 0
    return path


@pytest.fixture(scope="module")
def run(lorenz, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    flags = ["--model_name", "elman", "--num_hidden", "4", "--n_gpu", "1"]
    flags += [*LENGTHS, "--batch_size", "4", "--max_iterations", "2", "--save_dir", str(folder)]
    assert train(["--data_path", str(lorenz), *flags]) == 0
    return folder


def test_patches_and_filters_are_single_pixels_and_every_feature_has_its_range(run):
    model = json.loads((run / "config.json").read_text())["model"]
    assert model["patch_size"] == model["filter_size"] == 1 and model["img_channel"] == 3
    low, high = np.array(model["scaling"]["low"]), np.array(model["scaling"]["high"])
    assert low.shape == (3,) and (low < high).all() and low[2] > 0 > low[0]  # z of the attractor is positive


def test_scores_export_and_report(run, tmp_path, capsys, caplog):
    output, frames = tmp_path / "skill", tmp_path / "frames"
    flags = ["--checkpoint", run, "--output", output, "--export", frames, "--num_save_samples", 1]
    assert evaluate([str(flag) for flag in flags]) == 0
    text = capsys.readouterr().out
    assert "lorenz.nc is a series: extrapolation, which moves maps, is left out" in caplog.text
    assert "RMSE" in text and "events" not in text
    skill = json.loads((output / "skill.json").read_text())
    assert set(skill["methods"]) == {"elman", "persistence"}
    assert np.isfinite(skill["methods"]["elman"]["rmse"]).all() and "fss" not in skill["methods"]["elman"]
    page = (output / "report.html").read_text()
    assert page.count("data:image/png;base64") >= 4 and "image/gif" not in page and "best case" in page
    assert sorted(path.suffix for path in frames.iterdir()) == [".nc", ".npy", ".png"]
    path = next(frames.glob("*.nc"))
    with xr.open_dataset(path) as forecast:
        assert forecast.lorenz63.dims == ("time", "feature") and forecast.feature.values.tolist() == ["x", "y", "z"]
        np.testing.assert_array_equal(forecast.lorenz63.values, np.load(path.with_suffix(".npy"))[:, 0, 0])


def test_what_a_series_cannot_have_is_refused(lorenz, run, capsys):
    assert evaluate(["--checkpoint", str(run), "--baselines", "extrapolation"]) == 2
    assert "lorenz.nc is a series: extrapolation moves maps" in capsys.readouterr().err
    for name in ("patch_size", "filter_size"):
        assert train(["--data_path", str(lorenz), *LENGTHS, f"--{name}", "3"]) == 2
        assert f"lorenz.nc is a series, its frames are 1x1 pixels, {name} is 3" in capsys.readouterr().err
