"""What training makes small: sums over the pixels that have coverage."""

import jax
import jax.numpy as jnp


def squared_error(predicted, observed):
    """The sum of squared differences where `observed` is finite, and the count of these pixels.

    Missing pixels give neither a loss nor a gradient.
    """
    exists = jnp.isfinite(observed)
    difference = jnp.where(exists, predicted - jnp.where(exists, observed, 0.0), 0.0)
    return jnp.square(difference).sum(), exists.sum()


def global_mean(total, count, axis_name=None):
    """This replica's share of sum / max(count, 1) over all replicas: the shares add up to the mean."""
    if axis_name is not None:
        count = jax.lax.psum(count, axis_name)
    return total / jnp.maximum(count, 1)
