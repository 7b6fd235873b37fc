"""The PredRNN stack: the way of the memory M, and what decoupling measures."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from predjax.cells.context import StepContext
from predjax.models.config import ModelConfig
from predjax.models.stacks.predrnn import PredRNN, PredRNNState, decoupling_loss

LAYERS, GRID, BATCH = 3, (5, 3), 2


def draw(*shape, seed=0):
    return jnp.asarray(np.random.default_rng([seed, *shape]).normal(size=shape), jnp.float32)


def make_stack(config, inputs):
    """(random parameters, step(params, inputs, state), state of zeros)."""

    def step(inputs, state):
        return PredRNN(config, GRID, StepContext())(inputs, state)

    def start():
        return PredRNN(config, GRID, StepContext()).initial_state(BATCH)

    pure = hk.without_apply_rng(hk.transform(step))
    zeros = hk.without_apply_rng(hk.transform(start)).apply({})
    leaves, structure = jax.tree.flatten(jax.eval_shape(pure.init, jax.random.key(0), inputs, zeros))
    params = structure.unflatten([0.3 * draw(*leaf.shape, seed=i) for i, leaf in enumerate(leaves)])
    return params, jax.jit(pure.apply), zeros


def draw_state(state):
    leaves, structure = jax.tree.flatten(state)
    return structure.unflatten([draw(*leaf.shape, seed=50 + i) for i, leaf in enumerate(leaves)])


@pytest.fixture(scope="module")
def stack():
    return make_stack(ModelConfig("predrnn_v2", (2,) * LAYERS, 3, patch_size=2), draw(BATCH, *GRID, 4))


def test_the_memory_climbs_all_layers_and_starts_again_at_the_bottom(stack):
    """With all weights zero every unit multiplies its memories by its forget gate, sigmoid(1).

    M goes through the units of all layers in every step, and the top one's enters the bottom one at the next step: a
    factor of sigmoid(1)^layers a step. C stays in its layer: a factor of sigmoid(1) a step.
    """
    params, step, zeros = stack
    params = jax.tree.map(jnp.zeros_like, params)
    state = first = draw_state(zeros)
    kept = 1 / (1 + np.exp(-1.0))
    for steps in (1, 2):
        _, state = step(params, draw(BATCH, *GRID, 4), state)
        np.testing.assert_allclose(state.memory, kept ** (LAYERS * steps) * first.memory, rtol=1e-5)
        for (_, cell), (_, first_cell) in zip(state.layers, first.layers):
            np.testing.assert_allclose(cell, kept**steps * first_cell, rtol=1e-5)


def test_the_state_of_the_bottom_reaches_every_layer_only_through_h_and_m(stack):
    """H and C of the top layer do not move the bottom layer's; M of the last step does."""
    params, step, zeros = stack
    state, x = draw_state(zeros), draw(BATCH, *GRID, 4)
    _, new = step(params, x, state)
    *below, (hidden, cell) = state.layers
    _, other_top = step(params, x, PredRNNState((*below, (-hidden, -cell)), state.memory))
    for ours, theirs in zip(new.layers[:-1], other_top.layers[:-1]):
        jax.tree.map(np.testing.assert_array_equal, ours, theirs)
    _, other_memory = step(params, x, state._replace(memory=-state.memory))
    assert jnp.abs(new.layers[0][0] - other_memory.layers[0][0]).max() > 1e-3  # H of the bottom sees M
    np.testing.assert_array_equal(new.layers[0][1], other_memory.layers[0][1])  # its C does not


def test_increments_of_all_layers_and_a_penalty_of_their_cosines(stack):
    params, step, zeros = stack
    output, _ = step(params, draw(BATCH, *GRID, 4), draw_state(zeros))
    assert output.features.shape == (BATCH, *GRID, 4)
    assert jax.tree.map(jnp.shape, output.increments) == ((LAYERS, BATCH, *GRID, 2),) * 2
    kernel = params["predrnn/~/decouple"]["w"][0, 0]
    beta = ModelConfig().decouple_beta
    by_layer = [decoupling_loss(c @ kernel, m @ kernel) for c, m in zip(*output.increments)]
    np.testing.assert_allclose(output.penalty, beta * np.mean(by_layer), rtol=1e-5)
    assert 0 < output.penalty < beta


