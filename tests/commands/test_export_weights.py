"""Weights without what training needs."""

import json

import numpy as np
import pytest

from predjax import checkpoint
from predjax.commands.export_weights import main as export_weights
from predjax.nowcasts.model import load_model, make_nowcast


@pytest.fixture(scope="module")
def source(tiny_run):
    return checkpoint.find(tiny_run)


def test_a_checkpoint_of_weights_forecasts_the_same(source, tmp_path, capsys):
    path = tmp_path / "weights.npz"
    assert export_weights(["--checkpoint", str(source), "--output", str(path)]) == 0
    assert "weights, " in capsys.readouterr().out
    assert path.stat().st_size < 0.6 * source.stat().st_size
    assert all(name.startswith("params/") for name in checkpoint.load(path)[0])
    before, after = load_model(source), load_model(path)
    assert after.record["iteration"] == before.record["iteration"]
    frames = np.random.default_rng(0).random((1, before.forecaster.config.input_length, 16, 16, 1), np.float32)
    forecasts = [make_nowcast(model.forecaster, model.params)(frames, 2) for model in (before, after)]
    np.testing.assert_array_equal(*forecasts)


def test_folders_of_the_training_data_stay_at_home(source, tmp_path):
    path = tmp_path / "weights.npz"
    export_weights(["--checkpoint", str(source), "--output", str(path)])
    before, after = (checkpoint.load(p)[1]["data"]["train_data_paths"] for p in (source, path))
    assert "/" in before and "/" not in after and before.endswith(after)


def test_safetensors_hold_the_same_arrays_and_the_configuration(source, tmp_path):
    safetensors = pytest.importorskip("safetensors")
    path = tmp_path / "weights.safetensors"
    assert export_weights(["--checkpoint", str(source), "--output", str(path)]) == 0
    weights = {n: a for n, a in checkpoint.load(source)[0].items() if n.startswith("params/")}
    with safetensors.safe_open(path, "numpy") as file:
        assert set(file.keys()) == set(weights)
        for name, array in weights.items():
            np.testing.assert_array_equal(file.get_tensor(name), array)
        assert json.loads(file.metadata()["predjax"])["model"]["model_name"] == "predrnn_v2"


def test_nothing_is_overwritten_and_names_tell_the_format(source, tmp_path, capsys):
    path = tmp_path / "weights.npz"
    path.write_bytes(b"mine")
    assert export_weights(["--checkpoint", str(source), "--output", str(path)]) == 2
    assert path.read_bytes() == b"mine"
    assert "exists: --overwrite replaces it" in capsys.readouterr().err
    assert export_weights(["--checkpoint", str(source), "--output", str(tmp_path / "weights.bin")]) == 2
    assert "must end in .npz or .safetensors" in capsys.readouterr().err
