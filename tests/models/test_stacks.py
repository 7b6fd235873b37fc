"""Stacks of any cell: their layers, their options, and all steps at once where a model is linear in time."""

import functools

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from predjax.cells import CELLS, GHU, MIM, CausalLSTM
from predjax.cells.causal_lstm import CausalLSTMState
from predjax.cells.context import StepContext
from predjax.cells.gated import LSTMState
from predjax.cells.mim import MIMBlock, MIMBlockState, MIMMemory
from predjax.cells.st_lstm import STLSTM, STLSTMState
from predjax.models.catalogue import MODELS, load
from predjax.models.config import ModelConfig, list_models, with_usual
from predjax.models.forecaster import make_forecaster
from predjax.models.sampling import forecast_mask
from predjax.models.shares import Share
from predjax.models.stacks import check_options, list_options, make_stack

compile_quickly = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
KEY, GRID, BATCH, STEPS = jax.random.key(0), (3, 4), 2, 3


def draw(*shape, seed=0):
    return jnp.asarray(np.random.default_rng([seed, *shape]).normal(size=shape), jnp.float32)


def config_of(name, hidden=(4, 4), **fields):
    fields = {"filter_size": 3, "patch_size": 2, "input_length": 3, "total_length": 6} | fields
    return ModelConfig(name, hidden, **fields)


def randomise(params):
    leaves, structure = jax.tree.flatten(params)
    return structure.unflatten([0.4 * draw(*leaf.shape, seed=i) for i, leaf in enumerate(leaves)])


def run_stack(config, inputs):
    """Random parameters, and the predictions of all steps `(T, B, h, w, p p C)`."""

    def run(inputs):
        stack = make_stack(config, GRID)
        state, features = stack.initial_state(BATCH), []
        for x in inputs:
            output, state = stack(x, state)
            features.append(output.features)
        return jnp.stack(features)

    pure = hk.without_apply_rng(hk.transform(run))
    params = randomise(jax.eval_shape(pure.init, KEY, inputs))
    return params, compile_quickly(pure.apply)(params, inputs)


def apply_cell(params, prefix, cell, method="__call__"):
    """The function of a cell whose parameters are those of `prefix`."""

    def apply(*arguments):
        names = {name.replace(prefix, "cell", 1): p for name, p in params.items() if name.startswith(prefix)}
        pure = hk.without_apply_rng(hk.transform(lambda *a: getattr(cell(name="cell"), method)(*a)))
        return compile_quickly(pure.apply)(names, *arguments)

    return apply


def test_every_cell_is_in_a_model():
    used = {load(spec.cell) for spec in MODELS.values()} | {MIM, GHU}  # those of stacks with several kinds of cells
    assert [name for name, cell in CELLS.items() if cell not in used] == []


def find_contexts(stack):
    """The contexts of a stack and of all modules in it."""
    parts = [stack]
    for part in parts:
        leaves = jax.tree.leaves(vars(part), is_leaf=lambda leaf: isinstance(leaf, hk.Module))
        parts += [leaf for leaf in leaves if isinstance(leaf, hk.Module)]
    return [part.context for part in parts if hasattr(part, "context")]


@pytest.mark.parametrize("name", [name for name, spec in MODELS.items() if spec.stack])
def test_every_part_of_a_stack_has_its_context(name):
    """A part with a context of its own would not take part in what the steps of a scan share."""
    known = {field: value for field, (value, _) in MODELS[name].only.items()}
    fields = {"num_action_ch": int(MODELS[name].action), "patch_size": 2} | known
    hidden = (4,) if MODELS[name].one_layer else (4, 4)
    config = ModelConfig(**with_usual({"model_name": name, "num_hidden": hidden, "filter_size": 3} | fields))

    def make():
        given = StepContext()
        found = find_contexts(make_stack(config, GRID, given))
        assert len(found) > 2 and all(context is given for context in found)

    hk.transform(make).init(None)


def test_layers_feed_each_other_between_embedding_and_head():
    config = config_of("elman", (4, 6))
    inputs = draw(STEPS, BATCH, *GRID, 4)
    params, outputs = run_stack(config, inputs)
    embed, head = params["elman/~/embed"], params["elman/~/head"]
    layers = [apply_cell(params, f"elman/~/cell_{i}", functools.partial(CELLS["elman"], n, GRID, (3, 3)))
              for i, n in enumerate((4, 6))]  # fmt: skip
    low, high = jnp.zeros((BATCH, *GRID, 4)), jnp.zeros((BATCH, *GRID, 6))
    for x, output in zip(inputs, outputs):
        _, low = layers[0](x @ embed["w"] + embed["b"], low)
        _, high = layers[1](low, high)
        np.testing.assert_allclose(high @ head["w"] + head["b"], output, rtol=1e-5, atol=1e-5)


