"""The micromechanics of a composite: the mean stress of a periodic cell of fibres in a plastic matrix."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from predjax.cells.plasticity import Material, PlasticState, elastic_stress, rest, update_stress
from predjax.synthetic.stress_strain import StressStrainConfig

MOST_ITERATIONS = 2000
ARRANGEMENTS = 2000


def lay_fibres(config: StressStrainConfig) -> np.ndarray:
    """Return the mask (pixels, pixels) of the fibres: equal discs that repeat with the cell and do not touch.

    Errors: ValueError where no arrangement was found in which the fibres fit.
    """
    rng = np.random.default_rng(config.arrangement)
    radius = np.sqrt(config.fibre_fraction / (np.pi * config.num_fibres))
    apart = 2 * radius + 1 / config.pixels
    for _ in range(ARRANGEMENTS):
        centres = np.empty((0, 2))
        for centre in rng.random((200, 2)):
            if (_measure_distance(centres, centre) > apart).all():
                centres = np.vstack([centres, centre])
            if len(centres) == config.num_fibres:
                places = (np.indices((config.pixels, config.pixels)).reshape(2, -1).T + 0.5) / config.pixels
                inside = [_measure_distance(places, centre) < radius for centre in centres]
                return np.any(inside, 0).reshape(config.pixels, config.pixels)
    raise ValueError(
        f"{config.num_fibres} fibres do not fit into the cell with fibre_fraction {config.fibre_fraction:g}: take less"
    )


def _measure_distance(points: np.ndarray, centre: np.ndarray) -> np.ndarray:
    offset = np.abs(points - centre)
    return np.linalg.norm(np.minimum(offset, 1 - offset), axis=1)


def _make_projection(pixels: int) -> Callable[[jax.Array], jax.Array]:
    """Return the orthogonal projection of stress fields `(B, n, n, 3)` on the strain fields of displacements.

    The projection is the part of a stress field that is out of balance, without its mean. At a wave number with the
    direction n it is the symmetric part of a n^T with a = 2 s n - n (n . s n). Gradients are finite differences between
    the corners of pixels (Willot 2015, doi:10.1016/j.crme.2014.12.005), so tangents stand for the wave numbers. The
    shear of a stress is s_xy, the shear of a strain 2 e_xy.
    """
    half = np.tan(np.pi * np.fft.fftfreq(pixels))
    waves = np.stack(np.meshgrid(half, half, indexing="ij"), -1)
    length = np.linalg.norm(waves, axis=-1, keepdims=True)
    x, y = np.moveaxis(waves / np.where(length > 0, length, 1.0), -1, 0)

    def project(stress: jax.Array) -> jax.Array:
        xx, yy, xy = jnp.moveaxis(jnp.fft.fft2(stress, axes=(1, 2)), -1, 0)
        tx, ty = xx * x + xy * y, xy * x + yy * y
        normal = tx * x + ty * y
        ax, ay = 2 * tx - x * normal, 2 * ty - y * normal
        strain = jnp.stack([ax * x, ay * y, ax * y + ay * x], -1)
        return jnp.fft.ifft2(strain, axes=(1, 2)).real.astype(stress.dtype)

    return project


class _Search(NamedTuple):
    """The state of the descent of B cells: strain fields, imbalances, step widths `(B,)` and relative errors `(B,)`."""

    strain: jax.Array
    imbalance: jax.Array
    width: jax.Array
    error: jax.Array
    iteration: jax.Array


def _dot(one: jax.Array, other: jax.Array) -> jax.Array:
    """Return the inner product of strain fields as tensors, `(B,)`: the engineering shear counts half."""
    return (one * other * jnp.array([1.0, 1.0, 0.5], one.dtype)).sum((1, 2, 3))


@functools.partial(jax.jit, static_argnames="config")
def follow_paths(paths: jax.Array, config: StressStrainConfig) -> tuple[jax.Array, jax.Array]:
    """Return the mean stresses `(B, T, 3)` in MPa along mean strains `(B, T, 3)`, and the largest imbalance `(T,)`.

    Each step finds the strain field of a displacement that has the given mean and a stress in balance, by gradient
    descent with the step widths of Barzilai & Borwein (Schneider 2019, doi:10.1002/nme.6059). The imbalance is relative
    to the stress.
    """
    fibre = lay_fibres(config).ravel()
    places = np.flatnonzero(~fibre)
    stiff = Material(config.fibre_young, config.fibre_poisson)
    project = _make_projection(config.pixels)
    shape = (len(paths), config.pixels, config.pixels, 3)

    def respond(strain: jax.Array, history: PlasticState) -> tuple[jax.Array, PlasticState]:
        flat = strain.reshape(len(paths), -1, 3)
        matrix, history = update_stress(flat[:, places], history, Material())
        return elastic_stress(flat, stiff).at[:, places].set(matrix).reshape(shape), history

    def measure(strain: jax.Array, history: PlasticState) -> tuple[jax.Array, jax.Array]:
        stress, _ = respond(strain, history)
        imbalance = project(stress)
        return imbalance, jnp.sqrt(_dot(imbalance, imbalance) / jnp.maximum((stress**2).sum((1, 2, 3)), 1e-12))

    def advance(carry: tuple[jax.Array, PlasticState], mean: jax.Array) -> tuple[tuple, tuple]:
        strain, history = carry
        strain += (mean - strain.mean((1, 2)))[:, None, None]
        safe = jnp.full(len(paths), (1 - config.fibre_poisson) / config.fibre_young, strain.dtype)

        def unfinished(search: _Search) -> jax.Array:
            return (search.error > config.tolerance).any() & (search.iteration < MOST_ITERATIONS)

        def descend(search: _Search) -> _Search:
            running = search.error > config.tolerance
            step = -search.width[:, None, None, None] * search.imbalance
            new = search.strain + jnp.where(running[:, None, None, None], step, 0.0)
            imbalance, error = measure(new, history)
            curvature = _dot(step, imbalance - search.imbalance)
            width = jnp.where(curvature > 0, _dot(step, step) / jnp.where(curvature > 0, curvature, 1.0), safe)
            return _Search(new, imbalance, width, jnp.where(running, error, search.error), search.iteration + 1)

        imbalance, error = measure(strain, history)
        search = _Search(strain, imbalance, safe, error, jnp.zeros((), int))
        search = jax.lax.while_loop(unfinished, descend, search)
        stress, history = respond(search.strain, history)
        return (search.strain, history), (stress.mean((1, 2)), search.error.max())

    history: PlasticState = rest((len(paths), len(places)), paths.dtype)
    start = jnp.zeros(shape, paths.dtype), history
    _, (stress, error) = jax.lax.scan(advance, start, paths.swapaxes(0, 1))
    return stress.swapaxes(0, 1), error
