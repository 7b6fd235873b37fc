"""TiDHy behind the interface of all models: what it sees, what it forecasts, and what it refuses."""

import dataclasses
import functools

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from predjax.cells.tidhy import TiDHy
from predjax.cells.tidhy_inference import Codes, training_loss
from predjax.models.abilities import make_inference
from predjax.models.config import ModelConfig, with_usual
from predjax.models.forecaster import make_forecaster
from predjax.models.sampling import forecast_mask
from predjax.models.scaling import Scaling
from predjax.models.stacks import list_options
from predjax.models.tidhy import configure_tidhy

compile_quickly = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
OPTIONS = {"r2_dim": 2, "mix_dim": 2, "hyper_dim": 5, "max_iter": 20, "cos_eta": 0.1}
CONFIG = ModelConfig(
    "tidhy", (3,), patch_size=1, filter_size=1, img_channel=4, input_length=4, total_length=7, cell_options=OPTIONS,
    scaling=Scaling("linear", (0.0, 0.0, 0.0, 0.0), (2.0, 1.0, 1.0, 1.0), "m"),
)  # fmt: skip
FRAMES = np.random.default_rng(0).normal(size=(2, 7, 1, 1, 4)).astype(np.float32)
FORECASTER = make_forecaster(CONFIG)
rollout = compile_quickly(FORECASTER.rollout)
infer = compile_quickly(make_inference(CONFIG))


@functools.cache
def start_params():
    return compile_quickly(FORECASTER.init)(jax.random.key(0), FRAMES)


def test_a_prediction_knows_what_came_before_it_alone():
    predicted = rollout(start_params(), None, FRAMES, None)
    assert predicted.shape == (2, 6, 1, 1, 4) and np.isfinite(predicted).all()
    for t in (2, 5):
        later = FRAMES.copy()
        later[:, t:] += 1
        changed = np.abs(rollout(start_params(), None, later, None) - predicted).max((0, 2, 3, 4))
        assert not changed[:t].any() and (t == 6 or changed[t] > 1e-4)


@pytest.mark.parametrize("radius", [None, 0.5])
def test_a_forecast_is_a_rollout_that_sees_nothing_more(radius):
    forecaster, roll = FORECASTER, rollout
    if radius:
        forecaster = make_forecaster(dataclasses.replace(CONFIG, cell_options=CONFIG.options | {"radius": radius}))
        roll = compile_quickly(forecaster.rollout)
    hidden = FRAMES.copy()
    hidden[:, 4:] = np.nan
    rolled = roll(start_params(), None, hidden, forecast_mask(2, 4, 7))[:, 3:]
    forecast = compile_quickly(forecaster.predict, static_argnums=3)(start_params(), None, FRAMES[:, :4], 3)
    np.testing.assert_allclose(forecast, rolled, rtol=1e-4, atol=1e-5)
    assert np.abs(forecast[:, 0] - forecast[:, 1]).max() > 1e-4


def test_the_loss_is_that_of_the_cell_for_a_step_and_a_feature():
    config = configure_tidhy(CONFIG)
    networks = hk.without_apply_rng(hk.transform(lambda: TiDHy(4, config).networks())).apply(start_params())
    x = CONFIG.scaling.scale(jnp.asarray(FRAMES))[:, :, 0, 0]
    expected, terms = training_loss(networks, config, x, Codes(*infer(start_params(), FRAMES)[:2]))
    value, metrics = compile_quickly(FORECASTER.loss)(start_params(), None, FRAMES, None)
    np.testing.assert_allclose(value * 7 * 4, expected, rtol=1e-4)
    np.testing.assert_allclose(metrics["mse"] * 7 * 4, terms.predicted.mean(), rtol=1e-4)
    np.testing.assert_allclose(metrics["penalty"] * 7 * 4, 0.1 * terms.regularisers.cosines, rtol=1e-2)


def test_latents_are_codes_and_what_they_show():
    latents = infer(start_params(), FRAMES)
    assert latents.w.shape == (2, 7, 2) and (latents.w >= 0).all() and latents.x_bar.shape == (2, 7, 4)
    assert np.isnan(latents.r_bar[:, 0]).all() and np.isnan(latents.x_bar[:, 0]).all()
    matrices = start_params()["tidhy"]["temporal"].reshape(2, 3, 3)
    expected = jnp.einsum("btk,kij,btj->bti", latents.w[:, 1:], matrices, latents.r[:, :-1])
    np.testing.assert_allclose(latents.r_bar[:, 1:], expected, rtol=1e-4, atol=1e-5)
    decoder = start_params()["tidhy/~/decoder"]
    shown = CONFIG.scaling.unscale(latents.r @ decoder["w"] + decoder["b"])
    np.testing.assert_allclose(latents.x_hat, shown, rtol=1e-4, atol=1e-5)


def test_what_is_missing_is_inferred_from_the_rest():
    some = FRAMES.copy()
    some[0, 2, ..., 1] = some[1, 3] = np.nan
    codes = infer(start_params(), some)
    assert np.isfinite(codes.r).all() and np.isfinite(codes.r2).all()
    np.testing.assert_array_equal(codes.r[0, :2], infer(start_params(), FRAMES).r[0, :2])
    loss = compile_quickly(jax.value_and_grad(lambda params: FORECASTER.loss(params, None, some, None)[0]))
    value, gradient = loss(start_params())
    assert np.isfinite(value) and all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"num_action_ch": 2}, "tidhy takes no forcings$"),
        ({"task": "sequence", "input_length": 0, "num_action_ch": 0}, "tidhy infers its states from frames"),
        ({"num_hidden": (3, 3)}, "num_hidden must be one number, of latent states, got 3,3"),
        ({"patch_size": 2}, "patch_size must be 1: tidhy is for series"),
        ({"coverage_channel": True}, "coverage_channel must be 0"),
    ],
)
def test_what_it_cannot_be_is_refused(fields, reason):
    with pytest.raises(ValueError, match=reason):
        ModelConfig(**{"model_name": "tidhy", "num_hidden": (3,), "patch_size": 1, **fields})


def test_options_are_those_of_its_configuration():
    assert list_options("tidhy")["r2_dim"] == 4 and "r_dim" not in list_options("tidhy")
    with pytest.raises(ValueError, match="'mix_dims'; did you mean mix_dim"):
        make_forecaster(ModelConfig("tidhy", (3,), patch_size=1, cell_options={"mix_dims": 2}))
    with pytest.raises(ValueError, match="loss must be one of mse, poisson, bce, not 'l1'"):
        make_forecaster(ModelConfig("tidhy", (3,), patch_size=1, cell_options={"loss": "l1"}))
    assert with_usual({"model_name": "tidhy"})["num_hidden"] == (8,)
    with pytest.raises(ValueError, match="tidhy is for series, the frames have 4x4 pixels"):
        FORECASTER.init(jax.random.key(0), np.zeros((1, 2, 4, 4, 4)))
