"""A stack over the frames of a window: what goes into every step, and all steps."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from predjax.cells.shared_kernels import collect_kernels
from predjax.models.config import Execution, ModelConfig
from predjax.models.patches import pad_frames, patch_grid, to_patches
from predjax.models.scan import scan_shared
from predjax.models.stacks import STACKS


class Unrolled(NamedTuple):
    """Of all steps: scaled predicted patches, the mean penalty, and where the last true input had coverage."""

    patches: jax.Array
    penalty: jax.Array
    covered: jax.Array


class Unroll(NamedTuple):
    """init(rng, scaled, use_truth, forcings) -> params; apply(params, rng, scaled, use_truth, forcings) -> Unrolled;
    increments(params, rng, scaled, use_truth, forcings) -> what every step adds to the memories."""

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
    begin = hk.transform(functools.partial(_begin, config))
    step = hk.transform(functools.partial(_step, config))
    collect = hk.transform(functools.partial(collect_kernels, functools.partial(_step, config)))

    def init(rng, *window):
        inputs, masks = _split_window(config, *window)
        first = begin.apply({}, None, inputs.frames[0])
        return step.init(rng, first, *jax.tree.map(lambda a: a[0], (inputs, masks)))

    def apply(params, rng, *window):
        inputs, masks = _split_window(config, *window)
        first = begin.apply({}, None, inputs.frames[0])
        kernels = collect.apply(params, rng, first, *jax.tree.map(lambda a: a[0], (inputs, masks)))

        def step_without_increments(*arguments):
            carry, output = step.apply(*arguments)
            return carry, (output.features, output.penalty)

        patches, penalties = scan_shared(step_without_increments, kernels, execution, params, rng, first, inputs, masks)
        return Unrolled(patches.swapaxes(0, 1), penalties.mean(), masks.covered.swapaxes(0, 1))

    def increments(params, rng, *window):
        inputs, masks = _split_window(config, *window)

        def body(carry, at):
            carry, output = step.apply(params, rng, carry, *at)
            return carry, output.increments

        return jax.lax.scan(body, begin.apply({}, None, inputs.frames[0]), (inputs, masks))[1]

    return Unroll(init, apply, increments)


def _begin(config, frame):
    """The carry before the first step: the state of the stack and the previous prediction."""
    stack = STACKS[config.model_name](config, frame.shape[1:3])
    return stack.initial_state(len(frame)), jnp.zeros_like(frame)


def _step(config, carry, inputs, masks):
    """Haiku function: the next carry and the `StackOutput` of one step."""
    state, previous = carry
    stack = STACKS[config.model_name](config, inputs.frames.shape[1:3])
    # Double where: a NaN that is only masked afterwards would still make the gradient NaN.
    frame = jnp.where(masks.exists, inputs.frames, 0.0)
    features = [jnp.where(masks.truth[:, None, None, None], frame, previous)]
    if config.coverage_channel:
        features.append(masks.covered.astype(frame.dtype))
    if inputs.forcings is not None:
        features.append(inputs.forcings.astype(frame.dtype))
    output, state = stack(jnp.concatenate(features, -1), state)
    return (state, output.features), output


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
