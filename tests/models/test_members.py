"""Members that one model draws, and training by their CRPS."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from predjax import parallel
from predjax.models.config import ModelConfig, SamplingConfig
from predjax.models.ensemble import make_ensemble
from predjax.models.forecaster import Forecaster, make_forecaster
from predjax.models.members import make_members
from predjax.models.shares import Share
from predjax.training.config import TrainConfig
from predjax.training.step import init_state, make_optimizer, make_update

compile_quickly = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
SIZES = {"filter_size": 1, "patch_size": 1, "total_length": 5}
CONFIG = ModelConfig("ind_rnn", (8,), loss="crps", noise=0.5, input_length=2, **SIZES)
FORECASTER = make_forecaster(CONFIG)
# Walks of steps N(0, 1) from 0.
FRAMES = np.random.default_rng(0).normal(size=(8, 64, 5, 1, 1, 1)).cumsum(2).astype(np.float32)
TRUTH = np.broadcast_to(np.arange(4) < 2, (64, 4))


@pytest.fixture(scope="module")
def params():
    return FORECASTER.init(jax.random.key(0), FRAMES[0])


@pytest.fixture(scope="module")
def draw():
    members = compile_quickly(make_members(FORECASTER), static_argnums=3)
    return lambda params, keys, observed: np.asarray(members(params, keys, observed, 3))


@pytest.fixture(scope="module")
def loss():
    return compile_quickly(FORECASTER.loss)


def make_drawn():
    """A forecaster that adds what it draws to the last frame."""

    def predict(params, key, observed, num_steps, forcings=None):
        noise = params * jax.random.normal(key, (num_steps, *observed.shape[2:]))
        return observed[:, -1:] + noise + (0 if forcings is None else forcings[:, :1, None, None])

    return Forecaster(CONFIG, None, None, None, predict)


def test_draws_belong_to_keys(params, draw):
    """In whatever order samples and members come."""
    keys = jax.random.split(jax.random.key(1), (64, 3))
    members = draw(params, keys, FRAMES[0, :, :2])
    assert members.shape == (64, 3, 3, 1, 1, 1) and members.std(1).min() > 1e-4
    turned = draw(params, keys[::-1, ::-1], FRAMES[0, ::-1, :2])
    np.testing.assert_allclose(turned[::-1, ::-1], members, rtol=1e-5, atol=1e-6)


def test_draws_do_not_depend_on_batches_or_devices():
    predict, keys, observed = make_members(make_drawn()), jax.random.split(jax.random.key(1), (4, 3)), FRAMES[0, :4]
    forcings = np.arange(4, dtype=np.float32).reshape(4, 1, 1)
    members = predict(1.0, keys, observed, 2, forcings)
    assert members.shape == (4, 3, 2, 1, 1, 1) and len(np.unique(members)) == 24
    np.testing.assert_array_equal(predict(1.0, keys[2:3, 1:2], observed[2:3], 2, forcings[2:3]), members[2:3, 1:2])

    def run(params, arrays, number):
        keys, observed, forcings = arrays
        return predict(params, keys, observed, number, forcings)

    shared = parallel.map_samples(run, parallel.choose_local())
    np.testing.assert_allclose(shared(1.0, (keys, observed, forcings), 2), members, rtol=1e-6, atol=1e-6)


def test_each_network_of_an_ensemble_draws_members_of_its_own():
    predict, keys = make_members(make_ensemble(make_drawn())), jax.random.split(jax.random.key(1), (4, 3))
    members = np.asarray(predict(jnp.array([1.0, 0.0]), keys, FRAMES[0, :4], 1))
    assert members.shape == (4, 6, 1, 1, 1, 1)
    assert all(len(np.unique(sample)) == 3 for sample in members[:, :3])
    np.testing.assert_array_equal(members[:, 3:], np.repeat(FRAMES[0, :4, None, -1:], 3, 1))
    assert len(np.unique(predict(jnp.ones(2), keys, FRAMES[0, :4], 1))) == 24


def test_without_a_key_the_forecast_is_that_of_the_network_without_noise(params):
    plain = make_forecaster(ModelConfig("ind_rnn", (8,), input_length=2, **SIZES))
    weights = {module: arrays for module, arrays in params.items() if "noise" not in module}
    forecasts = (
        compile_quickly(forecaster.predict, static_argnums=3)(given, None, FRAMES[0, :, :2], 3)
        for forecaster, given in ((FORECASTER, params), (plain, weights))
    )
    np.testing.assert_array_equal(*forecasts)
    _, metrics = jax.eval_shape(FORECASTER.loss, params, None, FRAMES[0], TRUTH)
    assert metrics["crps"].shape == ()


def test_shares_of_the_loss_of_replicas_add_up_to_the_loss_of_the_whole_batch(params, loss):
    """The noise of a sample is the same wherever it is computed, also beside missing frames."""
    frames, key = FRAMES[0].copy(), jax.random.key(2)
    frames[1, 2:] = np.nan
    whole, _ = loss(params, key, frames, TRUTH)

    def share(frames, truth):
        return FORECASTER.loss(params, key, frames, truth, None, Share("replica"))[0]

    parts = frames.reshape(2, 32, *frames.shape[1:]), TRUTH.reshape(2, 32, -1)
    shares = compile_quickly(jax.vmap(share, axis_name="replica"))(*parts)
    np.testing.assert_allclose(shares.sum(), whole, rtol=1e-5)
    assert abs(loss(params, jax.random.key(3), frames, TRUTH)[0] - whole) > 1e-5


def test_training_by_crps_learns_how_uncertain_the_future_is(params, draw, loss):
    """The CRPS of walks falls, and members spread, more with the lead time."""
    optimizer = make_optimizer(TrainConfig(lr=0.03, max_iterations=120))
    update = make_update(FORECASTER, optimizer, SamplingConfig(teacher_forcing="steps"))
    train = compile_quickly(lambda state, batches: jax.lax.scan(update, state, batches)[0])
    before, _ = loss(params, jax.random.key(4), FRAMES[0], TRUTH)
    state = train(init_state(params, optimizer, 0), np.tile(FRAMES, (15, 1, 1, 1, 1, 1)))
    after, _ = loss(state.params, jax.random.key(4), FRAMES[0], TRUTH)
    spread = (
        draw(state.params, jax.random.split(jax.random.key(5), (64, 3)), FRAMES[0, :, :2]).std(1).mean((0, 2, 3, 4))
    )
    assert after < 0.8 * before and spread[0] > 0.2 and spread[2] > spread[0]


def test_a_sequence_is_drawn_too():
    fields = {"task": "sequence", "input_length": 0, "num_action_ch": 2, "loss": "crps", "noise": 0.1}
    forecaster, forcings = make_forecaster(ModelConfig("ind_rnn", (4,), **SIZES, **fields)), np.ones((4, 5, 2))
    params = forecaster.init(jax.random.key(0), FRAMES[0, :4], forcings)
    value, metrics = compile_quickly(forecaster.loss)(params, jax.random.key(1), FRAMES[0, :4], None, forcings)
    assert np.isfinite(value) and set(metrics) == {"crps", "penalty"}
    predict, keys = compile_quickly(make_members(forecaster), static_argnums=3), jax.random.split(jax.random.key(1), 4)
    members = predict(params, keys[:, None], FRAMES[0, :4, :0], 5, forcings)
    assert members.shape == (4, 1, 5, 1, 1, 1) and np.ptp(members, 0).min() > 0
