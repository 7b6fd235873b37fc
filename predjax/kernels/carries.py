"""The carry and the random key of a scan: which of its arrays have gradients."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def fold(key: Any, index: jax.Array) -> Any:
    """Return the key of a step, or None without one."""
    return None if key is None else key.at(index)


def _moves(leaf: jax.Array) -> bool:
    """Return whether an array can have gradients: floats and complex numbers can, integers cannot."""
    return jnp.issubdtype(leaf.dtype, jnp.inexact)


def take_moving(carry: Any) -> list[jax.Array]:
    """Return the arrays of a carry that have gradients."""
    return [leaf for leaf in jax.tree.leaves(carry) if _moves(leaf)]


def join(carry: Any, moving: list[jax.Array], convert: Callable[[Any], Any] = lambda leaf: leaf) -> Any:
    """Return the carry with `moving` in the place of the arrays that have gradients, and `convert(leaf)` elsewhere."""
    leaves, structure = jax.tree.flatten(carry)
    given = iter(moving)
    return jax.tree.unflatten(structure, [next(given) if _moves(leaf) else convert(leaf) for leaf in leaves])
