"""Causal LSTM and gradient highway: against OpenSTL's numbers; the order of the cascade; what the highway carries."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sequences import apply_method, convert_maps, draw, follow, make_params, to_channels_last

from predjax.cells import GHU, CausalLSTM
from predjax.cells.causal_lstm import CausalLSTMState

MAPS = {"conv_x": "x", "conv_h": "h", "conv_c": "c", "conv_m": "m", "conv_c2m": "n", "conv_om": "o"}


@pytest.mark.parametrize("layer_norm", [False, True])
def test_causal_lstm_against_the_reference(read, layer_norm):
    """One step; conv_o of the reference takes no part in it."""
    arrays = read(f"B_PredRNNpp_CausalLSTM_ln{int(layer_norm)}")
    params = convert_maps(arrays, {theirs: f"cell/~/from_{ours}" for theirs, ours in MAPS.items()})
    params["cell/~/last"] = {"w": arrays["param/conv_last.weight"][:, :, 0, 0].T}
    x, *state = (to_channels_last(arrays[f"in/{name}"]) for name in "xhcm")
    make = lambda: CausalLSTM(6, (6, 5), (5, 5), layer_norm=layer_norm, name="cell")  # noqa: E731
    _, states = follow(make, params, x[:, None], CausalLSTMState(*state))
    for found, name in zip(states, "hcm"):
        np.testing.assert_allclose(found[:, 0], to_channels_last(arrays[f"out/{name}"]), rtol=0, atol=1e-5)


def test_ghu_against_the_reference(read):
    arrays = read("B_PredRNNpp_GHU_ln0")
    params = convert_maps(arrays, {"x_concat": "cell/~/input", "z_concat": "cell/~/recurrent"})
    x, z = (to_channels_last(arrays[f"in/{name}"]) for name in "xz")
    outputs, _ = follow(lambda: GHU(6, (6, 5), (5, 5), name="cell"), params, x[:, None], z)
    np.testing.assert_allclose(outputs[:, 0], to_channels_last(arrays["out/z"]), rtol=0, atol=1e-5)


def test_memories_are_a_cascade(double):
    """C' does not depend on M; M' depends on C, by way of C', and on H."""
    make = lambda: CausalLSTM(3, name="cell")  # noqa: E731
    x, state = draw(2, 3), CausalLSTMState(draw(2, 3, seed=1), draw(2, 3, seed=2), draw(2, 3, seed=3))
    params = make_params(make, x)

    def step(**changes):
        return apply_method(make, params, lambda cell: cell(x, state._replace(**changes))[1])

    before = step()
    other_memory = step(memory=state.memory + 1)
    np.testing.assert_array_equal(other_memory.cell, before.cell)
    assert jnp.abs(other_memory.memory - before.memory).min() > 1e-4
    for change in ({"cell": state.cell + 1}, {"hidden": state.hidden + 1}):
        assert jnp.abs(step(**change).memory - before.memory).max() > 1e-4


def test_forget_gates_start_open_by_their_bias(double):
    """Zero kernels but for M's own: C' = sigmoid(b) C and M' = sigmoid(b) tanh(W M)."""
    make = lambda: CausalLSTM(2, forget_bias=0.8, name="cell")  # noqa: E731
    state = CausalLSTMState(*(draw(3, 2, seed=i) for i in range(3)))
    params = jax.tree.map(jnp.zeros_like, make_params(make, draw(3, 2)))
    w = draw(2, 2)
    params["cell/~/from_m"]["w"] = params["cell/~/from_m"]["w"].at[:, 4:].set(w)
    _, new = apply_method(make, params, lambda cell: cell(draw(3, 2), state))
    kept = 1 / (1 + np.exp(-0.8))
    np.testing.assert_allclose(new.cell, kept * state.cell, rtol=1e-12)
    np.testing.assert_allclose(new.memory, kept * np.tanh(state.memory @ w), rtol=1e-12)
    assert not new.hidden.any()


@pytest.mark.parametrize("u, expected", [(-800.0, "z"), (800.0, "p"), (0.0, "both")])
def test_the_highway_carries_or_takes(double, u, expected):
    """The switch closed: z' = z for any number of steps. Open: z' = tanh(p). At rest the mean of both."""
    z, ones = draw(2, 3), np.ones((2, 4, 1))
    w = np.concatenate([[0.3, -0.2, 0.9], np.full(3, u)])[None]
    params = {"cell/~/input": {"w": w}, "cell/~/recurrent": {"w": np.zeros((3, 6))}}
    outputs, _ = follow(lambda: GHU(3, name="cell"), params, ones, z)
    taken = np.broadcast_to(np.tanh(w[0, :3]), z.shape)
    after = {"z": [z] * 4, "p": [taken] * 4, "both": [taken + (z - taken) / 2**n for n in range(1, 5)]}[expected]
    np.testing.assert_allclose(outputs, np.stack(after, 1), rtol=1e-12)
