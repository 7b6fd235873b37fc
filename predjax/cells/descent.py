"""Gradient descent that never goes up: momentum that restarts, and steps that curvature bounds."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

SHRINK = 0.5


class Descent(NamedTuple):
    """Where a descent is: the point with its value and gradient, and how it goes on.

    Attributes:
      point: a tree of arrays; the best that was seen.
      value, gradient: of the objective there.
      momenta: a tree like the point's.
      rates: one for each leaf of the point, at most the given ones.
      moving: whether the momenta are not 0.
      iterations: evaluations of the objective and its gradient after the first.
      converged: whether the last step counted as small.
    """

    point: Any
    value: jax.Array
    gradient: object
    momenta: object
    rates: object
    moving: jax.Array
    iterations: jax.Array
    converged: jax.Array


def descend(
    objective: Callable, start, rates, *, momentum: float, max_iter: int, settled: Callable,
    project: Callable = lambda point: point, clip: float = jnp.inf,
) -> Descent:  # fmt: skip
    """Minimises objective(point) from `start` without ever going up.

    A step is Nesterov's, m' = g + a m, v' = project(v - h (g + a m')), with a rate h for each leaf v. One that does
    not lower the value (or makes it NaN) is not taken: the momentum restarts at 0, and where it was 0 already, all
    rates halve. While every step lowers the value, they are those of plain descent with momentum.

    h starts at min(rate, 1 / L), with L = |H g| / |g| for the block H of the Hessian that belongs to the leaf: along
    the gradient, where it is steep, the first step does not overshoot a quadratic. Blocks have their own L, so a
    steep one does not slow the others down.

    An update takes one value and gradient, as without safeguard (a rejected one is lost); the start takes a product
    with the Hessian for each leaf. Forward derivatives pass; there is no reverse one through the loop.

    Args:
      objective: of a point, differentiable.
      start: a tree of arrays.
      rates: the largest h for each leaf of `start`, in the same tree.
      momentum: a, in [0, 1).
      max_iter: updates at most, taken or not.
      settled: of a proposed point and the one before; true ends the descent.
      project: of a point, the nearest that is allowed.
      clip: components of gradients are clipped to +-`clip`.

    Source: restarts by the value, O'Donoghue & Candes (2015), Adaptive restart for accelerated gradient schemes;
    backtracking, Beck & Teboulle (2009), A fast iterative shrinkage-thresholding algorithm.
    """
    raw = jax.value_and_grad(objective)

    def evaluate(point):
        value, gradient = raw(point)
        return value, jax.tree.map(lambda g: jnp.clip(g, -clip, clip), gradient)

    def update(now: Descent) -> Descent:
        momenta = jax.tree.map(lambda g, m: g + momentum * m, now.gradient, now.momenta)
        proposed = jax.tree.map(
            lambda v, g, m, h: v - h * (g + momentum * m), now.point, now.gradient, momenta, now.rates
        )
        proposed = project(proposed)
        value, gradient = evaluate(proposed)
        lower = value <= now.value  # not if NaN
        taken, kept = (proposed, value, gradient, momenta), (now.point, now.value, now.gradient, now.momenta)
        point, value, gradient, momenta = jax.tree.map(lambda a, b: jnp.where(lower, a, b), taken, kept)
        momenta = jax.tree.map(lambda m: jnp.where(lower, m, 0.0), momenta)
        rates = jax.tree.map(lambda h: jnp.where(lower | now.moving, h, SHRINK * h), now.rates)
        small = settled(proposed, now.point)
        return Descent(point, value, gradient, momenta, rates, lower, now.iterations + 1, small)

    def unfinished(now: Descent):
        return ~now.converged & (now.iterations < max_iter)

    value, gradient = evaluate(start)
    rates = bound_rates(jax.grad(objective), start, gradient, rates)
    still = jax.tree.map(jnp.zeros_like, start)
    none = jnp.array(False)
    return jax.lax.while_loop(
        unfinished, update, Descent(start, value, gradient, still, rates, none, jnp.array(0), none)
    )


def bound_rates(slope: Callable, point, gradient, rates):
    """min(rate, |g| / |H g|) for each leaf g of `gradient`, with the block H of the derivative of `slope` at `point`.

    A leaf without gradient keeps its rate.
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
