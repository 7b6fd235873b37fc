"""ConvLSTM: against OpenSTL's numbers and the LSTM; what its peepholes see."""

import jax.numpy as jnp
import numpy as np
import pytest
from sequences import convert_maps, draw, follow, to_channels_last

from predjax.cells import LSTM, ConvLSTM
from predjax.cells.conv_lstm import update_with_peepholes
from predjax.cells.gated import LSTMState


@pytest.mark.parametrize("layer_norm", [False, True])
def test_against_the_reference(read, layer_norm):
    """One step; conv_o and conv_last of the reference take no part in it."""
    arrays = read(f"B_ConvLSTM_ln{int(layer_norm)}")
    params = convert_maps(arrays, {"conv_x": "cell/~/input", "conv_h": "cell/~/recurrent"})
    x, h, c = (to_channels_last(arrays[f"in/{name}"]) for name in "xhc")
    make = lambda: ConvLSTM(6, (6, 5), (5, 5), layer_norm=layer_norm, name="cell")  # noqa: E731
    outputs, states = follow(make, params, x[:, None], LSTMState(h, c))
    np.testing.assert_allclose(outputs[:, 0], to_channels_last(arrays["out/h"]), rtol=0, atol=1e-5)
    np.testing.assert_allclose(states.cell[:, 0], to_channels_last(arrays["out/c"]), rtol=0, atol=1e-5)


def test_on_vectors_it_is_the_lstm(double):
    """With a bias; a constant forget bias is one more in the bias of the forget gate."""
    x, w, u, b = draw(2, 4, 3), draw(3, 20), draw(5, 20), draw(20)
    ours, _ = follow(
        lambda: ConvLSTM(5, with_bias=True, forget_bias=0.7, name="cell"),
        {"cell/~/input": {"w": w, "b": b}, "cell/~/recurrent": {"w": u}},
        x,
    )
    plain = {"cell/~/input": {"w": w}, "cell/~/recurrent": {"w": u, "b": b.at[5:10].add(0.7)}}
    expected, _ = follow(lambda: LSTM(5, name="cell"), plain, x)
    np.testing.assert_allclose(ours, expected, rtol=1e-12)


def test_peepholes_against_the_equation(double):
    """i and f see the old memory, o the new one."""

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    gates, c, (w_i, w_f, w_o) = draw(2, 3, 4, 8), draw(2, 3, 4, 2), draw(3, 3, 4, 2)
    i, f, g, o = np.split(np.asarray(gates), 4, -1)
    new = sigmoid(f + w_f * c + 1) * c + sigmoid(i + w_i * c) * np.tanh(g)
    hidden, cell = update_with_peepholes(gates, c, (w_i, w_f, w_o), 1.0)
    np.testing.assert_allclose(cell, new, rtol=1e-12)
    np.testing.assert_allclose(hidden, sigmoid(o + w_o * new) * np.tanh(new), rtol=1e-12)


def test_the_past_spreads_by_half_a_kernel_a_step(double):
    """With 3 x 3 kernels a pixel of the first frame reaches one pixel further at every step, and no more."""
    make = lambda: ConvLSTM(2, (1, 9), (3, 3), name="cell")  # noqa: E731
    params = {
        "cell/~/input": {"w": draw(3, 3, 1, 8)},
        "cell/~/recurrent": {"w": draw(3, 3, 2, 8)},
    }
    x = np.zeros((2, 3, 1, 9, 1))
    x[1, 0, 0, 4] = 1.0
    outputs, _ = follow(make, params, x)
    reached = np.abs(outputs[1] - outputs[0]).max((1, 3)) > 0
    for t in range(3):
        np.testing.assert_array_equal(np.flatnonzero(reached[t]), np.arange(4 - t - 1, 4 + t + 2))


def test_gates_that_are_shut_keep_the_memory():
    state = LSTMState(draw(2, 3), draw(2, 3, seed=1))
    gates = jnp.concatenate([jnp.full((2, 3), value) for value in (-100.0, 100.0, 5.0, 100.0)], -1)
    hidden, cell = update_with_peepholes(gates, state.cell, (0, 0, 0), 0.0)
    np.testing.assert_array_equal(cell, state.cell)
    np.testing.assert_allclose(hidden, jnp.tanh(state.cell), rtol=1e-6)
