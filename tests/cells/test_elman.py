"""Vanilla recurrences: against the reference numbers, and against each other."""

import numpy as np
import pytest
from sequences import draw, follow, make_params

from predjax.cells import Elman, IndRNN, LeakyElman, WilsonCowan

VANILLA = {
    "C_Elman_tanh": lambda: Elman(8, name="cell"),
    "C_Elman_relu": lambda: Elman(8, activation="relu", name="cell"),
    "C_LeakyElman": lambda: LeakyElman(8, leak_rate=0.3, name="cell"),
    "C_WilsonCowan": lambda: WilsonCowan(8, leak_rate=0.3, name="cell"),
}


@pytest.mark.parametrize("start", ["zero", "state0"])
@pytest.mark.parametrize("name", VANILLA)
def test_against_the_published_equation(read, name, start):
    arrays = read(name)
    params = {
        "cell/~/input": {"w": arrays["w/w_ih"].T},
        "cell/~/recurrent": {"w": arrays["w/w_hh"].T, "b": arrays["w/b"]},
    }
    state = arrays["state0/h"] if start == "state0" else None
    outputs, _ = follow(VANILLA[name], params, arrays["x"], state)
    np.testing.assert_allclose(outputs, arrays[f"paper/{start}"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("start", ["zero", "state0"])
def test_independent_neurons_against_the_published_equation(read, start):
    """The recurrent weights of the fixture are normal numbers: they need a wide bound."""
    arrays = read("C_IndRNN")
    params = {"cell": {"u": arrays["w/w_hh"]}, "cell/~/input": {"w": arrays["w/w_ih"].T, "b": arrays["w/b"]}}
    state = arrays["state0/h"] if start == "state0" else None
    outputs, _ = follow(lambda: IndRNN(8, recurrent_bound=10.0, name="cell"), params, arrays["x"], state)
    np.testing.assert_allclose(outputs, arrays[f"paper/{start}"], rtol=0, atol=1e-5)


def test_a_leak_of_one_is_elman(double):
    x = draw(2, 4, 3)
    params = make_params(lambda: Elman(5, name="cell"), x[:, 0])
    plain, _ = follow(lambda: Elman(5, name="cell"), params, x)
    leaky, _ = follow(lambda: LeakyElman(5, leak_rate=1.0, name="cell"), params, x)
    slow, _ = follow(lambda: LeakyElman(5, leak_rate=0.5, name="cell"), params, x)
    np.testing.assert_allclose(leaky, plain, rtol=1e-12)
    np.testing.assert_allclose(slow[:, 0], plain[:, 0] / 2, rtol=1e-12)


def test_the_input_of_wilson_cowan_is_outside_of_the_activation(double):
    """With no recurrence and no bias h' = (1 - a) h + a W x, which is linear in x and h."""
    x, h = draw(2, 4, 3), draw(2, 5, seed=1)
    params = make_params(lambda: WilsonCowan(5, name="cell"), x[:, 0])
    params["cell/~/recurrent"] = {"w": np.zeros((5, 5)), "b": np.zeros(5)}
    expected, w = np.asarray(h), np.asarray(params["cell/~/input"]["w"])
    outputs, _ = follow(lambda: WilsonCowan(5, leak_rate=0.3, name="cell"), params, x, h)
    for t in range(4):
        expected = 0.7 * expected + 0.3 * np.asarray(x)[:, t] @ w
        np.testing.assert_allclose(outputs[:, t], expected, rtol=1e-12)


def test_independent_neurons_against_a_loop(double):
    """Recurrent weights beyond the bound count as the bound."""
    x, u, w, b = (np.asarray(a) for a in (draw(2, 6, 3), draw(5), draw(3, 5), draw(5, seed=1)))
    params = {"cell": {"u": 2 * u}, "cell/~/input": {"w": w, "b": b}}
    outputs, _ = follow(lambda: IndRNN(5, name="cell"), params, x)
    assert np.abs(2 * u).max() > 1 > np.abs(2 * u).min()
    h = np.zeros((2, 5))
    for t in range(6):
        h = np.maximum(np.clip(2 * u, -1, 1) * h + x[:, t] @ w + b, 0)
        np.testing.assert_allclose(outputs[:, t], h, rtol=1e-12)


def test_recurrent_weights_of_independent_neurons_start_between_zero_and_one():
    u = np.asarray(make_params(lambda: IndRNN(500, name="cell"), draw(1, 3))["cell"]["u"])
    assert 0 <= u.min() < 0.02 and 0.98 < u.max() <= 1 and abs(u.mean() - 0.5) < 0.05
