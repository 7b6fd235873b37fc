"""The ST-LSTM unit: what each gate does, and which memory sees what."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sequences import compile_quickly, convert_maps, to_channels_last

from predjax.cells.st_lstm import STLSTM, STLSTMState, update_memories

GRID, FEATURES, BATCH = (3, 4), 2, 3
CLOSED, OPEN = -100.0, 100.0


def draw(*shape, seed=0):
    return jnp.asarray(np.random.default_rng([seed, *shape]).normal(size=shape), jnp.float32)


def make_state(seed=0):
    return STLSTMState(*(draw(BATCH, *GRID, FEATURES, seed=seed + i) for i in range(3)))


def make_gates(**values):
    """The sums i f g and i' f' g' with the given constants for i f g im fm gm, zero elsewhere."""

    def constants(*names):
        return jnp.concatenate([jnp.full((BATCH, *GRID, FEATURES), values.get(name, 0.0)) for name in names], -1)

    return constants("i", "f", "g"), constants("im", "fm", "gm")


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "layer_norm"])
def unit(request):
    """(parameters, advance) of a unit with random weights."""
    return make_unit(request.param)


def make_unit(layer_norm=False, with_action=False):
    def advance(x, state, action=None):
        return STLSTM(FEATURES, GRID, (3, 3), layer_norm, with_action, name="unit").advance(x, state, action)

    pure = hk.without_apply_rng(hk.transform(advance))
    inputs = (draw(BATCH, *GRID, 5), make_state(), *([draw(BATCH, *GRID, 1)] if with_action else []))
    shapes = jax.eval_shape(pure.init, jax.random.key(0), *inputs)
    leaves, structure = jax.tree.flatten(shapes)
    params = structure.unflatten([0.5 * draw(*leaf.shape, seed=10 + i) for i, leaf in enumerate(leaves)])
    return params, jax.jit(pure.apply)


def test_at_rest_the_forget_gates_are_open_by_their_bias():
    """Zero gates: f = sigmoid(1) for both memories, and nothing is added."""
    state = make_state()
    cell, memory, (delta_c, delta_m) = update_memories(*make_gates(), state)
    kept = 1 / (1 + np.exp(-1.0))
    np.testing.assert_allclose(cell, kept * state.cell, rtol=1e-6)
    np.testing.assert_allclose(memory, kept * state.memory, rtol=1e-6)
    assert not delta_c.any() and not delta_m.any()


def test_open_forget_gates_keep_and_closed_ones_forget():
    state = make_state()
    cell, memory, *_ = update_memories(*make_gates(i=CLOSED, im=CLOSED, f=OPEN, fm=CLOSED, g=1.0, gm=1.0), state)
    np.testing.assert_array_equal(cell, state.cell)
    np.testing.assert_allclose(memory, jnp.zeros_like(memory), atol=1e-30)
    cell, memory, *_ = update_memories(*make_gates(i=CLOSED, im=CLOSED, f=CLOSED, fm=OPEN, g=1.0, gm=1.0), state)
    np.testing.assert_allclose(cell, jnp.zeros_like(cell), atol=1e-30)
    np.testing.assert_array_equal(memory, state.memory)


def test_open_input_gates_write_the_candidate():
    _, _, (delta_c, delta_m) = update_memories(*make_gates(i=OPEN, im=OPEN, g=0.3, gm=-0.7), make_state())
    np.testing.assert_allclose(delta_c, np.full(delta_c.shape, np.tanh(0.3)), rtol=1e-6)
    np.testing.assert_allclose(delta_m, np.full(delta_m.shape, np.tanh(-0.7)), rtol=1e-6)


def test_the_temporal_memory_does_not_see_the_spatiotemporal_one_and_vice_versa(unit):
    params, advance = unit
    x, state = draw(BATCH, *GRID, 5), make_state()
    new, _ = advance(params, x, state)
    other_memory, _ = advance(params, x, state._replace(memory=state.memory + 1))
    np.testing.assert_array_equal(other_memory.cell, new.cell)
    assert jnp.abs(other_memory.memory - new.memory).min() > 0
    assert jnp.abs(other_memory.hidden - new.hidden).max() > 1e-3
    other_past, _ = advance(params, x, state._replace(cell=state.cell + 1, hidden=-state.hidden))
    np.testing.assert_array_equal(other_past.memory, new.memory)
    assert jnp.abs(other_past.cell - new.cell).max() > 1e-3


