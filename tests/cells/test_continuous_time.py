"""Continuous-time networks: against the reference numbers; the variance of their noise; their limits."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sequences import compile_quickly, draw, follow, make_params

from predjax.cells import CTRNN, SimpleCTRNN
from predjax.cells.continuous_time import TimedState


@pytest.mark.parametrize("name", ["noise0", "noise"])
def test_noisy_network_against_the_reference(read, name):
    """The fixture is time-major, has its noise inside the bracket, and gives the random numbers."""
    arrays = read("D_CTRNNCell")
    params = {
        "cell/~/recurrent": {"w": arrays["w/recurrent_kernel/kernel"]},
        "cell/~/input": {"w": arrays["w/input_kernel/kernel"], "b": arrays["w/recurrent_kernel/bias"]},
    }

    def run(x, xi, h):
        cell = CTRNN(8, alpha=0.3, noise=0.6, noise_form="bracket", name="cell")
        states = []
        for t in range(len(x)):
            h = cell.advance(x[t], h, xi[t] if name == "noise" else None)
            states.append(h)
        return jnp.stack(states)

    pure = hk.without_apply_rng(hk.transform(run))
    states = compile_quickly(pure.apply)(params, arrays["x"], arrays["xi"], arrays["h0"])
    np.testing.assert_allclose(states, arrays[f"{name}/h"], rtol=0, atol=1e-5)
    if name == "noise0":
        x, h = arrays["x"].swapaxes(0, 1), arrays["h0"]
        outputs, _ = follow(lambda: CTRNN(8, alpha=0.3, name="cell"), params, x, h)
        np.testing.assert_allclose(outputs.swapaxes(0, 1), arrays["noise0/rates"], rtol=0, atol=1e-5)


def test_simple_network_against_the_reference(read):
    arrays = read("D_SimpleCTRNNCell")
    params = {
        "cell/~/recurrent": {"w": arrays["W"], "b": arrays["b"]},
        "cell/~/input": {"w": np.eye(8, dtype=np.float32)},
    }
    state = TimedState(arrays["h0"], arrays["tau"])
    outputs, states = follow(
        lambda: SimpleCTRNN(8, step_size=0.1, name="cell"), params, arrays["x"].swapaxes(0, 1), state
    )
    np.testing.assert_allclose(outputs.swapaxes(0, 1), arrays["h"], rtol=0, atol=1e-5)
    np.testing.assert_array_equal(states.time_constant[:, -1], arrays["tau"])


@pytest.mark.parametrize(
    "form, expected", [("euler_maruyama", 0.5 / np.sqrt(1 - 0.4 / 2)), ("bracket", 0.5 * np.sqrt(0.4 / (2 - 0.4)))]
)
def test_the_noise_of_a_free_neuron_has_its_variance(form, expected):
    """2000 neurons without weights, after 40 steps of alpha 0.4: all memory of the start is gone."""

    def run(x):
        cell = CTRNN(2000, alpha=0.4, noise=0.5, noise_form=form, name="cell")
        _, state = hk.dynamic_unroll(cell, x, cell.initial_state(1), time_major=False)
        return state

    pure = hk.transform(run)
    params = {"cell/~/recurrent": {"w": jnp.zeros((2000, 2000))}, "cell/~/input": {"w": jnp.zeros((1, 2000))}}
    params["cell/~/input"]["b"] = jnp.zeros(2000)
    state = jax.jit(pure.apply)(params, jax.random.key(0), jnp.zeros((1, 40, 1)))
    np.testing.assert_allclose(state.std(), expected, rtol=0.04)
    assert abs(state.mean()) < 0.05


def test_alpha_one_without_noise_is_a_map_of_rates(double):
    """h' = W tanh(h) + U u + b."""
    x, h = draw(2, 3, 2), draw(2, 4)
    params = make_params(lambda: CTRNN(4, name="cell"), x[:, 0])
    outputs, _ = follow(lambda: CTRNN(4, alpha=1.0, name="cell"), params, x, h)
    w, u = params["cell/~/recurrent"]["w"], params["cell/~/input"]["w"]
    for t in range(3):
        h = jnp.tanh(h) @ w + x[:, t] @ u + params["cell/~/input"]["b"]
        np.testing.assert_allclose(outputs[:, t], np.tanh(h), rtol=1e-10)


def test_neurons_decay_by_their_time_constants(double):
    """Without a drive, h(t) = exp(-t / tau) h(0), to the order of the step."""
    tau = np.array([0.5, 1.0, 4.0])
    zeros = {"w": np.zeros((3, 3)), "b": np.full(3, -1e3)}
    params = {"cell/~/recurrent": zeros, "cell/~/input": {"w": np.zeros((1, 3))}}
    state = TimedState(jnp.ones((1, 3)), jnp.asarray(tau)[None])
    outputs, _ = follow(lambda: SimpleCTRNN(3, step_size=0.001, name="cell"), params, np.zeros((1, 1000, 1)), state)
    np.testing.assert_allclose(outputs[0, -1], np.exp(-1 / tau), rtol=3e-3)


def test_time_constants_of_the_parameters_are_those_of_the_first_state(double):
    make = lambda: SimpleCTRNN(3, (2, 1), name="cell")  # noqa: E731
    pure = hk.without_apply_rng(hk.transform(lambda: make().initial_state(2)))
    state = pure.apply({"cell": {"log_tau": jnp.log(jnp.array([1.0, 2.0, 3.0]))}})
    np.testing.assert_allclose(state.time_constant, np.broadcast_to([1, 2, 3], (2, 2, 1, 3)))


def test_the_gain_is_that_of_a_random_network():
    params = make_params(lambda: CTRNN(50, gain=1.5, name="cell"), draw(1, 3))
    np.testing.assert_allclose(jnp.std(params["cell/~/recurrent"]["w"]), 1.5 / np.sqrt(50), rtol=0.05)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"alpha": 1.2}, "alpha must be at most 1, not 1.2"),
        ({"noise_form": "ito"}, "noise_form must be one of euler_m"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        make_params(lambda: CTRNN(4, **options), draw(1, 3))
