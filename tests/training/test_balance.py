"""Weights of tasks: what moves them, and that training with them is training of their weighted sum."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from predjax.commands.train import main as train
from predjax.models.config import ModelConfig, SamplingConfig
from predjax.models.forecaster import make_forecaster
from predjax.training.balance import balance
from predjax.training.config import TrainConfig
from predjax.training.step import init_state, make_optimizer, make_update

PARAMS = {"w": jnp.zeros(2)}
GRADIENTS = {"w": jnp.array([[3.0, 4.0], [0.3, 0.4]])}  # of norms 5 and 0.5


def test_the_update_is_that_of_the_weighted_sum_and_the_weights_add_up():
    optimizer = balance(optax.sgd(1.0), 2, exponent=1.0, rate=0.1)
    state = optimizer.init(PARAMS)
    for step in range(5):
        before = np.asarray(state.weights)
        updates, state = optimizer.update(GRADIENTS, state, PARAMS, losses=jnp.array([4.0, 2.0]) / (step + 1))
        np.testing.assert_allclose(updates["w"], -(before[:, None] * GRADIENTS["w"]).sum(0), rtol=1e-6)
        np.testing.assert_allclose(state.weights.sum(), 2, rtol=1e-6)
    np.testing.assert_array_equal(state.first, [4, 2])


def test_weights_go_to_the_task_with_the_small_gradient_and_to_the_one_that_learns_less():
    optimizer = balance(optax.sgd(1.0), 2, exponent=1.0, rate=0.1)
    _, state = optimizer.update(GRADIENTS, optimizer.init(PARAMS), PARAMS, losses=jnp.ones(2))
    expected = jax.nn.softmax(jnp.array([0.9, 1.1])) * 2  # norms 5 and 0.5, targets 2.75 for both
    np.testing.assert_allclose(state.weights, expected, rtol=1e-6)
    alike = {"w": jnp.ones((2, 2))}
    state = optimizer.init(PARAMS)
    _, state = optimizer.update(alike, state, PARAMS, losses=jnp.ones(2))
    _, state = optimizer.update(alike, state._replace(weights=jnp.ones(2)), PARAMS, losses=jnp.array([0.2, 1.0]))
    assert state.weights[1] > 1 > state.weights[0]


@pytest.mark.ci
def test_training_tidhy_with_it_starts_as_without():
    """All weights are 1 at first: the first update is the plain one, also of a batch in two parts."""
    options = {"r2_dim": 2, "mix_dim": 2, "hyper_dim": 4, "max_iter": 8, "cos_eta": 0.1}
    config = ModelConfig(
        "tidhy", (3,), patch_size=1, filter_size=1, img_channel=3, input_length=3, total_length=6, cell_options=options
    )
    forecaster = make_forecaster(config)
    frames = np.random.default_rng(0).normal(size=(2, 6, 1, 1, 3)).astype(np.float32)
    found = {}
    plain = TrainConfig(lr=0.01, lr_schedule="constant", warmup_iterations=0, max_iterations=9)
    for exponent in (0.0, 1.0):
        training = dataclasses.replace(plain, grad_norm=exponent, accumulate=1 + int(exponent))
        optimizer = make_optimizer(training)
        state = init_state(forecaster.init(jax.random.key(0), frames), optimizer, 0)
        update = jax.jit(make_update(forecaster, optimizer, SamplingConfig().resolve(9), training))
        states = []
        for _ in range(3):
            state, metrics = update(state, frames)
            states.append((state, metrics))
        found[exponent] = states
    for name in ("loss", "mse", "penalty"):
        np.testing.assert_allclose(found[0.0][0][1][name], found[1.0][0][1][name], rtol=1e-4, atol=1e-6)
    for one, other in zip(*(jax.tree.leaves(found[exponent][0][0].params) for exponent in (0.0, 1.0))):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)
    weights = found[1.0][-1][0].opt_state.weights
    assert np.ptp(weights) > 0.01 and float(weights.sum()) == pytest.approx(3, rel=1e-5)


def test_an_update_may_end_with_a_norm():
    options = {"r2_dim": 2, "mix_dim": 2, "hyper_dim": 4, "max_iter": 4, "normalise": True}
    sizes = {"patch_size": 1, "filter_size": 1, "img_channel": 3, "input_length": 2, "total_length": 4}
    forecaster = make_forecaster(ModelConfig("tidhy", (3,), **sizes, cell_options=options))
    frames = np.random.default_rng(0).normal(size=(2, 4, 1, 1, 3)).astype(np.float32)
    optimizer = make_optimizer(TrainConfig(lr=0.1, max_iterations=9, warmup_iterations=0))
    state = init_state(forecaster.init(jax.random.key(0), frames), optimizer, 0)
    state, _ = jax.jit(make_update(forecaster, optimizer, SamplingConfig().resolve(9)))(state, frames)
    for rows in (state.params["tidhy"]["temporal"], state.params["tidhy/~/decoder"]["w"]):
        np.testing.assert_allclose(np.linalg.norm(rows, axis=-1), 1, rtol=1e-5)


def test_models_with_one_loss_have_nothing_to_balance(tmp_path, capsys):
    assert train(["--grad_norm", "1", "--save_dir", str(tmp_path / "run"), "--num_hidden", "4,4"]) == 2
    assert "grad_norm 1 balances the losses of tidhy, predrnn_v2 has one" in capsys.readouterr().err