def test_predrnn_pp_has_its_highway_between_the_first_two_layers_and_its_memory_climbs():
    inputs = draw(STEPS, BATCH, *GRID, 4)
    params, outputs = run_stack(config_of("predrnn_pp", (4,) * 3), inputs)
    cells = [apply_cell(params, f"predrnn_pp/~/cell_{i}", functools.partial(CausalLSTM, 4, GRID, (3, 3)))
             for i in range(3)]  # fmt: skip
    ghu = apply_cell(params, "predrnn_pp/~/highway", functools.partial(GHU, 4, GRID, (3, 3)))
    zeros = jnp.zeros((BATCH, *GRID, 4))
    states, z = [CausalLSTMState(zeros, zeros, zeros)] * 3, zeros
    for x, output in zip(inputs, outputs):
        h1, states[0] = cells[0](x, states[0]._replace(memory=states[2].memory))
        _, z = ghu(h1, z)
        h2, states[1] = cells[1](z, states[1]._replace(memory=states[0].memory))
        h3, states[2] = cells[2](h2, states[2]._replace(memory=states[1].memory))
        expected = h3 @ params["predrnn_pp/~/head"]["w"]
        np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-5)


def test_mim_hands_differences_of_the_lowest_states_through_its_mim_n():
    inputs = draw(STEPS, BATCH, *GRID, 4)
    params, outputs = run_stack(config_of("mim", (4,) * 3), inputs)
    bottom = apply_cell(params, "mim/~/cell_0", functools.partial(STLSTM, 4, GRID, (3, 3)), "advance")
    block = [apply_cell(params, f"mim/~/cell_{i}", functools.partial(MIMBlock, 4, GRID, (3, 3)), "advance")
             for i in (1, 2)]  # fmt: skip
    mim_n = [apply_cell(params, f"mim/~/mim_n_{i}", functools.partial(MIMMemory, 4, GRID, (3, 3), forget_bias=1.0))
             for i in (1, 2)]  # fmt: skip
    zeros = jnp.zeros((BATCH, *GRID, 4))
    low, states, of_n = (
        STLSTMState(zeros, zeros, zeros),
        [MIMBlockState(*[zeros] * 4)] * 2,
        [LSTMState(zeros, zeros)] * 2,
    )
    for t, (x, output) in enumerate(zip(inputs, outputs)):
        before = low.hidden
        low, _ = bottom(x, low._replace(memory=states[1].memory))
        difference = low.hidden - before if t else zeros
        hidden, memory = low.hidden, low.memory
        for i in range(2):
            difference, of_n[i] = mim_n[i](difference, of_n[i])
            difference = difference if t else zeros
            states[i] = block[i](hidden, difference, states[i]._replace(memory=memory))
            hidden, memory = states[i].hidden, states[i].memory
        np.testing.assert_allclose(output, hidden @ params["mim/~/head"]["w"], rtol=1e-4, atol=1e-5)


LONGER = {"s5": pytest.mark.slow, "conv_s5": pytest.mark.ci}  # than the LRU, which is compared by default


@pytest.mark.parametrize("name", [pytest.param(n, marks=LONGER.get(n, ())) for n in list_models("linear")])
def test_all_steps_at_once_are_the_steps_one_by_one(name):
    """Of a window of true inputs, of its gradients, and of a forecast, whose observed part alone is at once."""
    config = config_of(name, coverage_channel=True, num_action_ch=2)
    forecaster = make_forecaster(config)
    frames, forcings = np.array(draw(BATCH, 6, 5, 8, 1)), draw(BATCH, 6, 2)
    frames[0, 1, :2] = np.nan
    params = randomise(jax.eval_shape(forecaster.init, KEY, frames, forcings))
    true = np.ones((BATCH, 5), bool)
    by_truth = [
        compile_quickly(jax.value_and_grad(lambda p, u=u: forecaster.loss(p, None, frames, u, forcings)[0]))(params)
        for u in (None, true)
    ]
    for ours, theirs in zip(*map(jax.tree.leaves, by_truth), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4 * (1 + np.abs(theirs).max()))
    # Of 3 observed frames the last inputs of a forecast are predictions, in both.
    predict = compile_quickly(forecaster.predict, static_argnums=3)
    predicted = predict(params, None, frames[:, :3], 3, forcings)
    free = compile_quickly(forecaster.rollout)(params, None, frames, forecast_mask(BATCH, 3, 6), forcings)[:, 2:]
    np.testing.assert_allclose(predicted, free, rtol=1e-4, atol=1e-4)
    # Forcings matter from the step on that they come with.
    changed = predict(params, None, frames[:, :3], 3, forcings.at[:, 3].add(1.0))
    np.testing.assert_array_equal(changed[:, 0], predicted[:, 0])
    assert np.nanmax(np.abs(changed - predicted)[:, 1:]) > 1e-3


def test_state_space_blocks_are_not_linear():
    """A sum of inputs does not give the sum of outputs; the recurrence alone would."""
    config = config_of("lru")
    one, other = draw(STEPS, BATCH, *GRID, 4), draw(STEPS, BATCH, *GRID, 4, seed=1)
    (_, a), (_, b), (_, both), (_, nothing) = (run_stack(config, x) for x in (one, other, one + other, 0 * one))
    assert np.abs(both - a - b + nothing).max() > 0.1


