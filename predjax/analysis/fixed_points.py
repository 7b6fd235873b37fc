"""Fixed points of a trained recurrence whose input is held, and the linear dynamics about each of them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

CHUNK = 256  # starts of one search: bounds the memory, and any number of starts is one compilation
MOST_ITERATIONS = 200  # steps from a start, taken or not
# After Levenberg (1944) and Marquardt (1963): a step that does not lower |g| is turned to the gradient and shortened.
FIRST_DAMPING, MOST_DAMPING, DAMPING_FACTOR = 1e-2, 1e8, 10.0


class FixedPoints(NamedTuple):
    """P fixed points of a map F of N variables."""

    points: np.ndarray  # (P, N), sorted by their first variable, then by their second ...
    residuals: np.ndarray  # (P,), |F(h) - h|
    jacobians: np.ndarray  # (P, N, N), [i, j] = dF_i/dh_j of the map F, not of F(h) - h
    eigenvalues: np.ndarray  # (P, N), complex, of the Jacobians, sorted by their real, then by their imaginary part
    stable: np.ndarray  # (P,), whether all |eigenvalues| < 1, so that small deviations die out


def find_fixed_points(
    step: Callable[[jax.Array], jax.Array],
    starts: np.ndarray,
    *,
    tolerance: float = 1e-6,
    separation: float = 1e-3,
    reach: float = np.inf,
    double: bool = True,
) -> FixedPoints:
    """Find the distinct fixed points of a map F, where F(h) = h, by searching from many starts `(S, N)`.

    A search minimises |g|^2 with g(h) = F(h) - h (Sussillo & Barak 2013) by the method of Levenberg and Marquardt. A
    step delta minimises |J delta + g|^2 + mu |delta|^2 with J = dg/dh. If the step lowers |g|, it is taken and mu is
    divided by ten; otherwise mu is multiplied by ten. Near a root of g these are Newton's steps, which converge to the
    rounding error. A search may also end in a minimum of |g| that is no root: |g| is then above `tolerance`, or
    Newton's step is longer than `separation`, and the search gives no point.

    The list may be incomplete: more starts may find more points. Where F is bounded, the signs of det(I - dF/dh) over
    all fixed points sum to 1 (Brouwer's degree); any other sum shows that some are missing.

    One compiled program searches from all starts at once. `scipy.optimize.root` ("lm", "hybr") finds the same roots
    start by start and takes two to ten times as long (1024 starts of 4 variables, and of a GRU of 16, on one CPU).

    Args:
      step: F from `(N,)` to `(N,)`, a pure function, such as a cell with its parameters and its input in a closure.
        `ravel_step` makes it for states that are not vectors.
      starts: `sample_starts` draws them.
      tolerance: h is a root if |F(h) - h| < tolerance.
      separation: the least distance between two reported points. Of roots that are closer, only the root with the
        smallest residual is reported.
      reach: roots farther than this from every start are left out. Far from all trajectories, closed gates make
        F(h) = h to the rounding error, with an eigenvalue 1, although there is no root.
      double: whether to search in float64, although the rest of the program and the parameters are in float32. If
        `step` itself computes in float32, its rounding error limits the residuals.

    Raises:
      ValueError: starts that are not `(S, N)` or not finite, a step that does not give `(N,)` real numbers, a
        tolerance, separation or reach that is not positive.
    """
    starts = np.asarray(starts, np.float64)
    if starts.ndim != 2 or 0 in starts.shape:
        raise ValueError(f"starts must be (S, N), found the shape {starts.shape}")
    if not np.isfinite(starts).all():
        raise ValueError(f"starts must be finite, found {np.sum(~np.isfinite(starts))} values that are not")
    for name, value in (("tolerance", tolerance), ("separation", separation), ("reach", reach)):
        if not value > 0:
            raise ValueError(f"{name} must be positive, found {value}")
    config: Any = jax.config  # its options have no types
    with jax.enable_x64(double or bool(config.jax_enable_x64)):
        points, g, jacobians = _search_all(step, starts)
    residuals = np.linalg.norm(g, axis=-1)
    found = np.flatnonzero(residuals < tolerance)  # never a NaN
    found = found[_measure_newton_steps(g[found], jacobians[found]) < separation]
    found = found[[np.linalg.norm(starts - point, axis=-1).min() <= reach for point in points[found]]]
    chosen = found[_choose_distinct(points[found], residuals[found], separation)]
    points, residuals, jacobians = (array[chosen].astype(np.float64) for array in (points, residuals, jacobians))
    eigenvalues: np.ndarray = np.sort_complex(np.linalg.eigvals(jacobians))
    return FixedPoints(points, residuals, jacobians, eigenvalues, (np.abs(eigenvalues) < 1).all(axis=-1))


def sample_starts(trajectories: np.ndarray, count: int, spread: float = 0.5, seed: int = 0) -> np.ndarray:
    """Draw `(count, N)` states of trajectories `(..., N)`, each with normal noise of standard deviation `spread`.

    No state is drawn twice if there are enough; `spread` is in units of the state. Stable fixed points lie where a
    trained network goes, unstable ones beside it. Errors: ValueError for trajectories without a state, a count below 1,
    and a negative spread.
    """
    trajectories = np.asarray(trajectories, np.float64)
    if trajectories.ndim < 2 or 0 in trajectories.shape:
        raise ValueError(f"trajectories must be (..., N), found the shape {trajectories.shape}")
    if count < 1:
        raise ValueError(f"count must be at least 1, found {count}")
    if not spread >= 0:
        raise ValueError(f"spread must not be negative, found {spread}")
    states = trajectories.reshape(-1, trajectories.shape[-1])
    rng = np.random.default_rng(seed)
    drawn = states[rng.choice(len(states), count, replace=count > len(states))]
    return drawn + spread * rng.standard_normal(drawn.shape)


class RavelledStep(NamedTuple):
    """A step on vectors `(N,)`, and the functions from a state to its vector and back."""

    step: Callable[[jax.Array], jax.Array]
    ravel: Callable[[Any], jax.Array]
    unravel: Callable[[jax.Array], Any]


def ravel_step(step: Callable[[Any], Any], state: Any) -> RavelledStep:
    """Return `step`, whose states are trees of arrays like `state`, as a step on vectors.

    A vector has the leaves one after the other; of a complex leaf, first the real, then the imaginary parts. A state
    takes the precision of its vector, so that a state of float32 can be searched in float64. A part of the state that
    no step changes, such as the time constants of `SimpleCTRNN`, must be held constant inside the step: else each of
    its values is a fixed point. Errors: ValueError for a leaf of integers, such as a count of steps, which has no fixed
    point and must be held constant too.
    """
    leaves, tree = jax.tree.flatten(state)
    leaves = [np.asarray(leaf) for leaf in leaves]
    for leaf in leaves:
        if not np.issubdtype(leaf.dtype, np.inexact):
            raise ValueError(f"a state to ravel must be of real or complex numbers, found a leaf of {leaf.dtype}")
    shapes = [((2,) if np.iscomplexobj(leaf) else ()) + leaf.shape for leaf in leaves]
    ends = np.cumsum([np.prod(shape, dtype=int) for shape in shapes])[:-1]

    def ravel(state: Any) -> jax.Array:
        parts = map(jnp.asarray, jax.tree.leaves(state))
        parts = [jnp.stack([part.real, part.imag]) if jnp.iscomplexobj(part) else part for part in parts]
        return jnp.concatenate([part.ravel() for part in parts])

    def unravel(vector: jax.Array) -> Any:
        parts = [part.reshape(shape) for part, shape in zip(jnp.split(vector, ends), shapes)]
        complexes = map(np.iscomplexobj, leaves)
        whole = [jax.lax.complex(*part) if pair else part for part, pair in zip(parts, complexes)]
        return jax.tree.unflatten(tree, whole)

    return RavelledStep(lambda vector: ravel(step(unravel(vector))), ravel, unravel)


def _search_all(
    step: Callable[[jax.Array], jax.Array], starts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Search from each start; return the last h and g `(S, N)` and dF/dh `(S, N, N)`, in the search's precision."""
    count, size = starts.shape
    like = jax.ShapeDtypeStruct((size,), jnp.zeros(()).dtype)
    made = jax.eval_shape(step, like)
    if getattr(made, "shape", None) != (size,) or not jnp.issubdtype(made.dtype, jnp.floating):
        raise ValueError(f"step must give {size} real numbers for a state of {size}, found {made}")
    chunk = min(count, CHUNK)
    padded = np.concatenate([starts, np.repeat(starts[-1:], -count % chunk, axis=0)]).reshape(-1, chunk, size)
    search = jax.jit(jax.vmap(lambda start: _search(step, start)))
    ends = [jax.device_get(search(part.astype(like.dtype))) for part in padded]
    points, residuals, jacobians = (np.concatenate(arrays)[:count] for arrays in zip(*ends))
    return points, residuals, jacobians


def _search(step: Callable[[jax.Array], jax.Array], start: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Search from one start; return the last h, g and dF/dh."""
    size, dtype = start.shape[0], start.dtype
    identity, epsilon = jnp.eye(size, dtype=dtype), jnp.finfo(dtype).eps

    def residual(h: jax.Array) -> tuple[jax.Array, jax.Array]:
        g = step(h).astype(dtype) - h
        return g, g

    def searching(carry: tuple) -> jax.Array:
        h, _, norm, _, damping, count = carry
        above_rounding = norm > epsilon * jnp.maximum(1, jnp.linalg.norm(h))
        return above_rounding & (damping < MOST_DAMPING) & (count < MOST_ITERATIONS)

    def advance(carry: tuple) -> tuple:
        h, g, norm, jacobian, damping, count = carry
        trial = h + _damped_step(jacobian, g, damping, identity)
        # In reverse mode, which everything that can be trained allows.
        trial_jacobian, trial_g = jax.jacrev(residual, has_aux=True)(trial)
        trial_norm = jnp.linalg.norm(trial_g)
        better = trial_norm < norm  # false for NaN
        taken = [jnp.where(better, new, old) for new, old in (
            (trial, h), (trial_g, g), (trial_norm, norm), (trial_jacobian, jacobian)
        )]  # fmt: skip
        factor = jnp.where(better, 1 / DAMPING_FACTOR, DAMPING_FACTOR)
        return *taken, jnp.maximum(damping * factor, epsilon**2), count + 1

    # The first iteration evaluates the start itself: from g = 0 its step is zero, and any |g| is below infinity.
    first = (start, jnp.zeros_like(start), jnp.asarray(jnp.inf, dtype), identity, jnp.asarray(FIRST_DAMPING, dtype), 0)
    h, g, _, jacobian, _, _ = jax.lax.while_loop(searching, advance, first)
    return h, g, jacobian + identity


def _damped_step(jacobian: jax.Array, g: jax.Array, damping: jax.Array, identity: jax.Array) -> jax.Array:
    """Return the delta that minimises |J delta + g|^2 + mu |delta|^2, where mu = `damping` * mean |column of J|^2.

    The stacked matrix [J; sqrt(mu) I] is decomposed by QR. The normal equations would square the condition of J, and
    with it the rounding error.
    """
    scale = jnp.sqrt(damping * jnp.mean(jnp.sum(jacobian**2, axis=0))) + jnp.finfo(g.dtype).tiny
    q, r = jnp.linalg.qr(jnp.concatenate([jacobian, scale * identity]))
    return -jax.scipy.linalg.solve_triangular(r, q[: g.size].T @ g)


def _measure_newton_steps(g: np.ndarray, jacobians: np.ndarray) -> np.ndarray:
    """Return the lengths of Newton's steps, |J^-1 g| `(S,)` with J = dF/dh - I.

    Each is about the distance to a root, and large at a minimum of |g| that is no root. Directions in which J is zero
    to the rounding error, as along a line of fixed points, do not count.
    """
    size = g.shape[-1]
    left, stretches, _ = np.linalg.svd(jacobians - np.eye(size, dtype=g.dtype))
    rounding = 4 * size * np.finfo(g.dtype).eps * np.maximum(1, np.abs(jacobians).max(axis=(-2, -1), initial=0))
    along = np.abs(np.einsum("sij,si->sj", left, g))
    steps = np.divide(along, stretches, out=np.zeros_like(along), where=stretches > rounding[:, None])
    return np.linalg.norm(steps, axis=-1)


def _choose_distinct(points: np.ndarray, residuals: np.ndarray, separation: float) -> np.ndarray:
    """Return the indices of points that are at least `separation` apart, sorted as the points of `FixedPoints` are."""
    left = np.lexsort((*points.T[::-1], residuals))  # the best root first
    chosen = []
    while left.size:
        chosen.append(left[0])
        left = left[np.linalg.norm(points[left] - points[left[0]], axis=-1) >= separation]
    chosen = np.array(chosen, int)
    # Rounded variables come first, so that the rounding error of equal ones, such as zeros, does not decide.
    kept = points[chosen]
    keys = np.concatenate([np.round(kept / separation), kept], axis=-1)
    return chosen[np.lexsort(keys.T[::-1])]
