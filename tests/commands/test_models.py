"""Every model trains and forecasts by the commands; those of each kind go on and export too."""

import json

import numpy as np
import pytest
import xarray as xr
from tiny import ROOT, TINY

from predjax import checkpoint
from predjax.checkpoint_names import step_path
from predjax.commands.evaluate import main as evaluate
from predjax.commands.models import describe_models, describe_state
from predjax.commands.train import main as train
from predjax.models.catalogue import MODELS

SAMPLE = ROOT / "data" / "radar_movies.nc"
OF_DIFFERENT_KINDS = ("action_cond_predrnn_v2", "predrnn_pp", "mim", "conv_s5")
# Relatives of models that CI trains: run by hand before a release.
RELATED = "leaky_elman wilson_cowan ind_rnn gated_antisymmetric nn_rnn hetero_co_rnn simple_ct_rnn".split()
RELATED += ["action_cond_predrnn", "lru", "lstm", "exp_rnn"]
RELATED += ["predrnn", "predrnn_v2", "conv_lstm", "elman", "gru"]  # which tests of other commands train in CI
ELSEWHERE = {"physical": "test_sequences", "tidhy": "test_tidhy"}  # they are not for maps
OPTIONS = {
    "lru": {"dropout": 0.1},
    "ct_rnn": {"noise": 0.1},
    "clockwork": {"periods": "1,2"},
    "lipschitz": {"rk2": True},
}


@pytest.fixture(scope="module")
def movies(tmp_path_factory):
    """Eight movies of the sample with two numbers for each frame that are known ahead, for models with actions."""
    path = tmp_path_factory.mktemp("actions") / "movies.nc"
    with xr.open_dataset(SAMPLE, mask_and_scale=False, decode_times=False) as whole:
        sample = whole.isel(movie=slice(8))
        shape = sample.sizes["movie"], sample.sizes["time"], 2
        values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        sample.assign(wind=(("movie", "time", "direction"), values)).to_netcdf(path)
    return path


@pytest.mark.ci
@pytest.mark.parametrize("name", OF_DIFFERENT_KINDS)
def test_models_of_each_kind_train_go_on_forecast_and_export(name, movies, tmp_path, capsys):
    run = train_two(name, movies, tmp_path)
    started = checkpoint.load(step_path(run, 2))[0]
    assert train(["--resume", "--save_dir", str(run), "--max_iterations", "3"]) == 0
    went_on, record = checkpoint.load(step_path(run, 3))
    assert record["model"]["model_name"] == name and record["iteration"] == 3
    same = [key for key, value in started.items() if key.startswith("params/") and (went_on[key] == value).all()]
    assert not same
    frames = tmp_path / "frames"
    verify(name, run, movies, capsys, "--export", frames, "--num_save_samples", 1)
    with xr.open_dataset(next(frames.glob("*.nc"))) as found:
        assert found.sizes["time"] == 3 and np.isfinite(found.reflectivity.values).any()
    assert len(list(frames.iterdir())) == 4


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name in RELATED else pytest.mark.ci)
        for name in MODELS
        if name not in {*ELSEWHERE, *OF_DIFFERENT_KINDS}
    ],
)
def test_every_other_model_trains_and_forecasts(name, movies, tmp_path, capsys):
    run = train_two(name, movies, tmp_path)
    one, other = (checkpoint.load(step_path(run, number))[0] for number in (1, 2))
    same = [key for key, value in one.items() if key.startswith("params/") and (other[key] == value).all()]
    assert not same
    verify(name, run, movies, capsys)


def name_data(name, movies):
    return ["--data_path", movies, *(["--forcings", "wind"] if "action" in name else [])]


def train_two(name, movies, tmp_path):
    """Two iterations; returns the folder of the run."""
    run, data = tmp_path / "run", name_data(name, movies)
    all_trains = ["--valid_fraction", 0, "--test_fraction", 0]  # tables of held-out movies are tested elsewhere
    flags = ["--model_name", name, "--save_dir", run, "--lr_schedule", "constant"]
    options = ["--cell_options", json.dumps(OPTIONS[name])] if name in OPTIONS else []
    command = [*TINY, *data, *all_trains, *flags, *options, "--max_iterations", 2]
    assert train([str(part) for part in command]) == 0
    return run


def verify(name, run, movies, capsys, *flags):
    capsys.readouterr()
    command = ["--checkpoint", run, *name_data(name, movies), "--max_cases", 1, "--crop", 16, "--thresholds", 20]
    assert evaluate([str(part) for part in [*command, "--baselines", "persistence", *flags]]) == 0
    assert name in capsys.readouterr().out


def test_the_list_of_models_tells_paper_state_and_options(capsys):
    assert train(["--list_models"]) == 0
    text = capsys.readouterr().out
    assert text.strip() == describe_models()
    for name, spec in MODELS.items():
        assert f"{name} " in text and spec.title in text
    assert 'cell_options: state_size 0, skip "vector", blocks 1, conjugate true' in text
    assert describe_state("lstm") == "hidden, cell" and describe_state("lru") == "h (complex)"
    assert describe_state("clockwork") == "hidden, step (a count)"
