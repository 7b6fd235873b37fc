"""What holds for every cell, on vectors, on maps pixel by pixel, and with convolutions."""

import functools
import pathlib
import re

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sequences import compile_quickly, draw

from predjax import unroll
from predjax.cells import CELLS, Physical
from predjax.cells.context import StepContext
from predjax.kernels.shared import KernelCollector

GRID, BATCH, STEPS, FEATURES = (2, 3), 2, 4, 4
PIXELS = BATCH * 6
# (spatial_shape, kernel_shape, batch): a vector batch as large as the pixels of the map, for the comparison of both.
SHAPES = {"vector": ((), (), PIXELS), "dense": (GRID, (), BATCH), "convolution": (GRID, (3, 3), BATCH)}
VARIANTS = {
    "gru after": {"reset_after": True},
    "lipschitz rk2": {"rk2": True},
    "co_rnn implicit": {"implicit_damping": True},
    "nn_rnn diagonal": {"rotations": False, "activation": "relu"},
    "s5 dense": {"skip": "dense", "conjugate": False},
    "conv_lstm peepholes": {"peepholes": True, "with_bias": True},
    "causal_lstm norm": {"layer_norm": True},
    "st_lstm norm": {"layer_norm": True},
    "conv_s5 linear": {"head": "linear", "state_size": 6, "blocks": 2},
}
CASES = {name: {} for name in CELLS} | VARIANTS
NOT_BY_PIXEL = {"conv_s5"}  # it normalises over the frame


def make_cell(case, shape, **given):
    spatial_shape, kernel_shape, _ = SHAPES[shape]
    return CELLS[case.split()[0]](FEATURES, spatial_shape, kernel_shape, **CASES[case], **given, name="cell")


@functools.cache
def compile_cell(case, shape):
    """Initial parameters, the initial state, and the function of a sequence, of a cell.

    The function takes (params, inputs, state or zeros, whether to start from the initial state, weights) and gives the
    gradient of the weighted sum of the outputs, and the outputs and states of all steps. Without convolutions it gives
    the sum itself, because the gradient takes most of the time.
    """

    def begin(inputs):
        cell = make_cell(case, shape)
        state = cell.initial_state(len(inputs))
        return state, cell(inputs, state)

    def run(inputs, state, fresh, weights):
        cell = make_cell(case, shape)
        first = jax.tree.map(functools.partial(jnp.where, fresh), cell.initial_state(len(inputs)), state)
        outputs, states = hk.dynamic_unroll(cell, inputs, first, time_major=False, return_all_states=True)
        return jnp.vdot(outputs, weights), (outputs, states)

    first, pure = hk.transform(begin), hk.without_apply_rng(hk.transform(run))
    x = draw_inputs(shape)[0][:, 0]
    params = compile_quickly(first.init)(jax.random.key(1), x)
    state = jax.tree.map(lambda a: np.zeros(a.shape, a.dtype), jax.eval_shape(first.apply, params, None, x)[0])
    function = jax.grad(pure.apply, has_aux=True) if shape == "convolution" else pure.apply
    return params, state, compile_quickly(function)


def draw_inputs(shape):
    """`(B, T, *S, I)`, and weights of all outputs."""
    spatial_shape, _, batch = SHAPES[shape]
    size = (batch, STEPS, *spatial_shape, FEATURES)
    return np.asarray(draw(*size)), np.asarray(draw(*size, seed=1))


def assert_close(ours, expected):
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "case,shape",
    # An option is tried where most can go wrong; compiling is what these tests cost.
    [(case, shape) for case in CELLS for shape in ("convolution", "vector")]
    + [pytest.param(case, "convolution", marks=pytest.mark.ci) for case in VARIANTS],
)
def test_every_cell(case, shape):
    params, empty, run = compile_cell(case, shape)
    x, weights = draw_inputs(shape)
    slopes, (outputs, states) = jax.device_get(run(params, x, empty, True, weights))
    last = jax.tree.map(lambda a: a[:, -1], states)

    # Outputs are real and finite, the state keeps its structure, and every parameter has an effect.
    assert (outputs.shape, outputs.dtype) == (weights.shape, x.dtype)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((outputs, states)))
    assert jax.tree.map(lambda a: (a.shape, a.dtype), last) == jax.tree.map(lambda a: (a.shape, a.dtype), empty)
    for module, group in slopes.items() if shape == "convolution" else ():
        for name, slope in group.items():
            assert np.isfinite(slope).all() and np.abs(slope).max() > 0, f"{module}/{name}"

    # Rows of a batch are independent.
    order = np.roll(np.arange(len(x)), 1)
    _, (permuted, _) = run(params, x[order], empty, True, weights)
    assert_close(permuted, outputs[order])

    # A sequence from a state in its middle is the rest of the sequence.
    half = STEPS // 2
    between = jax.tree.map(lambda a: a[:, half - 1], states)
    _, (after, further) = run(params, np.roll(x, -half, axis=1), between, False, weights)
    assert_close(after[:, : STEPS - half], outputs[:, half:])
    jax.tree.map(assert_close, jax.tree.map(lambda a: a[:, STEPS - half - 1], further), last)


