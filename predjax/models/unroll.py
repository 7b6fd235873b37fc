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

from predjax.cells.context import StepContext
from predjax.kernels.execution import Execution
from predjax.kernels.scan import Sequence, scan_shared
from predjax.kernels.shared import KernelCollector
from predjax.models.config import ModelConfig
from predjax.models.patches import from_patches, pad_frames, patch_grid, to_patches
from predjax.models.scales import extend_scales, fit_scales
from predjax.models.stacks import make_stack


class Unrolled(NamedTuple):
    """Of all steps: scaled predicted patches, the mean penalty, and where the last true input had coverage."""

    patches: jax.Array
    penalty: jax.Array
    covered: jax.Array


class Unroll(NamedTuple):
    """init(rng, scaled, use_truth, forcings) -> params;
    apply(params, draws, scaled, use_truth, forcings, known=0, observed=None) -> Unrolled: the first `known` inputs are
    true for all samples, so that a stack which can takes them at once (in a sequence task all are, without a
    use_truth); scales go on as in the first `observed` frames (None: input_length of them);
    trace(params, keep, scaled, use_truth, forcings) -> keep(carry, `StackOutput`) after every step, without noise;
    advance(params, carry, forcings) -> the carry after a step of a series whose input is its own prediction."""

    init: Callable
    apply: Callable
    trace: Callable
    advance: Callable


class _Inputs(NamedTuple):
    """Patches of frames and forcings, `(steps, B, h, w, features)`, and how the scales of each case go on
    `(steps, B, K, 2, C)`, the same at all steps; any may be None."""

    frames: jax.Array | None
    forcings: jax.Array | None
    fitted: jax.Array | None = None


class Carry(NamedTuple):
    """The state of the stack, the previous prediction in patches (None in a sequence task), and, where scales go on,
    the frame `(B, H, W, C)` that went in last."""

    state: tuple
    predicted: jax.Array | None
    before: jax.Array | None = None


class _Masks(NamedTuple):
    """Where the last true frame had coverage, and which samples get the true frame `(T-1, B)`;
    None where no frame goes in."""

    covered: jax.Array | None = None
    truth: jax.Array | None = None


def make_unroll(config: ModelConfig, execution: Execution) -> Unroll:
    """The pure functions of scaled frames `(B, T, H, W, C)`, use_truth `(B, T-1)` and forcings."""
    init_step, begin, step, encode = (
        hk.transform(functools.partial(function, config)) for function in (_first_step, _begin, _step, _encode)
    )

    def run_step(products, params, draws, *arguments):
        params, derived = params
        key, first_sample = draws or (None, 0)
        context = StepContext(products, dict(derived), first_sample)
        carry, output = step.apply(params, key, context, *arguments)
        return carry, (output.features, output.penalty)

    def init(rng, *window):
        inputs, masks = _split_window(config, *window)
        return init_step.init(rng, *_take((inputs, masks), 0))

    def apply(params, draws, scaled, use_truth, forcings, known=0, observed=None):
        window = inputs, masks = _split_window(config, scaled, use_truth, forcings, observed)
        steps = _count_steps(inputs)
        known = (steps if config.sequence else known) if config.spec.unrolls else 0
        carry, outputs = begin.apply(params, None, _take(inputs, 0)), []
        if known:
            key, first_sample = draws.at(steps) if draws else (None, 0)
            context = StepContext(first_sample=first_sample)
            carry, output = encode.apply(params, key, context, carry, *_take(window, slice(known)))
            outputs.append((output.features, jnp.broadcast_to(output.penalty, known)))
        if known < steps:
            inputs, masks = _take(window, slice(known, None))
            collector = KernelCollector()
            derived: dict[str, jax.Array] = {}
            step.apply(params, None, StepContext(collector, derived), carry, *_take((inputs, masks), 0))
            sequence = Sequence((params, derived), draws, carry, inputs, masks)
            outputs.append(scan_shared(run_step, collector.kernels, execution, sequence))
        patches, penalties = jax.tree.map(lambda *parts: jnp.concatenate(parts), *outputs)
        covered = jnp.ones(patches.shape, bool) if config.sequence else window[1].covered
        return Unrolled(patches.swapaxes(0, 1), penalties.mean(), covered.swapaxes(0, 1))

    def trace(params, keep, *window):
        inputs, masks = _split_window(config, *window)

        def body(carry, at):
            carry, output = step.apply(params, None, StepContext(), carry, *at)
            return carry, keep(carry, output)

        return jax.lax.scan(body, begin.apply(params, None, _take(inputs, 0)), (inputs, masks))[1]

    def advance(params, carry, forcings):
        if forcings is not None:
            forcings = config.forcing_scaling.scale(forcings)[:, None, None]
        if config.sequence:
            return step.apply(params, None, StepContext(), carry, _Inputs(None, forcings), _Masks())[0]
        frames, no = carry.predicted, jnp.zeros(carry.predicted.shape, bool)
        masks = _Masks(~no, jnp.zeros(len(frames), bool))
        return step.apply(params, None, StepContext(), carry, _Inputs(frames, forcings), masks)[0]

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
    """Haiku function: the carry before the first step."""
    return _make_carry(config, make_stack(config, _grid(inputs)), inputs)


