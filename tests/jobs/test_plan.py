"""The plan of a training: where it starts, what is left out, and what must agree."""

import contextlib
import dataclasses
import logging
import pathlib

import numpy as np
import pytest
import xarray as xr
from tiny import ROOT

from predjax.jobs.model_choice import Origin, check_new_model, find_length, find_origin, leave_out_unused
from predjax.jobs.plan import choose_folder, plan_training
from predjax.jobs.train_options import Given, TrainOptions, TrainRequest, describe_paths
from predjax.models.catalogue import MODELS
from predjax.models.scaling import Scaling

SAMPLE = ROOT / "data" / "radar_movies.nc"
SMALL = {"num_hidden": (4, 4), "filter_size": 3, "input_length": 3, "total_length": 6}


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("predrnn", {"model_name"}),
        ("gru", {"model_name", "num_action_ch"}),
        ("action_cond_predrnn", {"model_name", "num_action_ch", "conv_on_input"}),
    ],
)
def test_flags_of_action_models_are_left_out_for_others(name, kept, caplog):
    caplog.set_level(logging.INFO, "predjax")
    given = Given({"model_name": name, "num_action_ch": 2, "conv_on_input": True})
    assert leave_out_unused(given, Origin()).model.keys() == kept
    assert len(caplog.messages) == 3 - len(kept)


def test_the_model_of_a_checkpoint_decides_which_flags_are_used(caplog):
    caplog.set_level(logging.INFO, "predjax")
    given = Given({"num_action_ch": 2, "conv_on_input": True})
    assert leave_out_unused(given, Origin(fields={"model_name": "action_cond_predrnn"})) == given
    assert not caplog.messages and not leave_out_unused(given, Origin()).model


def test_the_usual_learning_rate_of_a_model_is_taken_unless_one_is_given():
    options = TrainOptions()
    assert check_new_model(Given({"model_name": "physical"}), options).training == {"lr": 0.1}
    assert check_new_model(Given({"model_name": "physical"}, {"lr": 0.5}), options).training == {"lr": 0.5}
    assert check_new_model(Given({"model_name": "gru"}), options).training == {}
    with pytest.raises(ValueError, match="num_layers 3 does not agree with num_hidden 4,4"):
        check_new_model(Given({"num_hidden": (4, 4)}), TrainOptions(num_layers=3))


def test_a_folder_is_named_by_its_model_or_given(tiny_run, tmp_path):
    assert choose_folder(TrainOptions(), {"model_name": "gru"}).name.startswith("gru-")
    assert choose_folder(TrainOptions(save_dir=str(tmp_path)), {}) == tmp_path
    with pytest.raises(FileExistsError, match="holds a checkpoint: --resume goes on"):
        choose_folder(TrainOptions(save_dir=str(tiny_run)), {})
    with pytest.raises(FileExistsError, match=r"skill\.\w+ exists; choose another folder or --overwrite"):
        choose_folder(TrainOptions(save_dir=str(tiny_run), is_training=False, pretrained_model="best.npz"), {})
    for options in (
        TrainOptions(save_dir=str(tiny_run), resume=True),
        TrainOptions(save_dir=str(tiny_run), overwrite=True),
    ):
        assert choose_folder(options, {}) == tiny_run


def test_where_a_run_starts(tiny_run, tmp_path):
    new = find_origin(TrainOptions(), {}, tmp_path)
    assert new.path is None and not new.fields and not new.resumed
    tuned = find_origin(TrainOptions(pretrained_model=str(tiny_run)), {}, tmp_path)
    assert tuned.fields["num_hidden"] == (4, 4) and tuned.params is not None and not tuned.resumed
    resumed = find_origin(TrainOptions(save_dir=str(tiny_run), resume=True), {}, tiny_run)
    assert resumed.resumed and resumed.params is None and resumed.path.name == "step_00000004.npz"
    assert not find_origin(TrainOptions(save_dir=str(tmp_path), resume=True), {}, tmp_path).resumed


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        ({"loss": "balanced"}, {}, "step_00000004.npz has loss mse, not balanced"),
        ({"matching": 0.5}, {}, "has matching 0.0, not 0.5"),
        ({"decouple_beta": 0.5}, {}, "has decouple_beta 0.1, not 0.5"),
        ({"input_length": 2}, {}, "has input_length 3, not 2"),
        ({}, {"scaling_range": (5.0, 70.0)}, "has the scaling dBZ 0..60 dBZ, not dBZ 5..70 dBZ"),
    ],
)
def test_a_resumed_run_goes_on_to_learn_the_same(tiny_run, given, options, message):
    def plan(given, **options):
        return plan_training(
            TrainRequest(options=TrainOptions(save_dir=str(tiny_run), resume=True, **options), given=given)
        )

    with pytest.raises(ValueError, match=message):
        plan(Given(given), **options)
    same = plan(Given({"loss": "mse", "num_hidden": (4, 4)}), scaling="dBZ", scaling_range=(0.0, 60.0))
    assert same.model.scaling == Scaling("dBZ", 0.0, 60.0, "dBZ") and same.origin.resumed