@pytest.mark.parametrize("case", [case for case in CELLS if case not in NOT_BY_PIXEL])
def test_a_dense_cell_on_a_map_is_the_cell_of_each_pixel(case):
    """Where each element of a grid has a parameter of its own, with those of the vector for all pixels."""
    shapes, empty, run = compile_cell(case, "dense")
    params, empty_vectors, of_vectors = compile_cell(case, "vector")
    params = jax.tree.map(lambda a: a + 0.1 * np.asarray(draw(*a.shape, seed=2)), params)

    def spread(a, like):
        return a if a.shape == like.shape else np.broadcast_to(a[..., None, None, :], like.shape)

    def flatten(a):
        return np.moveaxis(a, 1, 3).reshape(PIXELS, STEPS, -1)

    x, weights = draw_inputs("dense")
    _, (outputs, _) = run(jax.tree.map(spread, params, shapes), x, empty, True, weights)
    _, (expected, _) = of_vectors(params, flatten(x), empty_vectors, True, flatten(weights))
    assert_close(flatten(np.asarray(outputs)), expected)


@pytest.mark.parametrize("case", CASES)
def test_a_step_uses_every_shared_kernel_once(case):
    """A scan that shares kernels refuses a name that convolves twice; cells that need a kernel twice have two names."""
    params, state, _ = compile_cell(case, "convolution")
    x = draw_inputs("convolution")[0][:, 0]
    collector = KernelCollector()

    def run(x, state):
        make_cell(case, "convolution", context=StepContext(collector))(x, state)

    jax.eval_shape(hk.without_apply_rng(hk.transform(run)).apply, params, x, state)
    assert collector.kernels
    for w, x_shape in collector.kernels.values():
        assert w.shape[:2] == (3, 3) and w.shape[2] == x_shape[-1] and x_shape[1:3] == GRID


def find_contexts(module):
    """The contexts of a module and of all modules in it."""
    parts = [module]
    for part in parts:
        leaves = jax.tree.leaves(vars(part), is_leaf=lambda leaf: isinstance(leaf, hk.Module))
        parts += [leaf for leaf in leaves if isinstance(leaf, hk.Module)]
    return [part.context for part in parts if hasattr(part, "context")]


@pytest.mark.parametrize("case", [*CASES, "physical"])
def test_every_part_of_a_cell_has_its_context(case):
    """A map with a context of its own would convolve directly, and in float32, where a scan has prepared its kernel."""

    def make():
        given = StepContext()
        cell = Physical(3, context=given) if case == "physical" else make_cell(case, "convolution", context=given)
        found = find_contexts(cell)
        assert len(found) > 1 and all(context is given for context in found)

    hk.transform(make).init(None)


def test_unroll_is_a_loop_over_the_steps():
    def loop(inputs):
        cell = CELLS["lstm"](FEATURES, name="cell")
        state, outputs = cell.initial_state(len(inputs)), []
        for t in range(STEPS):
            output, state = cell(inputs[:, t], state)
            outputs.append(output)
        return jnp.stack(outputs, 1), state

    def run(inputs):
        cell = CELLS["lstm"](FEATURES, name="cell")
        return unroll(cell, inputs, cell.initial_state(len(inputs)))

    params, _, _ = compile_cell("lstm", "vector")
    x, _ = draw_inputs("vector")
    both = [hk.without_apply_rng(hk.transform(f)).apply(params, x) for f in (loop, run)]
    jax.tree.map(assert_close, *both)


@pytest.mark.parametrize("name", sorted(CELLS))
def test_sizes_that_make_no_sense_are_refused(name):
    def make(*sizes):
        return lambda: CELLS[name](*sizes)

    for sizes, words in (((0,), "features"), ((4, GRID, (2, 2)), "kernel_shape"), ((4, (), (3, 3)), "spatial_shape")):
        with pytest.raises(ValueError, match=words):
            hk.transform(make(*sizes)).init(None)


def test_every_fixture_of_cells_is_tested(shared):
    """By its name in a test beside this one; the fixed points of D are no cells."""
    tests = "".join(path.read_text() for path in pathlib.Path(__file__).parent.glob("test_*.py"))
    names = [path.stem for kind in "BCDG" for path in (shared / "fixtures").glob(f"{kind}_*.npz")]
    assert names
    assert not [name for name in names if name != "D_fixed_points" and re.sub("_ln[01]$", "", name) not in tests]
