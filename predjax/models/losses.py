"""What training makes small: sums over the pixels that have coverage."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from predjax.models.config import ModelConfig
from predjax.units import rain_rate_to_dbz

# Weights of Shi et al. (2017, https://arxiv.org/abs/1706.03458, section 4.2): from each rain rate in mm/h on.
RAIN_RATES, WEIGHTS = (2.0, 5.0, 10.0, 30.0), (1.0, 2.0, 5.0, 10.0, 30.0)


def squared_error(predicted, observed):
    """The sum of squared differences where `observed` is finite, and the count of these pixels.

    Missing pixels give neither a loss nor a gradient.
    """
    exists = jnp.isfinite(observed)
    difference = jnp.where(exists, predicted - jnp.where(exists, observed, 0.0), 0.0)
    return jnp.square(difference).sum(), exists.sum()


def choose_error(config: ModelConfig) -> Callable:
    """`(predicted, observed) -> (sum, count)` of scaled frames, as `squared_error`, that a model is trained with.

    "balanced" is the sum of w (d^2 + |d|), d being the difference and w the weight of the observed rain rate, so that
    rare heavy rain counts as well. Errors: ValueError where the unit of the frames is no rain.
    """
    if config.loss == "mse":
        return squared_error
    units, edges = config.scaling.units, jnp.asarray(RAIN_RATES)
    if units not in ("mm/h", "dBZ"):
        raise ValueError(f"loss balanced is for rain in mm/h or dBZ, not in {units}")
    edges = config.scaling.scale(rain_rate_to_dbz(edges) if units == "dBZ" else edges)
    weights = jnp.asarray(WEIGHTS)

    def balanced_error(predicted, observed):
        exists = jnp.isfinite(observed)
        known = jnp.where(exists, observed, 0.0)
        difference = jnp.where(exists, predicted - known, 0.0)
        weight = weights[(known[..., None] >= edges).sum(-1)].astype(difference.dtype)
        return (weight * (jnp.square(difference) + jnp.abs(difference))).sum(), exists.sum()

    return balanced_error


def global_mean(total, count, axis_name=None):
    """This replica's share of sum / max(count, 1) over all replicas: the shares add up to the mean."""
    if axis_name is not None:
        count = jax.lax.psum(count, axis_name)
    return total / jnp.maximum(count, 1)