@pytest.mark.parametrize("name,options", [("lru", '{"dropout": 0.4}'), ("ct_rnn", '{"noise": 0.3}')])
def test_draws_belong_to_samples_however_a_batch_is_divided(name, options):
    forecaster = make_forecaster(config_of(name, cell_options=options))
    frames = jnp.asarray(np.random.default_rng(0).random((4, 6, 4, 4, 1)), jnp.float32)
    params, use_truth = forecaster.init(KEY, frames), np.ones((4, 5), bool)
    loss = compile_quickly(lambda f, u, key: forecaster.loss(params, key, f, u)[0])
    whole = loss(frames, use_truth, KEY)

    @functools.partial(jax.vmap, axis_name="device")
    def share(frames, use_truth):
        return forecaster.loss(params, KEY, frames, use_truth, share=Share("device"))[0]

    shares = compile_quickly(share)(frames.reshape(2, 2, *frames.shape[1:]), use_truth.reshape(2, 2, 5))
    np.testing.assert_allclose(shares.sum(), whole, rtol=1e-5)
    other, none = loss(frames, use_truth, jax.random.key(1)), loss(frames, use_truth, None)
    assert len({float(value) for value in (whole, other, none)}) == 3


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("lstm", {"forget": 1}, r"cell_options: lstm has forget_bias \(1.0\), not 'forget'; did you mean forget_bias"),
        ("predrnn", {"forget_bias": 1}, "predrnn has no options, not 'forget_bias'"),
        ("conv_lstm", {"layer_norm": True}, "not 'layer_norm'"),
        ("gru", {"reset_after": 1}, "reset_after must be true or false, not 1"),
        ("lru", {"dropout": 2}, "dropout must be at most 0.99, not 2"),
        ("nn_rnn", {}, "features must be even"),
    ],
)
def test_options_are_checked_by_name_and_value(name, options, reason):
    with pytest.raises(ValueError, match=reason):
        check_options(config_of(name, (3, 3), cell_options=options))


def test_options_reach_the_cells():
    assert list_options("s5") == {
        "state_size": 0,
        "skip": "vector",
        "blocks": 1,
        "conjugate": True,
        "clip_eigenvalues": False,
        "step_min": 0.001,
        "step_max": 0.1,
        "dropout": 0.0,
    }
    frames = jnp.zeros((1, 6, 4, 4, 1))
    params = jax.eval_shape(make_forecaster(config_of("s5", cell_options={"state_size": 6})).init, KEY, frames)
    assert params["s5/~/cell_1"]["lambda_re"].shape == (6,)
    params = jax.eval_shape(make_forecaster(config_of("conv_lstm", layer_norm=True)).init, KEY, frames)
    assert params["conv_lstm/~/cell_0/~/input/~/norm"]["scale"].shape == (2, 2, 16)


def test_peepholes_tie_a_model_to_its_grid():
    forecaster = make_forecaster(config_of("mim"))
    params = jax.eval_shape(forecaster.init, KEY, jnp.zeros((1, 6, 4, 4, 1)))
    with pytest.raises(ValueError, match="peepholes tie this model to frames of 4x4 pixels, these are 6x4"):
        forecaster.predict(params, None, jnp.zeros((1, 3, 6, 4, 1)), 2)


def test_the_penalty_of_a_cell_is_that_of_its_stack():
    """delta times the sum of (r - 1)^2 over all layers, at every step."""
    forecaster = make_forecaster(config_of("nn_rnn", cell_options={"delta": 0.5}))
    frames = jnp.zeros((1, 6, 4, 4, 1))
    params = forecaster.init(KEY, frames)
    for layer, r in enumerate(([1.0, 1.2], [0.7, 1.0])):
        params[f"nn_rnn/~/cell_{layer}"]["radii"] = jnp.asarray(r)
    _, metrics = compile_quickly(forecaster.loss)(params, None, frames, np.ones((1, 5), bool))
    np.testing.assert_allclose(metrics["penalty"], 0.5 * (0.04 + 0.09), rtol=1e-5)


def test_gradients_reach_what_steps_share():
    """exp(A) is made once before the scan over steps: the loss changes along A as its gradient says."""
    forecaster = make_forecaster(config_of("exp_rnn", filter_size=1))
    frames = np.random.default_rng(0).random((2, 6, 4, 4, 1)).astype(np.float32)
    params = forecaster.init(KEY, frames)
    name = "exp_rnn/~/cell_1"
    direction = draw(*params[name]["skew"].shape)

    def loss(step):
        moved = params[name] | {"skew": params[name]["skew"] + step * direction}
        return forecaster.loss(params | {name: moved}, None, frames, np.ones((2, 5), bool))[0]

    slope, compiled = compile_quickly(jax.grad(loss))(0.0), compile_quickly(loss)
    assert abs(slope) > 1e-3
    np.testing.assert_allclose((compiled(1e-2) - compiled(-1e-2)) / 2e-2, slope, rtol=0.02)
