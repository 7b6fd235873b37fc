"""Random draws inside a step: each sample has its own, however a batch is divided over devices."""

import contextlib
import contextvars
from collections.abc import Iterator
from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

_first_sample: contextvars.ContextVar = contextvars.ContextVar("first_sample", default=0)


class Draws(NamedTuple):
    """The key of a batch, and the number of its first sample in the global batch."""

    key: jax.Array
    first_sample: jax.Array | int = 0

    def at(self, step) -> "Draws":
        """Those of a step."""
        return self._replace(key=jax.random.fold_in(self.key, step))


@contextlib.contextmanager
def numbered_from(first_sample) -> Iterator[None]:
    """In this block the first sample of a batch has this number."""
    token = _first_sample.set(first_sample)
    try:
        yield
    finally:
        _first_sample.reset(token)


def draw_samples(draw, batch_size: int):
    """`draw(key)` for every sample, `(B, ...)`; None where the Haiku function has no random key."""
    key = hk.maybe_next_rng_key()
    if key is None:
        return None
    numbers = _first_sample.get() + jnp.arange(batch_size)
    return jax.vmap(draw)(jax.vmap(jax.random.fold_in, (None, 0))(key, numbers))


def drop(x, rate: float):
    """Dropout of `(B, ...)`: zero with probability `rate`, else x / (1 - rate); x itself without a random key."""
    kept = draw_samples(lambda key: jax.random.bernoulli(key, 1 - rate, x.shape[1:]), len(x)) if rate else None
    return x if kept is None else jnp.where(kept, x / (1 - rate), 0)
