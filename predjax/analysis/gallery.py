"""Small rate networks with a fixed point, a limit cycle and a strange attractor."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

ALPHA = 0.1  # a step, in time constants
STRANGE = {"size": 6, "gain": 2.0, "seed": 128}  # of the few random networks of this size that are chaotic


class Exhibit(NamedTuple):
    """title; step: h to h' `(N,)`; trajectories `(B, T, N)` of it; the largest Lyapunov exponent per time constant."""

    title: str
    step: Callable
    trajectories: np.ndarray
    exponent: float


def make_gallery(num_steps: int = 3000, seed: int = 0) -> list[Exhibit]:
    """Networks h' = (1 - a) h + a W tanh(h): a contraction, a rotation that grows, and a random one with a high gain.

    W turns and shrinks, turns by 50 degrees and grows by 1.6, and is N(0, 2^2 / N) for six neurons, the chaos of
    Sompolinsky, Crisanti & Sommers (1988), doi:10.1103/PhysRevLett.61.259.
    """
    angle = np.deg2rad(50)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    size = int(STRANGE["size"])
    strange = np.random.default_rng(int(STRANGE["seed"])).normal(0, STRANGE["gain"] / np.sqrt(size), (size, size))
    rooms = {
        "fixed point": (np.array([[0.5, -0.9], [0.9, 0.5]]), 12, 0),
        "limit cycle": (1.6 * turn, 6, 0),
        "strange attractor": (strange, 1, 1000),
    }
    rng = np.random.default_rng(seed)
    return [
        _follow(title, weights, rng.normal(0, 1.5, (count, len(weights))), num_steps, transient)
        for title, (weights, count, transient) in rooms.items()
    ]


def _follow(title, weights, starts, num_steps, transient) -> Exhibit:
    weights = jnp.asarray(weights, float)

    def step(h):
        return (1 - ALPHA) * h + ALPHA * (jnp.asarray(weights, h.dtype) @ jnp.tanh(h))

    def advance(carry, _):
        h, direction = carry
        h, direction = jax.jvp(step, (h,), (direction,))
        stretch = jnp.linalg.norm(direction)
        return (h, direction / stretch), (h, jnp.log(stretch))

    @jax.jit
    @jax.vmap
    def run(start):
        direction = jnp.ones(start.shape) / np.sqrt(start.size)
        return jax.lax.scan(advance, (start, direction), length=transient + num_steps)[1]

    states, stretches = run(jnp.asarray(starts, float))
    kept = slice(transient, None)
    exponent = float(stretches[:, (transient + num_steps) // 3 :].mean()) / ALPHA
    return Exhibit(title, step, np.asarray(states[:, kept]), exponent)
