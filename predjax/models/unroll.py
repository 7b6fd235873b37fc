"""The unrolling of a network over the frames of a window, step by step or, where possible, many steps at once.

Frame t goes in at step t, with the forcings of that time, and the step's prediction is of frame t + 1: T - 1 steps. In
a sequence task only forcings go in, and the prediction is of the frame of their time: T steps.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from predjax.cells.context import BatchKey, StepContext
from predjax.cells.st_lstm import Increments
from predjax.kernels.execution import Execution
from predjax.kernels.scan import Sequence, packs, scan_shared
from predjax.kernels.shared import KernelCollector, Products
from predjax.models.config import ModelConfig
from predjax.models.inputs import Inputs, Masks, Window, gather, split_window, take
from predjax.models.stacks import make_stack
from predjax.models.stacks.base import StackOutput
from predjax.models.wrappers import make_network
from predjax.models.wrappers.network import Network

NO_KEY = (None, 0, None)  # in the place of a `BatchKey`: no random draws


class Unrolled(NamedTuple):
    """The scaled predicted patches of all steps, the mean penalty, and the coverage of the last true input."""

    patches: jax.Array
    penalty: jax.Array
    covered: jax.Array


class Carry(NamedTuple):
    """The state of the network after a step, and its prediction in patches (None in a sequence task)."""

    state: Any
    predicted: jax.Array | None


class Unroll(NamedTuple):
    """The pure functions of a network and a `Window`.

    init(rng, window) -> params
    apply(params, key, window) -> `Unrolled`; `key` is a `BatchKey` for the noise, or None for no noise
    trace(params, keep, window) -> the results of `keep(carry, StackOutput)` after every step, without noise
    advance(params, carry, forcings) -> the carry after a step of a series whose input is its own prediction
    """

    init: Callable
    apply: Callable
    trace: Callable
    advance: Callable


def make_unroll(config: ModelConfig, execution: Execution) -> Unroll:
    """Make the functions that unroll the network of a configuration."""
    init_step, begin, step, encode, penalise = (
        hk.transform(functools.partial(function, config))
        for function in (_first_step, _begin, _step, _encode, _penalise)
    )
    late = packs(execution) and config.spec.decoupled  # the penalty of all steps at once

    def run_step(products: Products, shared: tuple[dict, dict], key: BatchKey | None, *arguments: Any) -> Any:
        params, constants = shared
        own, first_sample, all_steps = key or NO_KEY
        context = StepContext(products, dict(constants), first_sample, all_steps, penalises=not late)
        carry, output = step.apply(params, own, context, *arguments)
        return carry, (output.features, output.increments if late else output.penalty)

    def init(rng: jax.Array, window: Window) -> dict:
        return init_step.init(rng, *take(split_window(config, window), 0), window.observed)

    def apply(params: dict, key: BatchKey | None, window: Window) -> Unrolled:
        inputs, masks = split_window(config, window)
        steps = inputs.shape[0]
        known = (steps if config.sequence else window.known) if config.spec.unrolls else 0
        carry, outputs = begin.apply(params, None, take(inputs, 0), window.observed), []
        if known:
            own, first_sample, all_steps = key.at(steps) if key else NO_KEY
            context = StepContext(first_sample=first_sample, all_steps=all_steps)
            carry, output = encode.apply(params, own, context, carry, *take((inputs, masks), slice(known)))
            outputs.append((output.features, jnp.broadcast_to(output.penalty, known)))
        if known < steps:
            rest = take((inputs, masks), slice(known, None))
            collector = KernelCollector(matrices=packs(execution))
            constants: dict[str, jax.Array] = {}
            context = StepContext(collector, constants, penalises=not late)
            step.apply(params, None, context, carry, *take(rest, 0))
            sequence = Sequence((params, constants), key, carry, *rest)
            patches, penalties = scan_shared(run_step, collector.kernels, execution, sequence)
            outputs.append((patches, penalise.apply(params, None, penalties)[None] if late else penalties))
        patches, penalties = jax.tree.map(lambda *parts: jnp.concatenate(parts), *outputs)
        covered = jnp.ones(patches.shape, bool) if masks.covered is None else masks.covered
        return Unrolled(patches.swapaxes(0, 1), penalties.mean(), covered.swapaxes(0, 1))

    def trace(params: dict, keep: Callable[[Carry, StackOutput], Any], window: Window) -> Any:
        inputs, masks = split_window(config, window)

        def body(carry: Carry, at: tuple[Inputs, Masks]) -> tuple[Carry, Any]:
            carry, output = step.apply(params, None, StepContext(), carry, *at)
            return carry, keep(carry, output)

        first = begin.apply(params, None, take(inputs, 0), window.observed)
        return jax.lax.scan(body, first, (inputs, masks))[1]

    def advance(params: dict, carry: Carry, forcings: jax.Array | None) -> Carry:
        if forcings is not None:
            forcings = config.forcing_scaling.scale(forcings)[:, None, None]
        masks = Masks()
        if carry.predicted is not None:
            no = jnp.zeros(carry.predicted.shape, bool)
            masks = Masks(~no, jnp.zeros(len(no), bool))
        return step.apply(params, None, StepContext(), carry, Inputs(carry.predicted, forcings), masks)[0]

    return Unroll(init, apply, trace, advance)


def _make_first(config: ModelConfig, network: Network, inputs: Inputs, observed: jax.Array) -> Carry:
    """Make the carry before the first step."""
    state, predicted = network.begin(observed), None
    if inputs.frames is not None:
        predicted = jnp.zeros((*inputs.shape, config.output_features), inputs.frames.dtype)
    return Carry(state, predicted)


def _begin(config: ModelConfig, inputs: Inputs, observed: jax.Array) -> Carry:
    """Haiku function: return the carry before the first step."""
    return _make_first(config, make_network(config, inputs.grid), inputs, observed)


def _first_step(config: ModelConfig, inputs: Inputs, masks: Masks, observed: jax.Array) -> Any:
    """Haiku function: make every parameter once."""
    network = make_network(config, inputs.grid)
    carry = _make_first(config, network, inputs, observed)
    return network.step(gather(config, inputs, masks, carry.predicted), carry.state)


def _step(
    config: ModelConfig, context: StepContext, carry: Carry, inputs: Inputs, masks: Masks
) -> tuple[Carry, StackOutput]:
    """Haiku function: return the next carry and the `StackOutput` of one step."""
    network = make_network(config, inputs.grid, context)
    output, state = network.step(gather(config, inputs, masks, carry.predicted), carry.state)
    return Carry(state, None if config.sequence else output.features), output


def _encode(
    config: ModelConfig, context: StepContext, carry: Carry, inputs: Inputs, masks: Masks
) -> tuple[Carry, StackOutput]:
    """Haiku function: take some steps with true inputs; return the last carry and the `StackOutput`, time-major."""
    network = make_network(config, inputs.grid, context)
    output, state = network.unroll(gather(config, inputs, masks).swapaxes(0, 1), carry.state)
    patches = output.features.swapaxes(0, 1)
    return Carry(state, None if config.sequence else patches[-1]), output._replace(features=patches)


def _penalise(config: ModelConfig, increments: Increments) -> jax.Array:
    """Haiku function: return the penalty of the increments of all steps."""
    rows, columns = increments.delta_c.shape[-3:-1]
    return make_stack(config, (rows, columns)).penalise(increments)
