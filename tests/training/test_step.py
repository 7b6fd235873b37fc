"""The update: the same on any number of devices, deterministic, and unmoved by bad batches."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from training.linear_run import make_linear

from predjax import parallel
from predjax.models.config import ModelConfig, SamplingConfig
from predjax.models.forecaster import make_forecaster
from predjax.training.config import TrainConfig
from predjax.training.step import AUGMENTATION, augment, init_state, make_optimizer, make_update, scale_by_adam

FORECASTER = make_forecaster(ModelConfig(num_hidden=(3,), filter_size=3, input_length=2, total_length=4))
OPTIMIZER = make_optimizer(TrainConfig())
SAMPLING = SamplingConfig().resolve(100)
UPDATE = make_update(FORECASTER, OPTIMIZER, SAMPLING)
update_here = jax.jit(UPDATE)


@pytest.fixture(scope="module")
def frames():
    values = np.random.default_rng(0).random((8, 4, 8, 8, 1), dtype=np.float32)
    values[:, :, :2, 5:] = np.nan
    values[3, 2] = np.nan  # samples with unequal numbers of valid pixels: a mean of means would show
    values[6, 1:, 4:] = np.nan
    return values


@pytest.fixture(scope="module")
def params(frames):
    return FORECASTER.init(jax.random.key(1), frames)


@functools.cache
def parallelise(count, accumulate=1):
    devices = parallel.choose_devices(count)
    update = make_update(FORECASTER, OPTIMIZER, SAMPLING, TrainConfig(accumulate=accumulate))
    return devices, parallel.parallelise(update, devices)


def run(params, frames, count, steps=3, accumulate=1):
    devices, update = parallelise(count, accumulate)
    state = parallel.replicate(init_state(jax.tree.map(jnp.copy, params), OPTIMIZER, 5), devices)
    losses = []
    for _ in range(steps):
        state, metrics = update(state, parallel.shard(frames, devices), None, None)
        losses.append(float(metrics["loss"]))
    return state, losses


def test_four_devices_equal_one(params, frames):
    one, losses_one = run(params, frames, 1)
    four, losses_four = run(params, frames, 4)
    np.testing.assert_allclose(losses_four, losses_one, rtol=1e-6)
    for a, b in zip(jax.tree.leaves(one.params), jax.tree.leaves(four.params)):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_accumulated_batches_equal_one_as_large(params, frames):
    """Four batches of 2 on two devices and one of 8: with missing pixels, sampled inputs, a penalty, clipped norms."""
    one, losses_one = run(params, frames, 1)
    four, losses_four = run(params, frames, 2, accumulate=4)
    np.testing.assert_allclose(losses_four, losses_one, rtol=1e-6)
    for a, b in zip(jax.tree.leaves(one.params), jax.tree.leaves(four.params)):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_the_average_is_its_recursion():
    forecaster, config = make_linear(), TrainConfig(ema=0.9, lr_schedule="constant", warmup_iterations=0)
    optimizer = make_optimizer(config)
    update = jax.jit(make_update(forecaster, optimizer, SAMPLING, config))
    params = forecaster.init(None, None)
    state = init_state(params, optimizer, 0)._replace(average=params)
    assert state.best_params is state.average and state._replace(average=None).best_params is state.params
    average = float(params["linear"]["w"])
    for value in (1.0, 200.0, np.nan, 3.0):  # without a finite gradient neither moves
        state, _ = update(state, np.full((2, 4, 3, 3, 1), value, np.float32) * np.arange(4)[:, None, None, None])
        average = 0.9 * average + 0.1 * float(state.params["linear"]["w"]) if np.isfinite(value) else average
        np.testing.assert_allclose(state.average["linear"]["w"], average, rtol=1e-6)
    assert abs(average - float(state.params["linear"]["w"])) > 1e-3


def test_replicas_stay_equal(params, frames):
    state, _ = run(params, frames, 4)
    for leaf in jax.tree.leaves(state.params):
        copies = [np.asarray(shard.data) for shard in leaf.addressable_shards]
        assert len(copies) == 4
        for copy in copies[1:]:
            np.testing.assert_array_equal(copies[0], copy)


def test_the_state_is_changed_in_its_place(params, frames):
    """No array of it is copied: a choice between the old state and the new one would keep both."""
    devices, update = parallelise(1)
    state = parallel.replicate(init_state(jax.tree.map(jnp.copy, params), OPTIMIZER, 5), devices)
    program = update.lower(state, parallel.shard(frames, devices), None, None).compile().as_text()
    entry = program[program.index("ENTRY") :]
    given = re.findall(r"(%\S+) = f32\[\d+,\S+ parameter\(", entry)
    assert len(given) >= 3 * len(jax.tree.leaves(params))
    copied = [name for name in given if f" copy({name})" in entry]
    assert not copied


def test_a_batch_that_is_not_finite_changes_nothing_but_the_step(params, frames):
    state = init_state(params, OPTIMIZER, 0)
    bad = np.where(np.arange(8)[:, None, None, None, None] == 2, 1e30, frames)
    new, metrics = update_here(state, bad)
    assert metrics["bad"] == 1 and new.step == 1
    for a, b in zip(jax.tree.leaves((state.params, state.opt_state)), jax.tree.leaves((new.params, new.opt_state))):
        np.testing.assert_array_equal(a, b)
    good, metrics = update_here(new, frames)
    assert metrics["bad"] == 0 and good.step == 2


def test_draws_depend_on_seed_and_iteration(params, frames):
    losses = {
        (seed, step): float(update_here(init_state(params, OPTIMIZER, seed)._replace(step=step), frames)[1]["loss"])
        for seed in (0, 1)
        for step in (0, 1)
    }
    assert len(set(losses.values())) == 4


def test_reverse_input_is_two_updates(params, frames):
    update = jax.jit(make_update(FORECASTER, OPTIMIZER, SAMPLING, TrainConfig(reverse_input=True)))
    state, metrics = update(init_state(params, OPTIMIZER, 0), frames)
    assert state.step == 1
    counts = [leaf for leaf in jax.tree.leaves(state.opt_state) if leaf.ndim == 0]
    assert {int(count) for count in counts} == {2}
    plain = update_here(init_state(params, OPTIMIZER, 0), frames)
    assert metrics["loss"] != plain[1]["loss"]


def test_a_batch_that_does_not_divide_is_refused():
    with pytest.raises(ValueError, match="batch_size 6 does not divide by 4 devices"):
        parallel.check_batch(6, parallel.choose_devices(4))


def test_adam_is_adam():
    """Ten updates in float32 against the formula of Kingma & Ba (2015) in float64."""
    gradients = np.random.default_rng(0).normal(size=(10, 7)).astype(np.float32)
    optimizer = scale_by_adam()
    state = optimizer.init(jnp.zeros(7))
    m = v = np.zeros(7)
    for n, gradient in enumerate(gradients.astype(float), 1):
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        expected = m / (1 - 0.9**n) / (np.sqrt(v / (1 - 0.999**n)) + 1e-8)
        direction, state = optimizer.update(jnp.asarray(gradient, jnp.float32), state)
        np.testing.assert_allclose(direction, expected, rtol=2e-6, atol=1e-7)


@pytest.mark.ci
def test_teacher_forcing_at_once_is_teacher_forcing_by_steps(frames):
    forecaster = make_forecaster(ModelConfig("lru", (3,), 1, input_length=2, total_length=4))
    params = forecaster.init(jax.random.key(1), frames)
    losses = []
    for forcing in ("steps", "parallel"):
        update = make_update(forecaster, OPTIMIZER, SamplingConfig(teacher_forcing=forcing).resolve(100))
        losses.append(jax.jit(update)(init_state(params, OPTIMIZER, 5), frames)[1]["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_augmentation_is_one_of_the_symmetries_of_a_square_for_a_whole_window():
    windows = np.random.default_rng(0).random((64, 2, 6, 6, 1), dtype=np.float32)
    turned = np.asarray(augment(jax.random.key(0), windows)[0])
    squares = [np.rot90(windows, k, (2, 3)) for k in range(4)]
    squares += [np.flip(square, 2) for square in squares]
    kinds = [[k for k, square in enumerate(squares) if np.array_equal(square[b], turned[b])] for b in range(64)]
    assert all(len(found) == 1 for found in kinds)
    assert {found[0] for found in kinds} == set(range(8))
    # Those of samples, however the batch is divided.
    parts = [np.asarray(augment(jax.random.key(0), windows[i : i + 32], None, i)[0]) for i in (0, 32)]
    np.testing.assert_array_equal(np.concatenate(parts), turned)


def test_augmentation_takes_maps_of_forcings_along_and_does_not_turn_what_is_not_square():
    windows = np.random.default_rng(0).random((16, 2, 4, 6, 1), dtype=np.float32)
    turned, forcings = augment(jax.random.key(0), windows, 2 * windows)
    np.testing.assert_array_equal(forcings, 2 * turned)
    mirrored = [windows, np.flip(windows, 2), np.flip(windows, 3), np.flip(windows, (2, 3))]
    kinds = {k for k, m in enumerate(mirrored) for one, wanted in zip(np.asarray(turned), m) if (one == wanted).all()}
    assert kinds == {0, 1, 2, 3}
    numbers = np.ones((16, 2, 3), np.float32)
    assert augment(jax.random.key(0), windows, numbers)[1] is numbers


def test_an_augmented_update_is_that_of_the_turned_windows(params, frames):
    state = init_state(params, OPTIMIZER, 0)
    found = jax.jit(make_update(FORECASTER, OPTIMIZER, SAMPLING, TrainConfig(augment=True)))(state, frames)[1]["loss"]
    turned, _ = augment(jax.random.fold_in(jax.random.fold_in(state.rng, 1), AUGMENTATION), frames)
    np.testing.assert_allclose(found, update_here(state, turned)[1]["loss"], rtol=1e-6)
    assert abs(float(found - update_here(state, frames)[1]["loss"])) > 1e-6
