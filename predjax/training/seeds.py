"""Several networks that are trained together on the same batches, each from its own seed.

The leaves of a state stack the networks along axis 0.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from predjax.training.step import TrainState, init_state

AXES = TrainState(0, 0, None, 0, 0)  # type: ignore[arg-type]  # axes; all networks share the count of iterations


def make_keys(seed: int, count: int) -> jax.Array:
    """Return the keys `(count,)` of `count` seeds from `seed` on."""
    return jax.vmap(jax.random.key)(jnp.arange(seed, seed + count))


def init_states(params: Any, optimizer: optax.GradientTransformation, seed: int, count: int) -> TrainState:
    """Return the state of stacked parameters before the first iteration."""
    opt_state = jax.vmap(optimizer.init)(params)
    return init_state(params, optimizer, seed)._replace(opt_state=opt_state, rng=make_keys(seed, count))


def over_seeds(update: Callable) -> Callable:
    """Return an update of stacked states: metrics are means over the networks, "bad" is the largest value."""

    def update_all(
        state: TrainState, frames: Any, forcings: Any = None, axis_name: str | None = None
    ) -> tuple[TrainState, dict]:
        def one(state: TrainState) -> tuple[TrainState, dict]:
            return update(state, frames, forcings, axis_name)

        state, metrics = jax.vmap(one, in_axes=(AXES,), out_axes=(AXES, 0))(state)
        return state, jax.tree.map(jnp.mean, metrics) | {"bad": metrics["bad"].max()}

    return update_all


def measure_seeds(measure: Callable) -> Callable:
    """Return a validation of stacked parameters, which gives the means over the networks of sums and counts."""

    def measure_all(
        params: Any, frames: jax.Array, forcings: jax.Array | None, axis_name: str | None = None
    ) -> tuple[jax.Array, jax.Array]:
        sums, counts = jax.vmap(lambda params: measure(params, frames, forcings, axis_name))(params)
        return sums.mean(0), counts.mean(0)

    return measure_all