@pytest.mark.parametrize("version", ["predrnn", "predrnn_v2"])
def test_both_versions_predict_the_same_and_only_the_second_has_a_penalty(stack, version):
    params, step, zeros = stack
    state, x = draw_state(zeros), draw(BATCH, *GRID, 4)
    config = ModelConfig(version, (2,) * LAYERS, 3, patch_size=2)
    pure = hk.without_apply_rng(hk.transform(lambda x, s: PredRNN(config, GRID, StepContext())(x, s)))
    output, _ = jax.jit(pure.apply)(params, x, state)
    np.testing.assert_allclose(output.features, step(params, x, state)[0].features, rtol=1e-6, atol=1e-6)
    assert (output.penalty > 0) == (version == "predrnn_v2")


@pytest.mark.parametrize("res_on_conv", [False, True])
def test_strided_convolutions_come_back_to_any_grid(res_on_conv):
    config = ModelConfig(
        "action_cond_predrnn", (4, 4), 3, patch_size=2, conv_on_input=True, res_on_conv=res_on_conv, num_action_ch=3
    )
    params, step, zeros = make_stack(config, draw(BATCH, *GRID, 4 + 3))
    assert zeros.memory.shape == (BATCH, 2, 1, 4)  # 5 x 3, halved twice and rounded up
    output, _ = step(params, draw(BATCH, *GRID, 4 + 3), zeros)
    assert output.features.shape == (BATCH, *GRID, 4)
    # Without the recurrent units, what comes out is what the skips carry.
    cut = {name: jax.tree.map(jnp.zeros_like, group) if "cell" in name else group for name, group in params.items()}
    output, _ = step(cut, draw(BATCH, *GRID, 4 + 3), zeros)
    assert bool(jnp.abs(output.features).max() > 1e-3) == res_on_conv


def test_decoupling_is_1_for_parallel_and_0_for_orthogonal_increments():
    field = draw(BATCH, 4, 5, 3)
    for factor in (1.0, -2.5, 1e-3):
        np.testing.assert_allclose(decoupling_loss(field, factor * field), 1, rtol=1e-5)
    left, right = field.at[:, :2].set(0), field.at[:, 2:].set(0)
    assert decoupling_loss(left, right) == 0
    # Each feature and each sample has its own cosine: one of three features parallel, the others orthogonal.
    mixed = jnp.concatenate([left[..., :1], right[..., 1:]], -1)
    np.testing.assert_allclose(decoupling_loss(left, mixed), 1 / 3, rtol=1e-5)
    other = draw(BATCH, 4, 5, 3, seed=1)
    np.testing.assert_allclose(decoupling_loss(field, other), decoupling_loss(other, 7 * field), rtol=1e-5)


def test_an_all_dry_frame_counts_as_decoupled_with_a_zero_gradient():
    zeros, field, other = jnp.zeros((1, 4, 5, 3)), draw(1, 4, 5, 3), draw(1, 4, 5, 3, seed=1)
    gradient = jax.jit(jax.value_and_grad(decoupling_loss, (0, 1)))
    for delta_c, delta_m in ((zeros, zeros), (zeros, field), (field, zeros)):
        value, gradients = gradient(delta_c, delta_m)
        assert value == 0
        assert not any(g.any() for g in gradients)
    partly = field.at[..., 0].set(0)
    _, (by_partly, _) = gradient(partly, other)
    assert jnp.isfinite(by_partly).all() and not by_partly[..., 0].any()
    assert jnp.abs(by_partly[..., 1:]).max() > 1e-3
