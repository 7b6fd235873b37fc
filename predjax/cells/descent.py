"""Gradient descent that never increases the objective: restarts of the momentum, rates bounded by the curvature."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

SHRINK = 0.5


class Descent(NamedTuple):
    """The state of a descent; a point is a tree of arrays."""

    point: Any  # the best so far
    value: jax.Array  # of the objective at the point
    gradient: Any
    momenta: Any
    rates: Any  # one for each leaf of the point, at most the given rate
    moving: jax.Array  # whether the momenta are not 0
    iterations: jax.Array  # evaluations of the objective and its gradient after the first
    converged: jax.Array  # whether the last step was small


class DescentRules(NamedTuple):
    """The rules of a gradient descent."""

    momentum: float  # a, in [0, 1)
    max_iter: int  # the largest number of updates, taken or rejected
    settled: Callable[[Any, Any], jax.Array]  # (proposed point, point before) -> bool; true ends the descent
    project: Callable[[Any], Any] = lambda point: point  # gives the allowed point nearest to a point
    clip: float = float("inf")  # components of gradients are clipped to +-clip


def descend(objective: Callable[[Any], jax.Array], start: Any, rates: Any, rules: DescentRules) -> Descent:
    """Minimise objective(point), a differentiable function, from the point `start` without ever increasing it.

    A step is Nesterov's, m' = g + a m, v' = project(v - h (g + a m')), with a rate h for each leaf v. A step that does
    not lower the value (or makes it NaN) is rejected: the momentum restarts at 0, and if it was 0 already, all rates
    halve. While no step is rejected, this is plain descent with momentum.

    h starts at min(rate, 1 / L), with the leaf's own rate of `rates`, L = |H g| / |g|, and the block H of the Hessian
    for the leaf: along the gradient, the first step does not overshoot the minimum of a quadratic. Each block has its
    own L, so that a steep block does not slow down the others.

    An update takes one value and gradient, as plain descent does; the start takes a product with the Hessian for each
    leaf. Forward derivatives pass through the loop, reverse derivatives do not.

    Source: restarts by the value, O'Donoghue & Candes (2015), Adaptive restart for accelerated gradient schemes;
    backtracking, Beck & Teboulle (2009), A fast iterative shrinkage-thresholding algorithm.
    """
    raw = jax.value_and_grad(objective)
    momentum, clip = rules.momentum, rules.clip

    def evaluate(point: Any) -> tuple[jax.Array, Any]:
        value, gradient = raw(point)
        return value, jax.tree.map(lambda g: jnp.clip(g, -clip, clip), gradient)

    def update(now: Descent) -> Descent:
        momenta = jax.tree.map(lambda g, m: g + momentum * m, now.gradient, now.momenta)
        proposed = jax.tree.map(
            lambda v, g, m, h: v - h * (g + momentum * m), now.point, now.gradient, momenta, now.rates
        )
        proposed = rules.project(proposed)
        value, gradient = evaluate(proposed)
        lower = value <= now.value  # not if NaN
        taken, kept = (proposed, value, gradient, momenta), (now.point, now.value, now.gradient, now.momenta)
        point, value, gradient, momenta = jax.tree.map(lambda a, b: jnp.where(lower, a, b), taken, kept)
        momenta = jax.tree.map(lambda m: jnp.where(lower, m, 0.0), momenta)
        rates = jax.tree.map(lambda h: jnp.where(lower | now.moving, h, SHRINK * h), now.rates)
        small = rules.settled(proposed, now.point)
        return Descent(point, value, gradient, momenta, rates, lower, now.iterations + 1, small)

    def unfinished(now: Descent) -> jax.Array:
        return ~now.converged & (now.iterations < rules.max_iter)

    value, gradient = evaluate(start)
    rates = bound_rates(jax.grad(objective), start, gradient, rates)
    still = jax.tree.map(jnp.zeros_like, start)
    none = jnp.array(False)
    return jax.lax.while_loop(
        unfinished, update, Descent(start, value, gradient, still, rates, none, jnp.array(0), none)
    )


def bound_rates(slope: Callable[[Any], Any], point: Any, gradient: Any, rates: Any) -> Any:
    """Return a rate for each leaf g of `gradient` that suits the curvature: min(rate, |g| / |H g|).

    H is the block of the derivative of `slope` at `point` for the leaf. A leaf without gradient keeps its rate.
    """
    leaves, tree = jax.tree.flatten(gradient)
    bounded = []
    for number, (g, rate) in enumerate(zip(leaves, jax.tree.leaves(rates))):
        along = jax.tree.unflatten(tree, [g if i == number else jnp.zeros_like(leaf) for i, leaf in enumerate(leaves)])
        bent = jax.tree.leaves(jax.jvp(slope, (point,), (along,))[1])[number]
        tiny = jnp.finfo(g.dtype).tiny
        square = jnp.square(bent).sum() / jnp.maximum(jnp.square(g).sum(), tiny)
        bounded.append(rate * jax.lax.rsqrt(jnp.maximum(rate**2 * square, 1.0)))
    return jax.tree.unflatten(jax.tree.structure(rates), bounded)
