"""`predjax evaluate` as a user runs it: what it scores, what it writes, how it refuses."""

import json

import numpy as np
import pytest
import xarray as xr
from commands.test_command_line import refusal
from tiny import ROOT, without_page

import predjax
from predjax.commands.evaluate import main as evaluate
from predjax.jobs import evaluation_files

SAMPLE = str(ROOT / "data" / "radar_movies.nc")


def test_evaluate_scores_and_exports(tiny_run, tmp_path, capsys, monkeypatch):
    export = evaluation_files.export  # of forecasts that were kept: none is made again
    monkeypatch.setattr(evaluation_files, "export", lambda methods, *rest: export(dict.fromkeys(methods), *rest))
    output, frames = tmp_path / "skill", tmp_path / "frames"
    arguments = ["--checkpoint", tiny_run, "--data_path", SAMPLE, "--max_cases", 2, "--num_steps", 5]
    arguments += ["--thresholds", "10,30", "--output", output, "--export", frames, "--num_save_samples", 1]
    with without_page():
        assert evaluate([str(a) for a in arguments]) == 0
    text = capsys.readouterr().out
    assert "\n  format     netCDF\n" in text and text.index("  windows    ") < text.index("persistence")
    assert "windows overlap the training data" in text
    with xr.open_dataset(output / "skill.nc") as skill:
        assert skill.rmse.dims == ("method", "lead_time")
        assert skill.lead_time.values.tolist() == [5, 10, 15, 20, 25]
        assert skill.threshold.values.tolist() == [10, 30] and skill.attrs["units"] == "dBZ"
        assert skill.method.values.tolist() == ["predrnn_v2", "persistence", "extrapolation"]

    assert sorted(p.suffix for p in frames.iterdir()) == [".gif", ".nc", ".npy", ".png"]
    path = sorted(frames.glob("*.nc"))[0]
    with xr.open_dataset(path) as forecast, xr.open_dataset(SAMPLE) as sample:
        array = np.load(path.with_suffix(".npy"))[..., 0]
        np.testing.assert_array_equal(forecast.reflectivity.values, array)
        assert forecast.reflectivity.attrs["units"] == "dBZ" and np.isnan(array[:, 0, 0]).all()
        movie = np.flatnonzero((sample.time.values == forecast.forecast_reference_time.values).any(1))[0]
        last = np.flatnonzero(sample.time.values[movie] == forecast.forecast_reference_time.values)[0]
        observed = sample.reflectivity.values[movie, last]
        np.testing.assert_array_equal(np.isnan(array), np.broadcast_to(np.isnan(observed), array.shape))
        np.testing.assert_array_equal(forecast.time.values, sample.time.values[movie, last + 1 : last + 6])
        np.testing.assert_array_equal(forecast.x.values, sample.x.values)
        np.testing.assert_array_equal(forecast.y.values, sample.y.values)

    again = refusal(capsys, evaluate, *arguments)
    assert "skill." in again and "--overwrite" in again


@pytest.mark.ci
def test_forecasts_of_others_are_scored_like_the_model_that_made_them(tiny_run, tmp_path, capsys):
    model = ["--checkpoint", tiny_run, "--max_cases", 2, "--num_save_samples", 2, "--baselines", "persistence"]
    outputs = ["--output", tmp_path / "model", "--export", tmp_path / "frames"]
    with without_page():
        assert evaluate([str(a) for a in [*model, *outputs]]) == 0
        given = ["--forecasts", tmp_path / "frames", "--data_path", SAMPLE, "--input_length", 3]
        assert evaluate([str(a) for a in [*given, "--baselines", "persistence", "--output", tmp_path / "given"]]) == 0
    one, other = (json.loads((tmp_path / name / "skill.json").read_text()) for name in ("model", "given"))
    assert one["attributes"]["cases"] == other["attributes"]["cases"] == 2
    # The model's own run counts everything below its floor of 0 dBZ as 0; the sample has nothing below.
    np.testing.assert_allclose(other["methods"]["forecast"]["rmse"], one["methods"]["predrnn_v2"]["rmse"], rtol=1e-6)
    few = predjax.evaluate(None, SAMPLE, forecasts=str(tmp_path / "frames"), input_length=3, max_cases=1, baselines=[])
    assert few.attrs["cases"] == 1
    assert "not with --crop 16" in refusal(capsys, evaluate, *given, "--crop", 16)
    assert "num_steps 9" in refusal(capsys, evaluate, *given, "--num_steps", 9)
    refused = refusal(capsys, evaluate, *given[:2], "--data_path", tmp_path / "frames" / "*.nc")
    assert "init time" in refused
    assert "--data_path" in refusal(capsys, evaluate, *given[:2], "--checkpoint", tiny_run)


def test_export_with_the_names_of_pysteps(tiny_run, tmp_path):
    arguments = ["--checkpoint", tiny_run, "--baselines", "persistence", "--max_cases", 1, "--format", "pysteps"]
    assert evaluate([str(a) for a in [*arguments, "--export", tmp_path]]) == 0
    with xr.open_dataset(next(tmp_path.glob("*.nc"))) as forecast:
        assert "reflectivity" in forecast and forecast.reflectivity.attrs["units"] == "dBZ"


def test_a_format_that_cannot_hold_the_frames_is_refused_before_they_are_scored(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("predjax.jobs.evaluate.verify", None)
    flags = ["--input_length", 2, "--num_steps", 2, "--baselines", "persistence", "--format", "pysteps"]
    movies = ROOT / "data" / "radar_movies.npy"
    message = refusal(capsys, evaluate, "--data_path", movies, *flags, "--export", tmp_path / "frames")
    assert "radar_movies.npy: the pysteps layout holds mm/h or dBZ, not 1" in message


def test_thresholds_that_tell_nothing(capsys):
    for thresholds in ("900", "x"):
        message = refusal(capsys, evaluate, "--data_path", SAMPLE, "--max_cases", 2, "--thresholds", thresholds)
        assert thresholds in message


def test_baselines_alone(capsys):
    assert evaluate(["--data_path", SAMPLE, "--max_cases", "2", "--num_steps", "3"]) == 0
    assert "persistence" in capsys.readouterr().out


def test_without_data_what_the_run_held_out_repeats_its_table(tiny_run, tmp_path, capsys):
    flags = ["--crop", "16", "--output", str(tmp_path)]
    with without_page():
        assert evaluate(["--checkpoint", str(tiny_run), *flags]) == 0
    assert "overlap the training data" not in capsys.readouterr().out
    one, other = (json.loads((folder / "skill.json").read_text()) for folder in (tiny_run, tmp_path))
    assert one["methods"] == other["methods"] and other["attributes"]["cases"] > 0


def test_units_of_another_model(capsys, tiny_run, tmp_path):
    path = tmp_path / "movies.npy"
    np.save(path, np.random.default_rng(0).random((6, 8, 16, 16), dtype=np.float32))
    message = refusal(capsys, evaluate, "--checkpoint", tiny_run, "--data_path", path)
    assert "movies.npy" in message and "dBZ" in message


def test_an_unknown_baseline(capsys):
    assert "climatology" in refusal(capsys, evaluate, "--data_path", SAMPLE, "--baselines", "climatology")
