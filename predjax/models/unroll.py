"""A stack over the frames of a window: one scan, whose kernels are prepared before it and differentiated after it.

Accumulating the gradient of a kernel at every step of a scan reads and writes all of it each time. Here a scan gives
the inputs of every convolution and, through arrays of zeros added to the outputs, the gradients of the outputs; the
gradient of a kernel is then one sum over all steps.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from predjax.cells.shared_kernels import Kernel, SharedKernels, collect_kernels
from predjax.models.config import Execution, ModelConfig
from predjax.models.patches import pad_frames, patch_grid, to_patches
from predjax.models.stacks import STACKS


class Unrolled(NamedTuple):
    """Of all steps: scaled predicted patches, the mean penalty, where the last true input had coverage, increments."""

    patches: jax.Array
    penalty: jax.Array
    covered: jax.Array
    increments: NamedTuple


class Unroll(NamedTuple):
    """init(rng, scaled, use_truth, forcings) -> params; apply(params, rng, scaled, use_truth, forcings) -> Unrolled."""

    init: Callable
    apply: Callable


def make_unroll(config: ModelConfig, execution: Execution) -> Unroll:
    """The pure functions of scaled frames `(B, T, H, W, C)`, use_truth `(B, T-1)` and forcings."""
    plain = hk.transform(lambda *window: _scan(config, execution, None, None, *window)[0])
    collect = hk.transform(lambda *window: _collect(config, execution, *window))
    scan = hk.transform(functools.partial(_scan, config, execution))
    dtype = jnp.bfloat16 if execution.precision == "bfloat16" else None

    def apply(params, rng, *window):
        found = collect.apply(params, rng, *window)
        arrays = {name: kernel.w for name, kernel in found.items()}

        def share(arrays, trains=False):
            kernels = {name: Kernel(w, found[name].x_shape) for name, w in arrays.items()}
            return SharedKernels(kernels, execution.convolution, dtype, trains)

        @jax.custom_vjp
        def run(params, arrays, rng, scaled, use_truth, forcings):
            return scan.apply(params, rng, share(arrays), None, scaled, use_truth, forcings)[0]

        def forward(params, arrays, rng, scaled, use_truth, forcings):
            shared = share(arrays, trains=True)

            def differentiable(params, taps, scaled, forcings):
                return scan.apply(params, rng, shared, taps, scaled, use_truth, forcings)

            taps = {
                name: jnp.zeros((scaled.shape[1] - 1, *found[name].x_shape[:-1], w.shape[-1]), scaled.dtype)
                for name, w in arrays.items()
            }
            out, pull, inputs = jax.vjp(differentiable, params, taps, scaled, forcings, has_aux=True)
            return out, (pull, inputs, arrays)

        def backward(residuals, cotangent):
            pull, inputs, arrays = residuals
            params, outputs, scaled, forcings = pull(cotangent)
            return params, share(arrays).gradients(inputs, outputs), None, scaled, None, forcings

        run.defvjp(forward, backward)
        return run(params, arrays, rng, *window)

    return Unroll(plain.init, apply)


def _collect(config, execution, *window):
    """Haiku function: the kernels that every step convolves with."""
    step, first, inputs = _make_step(config, execution, *window)
    return collect_kernels(step, first, jax.tree.map(lambda x: x[0], inputs))


def _scan(config, execution, shared, taps, *window):
    """Haiku function: the `Unrolled`, and the inputs of the `shared` kernels at every step."""
    step, first, inputs = _make_step(config, execution, *window)

    def step_with_kernels(carry, inputs_and_taps):
        inputs, taps = inputs_and_taps
        if shared is None:
            return *step(carry, inputs), {}
        with shared.used(taps) as seen:
            carry, outputs = step(carry, inputs)
        return carry, outputs, dict(seen)

    if execution.remat == "step":
        step_with_kernels = hk.remat(step_with_kernels)

    def body(carry, inputs_and_taps):
        carry, outputs, seen = step_with_kernels(carry, inputs_and_taps)
        return carry, (outputs, seen)

    _, ((outputs, covered), seen) = hk.scan(body, first, (inputs, taps))
    patches, covered = outputs.features.swapaxes(0, 1), covered.swapaxes(0, 1)
    return Unrolled(patches, outputs.penalty.mean(), covered, outputs.increments), seen


def _make_step(config, execution, scaled, use_truth, forcings):
    """step(carry, inputs) -> (carry, (StackOutput, coverage)), its first carry, and the inputs of all steps."""
    grid = patch_grid(*scaled.shape[2:4], config.patch_size)
    stack = STACKS[config.model_name](config, grid, execution.remat == "cell")
    frames = to_patches(pad_frames(scaled, config.patch_size)[:, :-1], config.patch_size)
    exists = jnp.isfinite(frames)
    forcings = _patch_forcings(forcings, scaled.shape[1] - 1, grid, config.patch_size)

    def step(carry, inputs):
        state, previous, covered = carry
        frame, exists, truth, forcing = inputs
        truth = truth[:, None, None, None]
        covered = jnp.where(truth, exists, covered)
        # Double where: a NaN that is only masked afterwards would still make the gradient NaN.
        x = jnp.where(truth, jnp.where(exists, frame, 0.0), previous)
        features = [x]
        if config.coverage_channel:
            features.append(covered.astype(x.dtype))
        if forcing is not None:
            features.append(forcing.astype(x.dtype))
        output, state = stack(jnp.concatenate(features, -1), state)
        return (state, output.features, covered), (output, covered)

    first = (stack.initial_state(len(scaled)), jnp.zeros_like(frames[:, 0]), exists[:, 0])
    return step, first, jax.tree.map(lambda x: x.swapaxes(0, 1), (frames, exists, use_truth, forcings))


def _patch_forcings(forcings, steps, grid, patch_size):
    """Forcings of the first `steps` inputs on the patch grid: a vector is the same everywhere, a map is patched."""
    if forcings is None:
        return None
    forcings = jnp.asarray(forcings, float)[:, :steps]
    if forcings.ndim == 3:
        batch, _, channels = forcings.shape
        return jnp.broadcast_to(forcings[:, :, None, None], (batch, steps, *grid, channels))
    return to_patches(pad_frames(forcings, patch_size, 0.0), patch_size)
