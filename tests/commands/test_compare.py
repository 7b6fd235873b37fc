"""`predjax compare` as a user runs it."""

import json
import signal

import numpy as np
import pytest
import xarray as xr

from predjax.commands.compare import main as compare
from predjax.jobs.compare import ModelComparison
from predjax.models.catalogue import MODELS, ModelSpec


def test_flags_become_the_request(monkeypatch, tmp_path, capsys):
    asked = []

    def run_comparison(request, say):
        asked.append(request)
        return ModelComparison(tmp_path, "SIGTERM")

    monkeypatch.setattr("predjax.jobs.compare.run_comparison", run_comparison)
    flags = "--models gru,s5 --seeds 2 --budget 3it --data_path a.nc --num_hidden 4 --seed 5 --crop 8 --thresholds 1"
    assert compare([*flags.split(), "--save_dir", str(tmp_path)]) == 128 + signal.SIGTERM
    [request] = asked
    assert (request.data, request.valid_data, request.seeds) == ("a.nc", None, [5, 6])
    assert request.given.model == {"num_hidden": (4,)} and request.given.data == {"crop": 8}
    assert request.training.thresholds == (1.0,) and request.options.models == ("gru", "s5")
    assert "--resume goes on in" in capsys.readouterr().out


@pytest.mark.ci
def test_a_new_cell_is_compared_without_another_change(monkeypatch, tmp_path, capsys, unverified, real_pictures):
    """On maps, where one cell has two names: the same seeds give the same scores."""
    monkeypatch.setitem(MODELS, "another", ModelSpec("the same again", "cells.elman.Elman"))
    frames = np.random.default_rng(0).random((12, 6, 8, 8), dtype=np.float32)
    np.save(tmp_path / "movies.npy", frames)
    flags = "--models elman,another --seeds 2 --budget 2it --num_hidden 2 --filter_size 3 --total_length 6 "
    flags += "--input_length 3 --batch_size 2 --n_gpu 1 --baselines persistence --test_fraction 0.4"
    paths = ["--data_path", str(tmp_path / "movies.npy"), "--save_dir", str(tmp_path / "c")]
    assert compare([*flags.split(), *paths, "--layout", "movie,time,y,x"]) == 0
    text = capsys.readouterr().out
    assert "another" in text and "persistence" in text
    with xr.open_dataset(tmp_path / "c" / "compare.nc") as found:
        np.testing.assert_allclose(found.rmse.sel(model="another"), found.rmse.sel(model="elman"), rtol=1e-6)
        assert (found.overall_rmse.std("seed") > 0).all() and (found.parameters > 0).all()
    assert len(json.loads((tmp_path / "c" / "compare.json").read_text())["trainings"]) == 4
    assert (tmp_path / "c" / "compare.png").stat().st_size > 5000