def test_memories_are_what_was_kept_and_the_increments(unit):
    """With both memories empty, the new memories are the increments, which do not depend on what was there."""
    params, advance = unit
    x, state = draw(BATCH, *GRID, 5), make_state()
    empty = state._replace(cell=jnp.zeros_like(state.cell))
    _, increments = advance(params, x, state)
    new, again = advance(params, x, empty)
    np.testing.assert_allclose(new.cell, increments.delta_c, rtol=1e-6)
    np.testing.assert_array_equal(again.delta_c, increments.delta_c)
    new, again = advance(params, x, state._replace(memory=jnp.zeros_like(state.memory)))
    np.testing.assert_allclose(new.memory, again.delta_m, rtol=1e-6)


def test_rows_of_a_batch_are_independent(unit):
    params, advance = unit
    x, state = draw(BATCH, *GRID, 5), make_state()
    order = jnp.array([2, 0, 1])
    together = jax.tree.map(lambda leaf: leaf[order], advance(params, x, state))
    permuted = advance(params, x[order], jax.tree.map(lambda leaf: leaf[order], state))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6), together, permuted)
    changed, _ = advance(params, x.at[0].add(1), state)
    unchanged, _ = advance(params, x, state)
    np.testing.assert_array_equal(changed.hidden[1:], unchanged.hidden[1:])


def test_an_action_that_says_one_changes_nothing():
    """N(W_h H) N(W_a a) with W_a = 0 and bias 1 is the unit without action; another bias scales the h-gates."""
    params, advance = make_unit()
    x, state, action = draw(BATCH, *GRID, 5), make_state(), draw(BATCH, *GRID, 1)
    params_of_action, advance_with_action = make_unit(with_action=True)
    combined = {
        module: {"w": params[module]["w"] if module in params else jnp.zeros_like(group["w"]), "b": 0 * group["b"]}
        for module, group in params_of_action.items()
    }
    combined["unit/~/conv_a"]["b"] += 1
    new, increments = advance(params, x, state)
    same, same_increments = advance_with_action(combined, x, state, action)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), same, new)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), same_increments, increments)
    combined["unit/~/conv_a"]["b"] *= 0
    blind, _ = advance_with_action(combined, x, state, action)
    other, _ = advance_with_action(combined, x, state._replace(hidden=-state.hidden), action)
    np.testing.assert_array_equal(blind.hidden, other.hidden)


def test_as_a_core_it_starts_at_zero_and_returns_its_hidden_state():
    def run(x):
        unit = STLSTM(FEATURES, GRID, (3, 3), name="unit")
        state = unit.initial_state(BATCH)
        return unit(x, state), unit.advance(x, state), state

    pure = hk.without_apply_rng(hk.transform(run))
    params, _ = make_unit()
    (outputs, state), (advanced, _), start = pure.apply(params, draw(BATCH, *GRID, 5))
    assert not any(leaf.any() for leaf in start)
    assert jax.tree.map(jnp.shape, start) == jax.tree.map(jnp.shape, state)
    np.testing.assert_array_equal(outputs, state.hidden)
    jax.tree.map(np.testing.assert_array_equal, state, advanced)


def test_kernel_size_still_makes_a_square_kernel_and_says_what_replaces_it():
    def init(**sizes):
        def run(x):
            unit = STLSTM(FEATURES, GRID, **sizes, name="unit")
            return unit(x, unit.initial_state(BATCH))

        return jax.eval_shape(hk.transform(run).init, jax.random.key(0), draw(BATCH, *GRID, 5))

    with pytest.warns(DeprecationWarning, match=r"kernel_shape=\(k, k\) takes the place of kernel_size=k") as caught:
        params = init(kernel_size=3)
    assert caught[0].filename == __file__  # the caller's line, not one of ours
    assert params == init(kernel_shape=(3, 3)) != init(kernel_shape=(5, 5))


@pytest.mark.parametrize("layer_norm", [False, True])
def test_against_openstl(read, layer_norm):
    """One step of OpenSTL's unit, on a grid that is not square."""
    arrays = read(f"B_PredRNNv2_STLSTM_ln{int(layer_norm)}")
    params = convert_maps(arrays, {f"conv_{source}": f"unit/~/conv_{source}" for source in "xhmo"})
    for source in "xhmo" if layer_norm else "":
        params[f"unit/~/norm_{source}"] = params.pop(f"unit/~/conv_{source}/~/norm")
    params["unit/~/conv_last"] = {"w": arrays["param/conv_last.weight"].transpose(2, 3, 1, 0)}
    x, *state = (to_channels_last(arrays[f"in/{name}"]) for name in "xhcm")
    pure = hk.without_apply_rng(hk.transform(lambda *a: STLSTM(6, (6, 5), (5, 5), layer_norm, name="unit").advance(*a)))
    new, increments = compile_quickly(pure.apply)(params, x, STLSTMState(*state))
    for found, name in zip((*new, *increments), ("h", "c", "m", "delta_c", "delta_m")):
        np.testing.assert_allclose(found, to_channels_last(arrays[f"out/{name}"]), rtol=0, atol=1e-5, err_msg=name)
