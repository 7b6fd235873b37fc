"""`predjax.train` does what `predjax train` does, on files and on arrays in memory, and says nothing."""

import json

import jax.numpy as jnp
import numpy as np
import optax
import pytest
import xarray as xr
from tiny import ROOT

import predjax
from predjax import checkpoint
from predjax.checkpoint_names import best_path, list_steps
from predjax.commands.train import main as command
from predjax.jobs.plan import plan_training
from predjax.jobs.train import TrainResult
from predjax.jobs.train_options import Processes, read_values
from predjax.locks import hold
from predjax.models.losses import make_error, squared_error
from predjax.models.scaling import Scaling

SAMPLE = ROOT / "data" / "radar_movies.nc"
TINY = {"num_hidden": (4,), "filter_size": 3, "total_length": 6, "input_length": 3, "batch_size": 4, "n_gpu": 1}
TINY |= {"coordinates": "fixed", "residual": False}
COMMON = "--num_hidden 4 --filter_size 3 --total_length 6 --input_length 3 --batch_size 4 --n_gpu 1".split()
COMMON += "--coordinates fixed --residual 0".split()  # the same as flags


@pytest.fixture(scope="module")
def dataset():
    with xr.open_dataset(SAMPLE) as dataset:
        yield dataset.isel(y=slice(0, 16), x=slice(0, 16), movie=slice(0, 20)).load()


def params_of(path):
    return {name: array for name, array in checkpoint.load(path)[0].items() if name.startswith("params/")}


def test_it_is_the_command(tmp_path, monkeypatch):
    """Both ask for the same training."""
    asked, folder = [], tmp_path / "run"

    def run_training(request, listener=None):
        asked.append(request)
        return TrainResult(folder, 4, "finished", "", chief=False)

    monkeypatch.setattr("predjax.jobs.train.run_training", run_training)
    flags = [*COMMON, "--crop", "16", "--max_iterations", "4", "--lr_schedule", "constant", "--thresholds", "10,30"]
    assert command([*flags, "--data_path", str(SAMPLE), "--save_dir", str(folder)]) == 0
    options = {"crop": 16, "max_iterations": 4, "lr_schedule": "constant", "thresholds": (10, 30)}
    predjax.train(str(SAMPLE), save_dir=folder, **TINY, **options)
    by_command, by_function = asked
    assert by_command._replace(processes=None) == by_function and by_command.processes == Processes()


def test_objects_and_names_of_python(monkeypatch):
    monkeypatch.setattr("predjax.jobs.train.run_training", lambda request: request)
    names = {"model": "gru", "loss": "balanced", "optimizer": "adamw", "schedule": "onecycle"}
    named = predjax.train(SAMPLE, **names, lr_options={"b": 1})
    assert named.given.model == {"model_name": "gru", "loss": "balanced"}
    assert named.given.training == {"optimizer": "adamw", "lr_schedule": "onecycle", "lr_options": '{"b": 1}'}
    assert (named.loss, named.optimizer, named.schedule, named.callbacks) == (None, None, None, ())
    scaling, schedule = Scaling("dBZ", 0.0, 50.0, "dBZ"), optax.constant_schedule(1)
    config = predjax.ModelConfig("gru", (3,), input_length=4, total_length=8, scaling=scaling)
    own = predjax.train(SAMPLE, model=config, total_length=10, schedule=schedule, callbacks=[print])
    assert own.schedule is schedule and own.callbacks == (print,) and "forcing_scaling" not in own.given.model
    assert own.given.model["num_hidden"] == (3,) and own.given.model["total_length"] == 10
    plan = plan_training(own)
    assert plan.model.scaling == scaling and plan.model.matching == 0 and plan.record["own"] == ["schedule"]


