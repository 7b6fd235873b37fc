"""Probability matching with gradients: a field gets the distribution of another one and keeps the order of its pixels.

Ebert (2001), https://doi.org/10.1175/1520-0493(2001)129<2461:AOAPMS>2.0.CO;2. `nowcasts.matching` is the same for
finished forecasts; this one is fast on any device and can be trained through.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

NODES = 1024  # values between the smallest and the largest of a field at which its distribution is known


class Distribution(NamedTuple):
    """The values of a field in rising order `(N,)`; the first `number` belong to pixels with coverage."""

    values: jax.Array
    number: jax.Array


def find_distribution(field: jax.Array, covered: jax.Array) -> Distribution:
    """Return the distribution of the covered pixels of a field `(H, W)`."""
    greatest = jnp.max(field, where=covered, initial=0.0)
    return Distribution(jnp.sort(jnp.where(covered, field, greatest), axis=None), covered.sum())


def match_distribution(field: jax.Array, covered: jax.Array, wanted: Distribution) -> jax.Array:
    """Return a field z `(H, W)` with the values of the wanted distribution in the order of its own values: Q(F(z)).

    F is the distribution function of z, and Q the quantile function of the wanted distribution. F is computed at NODES
    values between the extremes of z. Each pixel is shared between the two nodes around it by its distance to them, so F
    and the result have a gradient, in which, too, a constant added to z changes nothing. Equal values stay equal.
    Pixels without coverage enter no distribution; their results have no meaning.
    """
    low = jnp.min(field, where=covered, initial=jnp.inf)
    high = jnp.max(field, where=covered, initial=-jnp.inf)
    width = jnp.where(high > low, (high - low) / (NODES - 1), 1.0)
    place = jnp.where(covered, (field - low) / width, 0.0)
    node = jnp.clip(place.astype(jnp.int32), 0, NODES - 2)
    above = place - node
    shares = jnp.where(covered[..., None], jnp.stack([1 - above, above], -1), 0.0)
    counts = jnp.zeros((NODES, 2), field.dtype).at[node].add(shares)
    counts = counts[:, 0] + jnp.roll(counts[:, 1], 1)
    ranks = jnp.clip(jnp.cumsum(counts) - counts / 2 - 0.5, 0, jnp.maximum(wanted.number - 1, 0))
    first = jnp.floor(ranks).astype(jnp.int32)
    second = jnp.minimum(first + 1, jnp.maximum(wanted.number - 1, 0))
    lower, upper = wanted.values[first], wanted.values[second]
    table = lower + (ranks - first) * (upper - lower)
    return table[node] + above * (table[node + 1] - table[node])
