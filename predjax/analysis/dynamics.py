"""The autonomous dynamics of a trained model of a series: its forcings are held, its input is its own prediction."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from predjax.analysis.fixed_points import ravel_step
from predjax.models.abilities import make_state_map
from predjax.models.forecaster import Forecaster


class Dynamics(NamedTuple):
    """The autonomous dynamics of a model."""

    step: Callable[[jax.Array], jax.Array]  # the map, from a state `(N,)` to the next
    trajectories: np.ndarray  # (B, T, N), the states along each observed window, and then along the steps of the map


def find_dynamics(
    forecaster: Forecaster,
    params: Any,
    frames: np.ndarray,
    use_truth: np.ndarray | jax.Array | None,
    forcings: np.ndarray | None,
    num_steps: int,
) -> Dynamics:
    """Find the map from the state of a model to its next state, with the forcings held constant.

    The map uses the last forcings of the first window, so all windows should end with the same forcings. Every part of
    the state that never changes within a window, such as time constants, is held constant too.

    `frames` are windows `(B, T, 1, 1, C)` of a series, with `use_truth` `(B, T-1)` and `forcings` `(B, T, A)` as
    `StateMap.carries` takes them. After each window the map makes `num_steps` steps. Errors: ValueError for frames of
    more than one pixel, a model that infers its states from frames, and a state of integers.
    """
    if frames.shape[2:4] != (1, 1):
        raise ValueError(f"dynamics are those of a series, the frames have {frames.shape[2]}x{frames.shape[3]} pixels")
    state_map = make_state_map(forecaster.config)
    carries = jax.device_get(jax.jit(state_map.carries)(params, frames, use_truth, forcings))
    leaves, tree = jax.tree.flatten(carries)
    moving = [np.ptp(leaf, axis=0).any() if np.isrealobj(leaf) else True for leaf in leaves]
    held_forcings = None if forcings is None else jnp.asarray(forcings[:1, -1])

    def pick(leaves: list) -> list:
        return [leaf for leaf, moves in zip(leaves, moving) if moves]

    def step(parts: list) -> list:
        rest = iter(parts)
        whole = [next(rest) if moves else leaf[-1, :1] for leaf, moves in zip(leaves, moving)]
        return pick(jax.tree.leaves(state_map.advance(params, jax.tree.unflatten(tree, whole), held_forcings)))

    ravelled = ravel_step(step, [leaf[-1, :1] for leaf in pick(leaves)])
    observed = jax.vmap(jax.vmap(ravelled.ravel))([leaf[:, :, None] for leaf in pick(leaves)])

    @jax.jit
    def run(start: jax.Array) -> jax.Array:
        return jax.lax.scan(lambda state, _: (ravelled.step(state),) * 2, start, length=num_steps)[1]

    free = jax.vmap(run)(observed[-1])
    return Dynamics(ravelled.step, np.concatenate([observed.swapaxes(0, 1), free], 1))