def test_arrays_with_a_loss_and_an_optimizer_of_ones_own(dataset, unverified, tmp_path, capsys):
    """The mean square in the unit of the data is that of scaled frames, times the square of the scale."""
    frames = xr.DataArray(dataset["reflectivity"].values, dims=("movie", "time", "y", "x"), attrs={"units": "dBZ"})
    options = {**TINY, "model_name": "conv_lstm", "max_iterations": 2, "optimizer": optax.sgd(0.0)}
    calls = []

    def loss(predicted, observed):
        calls.append(predicted.shape)
        return jnp.square(predicted - observed)

    own = predjax.train(frames, loss=loss, save_dir=tmp_path / "own", **options)
    reading = {"layout": "movie,time,y,x", "units": "dBZ"}
    usual = predjax.train(frames.values, save_dir=tmp_path / "usual", **reading, **options)
    assert capsys.readouterr() == ("", "")
    assert (own.reason, own.iteration, own.folder) == ("finished", 2, tmp_path / "own")
    assert own.checkpoint == best_path(own.folder) and own.held_out.startswith("split by movie")
    assert (4, 5, 16, 16, 1) in calls
    one, other = (
        [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
        for folder in (own.folder, usual.folder)
    )
    for mine, theirs in zip(one, other):
        for name in {"loss", "valid_loss"} & mine.keys():
            np.testing.assert_allclose(mine[name], 3600 * theirs[name], rtol=1e-4)
    first = params_of(list_steps(own.folder)[0])
    for name, array in params_of(list_steps(own.folder)[-1]).items():  # the optimizer does not move anything
        np.testing.assert_array_equal(array, first[name])
    assert own.model.record["data"]["train_data_paths"] == "data in memory"
    with pytest.raises(FileNotFoundError, match=r"were in memory.*give --data_path"):
        predjax.train(save_dir=own.folder, resume=True, max_iterations=3, optimizer=optax.sgd(0.0), loss=loss)
    with pytest.raises(ValueError, match="a run goes on with the loss it began with"):
        predjax.train(frames, save_dir=own.folder, resume=True, max_iterations=3, optimizer=optax.sgd(0.0))
    again = predjax.train(
        frames, save_dir=own.folder, resume=True, max_iterations=3, optimizer=optax.sgd(0.0), loss=loss
    )
    assert again.iteration == 3


def test_weights_alone_are_verified(tiny_run, tmp_path, monkeypatch):
    """The scores are those of the run itself; its frames are written too, and the picture of `visual`."""
    monkeypatch.setattr("predjax.jobs.train.draw_decoupling", lambda run, params, folder: run.batches.frame_shape)
    options = {"crop": 16, "valid_fraction": 0.04, "test_fraction": 0.04, "save_dir": tmp_path / "run"}
    frames = {"gen_frm_dir": tmp_path / "frames", "num_save_samples": 1}
    result = predjax.train(SAMPLE, pretrained_model=tiny_run, is_training=False, visual=True, **options, **frames)
    assert (result.reason, result.iteration) == ("not trained", 0) and not list_steps(tmp_path / "run")
    assert result.decoupling == (16, 16, 1)
    assert result.verified.part == "test" and len(list((tmp_path / "frames").glob("*.nc"))) == 1
    with pytest.raises(FileExistsError, match="frames"):  # before hours of training
        predjax.train(SAMPLE, save_dir=tmp_path / "other", callbacks=[pytest.fail], **TINY, **frames)
    assert (tmp_path / "run" / "skill.json").read_text() == (tiny_run / "skill.json").read_text()
    skill = json.loads((tiny_run / "skill.json").read_text())["methods"]["predrnn_v2"]["rmse"]
    np.testing.assert_allclose(result.verified.verification.common["rmse"][0], skill, rtol=1e-6)


def test_a_folder_has_one_training(tmp_path):
    with hold(tmp_path / "run"), pytest.raises(ValueError, match=r"run: process \d+ on .* writes to this folder"):
        predjax.train(SAMPLE, save_dir=tmp_path / "run", **TINY)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"num_hiden": (4,)}, "train has no num_hiden; did you mean num_hidden?"),
        ({"num_hidden": 4}, "num_hidden must be a whole number, or several, not 4"),
        ({"num_hidden": "4,x"}, "expected int values separated by commas, got '4,x'"),
        ({"num_hidden": (4.5,)}, "num_hidden must be a whole number, or several"),
        ({"batch_size": 2.5}, "batch_size must be a whole number, not 2.5"),
        ({"batch_size": True}, "batch_size must be a whole number, not True"),
        ({"lr": "fast"}, "lr must be a number, not 'fast'"),
        ({"loss": 3.0}, "loss must be a function of predicted and observed frames, not 3.0"),
        ({"optimizer": 2}, "optimizer must be an optax.GradientTransformation, not 2"),
        ({"optimizer": "sgd"}, "optimizer must be one of adam, adamw, not 'sgd'"),
        ({"schedule": 0.1}, "schedule must be a function of the iterations, not 0.1"),
        ({"schedule": len, "optimizer": optax.sgd(1)}, "schedule must be part of the optimizer of your own"),
        ({"schedule": "onecycel"}, "lr_schedule must be one of .*; did you mean onecycle?"),
        ({"callbacks": [3]}, "callbacks must be functions of an event, not 3"),
        ({"metrics_log": "cvs"}, "metrics_log 'cvs' is not one of csv, .*; did you mean csv?"),
        ({"schedule": "exponential"}, "lr_schedule exponential needs decay_rate in lr_options"),
        ({"scaling": "dbz"}, "scaling must be one of .*; did you mean dBZ?"),
        ({"model_name": "predrn"}, "did you mean predrnn?"),
        ({"resume": True}, "--resume needs --save_dir"),
        ({"resume": True, "overwrite": True, "save_dir": "x"}, "exclude each other"),
        ({"is_training": False}, "is_training 0 needs --pretrained_model"),
        (
            {"is_training": False, "pretrained_model": "a", "resume": True, "save_dir": "x"},
            "goes on with no run: no --resume",
        ),
        ({"thresholds": (900.0,)}, "threshold 900 dBZ tells nothing"),
        ({"lpips": "alex.pth"}, "--lpips alex.pth needs --protocol predrnn or openstl"),
        ({"lpips": "alex.pth", "protocol": "openstl"}, "alex.pth"),
    ],
)
def test_what_cannot_be_is_one_line(values, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("predjax.jobs.train._train", None)  # all of it is known before
    with pytest.raises((ValueError, FileNotFoundError), match=message) as error:
        predjax.train(SAMPLE, **values)
    assert "\n" not in str(error.value) and not list(tmp_path.iterdir())


def test_values_are_sorted_by_their_configurations():
    values = {"lr": 1, "save_dir": ROOT, "cell_options": {"b": 1, "a": 2}, "crop": np.int64(3), "r_exp_alpha": None}
    options, given = read_values({**values, "num_hidden": [4, 4]})
    assert options.save_dir == str(ROOT) and given.training == {"lr": 1} and given.data == {"crop": 3}
    assert given.model == {"cell_options": '{"a": 2, "b": 1}', "num_hidden": (4, 4)}
    assert given.sampling == {"r_exp_alpha": None}


@pytest.mark.parametrize("kind", ["dBZ", "linear", "none"])
def test_a_loss_of_ones_own_leaves_out_missing_pixels(kind):
    scaling = Scaling(kind, 0.0, 60.0 if kind != "none" else 1.0, "dBZ")
    rng = np.random.default_rng(0)
    predicted, observed = (rng.random((2, 3, 4, 4, 1), np.float32) for _ in range(2))
    observed[rng.random(observed.shape) < 0.3] = np.nan
    error = make_error(lambda one, other: jnp.square(one - other), scaling)
    total, count = error(predicted, observed)
    expected, pixels = squared_error(predicted, observed)
    factor = 3600 if kind != "none" else 1
    np.testing.assert_allclose(total, factor * expected, rtol=1e-5)
    assert count == pixels == np.isfinite(observed).sum()
