"""The abilities of some models besides forecasting. Each function raises a ValueError for a model that lacks it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp

from predjax.kernels.execution import Execution
from predjax.models.catalogue import load
from predjax.models.config import ModelConfig
from predjax.models.forecaster import scale_frames
from predjax.models.inputs import Window
from predjax.models.unroll import Carry, make_unroll


class StateMap(NamedTuple):
    """A model as a map from the state after a step to the state after the next step.

    A state is the state of the stack and, except in a sequence task, the last scaled prediction.

    carries(params, frames, use_truth, forcings=None) -> the states after all steps, without noise; leaves are
      `(T-1, B, ...)`, or `(T, B, ...)` in a sequence task. Arguments as for `Forecaster.rollout`.
    advance(params, carry, forcings=None) -> the state after one more step of a series (H = W = 1), whose input is the
      last prediction; forcings are `(B, A)`.
    """

    carries: Callable
    advance: Callable


def make_increments(config: ModelConfig) -> Callable:
    """Make the function that returns what each step adds to the two memories, delta_c and delta_m.

    It is `(params, frames, use_truth, forcings=None) -> (delta_c, delta_m)`, both `(T-1, L, B, h, w, F)`. Arguments as
    for `Forecaster.rollout`.
    """
    if not config.spec.increments:
        raise ValueError(f"{config.model_name} has no memories with increments")
    return _make_trace(config, lambda carry, output: output.increments)


def make_state_map(config: ModelConfig) -> StateMap:
    """Make the `StateMap` of a model."""
    if not config.spec.stack:
        raise ValueError(f"{config.model_name} infers its states from frames: it has no map from state to state")
    unroll = make_unroll(config, Execution())

    def advance(params: dict, carry: Any, forcings: Any = None) -> Any:
        if config.sequence:
            return unroll.advance(params, Carry(carry, None), forcings).state
        return unroll.advance(params, carry, forcings)

    return StateMap(_make_trace(config, lambda carry, output: carry.state if config.sequence else carry), advance)


def make_inference(config: ModelConfig) -> Callable:
    """Make the function that infers the latent states `(B, T, ...)` from all frames, `(params, frames) -> Latents`."""
    if not config.spec.latents:
        raise ValueError(f"{config.model_name} has no latents")
    return load(config.spec.latents)(config)


def make_objectives(config: ModelConfig) -> Callable:
    """Make the function of the single losses that add up to the model's loss; arguments as for `Forecaster.loss`.

    It returns (losses `(n,)`, (losses, metrics)); the second part is what `jax.jacrev` calls auxiliary.
    """
    if not config.spec.objectives:
        raise ValueError(f"{config.model_name} has one loss")
    return load(config.spec.objectives)(config)


def make_constraint(config: ModelConfig) -> Callable[[dict], dict]:
    """Make the function of parameters that ends every update: the identity, or a projection to a fixed norm."""
    return load(config.spec.constraint)(config) if config.spec.constraint else lambda params: params


def _make_trace(config: ModelConfig, keep: Callable) -> Callable:
    """Make the function that returns `keep(carry, StackOutput)` of every step."""
    unroll = make_unroll(config, Execution())

    def trace(params: dict, frames: Any, use_truth: Any, forcings: Any = None) -> Any:
        scaled = scale_frames(config, params, frames, forcings)
        truth = None if use_truth is None else jnp.asarray(use_truth, bool)
        return unroll.trace(params, keep, Window(scaled, truth, forcings, 0, config.input_length))

    return trace
