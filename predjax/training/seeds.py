"""Several networks trained at once: the same batches, each from a seed of its own; leaves have them along axis 0."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from predjax.training.step import TrainState, init_state

AXES = TrainState(0, 0, None, 0)  # type: ignore[arg-type]  # axes; the count of iterations is that of all


def make_keys(seed: int, count: int) -> jax.Array:
    """The keys `(count,)` of the seeds from `seed` on."""
    return jax.vmap(jax.random.key)(jnp.arange(seed, seed + count))


def init_states(params, optimizer, seed: int, count: int) -> TrainState:
    """The state before the first iteration, of stacked parameters."""
    opt_state = jax.vmap(optimizer.init)(params)
    return init_state(params, optimizer, seed)._replace(opt_state=opt_state, rng=make_keys(seed, count))


def over_seeds(update: Callable) -> Callable:
    """An update of stacked states: metrics are means, but "bad" is set where that of any network is."""

    def update_all(state, frames, forcings=None, axis_name=None):
        def one(state):
            return update(state, frames, forcings, axis_name)

        state, metrics = jax.vmap(one, in_axes=(AXES,), out_axes=(AXES, 0))(state)
        return state, jax.tree.map(jnp.mean, metrics) | {"bad": metrics["bad"].max()}

    return update_all


def measure_seeds(measure: Callable) -> Callable:
    """A validation of stacked parameters: the mean of the sums of squared errors, and the count of each."""

    def measure_all(params, frames, forcings):
        sums, counts = jax.vmap(lambda params: measure(params, frames, forcings))(params)
        return sums.mean(), counts[0]

    return measure_all
