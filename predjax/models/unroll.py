"""A stack over the frames of a window: what goes into every step, and all steps."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from predjax.cells.derived import derived_once
from predjax.cells.draws import numbered_from
from predjax.cells.shared_kernels import collect_kernels
from predjax.models.config import Execution, ModelConfig
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
    samples, so that a stack which can takes them at once;
    increments(params, scaled, use_truth, forcings) -> what every step adds to the memories, or None."""

    init: Callable
    apply: Callable
    increments: Callable


class _Inputs(NamedTuple):
    """Patches of frames and forcings, `(T-1, B, h, w, features)`; forcings may be None."""

    frames: jax.Array
    forcings: jax.Array | None


class _Masks(NamedTuple):
    """Where a frame has pixels, where the last true frame had them, and which samples get the true frame `(T-1, B)`."""

    exists: jax.Array
    covered: jax.Array
    truth: jax.Array


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
        steps, known = len(inputs.frames), known if config.parallel else 0
        carry, outputs = begin.apply(params, None, inputs.frames[0]), []
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
        return Unrolled(patches.swapaxes(0, 1), penalties.mean(), window[1].covered.swapaxes(0, 1))

    def increments(params, *window):
        inputs, masks = _split_window(config, *window)

        def body(carry, at):
            carry, output = step.apply(params, None, carry, *at)
            return carry, output.increments

        return jax.lax.scan(body, begin.apply(params, None, inputs.frames[0]), (inputs, masks))[1]

    return Unroll(init, apply, increments)


def _take(tree, index):
    """One step, or some, of time-major arrays."""
    return jax.tree.map(lambda a: a[index], tree)


def _begin(config, frame):
    """Haiku function: the carry before the first step, the state of the stack and the previous prediction."""
    stack = make_stack(config, frame.shape[1:3])
    return _make_carry(config, stack, frame)


def _make_carry(config, stack, frame):
    previous = jnp.zeros((*frame.shape[:-1], config.output_features), frame.dtype)
    return stack.initial_state(len(frame)), previous


def _first_step(config, inputs, masks):
    """Haiku function: all parameters, once."""
    stack = make_stack(config, inputs.frames.shape[1:3])
    state, previous = _make_carry(config, stack, inputs.frames)
    return stack(_gather(config, inputs, masks, previous), state)


def _step(config, carry, inputs, masks):
    """Haiku function: the next carry and the `StackOutput` of one step."""
    state, previous = carry
    stack = make_stack(config, inputs.frames.shape[1:3])
    output, state = stack(_gather(config, inputs, masks, previous), state)
    return (state, output.features), output


def _encode(config, carry, inputs, masks):
    """Haiku function: the carry after some steps with true inputs, and their `StackOutput`, time-major."""
    stack = make_stack(config, inputs.frames.shape[2:4])
    features = _gather(config, inputs, masks).swapaxes(0, 1)
    output, state = stack.unroll(features, carry[0])
    patches = output.features.swapaxes(0, 1)
    return (state, patches[-1]), output._replace(features=patches)


def _gather(config, inputs, masks, previous=None):
    """What goes into the stack: true or predicted patches, coverage and forcings; all true without predicted ones."""
    # Double where: a NaN that is only masked afterwards would still make the gradient NaN.
    frame = jnp.where(masks.exists, inputs.frames, 0.0)
    features = [frame if previous is None else jnp.where(masks.truth[:, None, None, None], frame, previous)]
    if config.coverage_channel:
        features.append(masks.covered.astype(frame.dtype))
    if inputs.forcings is not None:
        features.append(inputs.forcings.astype(frame.dtype))
    return jnp.concatenate(features, -1)


def _split_window(config, scaled, use_truth, forcings):
    """The `_Inputs` and `_Masks` of all steps, time-major."""
    frames = to_patches(pad_frames(scaled, config.patch_size)[:, :-1], config.patch_size).swapaxes(0, 1)
    exists, truth = jnp.isfinite(frames), use_truth.swapaxes(0, 1)

    def fill(covered, at):
        exists, truth = at
        covered = jnp.where(truth[:, None, None, None], exists, covered)
        return covered, covered

    _, covered = jax.lax.scan(fill, exists[0], (exists, truth))
    grid = patch_grid(*scaled.shape[2:4], config.patch_size)
    forcings = _patch_forcings(forcings, scaled.shape[1] - 1, grid, config.patch_size)
    return _Inputs(frames, forcings), _Masks(exists, covered, truth)


def _patch_forcings(forcings, steps, grid, patch_size):
    """Forcings of the first `steps` inputs on the patch grid: a vector is the same everywhere, a map is patched."""
    if forcings is None:
        return None
    forcings = jnp.asarray(forcings, float)[:, :steps]
    if forcings.ndim == 3:
        batch, _, channels = forcings.shape
        return jnp.broadcast_to(forcings[:, :, None, None], (batch, steps, *grid, channels)).swapaxes(0, 1)
    return to_patches(pad_frames(forcings, patch_size, 0.0), patch_size).swapaxes(0, 1)
