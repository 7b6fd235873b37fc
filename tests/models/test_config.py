"""A configuration that cannot work is refused by name, rule and value."""

import dataclasses
import subprocess
import sys

import pytest

from predjax.flags import flag_fields
from predjax.models.catalogue import MODELS
from predjax.models.config import ModelConfig, with_usual
from predjax.models.scaling import Scaling

ACTION = {"model_name": "action_cond_predrnn", "num_action_ch": 2}
TIDHY = with_usual({"model_name": "tidhy"})
PHYSICAL = with_usual({"model_name": "physical", "img_channel": 3, "num_action_ch": 3})
SEQUENCE = with_usual({"model_name": "gru", "task": "sequence", "num_action_ch": 1})


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"model_name": "predrnn_v3"}, "'predrnn_v3' is not one of predrnn, .*; did you mean predrnn_v2"),
        ({"num_hidden": ()}, "num_hidden must be positive"),
        ({"num_hidden": (8, 0)}, "num_hidden must be positive, got 8,0"),
        ({"num_hidden": (8, 16)}, "num_hidden 8,16: one memory passes through all layers of predrnn_v2"),
        (
            {"model_name": "s5", "num_hidden": (8, 16)},
            "num_hidden 8,16: every block adds to .* of s5, so all must be equal",
        ),
        ({"model_name": "mim", "num_hidden": (8,)}, "num_hidden 8: mim needs at least two layers"),
        ({"model_name": "gru", "layer_norm": True}, "layer_norm 1 belongs to predrnn, .*, not to gru"),
        ({"model_name": "gru", "cell_options": "reset_after"}, "cell_options 'reset_after' is not JSON"),
        ({"model_name": "gru", "cell_options": "[1]"}, r"cell_options must be an object such as .*, got \[1\]"),
        ({"filter_size": 4}, "filter_size must be odd and positive, got 4"),
        ({"stride": 2}, "stride must be 1, got 2"),
        ({"patch_size": 0}, "patch_size must be positive, got 0"),
        ({"img_channel": 0}, "img_channel must be positive, got 0"),
        ({"img_width": -1}, "img_width must be positive, or 0, got -1"),
        ({"input_length": 0}, "input_length must be positive, got 0"),
        ({"input_length": 5, "total_length": 5}, "total_length 5 must be greater than input_length 5"),
        ({"conv_on_input": True}, "conv_on_input belongs to the action-conditioned models, not to predrnn_v2"),
        ({"num_action_ch": 4}, "predrnn_v2 takes no forcings, action_cond_predrnn_v2 does"),
        ({"model_name": "action_cond_predrnn"}, "needs forcings .*: num_action_ch is 0"),
        (ACTION | {"res_on_conv": True}, "res_on_conv 1 needs conv_on_input 1"),
        (ACTION | {"conv_on_input": True, "num_hidden": (3, 3)}, "conv_on_input halves num_hidden, got 3"),
        ({"loss": "crps"}, "loss crps needs members that differ, predrnn_v2 draws none: give --noise 0.1"),
        ({"model_name": "ct_rnn", "loss": "crps", "cell_options": '{"noise": 0}'}, "ct_rnn draws none"),
        ({"loss_members": 1}, "loss_members must be 2 or more, got 1"),
        ({"noise": -0.1}, "noise must be 0 or positive, got -0.1"),
        (TIDHY | {"noise": 0.1}, "noise must be 0: tidhy has no layers, got 0.1"),
        (TIDHY | {"loss": "crps"}, "loss must be mse for tidhy, got crps"),
        (PHYSICAL | {"noise": 0.1}, "noise must be 0: a strain has one stress, got 0.1"),
        (PHYSICAL | {"loss": "crps"}, "loss must be mse: a strain has one stress, got crps"),
        (SEQUENCE | {"loss": "balanced"}, "loss must be mse or crps for gru, got balanced"),
    ],
)
def test_what_cannot_work_is_refused(fields, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        ModelConfig(**fields)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "fields",
    [
        {"noise": 0.1},
        {"model_name": "ct_rnn", "cell_options": '{"noise": 0.1}'},
        {"model_name": "lru", "cell_options": '{"dropout": 0.1}'},
        SEQUENCE | {"noise": 0.1},
    ],
    ids=str,
)
def test_a_model_that_draws_can_be_trained_by_crps(fields):
    assert ModelConfig(**fields, loss="crps").draws and not ModelConfig().draws


@pytest.mark.parametrize("name", MODELS)
def test_the_name_says_whether_there_are_actions_and_decoupling(name):
    sizes = {"img_channel": 3, "num_action_ch": 3} if name == "physical" else {"num_action_ch": 2 * ("action" in name)}
    config = ModelConfig(**with_usual({"model_name": name, **sizes}))
    assert config.spec.action == ("action" in name)
    assert config.spec.decoupled == ("v2" in name)


def test_every_field_but_the_scalings_is_a_flag():
    fields = {field.name for field in dataclasses.fields(ModelConfig)}
    assert fields - {field.name for field in flag_fields(ModelConfig)} == {"scaling", "forcing_scaling"}
    assert ModelConfig().scaling == ModelConfig().forcing_scaling == Scaling()


def test_a_configuration_is_a_value():
    assert ModelConfig() == ModelConfig() and hash(ModelConfig()) == hash(ModelConfig())
    with pytest.raises(dataclasses.FrozenInstanceError):
        ModelConfig().patch_size = 2


def test_it_is_read_without_jax():
    program = "import sys, predjax.models.config; sys.exit('jax' in sys.modules or 'xarray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_options_are_the_same_text_however_they_are_given():
    texts = {
        ModelConfig("gru", cell_options=options).cell_options
        for options in ({"b": 1, "a": True}, '{"a":true,  "b":1}', '{"b": 1, "a": true}')
    }
    assert texts == {'{"a": true, "b": 1}'} and ModelConfig("gru", cell_options="{}").cell_options == ""
    assert ModelConfig("gru", cell_options=texts.pop()).options == {"a": True, "b": 1}
