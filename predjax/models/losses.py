"""The errors that training minimises: sums over the pixels that have coverage."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from predjax.models.config import ModelConfig
from predjax.models.crps import ensemble_error
from predjax.models.scaling import Scaling
from predjax.units import RAIN_UNITS, rain_rate_to_dbz

# Weights of Shi et al. (2017, https://arxiv.org/abs/1706.03458, section 4.2): from each rain rate in mm/h on.
RAIN_RATES, WEIGHTS = (2.0, 5.0, 10.0, 30.0), (1.0, 2.0, 5.0, 10.0, 30.0)
# For the loss "quantile", from each rain rate in mm/h on: the quantile that is asked for, and its weight.
QUANTILE_RATES = (0.3, 0.7, 2.0, 5.0, 10.0)
QUANTILES, QUANTILE_WEIGHTS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.7), (1.0, 1.5, 2.0, 3.0, 5.0, 8.0)


def squared_error(predicted: jax.Array, observed: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the sum of squared differences where `observed` is finite, and the number of these pixels.

    Missing pixels give neither a loss nor a gradient.
    """
    exists = jnp.isfinite(observed)
    difference = jnp.where(exists, predicted - jnp.where(exists, observed, 0.0), 0.0)
    return jnp.square(difference).sum(), exists.sum()


def choose_error(config: ModelConfig) -> Callable[[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]:
    """Return the error `(predicted, observed) -> (sum, count)` of scaled frames that the configuration names.

    "mse" is `squared_error`. "balanced" is the sum of w (d^2 + |d|), where d is the difference and w the weight of the
    observed rain rate, so that rare heavy rain counts as well.

    "quantile" is 2 sum over the ranges of rain rates of w (q max(y - f, 0) + (1 - q) max(f - y, 0)), where f and y are
    the parts of the forecast and of the observation in that range. A forecast reaches a rain rate where its probability
    is above 1 - q, which for rare rates is far below 1/2, as the critical success index rewards it. The score is
    consistent (Taggart, Loveday & Griffiths, 2022, https://doi.org/10.1002/qj.4266, with ranges in the place of warning
    levels).

    "crps" is `ensemble_error`, of predictions with an axis of members in front, and has several sums and counts: the
    loss is the sum of their ratios.

    Errors: ValueError where the unit of the frames is not one of rain.
    """
    if config.loss == "mse":
        return squared_error
    if config.loss == "crps":
        return functools.partial(ensemble_error, config.total_length - config.input_length)
    units = config.scaling.units
    if units not in RAIN_UNITS:
        raise ValueError(f"loss {config.loss} is for rain in mm/h or dBZ, not in {units}")
    rates = jnp.asarray(RAIN_RATES if config.loss == "balanced" else QUANTILE_RATES)
    edges = config.scaling.scale(rain_rate_to_dbz(rates) if units == "dBZ" else rates)
    return functools.partial(_balanced_error if config.loss == "balanced" else _quantile_error, edges)


def _balanced_error(edges: jax.Array, predicted: jax.Array, observed: jax.Array) -> tuple[jax.Array, jax.Array]:
    exists = jnp.isfinite(observed)
    known = jnp.where(exists, observed, 0.0)
    difference = jnp.where(exists, predicted - known, 0.0)
    weight = jnp.asarray(WEIGHTS)[(known[..., None] >= edges).sum(-1)].astype(difference.dtype)
    return (weight * (jnp.square(difference) + jnp.abs(difference))).sum(), exists.sum()


def _quantile_error(edges: jax.Array, predicted: jax.Array, observed: jax.Array) -> tuple[jax.Array, jax.Array]:
    exists = jnp.isfinite(observed)
    known = jnp.where(exists, observed, 0.0)
    given = jnp.where(exists, predicted, known)
    bounds: list[Any] = [None, *edges, None]
    total: Any = 0.0
    for low, high, quantile, weight in zip(bounds, bounds[1:], QUANTILES, QUANTILE_WEIGHTS):
        missed = jnp.clip(known, low, high) - jnp.clip(given, low, high)
        total += 2 * weight * jnp.where(missed > 0, quantile * missed, (quantile - 1) * missed).sum()
    return total, exists.sum()


def make_error(loss: Callable, scaling: Scaling) -> Callable:
    """Make the error of scaled frames, `(predicted, observed) -> (sum, count)` as `squared_error`, from a user's loss.

    `loss(predicted, observed)` of frames `(B, T, H, W, C)` in the unit of the data gives the error of every pixel, an
    array that broadcasts to these axes. Missing pixels have the value that scales to 0 in both arguments, and are left
    out of the mean. Predictions are not clipped, so that all of them have gradients.
    """

    def error(predicted: jax.Array, observed: jax.Array) -> tuple[jax.Array, jax.Array]:
        exists = jnp.isfinite(observed)
        given, known = (scaling.unscale(jnp.where(exists, frames, 0.0), clip=False) for frames in (predicted, observed))
        errors = jnp.broadcast_to(loss(given, known), observed.shape)
        return jnp.where(exists, errors, 0.0).sum(), exists.sum()

    return error


def global_mean(total: jax.Array, count: jax.Array, axis_name: str | None = None) -> jax.Array:
    """Return this replica's share of sum / max(count, 1) over all replicas; the shares add up to the mean."""
    if axis_name is not None:
        count = jax.lax.psum(count, axis_name)
    return total / jnp.maximum(count, 1)
