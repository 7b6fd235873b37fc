"""Members that one model draws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from predjax import parallel
from predjax.models.config import ModelConfig, SamplingConfig
from predjax.models.ensemble import make_ensemble
from predjax.models.forecaster import make_forecaster
from predjax.models.members import make_members
from predjax.training.config import TrainConfig
from predjax.training.step import init_state, make_optimizer, make_update

SERIES = {"filter_size": 1, "patch_size": 1, "input_length": 2, "total_length": 5}
CONFIG = ModelConfig("gru", (8,), loss="crps", noise=0.5, loss_members=3, **SERIES)
FORECASTER = make_forecaster(CONFIG)
LOSS = jax.jit(FORECASTER.loss)
FRAMES = np.random.default_rng(0).normal(size=(4, 5, 1, 1, 1)).astype(np.float32)
PARAMS = FORECASTER.init(jax.random.key(0), FRAMES)
TRUTH = np.ones((4, 4), bool)


@pytest.fixture(scope="module")
def draw():
    return jax.jit(make_members(FORECASTER), static_argnums=3)


def test_draws_belong_to_keys_and_not_to_batches_or_devices(draw):
    keys = jax.random.split(jax.random.key(1), (4, 3))
    members = draw(PARAMS, keys, FRAMES[:, :2], 3)
    assert members.shape == (4, 3, 3, 1, 1, 1) and members.std(1).min() > 1e-3
    shared = parallel.map_samples(
        lambda params, arrays, steps: make_members(FORECASTER)(params, *arrays, steps), parallel.choose_local()
    )
    np.testing.assert_allclose(shared(PARAMS, (keys, FRAMES[:, :2]), 3), members, rtol=1e-5, atol=1e-6)
    one = FORECASTER.predict(PARAMS, keys[2, 1], FRAMES[2:3, :2], 3)
    np.testing.assert_allclose(one[0], members[2, 1], rtol=1e-5, atol=1e-6)


def test_without_a_key_the_forecast_is_that_of_the_network_without_noise():
    plain = make_forecaster(ModelConfig("gru", (8,), **SERIES))
    forecast = FORECASTER.predict(PARAMS, None, FRAMES[:, :2], 3)
    weights = {module: arrays for module, arrays in PARAMS.items() if "noise" not in module}
    np.testing.assert_array_equal(forecast, plain.predict(weights, None, FRAMES[:, :2], 3))
    loss, metrics = LOSS(PARAMS, None, FRAMES, TRUTH)
    np.testing.assert_allclose(loss, metrics["crps"] + metrics["penalty"])


def test_networks_of_an_ensemble_draw_members_of_their_own():
    stacked = jax.tree.map(lambda a: jnp.stack([a, a]), PARAMS)
    keys = jax.random.split(jax.random.key(1), (4, 3))
    members = jax.jit(make_members(make_ensemble(FORECASTER)), static_argnums=3)(stacked, keys, FRAMES[:, :2], 3)
    assert members.shape == (4, 6, 3, 1, 1, 1)
    assert len(np.unique(np.asarray(members)[0, :, 2].ravel())) == 6


def test_shares_of_the_loss_of_replicas_add_up_to_the_loss_of_the_whole_batch():
    """The noise of a sample is the same wherever it is computed, also with missing frames."""
    frames = FRAMES.copy()
    frames[1, 2:] = np.nan
    key = jax.random.key(2)
    whole, _ = LOSS(PARAMS, key, frames, TRUTH)
    parts = frames.reshape(2, 2, *frames.shape[1:]), TRUTH.reshape(2, 2, -1)
    shares = jax.vmap(lambda x, t: FORECASTER.loss(PARAMS, key, x, t, None, "replica")[0], axis_name="replica")
    np.testing.assert_allclose(shares(*parts).sum(), whole, rtol=1e-5)
    assert abs(LOSS(PARAMS, jax.random.key(3), frames, TRUTH)[0] - whole) > 1e-3


def test_training_by_crps_learns_how_uncertain_the_future_is():
    """A walk of steps N(0, 1) from 0: the CRPS falls, and members spread, more with the lead time."""
    walks = np.random.default_rng(1).normal(size=(40, 64, 5, 1, 1, 1)).cumsum(2).astype(np.float32)
    optimizer = make_optimizer(TrainConfig(lr=0.03, max_iterations=120))
    update = make_update(FORECASTER, optimizer, SamplingConfig(teacher_forcing="steps"))
    state = init_state(PARAMS, optimizer, 0)
    truth = np.broadcast_to(np.arange(4) < 2, (64, 4))
    before, _ = LOSS(PARAMS, jax.random.key(4), walks[0], truth)
    state, _ = jax.jit(lambda state, batches: jax.lax.scan(update, state, batches))(
        state, np.tile(walks, (3, 1, 1, 1, 1, 1))
    )
    after, _ = LOSS(state.params, jax.random.key(4), walks[0], truth)
    members = make_members(FORECASTER)(state.params, jax.random.split(jax.random.key(5), (64, 8)), walks[0, :, :2], 3)
    spread = np.asarray(members.std(1)).mean((0, 2, 3, 4))
    assert after < 0.8 * before and spread[0] > 0.2 and spread[2] > spread[0]


def test_a_sequence_is_drawn_too():
    config = ModelConfig(
        "elman",
        (4,),
        task="sequence",
        input_length=0,
        total_length=5,
        filter_size=1,
        patch_size=1,
        num_action_ch=2,
        loss="crps",
        noise=0.1,
    )
    forecaster, forcings = make_forecaster(config), np.ones((4, 5, 2), np.float32)
    params = forecaster.init(jax.random.key(0), FRAMES, forcings)
    loss, metrics = jax.jit(forecaster.loss)(params, jax.random.key(1), FRAMES, None, forcings)
    assert np.isfinite(loss) and set(metrics) == {"crps", "penalty"}
    keys = jax.random.split(jax.random.key(1), (4, 3))
    members = make_members(forecaster)(params, keys, FRAMES[:, :0], 5, forcings)
    assert members.shape == (4, 3, 5, 1, 1, 1) and members.std(1).min() > 0
