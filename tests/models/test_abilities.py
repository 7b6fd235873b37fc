"""What some models can do besides forecasting, and who cannot."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from predjax.models import abilities
from predjax.models.abilities import make_constraint, make_increments, make_state_map
from predjax.models.config import ModelConfig
from predjax.models.forecaster import make_forecaster
from predjax.models.sampling import forecast_mask
from predjax.models.stacks.predrnn import decoupling_loss

compile_quickly = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
CONFIG = ModelConfig("predrnn_v2", (2, 2), 3, patch_size=2, input_length=3, total_length=5)
SERIES = ModelConfig("gru", (3,), 1, patch_size=1, input_length=3, total_length=6)
FRAMES = np.random.default_rng(0).random((2, 5, 5, 7, 1), np.float32)
FREE = np.asarray(forecast_mask(2, 3, 5))


def randomise(config, frames):
    """Random parameters, larger than the initial ones so that everything matters."""
    leaves, structure = jax.tree.flatten(jax.eval_shape(make_forecaster(config).init, jax.random.key(0), frames))
    rng = np.random.default_rng(1)
    return structure.unflatten([(0.4 * rng.normal(size=leaf.shape)).astype(np.float32) for leaf in leaves])


@functools.cache
def find_increments():
    params = randomise(CONFIG, FRAMES)
    return params, compile_quickly(make_increments(CONFIG))


def test_the_penalty_is_that_of_the_increments_of_every_step_and_layer():
    params, increments = find_increments()
    delta_c, delta_m = increments(params, FRAMES, FREE)
    assert delta_c.shape == delta_m.shape == (4, 2, 2, 3, 4, 2)
    kernel = params["predrnn/~/decouple"]["w"].reshape(2, 2)
    each = jax.vmap(jax.vmap(decoupling_loss))(delta_c @ kernel, delta_m @ kernel)
    _, metrics = compile_quickly(make_forecaster(CONFIG).loss)(params, None, FRAMES, FREE)
    np.testing.assert_allclose(CONFIG.decouple_beta * each.mean(), metrics["penalty"], rtol=1e-5)
    assert np.ptp(each) > 0.01  # steps and layers differ


def test_increments_of_a_step_follow_from_the_frames_up_to_it_and_from_their_own_sample():
    params, increments = find_increments()
    before, later = increments(params, FRAMES, FREE), FRAMES.copy()
    later[0, 1] += 1
    for here, there in zip(before, increments(params, later, FREE)):
        np.testing.assert_array_equal(here[0], there[0])
        np.testing.assert_array_equal(here[:, :, 1], there[:, :, 1])
        assert all(np.abs(here[step, :, 0] - there[step, :, 0]).max() > 1e-4 for step in (1, 2, 3))


def test_a_map_of_states_goes_on_as_the_forecast_does():
    frames = np.random.default_rng(0).normal(size=(2, 6, 1, 1, 2)).astype(np.float32)
    config = ModelConfig("gru", (3,), 1, patch_size=1, img_channel=2, input_length=3, total_length=6)
    params, state_map = randomise(config, frames), make_state_map(config)
    carries = state_map.carries(params, frames[:, :4], np.ones((2, 3), bool))
    carry, found = jax.tree.map(lambda a: a[-1], carries), []
    for _ in range(3):
        found.append(carry.predicted)
        carry = state_map.advance(params, carry)
    expected = jax.jit(make_forecaster(config).predict, static_argnums=3)(params, None, frames[:, :3], 3)
    np.testing.assert_allclose(jnp.stack(found, 1), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("ability", "config", "reason"),
    [
        ("make_increments", SERIES, "gru has no memories with increments"),
        ("make_inference", SERIES, "gru has no latents"),
        ("make_objectives", SERIES, "gru has one loss"),
        ("make_state_map", ModelConfig("tidhy", (3,), 1, patch_size=1), "tidhy infers its states from frames"),
    ],
)
def test_what_a_model_cannot_do_is_refused(ability, config, reason):
    with pytest.raises(ValueError, match=reason):
        getattr(abilities, ability)(config)


def test_only_some_models_constrain_their_parameters():
    matrices = np.random.default_rng(0).normal(size=(2, 9)).astype(np.float32)
    params = {"tidhy": {"temporal": matrices}}
    assert make_constraint(SERIES)(params) is params
    normalised = make_constraint(ModelConfig("tidhy", (3,), 1, patch_size=1, cell_options={"normalise": True}))(params)
    assert np.abs(normalised["tidhy"]["temporal"] - matrices).max() > 1e-3
