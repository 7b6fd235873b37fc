"""Oscillators: against the reference numbers, and what physics says of their energy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sequences import draw, follow, make_params

from predjax.cells import CoRNN, HeteroCoRNN
from predjax.cells.oscillatory import OscillatorState, step_oscillators


@pytest.mark.parametrize("start", ["zero", "state0"])
@pytest.mark.parametrize("implicit", [False, True], ids=["explicit", "implicit"])
@pytest.mark.parametrize("name", ["C_coRNN", "C_coRNN_hetero"])
def test_against_the_published_equation(read, name, implicit, start):
    arrays = read(name)
    params = {
        "cell/~/input": {"w": arrays["w/w_in"].T, "b": arrays["w/b"]},
        "cell/~/position": {"w": arrays["w/w_h"].T},
        "cell/~/velocity": {"w": arrays["w/w_z"].T},
    }

    def make():
        options = {"step_size": 0.12, "implicit_damping": implicit, "name": "cell"}
        if name == "C_coRNN":
            return CoRNN(8, gamma=2.7, epsilon=1.3, **options)
        cell = HeteroCoRNN(8, **options)
        cell.gamma, cell.epsilon = arrays["w/gamma"], arrays["w/eps"]  # drawn by another generator
        return cell

    state = OscillatorState(arrays["state0/y"], arrays["state0/z"]) if start == "state0" else None
    outputs, _ = follow(make, params, arrays["x"], state)
    target = arrays[f"paper{'_implicit_damping' if implicit else ''}/{start}"]
    np.testing.assert_allclose(outputs, target, rtol=0, atol=1e-5)


def drift(step_size, time=2.0):
    """The largest change of the energy (z^2 + gamma y^2) / 2 of a free oscillator, from y = 1, z = 0."""
    start = OscillatorState(jnp.ones(()), jnp.zeros(()))

    def step(state, _):
        state = step_oscillators(state, 0.0, 2.7, 0.0, step_size)
        return state, (state.velocity**2 + 2.7 * state.position**2) / 2

    return np.abs(jax.lax.scan(step, start, None, length=round(time / step_size))[1] - 2.7 / 2).max()


def test_the_energy_of_a_free_oscillator_stays_as_steps_shrink(double):
    drifts = [drift(step) for step in (0.02, 0.01, 0.005)]
    assert drifts[0] < 0.05
    np.testing.assert_allclose(drifts[0] / drifts[1], 2, rtol=0.05)
    np.testing.assert_allclose(drifts[1] / drifts[2], 2, rtol=0.05)


@pytest.mark.parametrize("implicit", [False, True], ids=["explicit", "implicit"])
def test_a_damped_oscillator_follows_its_equation(double, implicit):
    """y'' = -gamma y - epsilon y' from y = 1: exp(-epsilon t / 2) (cos(w t) + epsilon / 2w sin(w t))."""
    gamma, epsilon = 2.7, 1.3
    w = np.sqrt(gamma - epsilon**2 / 4)
    exact = np.exp(-epsilon / 2) * (np.cos(w) + epsilon / (2 * w) * np.sin(w))

    def error(steps):
        start = OscillatorState(jnp.ones(()), jnp.zeros(()))
        step = lambda _, state: step_oscillators(state, 0.0, gamma, epsilon, 1 / steps, implicit)  # noqa: E731
        return abs(jax.lax.fori_loop(0, steps, step, start).position - exact)

    assert error(400) < 2e-3
    np.testing.assert_allclose(error(400) / error(800), 2, rtol=0.05)


def test_implicit_damping_stays_finite_where_explicit_damping_does_not(double):
    """dt epsilon = 3: the factor of z is 1 - 3 = -2 or 1 / 4."""
    start = OscillatorState(jnp.zeros(()), jnp.ones(()))
    explicit = step_oscillators(start, 0.0, 1.0, 30.0, 0.1)
    implicit = step_oscillators(start, 0.0, 1.0, 30.0, 0.1, implicit_damping=True)
    np.testing.assert_allclose([explicit.velocity, implicit.velocity], [-2.0, 0.25])


def test_oscillators_that_differ_are_in_their_ranges_and_the_same_every_time():
    options = {"gamma_min": 1.0, "gamma_max": 2.0, "epsilon_min": 3.0, "epsilon_max": 5.0}
    constants = []

    def run(seed):
        def make():
            cell = HeteroCoRNN(200, seed=seed, **options)
            constants.append((cell.gamma, cell.epsilon))
            return cell

        make_params(make, draw(1, 2))
        return constants[-1]

    (gamma, epsilon), again, other = run(0), run(0), run(1)
    assert 1 <= gamma.min() < 1.05 and 1.95 < gamma.max() <= 2
    assert 3 <= epsilon.min() < 3.1 and 4.9 < epsilon.max() <= 5
    np.testing.assert_array_equal(gamma, again[0])
    assert (gamma != other[0]).any()
    with pytest.raises(ValueError, match="gamma_max must be at least 1"):
        make_params(lambda: HeteroCoRNN(4, gamma_max=1), draw(1, 2))


def test_equal_oscillators_are_the_plain_network(double):
    x = draw(2, 3, 2)
    options = {"gamma_min": 2.0, "gamma_max": 2.0, "epsilon_min": 3.0, "epsilon_max": 3.0}
    params = make_params(lambda: CoRNN(4, name="cell"), x[:, 0])
    plain, _ = follow(lambda: CoRNN(4, gamma=2.0, epsilon=3.0, name="cell"), params, x)
    equal, _ = follow(lambda: HeteroCoRNN(4, **options, name="cell"), params, x)
    np.testing.assert_allclose(equal, plain, rtol=1e-12)
