"""Noise with the spectrum of each scale of a frame, on grids that are as coarse as the scale.

The a trous transform (see `wrappers.scale_gains`) blurs by the B3 spline, level after level. With its response b(f) to
the frequencies f = (f_r, f_c), in waves per pixel, scale k is what remains of a frame after the response

    left_k(f) - left_(k+1)(f),  left_k(f) = product over i < k of b(2^i f),  b(f) = cos^4(pi f_r) cos^4(pi f_c)

From scale 2 on next to nothing remains of waves shorter than 2^k pixels, so a grid holds the scale of which every
2^(k-1)-th pixel is a node. There its response is b(f) (1 - b(2 f)) at frequencies f of the grid, and `refine`, which
doubles the nodes of a grid as splines are subdivided (Burt & Adelson, 1983, https://doi.org/10.1109/TCOM.1983.1095851),
has the response left_(k-1) of what is missing. Noise is periodic in a frame that is somewhat larger.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy import fft

LEAST = 1e-9  # smaller responses are rounding, whose products with a spectrum may be denormal numbers, which are slow


class Grid(NamedTuple):
    """The periodic grid of a scale: rows and columns, and the pixels between two nodes."""

    height: int
    width: int
    spacing: int


def choose_grids(shape: tuple[int, ...], scales: int) -> list[Grid]:
    """Choose the grids of the finest `scales` of frames `(H, W)`; grids are at least as large as the frames."""
    spacings = [2 ** max(number - 1, 0) for number in range(scales)]
    coarsest = [fft.next_fast_len(-(-size // spacings[-1]), real=True) * spacings[-1] for size in shape]
    return [Grid(coarsest[0] // spacing, coarsest[1] // spacing, spacing) for spacing in spacings]


def place_nodes(grid: Grid, shape: tuple[int, ...]) -> list[np.ndarray]:
    """Return the rows and the columns of the nodes of a grid that `add_scales` needs for a frame `(H, W)`.

    They are all pixels for a spacing of 1. A coarser grid has one node before the frame and two beyond the period of
    the grid; nodes outside the frame are moved to its edge.
    """
    if grid.spacing == 1:
        return [np.arange(size) for size in shape]
    sizes = grid.height, grid.width
    return [np.clip(np.arange(-1, n + 2) * grid.spacing, 0, size - 1) for n, size in zip(sizes, shape)]


def make_filters(field: jax.Array, scales: int) -> list[jax.Array]:
    """Return the filters `(h, w//2+1)` that turn `draw_waves` into noise of variance 1 with the spectrum of each scale.

    The noise is `jnp.fft.irfft2` of the filtered waves on the grid of the scale. The spectrum is that of a field
    `(H, W)` under a Hann window. Coefficients of the first and, for an even width, the last column stand alone; all
    others stand for two.
    """
    grids = choose_grids(field.shape, scales)
    window = np.outer(*(np.hanning(size + 2)[1:-1] for size in field.shape))
    whole = grids[0]
    spectrum = jnp.abs(jnp.fft.rfft2(jnp.asarray(window, field.dtype) * field, s=(whole.height, whole.width)))
    filters = []
    for number, grid in enumerate(grids):
        seen = take_band(spectrum, grid)
        response, gain = (jnp.asarray(part, field.dtype) for part in _respond(grid, finest=number == 0))
        alone = np.zeros(grid.width // 2 + 1, bool)
        alone[0] = True
        alone[-1] |= grid.width % 2 == 0
        power = (jnp.square(seen * response * gain) * jnp.where(alone, 1.0, 2.0)).sum()
        scale = jnp.where(power > 0, jax.lax.rsqrt(jnp.where(power > 0, power, 1.0)), 0.0)
        # A drawn coefficient has the variance 65536^2 / 6; of a column that stands alone the real part counts.
        size = grid.height * grid.width * np.sqrt(6.0) / 65536
        filters.append(seen * response * scale * jnp.where(alone, np.sqrt(2.0), 1.0) * size)
    return filters


def _respond(grid: Grid, finest: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return two responses `(h, w//2+1)`: of the scale on its grid, and of `refine` from this grid to pixels."""
    rows, columns = np.fft.fftfreq(grid.height)[:, None], np.fft.rfftfreq(grid.width)

    def blur(level: float) -> np.ndarray:
        return np.cos(np.pi * level * rows) ** 4 * np.cos(np.pi * level * columns) ** 4

    response = 1 - blur(1) if finest else blur(1) * (1 - blur(2))
    gain = np.ones_like(response)
    spacing = 1
    while spacing < grid.spacing:
        spacing *= 2
        gain *= blur(1 / spacing)
    return np.where(response < LEAST, 0.0, response), gain


def draw_waves(grid: Grid, key: jax.Array) -> jax.Array:
    """Draw the Fourier coefficients of white noise, `(h, w//2+1)`.

    They are drawn from a uniform distribution, which is faster; their sums, the pixels, are normal by the central limit
    theorem.
    """
    bits = jax.random.bits(key, (grid.height, grid.width // 2 + 1), jnp.uint32)
    real, imaginary = (part.astype(jnp.float32) - 32767.5 for part in (bits >> 16, bits & 0xFFFF))
    return jax.lax.complex(real, imaginary)


def take_band(waves: jax.Array, grid: Grid) -> jax.Array:
    """Return the coefficients `(h, w//2+1)` of the waves of a finer grid that a coarser grid can hold."""
    if waves.shape[0] == grid.height:
        return waves
    columns = waves[:, : grid.width // 2 + 1]
    return jnp.concatenate([columns[: (grid.height + 1) // 2], columns[waves.shape[0] - grid.height // 2 :]])


def add_scales(grids: list[Grid], noises: list[jax.Array], amplitudes: list[jax.Array]) -> jax.Array:
    """Return the sum `(H, W)` of the noise of each scale `(h, w)` times its amplitude at `place_nodes` of its grid."""
    coarse = total = jnp.zeros((), amplitudes[0].dtype)
    for grid, noise, amplitude in reversed(list(zip(grids, noises, amplitudes))):
        if grid.spacing > 1:
            coarse = refine(coarse + amplitude * jnp.pad(noise, ((1, 2), (1, 2)), mode="wrap"))
        else:
            height, width = amplitude.shape
            total = total + amplitude * noise[:height, :width]
    if grids[-1].spacing > 1:
        total = total + coarse[1 : height + 1, 1 : width + 1]
    return total


def refine(nodes: jax.Array) -> jax.Array:
    """Double the nodes `(h + 3, w + 3)` of a grid, from number -1 to h + 1, to `(2 h + 3, 2 w + 3)`, to 2 h + 1."""
    for axis in (0, 1):
        nodes = jnp.moveaxis(nodes, axis, 0)
        between = (nodes[1:] + nodes[:-1]) / 2
        at = (nodes[:-2] + 6 * nodes[1:-1] + nodes[2:]) / 8
        both = jnp.stack([between[:-1], at], 1).reshape(-1, nodes.shape[1])
        nodes = jnp.moveaxis(jnp.concatenate([both, between[-1:]]), 0, axis)
    return nodes
