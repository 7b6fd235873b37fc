"""Memory in memory: against OpenSTL's numbers; differences; that nothing leaks from sequence to sequence."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sequences import apply_method, compile_quickly, convert_maps, draw, follow, make_params, to_channels_last

from predjax.cells import MIM
from predjax.cells.gated import LSTMState
from predjax.cells.mim import MIMBlock, MIMBlockState, MIMMemory

IFGO = (0, 2, 1, 3)  # the reference has i g f o


def convert_memory(arrays, module, x, h):
    params = convert_maps(arrays, {x: f"{module}/~/input", h: f"{module}/~/recurrent"}, {x: IFGO, h: IFGO})
    w_i, w_f = np.split(to_channels_last(arrays["param/ct_weight"]), 2, -1)
    params[module] = {"peepholes": np.stack([w_i, w_f, to_channels_last(arrays["param/oc_weight"])])}
    return params


@pytest.mark.parametrize("layer_norm", [False, True])
def test_mim_n_against_the_reference(read, layer_norm):
    arrays = read(f"B_MIMN_ln{int(layer_norm)}")
    params = convert_memory(arrays, "cell", "conv_x_concat", "conv_h_concat")
    x, h, c = (to_channels_last(arrays[f"in/{name}"]) for name in "xhc")
    make = lambda: MIMMemory(6, (6, 5), (5, 5), forget_bias=1.0, layer_norm=layer_norm, name="cell")  # noqa: E731
    outputs, states = follow(make, params, x[:, None], LSTMState(h, c))
    np.testing.assert_allclose(outputs[:, 0], to_channels_last(arrays["out/h"]), rtol=0, atol=1e-5)
    np.testing.assert_allclose(states.cell[:, 0], to_channels_last(arrays["out/c"]), rtol=0, atol=1e-5)


@pytest.mark.parametrize("layer_norm", [False, True])
def test_mim_block_against_the_reference(read, layer_norm):
    arrays = read(f"B_MIMBlock_ln{int(layer_norm)}")
    maps = {"conv_t_cc": "cell/~/from_h", "conv_s_cc": "cell/~/from_m", "conv_x_cc": "cell/~/from_x"}
    params = convert_maps(arrays, maps) | convert_memory(arrays, "cell/~/mim_s", "conv_x_concat", "conv_h_concat")
    params["cell/~/last"] = {"w": arrays["param/conv_last.weight"][:, :, 0, 0].T}
    names = ("x", "diff_h", "h", "c", "m", "convlstm_c")
    x, difference, *state = (to_channels_last(arrays[f"in/{name}"]) for name in names)
    pure = hk.without_apply_rng(
        hk.transform(lambda *a: MIMBlock(6, (6, 5), (5, 5), layer_norm=layer_norm, name="cell").advance(*a))
    )
    new = compile_quickly(pure.apply)(params, x, difference, MIMBlockState(*state))
    for found, name in zip(new, names[2:]):
        np.testing.assert_allclose(found, to_channels_last(arrays[f"out/{name}"]), rtol=0, atol=1e-5, err_msg=name)


def make():
    return MIM(3, name="cell")


@pytest.fixture(scope="module")
def params():
    return make_params(make, draw(2, 3))


@pytest.mark.parametrize("layer_norm", [False, True])
def test_mim_is_its_block_on_inputs_and_their_differences(layer_norm):
    """Written out; at the first step there is no difference, and MIM-N's output (not 0 with norms) does not count."""
    x = draw(2, 3, 3)
    make = lambda: MIM(3, layer_norm=layer_norm, name="cell")  # noqa: E731
    params = jax.tree.map(lambda a: a + draw(*a.shape), make_params(make, x[:, 0]))

    def run(x):
        cell = make()
        block, mim_n, outputs = cell.block.initial_state(2), cell.mim_n.initial_state(2), []
        for t in range(3):
            difference, mim_n = cell.mim_n(x[:, t] - x[:, t - 1] if t else jnp.zeros((2, 3)), mim_n)
            output, block = cell.block((x[:, t], difference if t else jnp.zeros((2, 3))), block)
            outputs.append(output)
        return jnp.stack(outputs, 1)

    outputs, _ = follow(make, params, x)
    expected = hk.without_apply_rng(hk.transform(run)).apply(params, x)
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-6)


def test_a_constant_sequence_has_no_differences(params):
    """Then MIM-N, which has no biases, stays at rest; and the start of a sequence is no difference to zero."""
    x = jnp.broadcast_to(draw(2, 1, 3), (2, 3, 3))
    _, states = follow(make, params, x)
    assert not any(leaf.any() for leaf in states.mim_n)
    assert states.block.stationary.any()
    _, states = follow(make, params, x.at[:, 2].add(0.1))
    assert all(leaf[:, 2].any() for leaf in states.mim_n)


def test_gradients_go_through_the_memory_of_mim_s(params):
    """The last output depends on S of the first state; the reference cuts this."""
    x = draw(2, 3)

    def run(stationary):
        def last(cell):
            state = cell.initial_state(2)
            state = state._replace(block=state.block._replace(stationary=stationary))
            for _ in range(2):
                output, state = cell(x, state)
            return output.sum()

        return apply_method(make, params, last)

    assert jnp.abs(jax.grad(run)(draw(2, 3, seed=1))).min() > 1e-5


def test_inputs_of_another_size_are_named():
    with pytest.raises(ValueError, match="input_features must be those of the input, 5, not 3"):
        make_params(make, draw(2, 5))
    make_params(lambda: MIM(3, input_features=5), draw(2, 5))
