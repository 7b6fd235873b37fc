"""Parameters are held against their configuration before anything is built."""

import dataclasses

import jax
import numpy as np
import pytest

from predjax.models.config import ModelConfig, with_usual
from predjax.models.forecaster import make_forecaster
from predjax.models.parameters import check_parameters

CONFIG = ModelConfig("conv_lstm", num_hidden=(4,), filter_size=3, patch_size=2, input_length=3, total_length=5)


def make(config, height=8, width=12, seed=0):
    """Parameters of ones for frames of this size."""
    frames = np.zeros((1, 2, height, width, config.img_channel), np.float32)
    forcings = np.zeros((1, 2, config.num_action_ch), np.float32) if config.num_action_ch else None
    shapes = jax.eval_shape(make_forecaster(config).init, jax.random.key(seed), frames, forcings)
    return jax.tree.map(lambda x: np.ones(x.shape, x.dtype), shapes)


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        ModelConfig("predrnn", num_hidden=(4, 4), filter_size=3, layer_norm=True),
        ModelConfig(**with_usual({"model_name": "mim", "num_hidden": (4, 4), "filter_size": 3})),
        ModelConfig(**with_usual({"model_name": "action_cond_predrnn", "num_hidden": (4, 4), "num_action_ch": 2})),
        ModelConfig("s5", num_hidden=(4,), residual=True, scales=3, coordinates="moving"),
        ModelConfig(**with_usual({"model_name": "gru", "num_hidden": (4,), "task": "sequence", "num_action_ch": 3})),
        dataclasses.replace(CONFIG, noise=0.1),
    ],
    ids=lambda config: config.model_name,
)
def test_the_parameters_of_a_model_fit_it(config):
    check_parameters(config, make(config, 16, 24))
    stacked = jax.tree.map(lambda a: np.stack([a, a]), make(config, 16, 24))
    check_parameters(config, stacked, networks=2)
    with pytest.raises(ValueError, match="has the shape"):
        check_parameters(config, stacked)


def change(params, function):
    module = next(iter(params))
    name = next(iter(params[module]))
    return {**params, module: {**params[module], name: function(params[module][name])}}


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda a: np.full_like(a, np.nan), "holds nan"),
        (lambda a: np.full_like(a, -np.inf), "holds -inf"),
        (lambda a: a.astype(complex), "must be real numbers, found complex128"),
        (lambda a: a.astype("U1"), "must be real numbers, found <U1"),
        (lambda a: a.astype(int), "must be real numbers, found int64"),
        (lambda a: a[..., :-1], "has the shape .*, the model needs"),
        (lambda a: a[None], "has the shape .*, the model needs"),
    ],
)
def test_a_parameter_that_cannot_be_is_named(function, message):
    with pytest.raises(ValueError, match=rf"^the parameter conv_lstm.* {message}") as error:
        check_parameters(CONFIG, change(make(CONFIG), function))
    assert "\n" not in str(error.value)


def test_names_that_are_missing_or_unknown_are_said():
    params = make(CONFIG)
    module = next(iter(params))
    with pytest.raises(ValueError, match=rf"the parameter {module}/\w+ is missing"):
        check_parameters(CONFIG, {name: one for name, one in params.items() if name != module})
    with pytest.raises(ValueError, match="the parameter other/w is unknown to the model"):
        check_parameters(CONFIG, {**params, "other": {"w": np.ones(3, np.float32)}})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"num_hidden": (4,) * 100_000}, "num_hidden has 100000 layers, there are"),
        ({"num_hidden": (10**9,)}, "has the shape"),
        ({"patch_size": 10**7}, "has the shape|gives no model"),
        ({"cell_options": '{"no_such": 1}'}, "gives no model"),
    ],
)
def test_a_configuration_of_impossible_size_is_refused_at_once(values, message):
    with pytest.raises(ValueError, match=message):
        check_parameters(dataclasses.replace(CONFIG, **values), make(CONFIG))


def test_a_window_has_a_possible_length():
    with pytest.raises(ValueError, match="total_length must be at most 1000000 frames, got 1000000000"):
        dataclasses.replace(CONFIG, total_length=10**9)
