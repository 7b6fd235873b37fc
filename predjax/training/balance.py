"""The balancing of several losses by weights that change so that no loss dominates (GradNorm)."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

MOST = 5.0  # the largest weight before the weights are made to add up again


class BalanceState(NamedTuple):
    """The weights and the first losses `(tasks,)`, NaN before the first update, and the state of the optimizer."""

    weights: jax.Array
    first: jax.Array
    inner: tuple


def balance(
    optimizer: optax.GradientTransformation, tasks: int, exponent: float, rate: float
) -> optax.GradientTransformationExtraArgs:
    """Return an optimizer of the weighted sum of losses, from the gradients of each task, stacked along axis 0.

    The target of G_i = w_i |g_i| is t_i = mean(G) (r_i / mean(r))^exponent with r_i = |loss_i / first_i|. The weight
    w_i' = w_i - rate sign(G_i - t_i) r_i is clipped to +-5; then a softmax keeps the sum of the weights at the number
    of tasks. Chen et al. (2018), "GradNorm", arXiv:1711.02257, take the gradient of the sum of |G_i - t_i| and no
    softmax; this is the rule of TiDHy's authors.
    `update` needs `losses` `(tasks,)`.
    """

    def init(params: Any) -> BalanceState:
        return BalanceState(jnp.ones(tasks), jnp.full(tasks, jnp.nan), optimizer.init(params))

    def update(updates: Any, state: BalanceState, params: Any = None, *, losses: jax.Array) -> tuple[Any, BalanceState]:
        first = jnp.where(jnp.isnan(state.first), losses, state.first)
        norms = jnp.sqrt(sum(jnp.square(leaf).reshape(tasks, -1).sum(1) for leaf in jax.tree.leaves(updates)))
        weighted = state.weights * norms
        left = jnp.abs(losses / jnp.where(first == 0, 1.0, first))
        target = weighted.mean() * (left / jnp.maximum(left.mean(), 1e-12)) ** exponent
        moved = jnp.clip(state.weights - rate * jnp.sign(weighted - target) * left, -MOST, MOST)
        weights = jax.nn.softmax(moved) * state.weights.sum()
        combined = jax.tree.map(lambda leaf: jnp.tensordot(state.weights, leaf, 1), updates)
        combined, inner = optimizer.update(combined, state.inner, params)
        return combined, BalanceState(weights, first, inner)

    return optax.GradientTransformationExtraArgs(init, update)
