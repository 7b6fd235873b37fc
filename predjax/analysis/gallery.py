"""Small rate networks with a fixed point, a limit cycle and a strange attractor."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

ALPHA = 0.1  # a step, in time constants
STRANGE = {"size": 6, "gain": 2.0, "seed": 128}  # of the few random networks of this size that are chaotic


class Exhibit(NamedTuple):
    """A small network."""

    title: str  # the kind of its attractor
    step: Callable[[jax.Array], jax.Array]  # the map from a state `(N,)` to the next
    trajectories: np.ndarray  # (B, T, N), of the map
    exponent: float  # the largest Lyapunov exponent, per time constant


def make_gallery(num_steps: int = 3000, seed: int = 0) -> list[Exhibit]:
    """Make three small networks, with a fixed point, a limit cycle and a strange attractor.

    Each is h' = (1 - a) h + a W tanh(h). The first W rotates and shrinks; the second rotates by 50 degrees and grows by
    1.6; the third, of six neurons, is drawn from N(0, 2^2 / N), which is chaotic after Sompolinsky, Crisanti & Sommers
    (1988), doi:10.1103/PhysRevLett.61.259.
    """
    angle = np.deg2rad(50)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    size = int(STRANGE["size"])
    strange = np.random.default_rng(int(STRANGE["seed"])).normal(0, STRANGE["gain"] / np.sqrt(size), (size, size))
    networks = {
        "fixed point": (np.array([[0.5, -0.9], [0.9, 0.5]]), 12, 0),
        "limit cycle": (1.6 * turn, 6, 0),
        "strange attractor": (strange, 1, 1000),
    }
    rng = np.random.default_rng(seed)
    return [
        _follow(title, weights, rng.normal(0, 1.5, (count, len(weights))), num_steps, transient)
        for title, (weights, count, transient) in networks.items()
    ]


def _follow(title: str, weights: np.ndarray, starts: np.ndarray, num_steps: int, transient: int) -> Exhibit:
    """Run a network from every start without the first `transient` steps, and measure its largest Lyapunov exponent."""
    wide = jnp.asarray(weights, float)

    def step(h: jax.Array) -> jax.Array:
        return (1 - ALPHA) * h + ALPHA * (jnp.asarray(wide, h.dtype) @ jnp.tanh(h))

    def advance(carry: tuple, _: None) -> tuple:
        h, direction = carry
        h, direction = jax.jvp(step, (h,), (direction,))
        stretch = jnp.linalg.norm(direction)
        return (h, direction / stretch), (h, jnp.log(stretch))

    @jax.jit
    @jax.vmap
    def run(start: jax.Array) -> tuple[jax.Array, jax.Array]:
        direction = jnp.ones(start.shape) / np.sqrt(start.size)
        return jax.lax.scan(advance, (start, direction), length=transient + num_steps)[1]

    states, stretches = run(jnp.asarray(starts, float))
    kept = slice(transient, None)
    exponent = float(stretches[:, (transient + num_steps) // 3 :].mean()) / ALPHA
    return Exhibit(title, step, np.asarray(states[:, kept]), exponent)