def _make_carry(config, stack, inputs):
    state = stack.initial_state(len(jax.tree.leaves(inputs)[0]))
    if config.sequence:
        return Carry(state, None)
    before = _to_pixels(config, _fill(inputs.frames)) if config.scales else None
    predicted = jnp.zeros((*inputs.frames.shape[:-1], config.output_features), inputs.frames.dtype)
    return Carry(state, predicted, before)


def _first_step(config, inputs, masks):
    """Haiku function: all parameters, once."""
    stack = make_stack(config, _grid(inputs))
    carry = _make_carry(config, stack, inputs)
    return stack(_gather(config, inputs, masks, carry.predicted), carry.state)


def _step(config, context, carry, inputs, masks):
    """Haiku function: the next carry and the `StackOutput` of one step."""
    stack = make_stack(config, _grid(inputs), context)
    features = _gather(config, inputs, masks, carry.predicted)
    output, state = stack(features, carry.state)
    patches, before = _add_input(config, output.features, features, carry.before, inputs.fitted)
    return Carry(state, None if config.sequence else patches, before), output._replace(features=patches)


def _encode(config, context, carry, inputs, masks):
    """Haiku function: the carry after some steps with true inputs, and their `StackOutput`, time-major."""
    stack = make_stack(config, _grid(inputs), context)
    features = _gather(config, inputs, masks).swapaxes(0, 1)
    output, state = stack.unroll(features, carry.state)
    given, before = output.features, carry.before
    if config.scales:  # all steps at once, as cases of their own
        pixels = _to_pixels(config, features[..., : config.output_features])
        before = jnp.concatenate([pixels[:, :1], pixels[:, :-1]], 1)
        merged = [a.reshape(-1, *a.shape[2:]) for a in (given, features, before, inputs.fitted.swapaxes(0, 1))]
        given, before = _add_input(config, *merged)[0].reshape(*given.shape[:-1], -1), pixels[:, -1]
    else:
        given, _ = _add_input(config, given, features)
    patches = given.swapaxes(0, 1)
    return Carry(state, None if config.sequence else patches[-1], before), output._replace(features=patches)


def _fill(frames):
    """Frames with 0 where there is no coverage."""
    return jnp.where(jnp.isfinite(frames), frames, 0.0)


def _to_pixels(config, patches):
    return from_patches(patches, config.patch_size)


def _add_input(config, given, features, before=None, fitted=None):
    """Predicted patches: with `residual`, what a stack gives is the change of the frame that went in, the first of the
    features; with `scales` it gives the gains of the frame's scales, which go on by themselves. Also returns that frame
    in pixels, of which the next step needs the scales."""
    if not config.residual:
        return given, None
    frame = features[..., : config.output_features]
    if not config.scales:
        return frame + given, None
    pixels = _to_pixels(config, frame)
    return to_patches(pixels + extend_scales(pixels, before, fitted, given), config.patch_size), pixels


def _gather(config, inputs, masks, previous=None):
    """What goes into the stack: true or predicted patches, coverage and forcings; all true without predicted ones."""
    if config.sequence:
        return inputs.forcings
    # Double where: a NaN that is only masked afterwards would still make the gradient NaN.
    frame = _fill(inputs.frames)
    features = [frame if previous is None else jnp.where(masks.truth[:, None, None, None], frame, previous)]
    if config.coverage_channel:
        features.append(masks.covered.astype(frame.dtype))
    if inputs.forcings is not None:
        features.append(inputs.forcings)
    return jnp.concatenate(features, -1)


def _split_window(config, scaled, use_truth, forcings, observed=None):
    """The `_Inputs` and `_Masks` of all steps, time-major."""
    steps, grid = scaled.shape[1] - 1, patch_grid(scaled.shape[2], scaled.shape[3], config.patch_size)
    if config.sequence:
        return _Inputs(None, _patch_forcings(config, forcings, steps + 1, grid, scaled.dtype)), _Masks()
    frames = to_patches(pad_frames(scaled, config.patch_size)[:, :-1], config.patch_size).swapaxes(0, 1)
    exists, truth = jnp.isfinite(frames), use_truth.swapaxes(0, 1)

    def fill(covered, at):
        exists, truth = at
        covered = jnp.where(truth[:, None, None, None], exists, covered)
        return covered, covered

    _, covered = jax.lax.scan(fill, exists[0], (exists, truth))
    forcings, fitted = _patch_forcings(config, forcings, steps, grid, scaled.dtype), None
    if config.scales:
        fitted = fit_scales(scaled[:, : observed or config.input_length], config.scales)
        fitted = jnp.broadcast_to(fitted, (steps, *fitted.shape))
    return _Inputs(frames, forcings, fitted), _Masks(covered, truth)


def _patch_forcings(config, forcings, steps, grid, dtype):
    """Scaled forcings of the first `steps` on the patch grid: a vector is the same everywhere, a map is patched."""
    if forcings is None:
        return None
    forcings = config.forcing_scaling.scale(jnp.asarray(forcings, dtype)[:, :steps])
    if forcings.ndim == 3:
        batch, _, channels = forcings.shape
        return jnp.broadcast_to(forcings[:, :, None, None], (batch, steps, *grid, channels)).swapaxes(0, 1)
    return to_patches(pad_frames(forcings, config.patch_size, 0.0), config.patch_size).swapaxes(0, 1)
