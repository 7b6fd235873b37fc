"""LSTM and GRU: against the reference numbers, Haiku's own and loops."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sequences import draw, follow, make_params

from predjax.cells import GRU, LSTM
from predjax.cells.gated import LSTMState


def beside(arrays, *names):
    return np.concatenate([arrays[f"w/{name}"].T for name in names], -1)


@pytest.mark.parametrize("start", ["zero", "state0"])
def test_lstm_against_the_published_equation(read, start):
    arrays = read("C_LSTM")
    params = {
        "cell/~/input": {"w": beside(arrays, "w_ii", "w_fi", "w_ci", "w_oi")},
        "cell/~/recurrent": {
            "w": beside(arrays, "w_ih", "w_fh", "w_ch", "w_oh"),
            "b": beside(arrays, "b_i", "b_f", "b_c", "b_o"),
        },
    }
    state = LSTMState(arrays["state0/h"], arrays["state0/c"]) if start == "state0" else None
    outputs, _ = follow(lambda: LSTM(8, name="cell"), params, arrays["x"], state)
    np.testing.assert_allclose(outputs, arrays[f"paper/{start}"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("start", ["zero", "state0"])
@pytest.mark.parametrize("reset_after", [False, True])
def test_gru_against_the_published_equation(read, reset_after, start):
    """The fixture's r has the weights f, its z the weights i; reset after it has no second bias."""
    arrays = read("C_GRU")
    params = {
        "cell/~/input": {"w": beside(arrays, "w_fi", "w_ii", "w_ci"), "b": beside(arrays, "b_f", "b_i", "b_c")},
        "cell/~/recurrent": {"w": beside(arrays, "w_fh", "w_ih")},
        "cell/~/candidate": {"w": arrays["w/w_ch"].T} | ({"b": np.zeros(8, np.float32)} if reset_after else {}),
    }
    state = arrays["state0/h"] if start == "state0" else None
    outputs, _ = follow(lambda: GRU(8, reset_after=reset_after, name="cell"), params, arrays["x"], state)
    target = arrays[f"paper{'_reset_after' if reset_after else ''}/{start}"]
    np.testing.assert_allclose(outputs, target, rtol=0, atol=1e-5)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_lstm_against_a_loop(double):
    x, w, u, b = (np.asarray(a) for a in (draw(2, 4, 3), draw(3, 20), draw(5, 20), draw(20)))
    params = {"cell/~/input": {"w": w}, "cell/~/recurrent": {"w": u, "b": b}}
    outputs, states = follow(lambda: LSTM(5, name="cell"), params, x)
    h, c = np.zeros((2, 5)), np.zeros((2, 5))
    for t in range(4):
        i, f, g, o = np.split(x[:, t] @ w + h @ u + b, 4, -1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        np.testing.assert_allclose(outputs[:, t], h, rtol=1e-12)
        np.testing.assert_allclose(states.cell[:, t], c, rtol=1e-12)


@pytest.mark.parametrize("reset_after", [False, True])
def test_gru_against_a_loop(double, reset_after):
    x, w, b = (np.asarray(a) for a in (draw(2, 4, 3), draw(3, 15), draw(15)))
    u, v, d = (np.asarray(a) for a in (draw(5, 10), draw(5, 5), draw(5)))
    params = {"cell/~/input": {"w": w, "b": b}, "cell/~/recurrent": {"w": u}, "cell/~/candidate": {"w": v}}
    if reset_after:
        params["cell/~/candidate"]["b"] = d
    outputs, _ = follow(lambda: GRU(5, reset_after=reset_after, name="cell"), params, x)
    h = np.zeros((2, 5))
    for t in range(4):
        from_r, from_z, from_n = np.split(x[:, t] @ w + b, 3, -1)
        r, z = sigmoid(from_r + h @ u[:, :5]), sigmoid(from_z + h @ u[:, 5:])
        n = np.tanh(from_n + (r * (h @ v + d) if reset_after else (r * h) @ v))
        h = (1 - z) * h + z * n
        np.testing.assert_allclose(outputs[:, t], h, rtol=1e-12)


def test_gru_is_that_of_haiku(double):
    """`hk.GRU` resets before, and its z gates the new value as well."""
    x, h = draw(2, 3), draw(2, 5)
    params = make_params(lambda: GRU(5, name="cell"), x)
    core = hk.without_apply_rng(hk.transform(lambda x, h: hk.GRU(5, name="gru")(x, h)[0]))
    w_r, w_z, w_n = jnp.split(params["cell/~/input"]["w"], 3, -1)
    theirs = {
        "w_i": jnp.concatenate([w_z, w_r, w_n], -1),
        "w_h": jnp.concatenate(
            [*jnp.split(params["cell/~/recurrent"]["w"], 2, -1)[::-1], params["cell/~/candidate"]["w"]], -1
        ),
        "b": jnp.zeros(15),
    }
    outputs, _ = follow(lambda: GRU(5, name="cell"), params, x[:, None], h)
    np.testing.assert_allclose(outputs[:, 0], core.apply({"gru": theirs}, x, h), rtol=1e-10)


def test_kernels_start_as_in_the_papers():
    params = make_params(lambda: GRU(40, name="cell"), draw(1, 50))
    np.testing.assert_allclose(jnp.std(params["cell/~/input"]["w"]), 0.01, rtol=0.05)
    for u in (*jnp.split(params["cell/~/recurrent"]["w"], 2, -1), params["cell/~/candidate"]["w"]):
        np.testing.assert_allclose(u.T @ u, jnp.eye(40), atol=1e-5)
    params = make_params(lambda: LSTM(4, forget_bias=2.5, name="cell"), draw(1, 3))
    b = params["cell/~/recurrent"]["b"]
    np.testing.assert_array_equal(b[4:8], jnp.full(4, 2.5))
    assert jnp.abs(jax.lax.concatenate([b[:4], b[8:]], 0)).max() <= 0.5
    b = make_params(lambda: LSTM(4, name="cell"), draw(1, 3))["cell/~/recurrent"]["b"]
    np.testing.assert_array_equal(b[4:8], jnp.ones(4))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: LSTM(4, forget_bias="open"), "^forget_bias must be a number, not 'open'"),
        (lambda: GRU(4, reset_after=1), "^reset_after must be true or false, not 1"),
    ],
    ids=["lstm", "gru"],
)
def test_an_option_of_another_type_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make_params(make, draw(1, 3))
