"""A stack over the frames of a window: what goes into every step, and all steps.

Frame t goes in at step t, with the forcings of that time, and the step's prediction is of frame t + 1: T - 1 steps. In
a sequence task only forcings go in, and the prediction is of the frame of their time: T steps.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from predjax.cells.derived import derived_once
from predjax.cells.draws import numbered_from
from predjax.cells.shared_kernels import collect_kernels
from predjax.models.config import ModelConfig
from predjax.models.execution import Execution
from predjax.models.patches import pad_frames, patch_grid, to_patches
from predjax.models.scan import scan_shared
from predjax.models.stacks import make_stack


class Unrolled(NamedTuple):
    """Of all steps: scaled predicted patches, the mean penalty, and where the last true input had coverage."""

    patches: jax.Array
    penalty: jax.Array
    covered: jax.Array


class Unroll(NamedTuple):
    """init(rng, scaled, use_truth, forcings) -> params;
    apply(params, draws, scaled, use_truth, forcings, known=0) -> Unrolled: the first `known` inputs are true for all
    samples, so that a stack which can takes them at once (in a sequence task all are, without a use_truth);
    trace(params, keep, scaled, use_truth, forcings) -> keep(carry, `StackOutput`) after every step, without noise;
    advance(params, carry, forcings) -> the carry after a step of a series whose input is its own prediction."""

    init: Callable
    apply: Callable
    trace: Callable
    advance: Callable


class _Inputs(NamedTuple):
    """Patches of frames and forcings, `(steps, B, h, w, features)`; either may be None."""

    frames: jax.Array | None
    forcings: jax.Array | None


class _Masks(NamedTuple):
    """Where a frame has pixels, where the last true frame had them, and which samples get the true frame `(T-1, B)`;
    None where no frame goes in."""

    exists: jax.Array | None = None
    covered: jax.Array | None = None
    truth: jax.Array | None = None


def make_unroll(config: ModelConfig, execution: Execution) -> Unroll:
    """The pure functions of scaled frames `(B, T, H, W, C)`, use_truth `(B, T-1)` and forcings."""
    init_step, begin, step, encode = (
        hk.transform(functools.partial(function, config)) for function in (_first_step, _begin, _step, _encode)
    )
    collect = hk.transform(functools.partial(collect_kernels, functools.partial(_step, config)))

    def draw(function):
        """The function with `Draws`, or None, for a key."""

        def run(params, draws, *arguments):
            if draws is None:
                return function(params, None, *arguments)
            with numbered_from(draws.first_sample):
                return function(params, draws.key, *arguments)

        return run

    def run_step(params, *arguments):
        params, derived = params
        with derived_once(derived):
            carry, output = draw(step.apply)(params, *arguments)
        return carry, (output.features, output.penalty)

    def init(rng, *window):
        inputs, masks = _split_window(config, *window)
        return init_step.init(rng, *_take((inputs, masks), 0))

    def apply(params, draws, scaled, use_truth, forcings, known=0):
        window = inputs, masks = _split_window(config, scaled, use_truth, forcings)
        steps = _count_steps(inputs)
        known = (steps if config.sequence else known) if config.parallel else 0
        carry, outputs = begin.apply(params, None, _take(inputs, 0)), []
        if known:
            own = None if draws is None else draws.at(steps)
            carry, output = draw(encode.apply)(params, own, carry, *_take(window, slice(known)))
            outputs.append((output.features, jnp.broadcast_to(output.penalty, known)))
        if known < steps:
            inputs, masks = _take(window, slice(known, None))
            with derived_once() as derived:
                kernels = collect.apply(params, None, carry, *_take((inputs, masks), 0))
            both = params, derived
            outputs.append(scan_shared(run_step, kernels, execution, both, draws, carry, inputs, masks))
        patches, penalties = jax.tree.map(lambda *parts: jnp.concatenate(parts), *outputs)
        covered = jnp.ones(patches.shape, bool) if config.sequence else window[1].covered
        return Unrolled(patches.swapaxes(0, 1), penalties.mean(), covered.swapaxes(0, 1))

    def trace(params, keep, *window):
        inputs, masks = _split_window(config, *window)

        def body(carry, at):
            carry, output = step.apply(params, None, carry, *at)
            return carry, keep(carry, output)

        return jax.lax.scan(body, begin.apply(params, None, _take(inputs, 0)), (inputs, masks))[1]

    def advance(params, carry, forcings):
        if forcings is not None:
            forcings = config.forcing_scaling.scale(forcings)[:, None, None]
        if config.sequence:
            return step.apply(params, None, carry, _Inputs(None, forcings), _Masks())[0]
        frames, no = carry[1], jnp.zeros(carry[1].shape, bool)
        masks = _Masks(no, ~no, jnp.zeros(len(frames), bool))
        return step.apply(params, None, carry, _Inputs(frames, forcings), masks)[0]

    return Unroll(init, apply, trace, advance)


def _take(tree, index):
    """One step, or some, of time-major arrays."""
    return jax.tree.map(lambda a: a[index], tree)


def _count_steps(inputs: _Inputs) -> int:
    return len(jax.tree.leaves(inputs)[0])


def _grid(inputs: _Inputs) -> tuple[int, int]:
    """Rows and columns of patches."""
    return jax.tree.leaves(inputs)[0].shape[-3:-1]


def _begin(config, inputs):
    """Haiku function: the carry before the first step, the state of the stack and the previous prediction."""
    return _make_carry(config, make_stack(config, _grid(inputs)), inputs)


def _make_carry(config, stack, inputs):
    state = stack.initial_state(len(jax.tree.leaves(inputs)[0]))
    if config.sequence:
        return state, None
    return state, jnp.zeros((*inputs.frames.shape[:-1], config.output_features), inputs.frames.dtype)


def _first_step(config, inputs, masks):
    """Haiku function: all parameters, once."""
    stack = make_stack(config, _grid(inputs))
    state, previous = _make_carry(config, stack, inputs)
    return stack(_gather(config, inputs, masks, previous), state)


def _step(config, carry, inputs, masks):
    """Haiku function: the next carry and the `StackOutput` of one step."""
    state, previous = carry
    stack = make_stack(config, _grid(inputs))
    features = _gather(config, inputs, masks, previous)
    output, state = stack(features, state)
    output = _add_input(config, output, features)
    return (state, None if config.sequence else output.features), output


def _encode(config, carry, inputs, masks):
    """Haiku function: the carry after some steps with true inputs, and their `StackOutput`, time-major."""
    stack = make_stack(config, _grid(inputs))
    features = _gather(config, inputs, masks).swapaxes(0, 1)
    output, state = stack.unroll(features, carry[0])
    output = _add_input(config, output, features)
    patches = output.features.swapaxes(0, 1)
    return (state, None if config.sequence else patches[-1]), output._replace(features=patches)


def _add_input(config, output, features):
    """With `residual`, what a stack gives is the change of the frame that went in, the first of its features."""
    if not config.residual:
        return output
    return output._replace(features=output.features + features[..., : config.output_features])


def _gather(config, inputs, masks, previous=None):
    """What goes into the stack: true or predicted patches, coverage and forcings; all true without predicted ones."""
    if config.sequence:
        return inputs.forcings
    # Double where: a NaN that is only masked afterwards would still make the gradient NaN.
    frame = jnp.where(masks.exists, inputs.frames, 0.0)
    features = [frame if previous is None else jnp.where(masks.truth[:, None, None, None], frame, previous)]
    if config.coverage_channel:
        features.append(masks.covered.astype(frame.dtype))
    if inputs.forcings is not None:
        features.append(inputs.forcings)
    return jnp.concatenate(features, -1)


def _split_window(config, scaled, use_truth, forcings):
    """The `_Inputs` and `_Masks` of all steps, time-major."""
    steps, grid = scaled.shape[1] - 1, patch_grid(*scaled.shape[2:4], config.patch_size)
    if config.sequence:
        return _Inputs(None, _patch_forcings(config, forcings, steps + 1, grid, scaled.dtype)), _Masks()
    frames = to_patches(pad_frames(scaled, config.patch_size)[:, :-1], config.patch_size).swapaxes(0, 1)
    exists, truth = jnp.isfinite(frames), use_truth.swapaxes(0, 1)

    def fill(covered, at):
        exists, truth = at
        covered = jnp.where(truth[:, None, None, None], exists, covered)
        return covered, covered

    _, covered = jax.lax.scan(fill, exists[0], (exists, truth))
    forcings = _patch_forcings(config, forcings, steps, grid, scaled.dtype)
    return _Inputs(frames, forcings), _Masks(exists, covered, truth)


def _patch_forcings(config, forcings, steps, grid, dtype):
    """Scaled forcings of the first `steps` on the patch grid: a vector is the same everywhere, a map is patched."""
    if forcings is None:
        return None
    forcings = config.forcing_scaling.scale(jnp.asarray(forcings, dtype)[:, :steps])
    if forcings.ndim == 3:
        batch, _, channels = forcings.shape
        return jnp.broadcast_to(forcings[:, :, None, None], (batch, steps, *grid, channels)).swapaxes(0, 1)
    return to_patches(pad_frames(forcings, config.patch_size, 0.0), config.patch_size).swapaxes(0, 1)