def test_a_run_that_is_resumed_before_its_first_checkpoint_is_a_new_one(tmp_path, monkeypatch):
    monkeypatch.setitem(MODELS, "quick", dataclasses.replace(MODELS["gru"], usual_training={"lr": 0.1}))
    given, folder = Given({**SMALL, "model_name": "quick"}), str(tmp_path / "run")
    for resume in (False, True):
        options = TrainOptions(save_dir=folder, resume=resume)
        assert plan_training(TrainRequest(SAMPLE, None, options, given)).training.lr == 0.1
        with pytest.raises(ValueError, match="num_layers 3 does not agree"):
            plan_training(TrainRequest(SAMPLE, None, TrainOptions(save_dir=folder, resume=resume, num_layers=3), given))


def test_windows_are_as_long_as_said_or_as_the_sequence():
    assert find_length({}) == 20 and find_length({"total_length": 7}) == 7
    assert find_length({"task": "sequence"}) == 0 == find_length({"model_name": "physical"})


def test_data_tell_what_is_not_said(tmp_path):
    options = TrainOptions(save_dir=str(tmp_path / "run"))
    plan = plan_training(TrainRequest(SAMPLE, None, options, Given(SMALL, {"max_iterations": 40}, {}, {"crop": 16})))
    assert (plan.model.img_channel, plan.model.scaling) == (1, Scaling("dBZ", 0.0, 60.0, "dBZ"))
    assert plan.training.warmup_iterations == 2 and plan.sampling.r_sampling_step_2 == 25
    assert plan.record["data"]["train_data_paths"] == str(SAMPLE) and "own" not in plan.record
    assert not (tmp_path / "run").exists()
    with pytest.raises(ValueError, match="has 1 channels, img_channel is 2"):
        plan_training(TrainRequest(SAMPLE, None, options, Given({**SMALL, "img_channel": 2})))
    with pytest.raises(ValueError, match="frames are 40 pixels wide, img_width is 64"):
        plan_training(TrainRequest(SAMPLE, None, options, Given({**SMALL, "img_width": 64})))


@pytest.mark.parametrize(
    "model, training, expected",
    [
        ({}, {}, (250, 12, 25)),
        ({}, {"max_iterations": 40}, (40, 2, 4)),
        ({"coordinates": "fixed"}, {}, (500, 25, 50)),
    ],
)
def test_networks_in_moving_coordinates_train_for_less(tmp_path, model, training, expected):
    options = TrainOptions(save_dir=str(tmp_path / "run"))
    chosen = plan_training(TrainRequest(SAMPLE, None, options, Given({**SMALL, **model}, training))).training
    assert (chosen.max_iterations, chosen.warmup_iterations, chosen.test_interval) == expected


def test_what_is_given_and_not_used_is_said(caplog):
    caplog.set_level(logging.INFO, "predjax")
    model, training = {**SMALL, "decouple_beta": 0.2, "loss_members": 2}, {"weight_decay": 0.1, "lr_drop": 0.5}
    plan_training(TrainRequest(SAMPLE, None, TrainOptions(), Given(model, training)))
    assert [text for text in caplog.messages if "is not used" in text] == [
        "--weight_decay 0.1 is not used: it needs --optimizer adamw",
        "--lr_drop 0.5 is not used: it needs --lr_schedule milestones",
    ]


def test_a_picture_that_is_there_is_not_replaced_unasked(tmp_path):
    (tmp_path / "decoupling.png").touch()
    for overwrite in (True, False):
        options = TrainOptions(visual=True, visual_path=str(tmp_path), overwrite=overwrite)
        with contextlib.nullcontext() if overwrite else pytest.raises(FileExistsError, match=r"decoupling\.png exists"):
            plan_training(TrainRequest(SAMPLE, None, options, Given(SMALL)))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("a.nc,b.nc", "HERE/a.nc,HERE/b.nc"),
        ("~/a.nc", "HOME/a.nc"),
        ("/c/*.nc", "/c/*.nc"),
        (pathlib.Path("a") / "b.nc", "HERE/a/b.nc"),
        (["a.nc", pathlib.Path("~/b.nc")], "HERE/a.nc,HOME/b.nc"),
        (xr.DataArray(np.zeros(3)), "data in memory"),
        (np.zeros(3), "data in memory"),
        ([xr.Dataset(), xr.Dataset()], "data in memory"),
        ({"a.nc": np.zeros(3)}, "data in memory"),
    ],
)
def test_a_checkpoint_names_absolute_paths_and_not_arrays(data, text, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert describe_paths(data) == text.replace("HERE", str(tmp_path)).replace("HOME", "/home/somebody")


def test_a_network_for_maps_of_rain_goes_on_from_extrapolation():
    def choose(**fields):
        return plan_training(TrainRequest(SAMPLE, None, TrainOptions(), Given({**SMALL, **fields}))).model

    model = choose()
    assert (model.coordinates, model.residual, model.scales, model.matching) == ("moving", True, 6, 1.0)
    plain = choose(coordinates="fixed", residual=False)
    assert (plain.coordinates, plain.residual, plain.scales, plain.matching) == ("fixed", False, 0, 0.0)
    assert choose(loss="balanced").matching == 0.0 and choose(scales=0).matching == 1.0


def test_frames_that_are_no_rain_meet_the_bare_network(tmp_path):
    path = tmp_path / "movies.npy"
    np.save(path, np.zeros((4, 16, 16, 8), np.float32))
    model = plan_training(TrainRequest(path, None, TrainOptions(), Given(SMALL))).model
    assert (model.coordinates, model.residual, model.scales, model.matching) == ("fixed", False, 0, 0.0)
