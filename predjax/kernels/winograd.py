"""SAME convolutions of stride 1 by Winograd's minimal filtering, in plain array code for CPUs.

The plane is cut into tiles of m x m outputs; with n = m + k - 1 and the matrices of Toom and Cook for n - 1 points and
infinity (Lavin & Gray 2016; Blahut 2010, ch. 5),

    y = A^T [ (G w G^T) * (B^T d B) ] A      for the n x n inputs d of a tile, * for each of the n^2 positions,

so that a k x k convolution costs n^2 / (m k)^2 of the multiplications: 0.16 for m = 4, k = 5. At each position * is a
matrix product over the channels, of all tiles at once. A transform treats one axis by sums of arrays, which the
compiler fuses, and the other by a small matrix product, which ends the fusion; without this end, the sums would be
computed again for each reader. The n columns of positions are a list of groups, each `(n, tiles, channels)`:
independent work for the cores.
"""

import functools
import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

Rows = list[list[Fraction]]
Groups = Sequence[jax.Array]  # a group for each column of positions
POINTS = tuple(map(Fraction, ("0", "1", "-1", "2", "-2", "1/2", "-1/2")))  # errors grow fast with more
# m by k. With more positions, or k = 7, the error in float32 would exceed 1e-5 of the direct convolution.
TILE_SIZES = {3: (2, 4), 5: (2, 4)}
TRANSFORM_COST = 32  # multiplications that take as long as the transform of one element; measured on AVX2
CHUNK_BYTES = 16 * 2**20  # of the transformed arrays in one product for the gradient of a kernel: they fit the cache
LEAST_ROWS = 64  # tiles in such a product; with fewer, the transform of its result would cost as much


class Tiling(NamedTuple):
    """A k x k convolution in tiles of m x m outputs."""

    m: int
    k: int

    @property
    def n(self) -> int:
        """Return the number of positions along an axis."""
        return self.m + self.k - 1


def choose_tiling(x_shape: Sequence[int], w_shape: Sequence[int], force: bool = False) -> Tiling | None:
    """Return the cheapest tiling for x `(B, H, W, I)` and w `(k, k, I, O)`, None if the direct convolution is cheaper.

    With `force` only a k without any tiling gives None.
    """
    _, height, width, inputs = x_shape
    k, _, _, outputs = w_shape
    best, least = None, math.inf if force else k * k * height * width * inputs * outputs
    for m in TILE_SIZES.get(k, ()):
        tiles = -(-height // m) * -(-width // m)
        cost = (m + k - 1) ** 2 * tiles * (inputs * outputs + TRANSFORM_COST * (inputs + outputs))
        if cost < least:
            best, least = Tiling(m, k), cost
    return best


@functools.cache
def matrices(m: int, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return A^T `(m, n)`, G `(n, k)` and B^T `(n, n)` for m outputs of a filter with k taps, in float64."""
    evaluate, filters, inputs = _toom_cook(POINTS[: m + k - 2], m, k)
    return np.array(evaluate, float), np.array(filters, float), np.array(inputs, float)


@functools.cache
def turned_matrices(m: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return A^T and B^T that filter by the turned taps w[k-1-j] and use the same G w, in float64.

    The polynomial of the taps at p is p^(k-1) times the polynomial of the turned taps at 1/p. So the matrices belong to
    the inverse points, with 0 and infinity exchanged, and B^T is scaled by the remaining factors, powers of two.
    """
    points = POINTS[: m + k - 2]
    evaluate, turned, inputs = _toom_cook([p and 1 / p for p in points], m, k)
    order = [-1, *range(1, len(points)), 0]
    scales = []
    for taps, row in zip(_toom_cook(points, m, k)[1], order):
        j = next(j for j, tap in enumerate(taps) if tap)
        scales.append(turned[row][k - 1 - j] / taps[j])
    scaled = [[scale * entry for entry in inputs[row]] for scale, row in zip(scales, order)]
    return np.array([[row[column] for column in order] for row in evaluate], float), np.array(scaled, float)


def _toom_cook(points: Sequence[Fraction], m: int, k: int) -> tuple[Rows, Rows, Rows]:
    """Return A^T, G and B^T at n - 1 points and, last, infinity, as rows of fractions."""

    def product(roots: Iterable[Fraction]) -> list[Fraction]:
        polynomial = [Fraction(1)]  # coefficients, lowest first
        for root in roots:
            shifted = [Fraction(0), *polynomial]
            polynomial = [s - root * p for s, p in zip(shifted, [*polynomial, Fraction(0)])]
        return polynomial

    evaluate = [[p**i for p in points] + [Fraction(int(i == m - 1))] for i in range(m)]
    others = [[q for q in points if q != p] for p in points]
    filters = [
        [p**j / math.prod((p - q for q in rest), start=Fraction(1)) for j in range(k)]
        for p, rest in zip(points, others)
    ]
    filters.append([Fraction(int(j == k - 1)) for j in range(k)])
    inputs = [[*product(rest), Fraction(0)] for rest in others] + [product(points)]
    return evaluate, filters, inputs


@functools.partial(jax.jit, static_argnames="tiling")  # traced once for all layers alike
def transform_filters(w: jax.Array, tiling: Tiling) -> tuple[jax.Array, ...]:
    """Return G w G^T: `(k, k, I, O)` to groups of positions `(n, I, O)`."""
    k, _, inputs, outputs = w.shape
    flat = w.reshape(k * k, inputs * outputs)
    return tuple((part @ flat).reshape(-1, inputs, outputs) for part in _filter_parts(tiling, w.dtype))


def adjoint_filters(groups: Groups, tiling: Tiling) -> list[jax.Array]:
    """Return the adjoint of `transform_filters`: groups to the k columns `(k, I O)` of a kernel."""
    _, filters, _ = matrices(tiling.m, tiling.k)
    rows = jnp.asarray(filters.T, groups[0].dtype)
    mixed = [rows @ group.reshape(tiling.n, -1) for group in groups]
    return [_combine(coefficients, mixed) for coefficients in filters.T]


def _filter_parts(tiling: Tiling, dtype: DTypeLike) -> list[jax.Array]:
    """Return the rows of G x G for each group: for every column b, the rows a."""
    _, filters, _ = matrices(tiling.m, tiling.k)
    return [
        jnp.asarray(part, dtype) for part in np.einsum("bj,ai->baij", filters, filters).reshape(tiling.n, tiling.n, -1)
    ]


def transform_inputs(x: jax.Array, tiling: Tiling, inputs: np.ndarray) -> list[jax.Array]:
    """Return B^T d B of every tile, B^T = `inputs`: `(B, H, W, C)` to groups `(n, tiles, C)`; 0 outside the frame."""
    batch, height, width, channels = x.shape
    m, n, before = tiling.m, tiling.n, tiling.k // 2
    rows, columns = -(-height // m), -(-width // m)
    below, right = m * (rows - 1) + n - height - before, m * (columns - 1) + n - width - before
    x = jax.lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), (before, below, 0), (before, right, 0), (0, 0, 0)))
    windows = jnp.stack([x[:, i : i + m * (rows - 1) + 1 : m] for i in range(n)])
    mixed = jnp.asarray(inputs, x.dtype) @ windows.reshape(n, -1)
    mixed = mixed.reshape(n, batch, rows, -1, channels)
    shifted = [mixed[..., j : j + m * (columns - 1) + 1 : m, :] for j in range(n)]
    return [_combine(coefficients, shifted).reshape(n, -1, channels) for coefficients in inputs]


def transform_outputs(groups: Groups, tiling: Tiling, evaluate: np.ndarray, shape: Sequence[int]) -> jax.Array:
    """Return A^T p A of every tile, A^T = `evaluate`: groups `(n, tiles, C)` to `(B, H, W, C)`, `shape` (B, H, W)."""
    batch, height, width = shape
    m, n = tiling.m, tiling.n
    rows, columns, channels = -(-height // m), -(-width // m), groups[0].shape[-1]
    matrix = jnp.asarray(evaluate, groups[0].dtype)
    # For each column q of a tile, (m rows, tiles C).
    tiles = [matrix @ _combine(coefficients, groups).reshape(n, -1) for coefficients in evaluate]
    y = jnp.stack(tiles).reshape(m, m, batch, rows, columns, channels).transpose(2, 3, 1, 4, 0, 5)
    return y.reshape(batch, rows * m, columns * m, channels)[:, :height, :width]


def adjoint_outputs(dy: jax.Array, tiling: Tiling) -> list[jax.Array]:
    """Return A dy A^T of every tile, the adjoint of `transform_outputs`: `(B, H, W, C)` to groups."""
    batch, height, width, channels = dy.shape
    m, n = tiling.m, tiling.n
    rows, columns = -(-height // m), -(-width // m)
    dy = jnp.pad(dy, ((0, 0), (0, rows * m - height), (0, columns * m - width), (0, 0)))
    dy = dy.reshape(batch, rows, m, columns * m, channels).transpose(2, 0, 1, 3, 4).reshape(m, -1)
    evaluate, _, _ = matrices(m, tiling.k)
    mixed = jnp.asarray(evaluate.T, dy.dtype) @ dy
    mixed = mixed.reshape(n, batch, rows, columns, m, channels)
    split = [mixed[..., q, :] for q in range(m)]
    return [_combine(coefficients, split).reshape(n, -1, channels) for coefficients in evaluate.T]


@functools.partial(jax.jit, static_argnames="tiling")  # traced once for all layers alike
def convolve_tiles(x: jax.Array, filters: Groups, tiling: Tiling) -> jax.Array:
    """Return the SAME convolution of x `(B, H, W, I)` with transformed filters: `(B, H, W, O)`."""
    evaluate, _, inputs = matrices(tiling.m, tiling.k)
    groups = [v @ u for v, u in zip(transform_inputs(x, tiling, inputs), filters)]
    return transform_outputs(groups, tiling, evaluate, x.shape[:3])


@functools.partial(jax.jit, static_argnames="tiling")  # traced once for all layers alike
def convolve_tiles_turned(dy: jax.Array, filters: Groups, tiling: Tiling) -> jax.Array:
    """Return the adjoint of `convolve_tiles`, with the same transformed filters: dy `(B, H, W, O)` to `(B, H, W, I)`.

    It is the convolution with the kernel turned by half a turn, inputs and outputs exchanged.
    """
    evaluate, inputs = turned_matrices(tiling.m, tiling.k)
    groups = [jnp.einsum("pto,pio->pti", v, u) for v, u in zip(transform_inputs(dy, tiling, inputs), filters)]
    return transform_outputs(groups, tiling, evaluate, dy.shape[:3])


@functools.partial(jax.jit, static_argnames="tiling")  # traced once for all layers alike
def filter_gradient(x: jax.Array, dy: jax.Array, tiling: Tiling) -> jax.Array:
    """Return the gradient of a kernel, from inputs `(N, H, W, I)` and gradients `(N, H, W, O)`, in chunks of images."""
    images, channels = len(x), x.shape[-1] + dy.shape[-1]
    tiles = -(-x.shape[1] // tiling.m) * -(-x.shape[2] // tiling.m)
    fitting = CHUNK_BYTES // (tiling.n**2 * tiles * channels * x.dtype.itemsize)
    count = -(-images // max(fitting, LEAST_ROWS // tiles, 1))
    # At least two chunks: without a loop the compiler transforms the inputs of all kernels before it uses any of them.
    count = max(count, min(images, 2))
    chunk = -(-images // count)

    _, _, inputs = matrices(tiling.m, tiling.k)

    def gradient(x: jax.Array, dy: jax.Array) -> list[jax.Array]:
        pairs = zip(transform_inputs(x, tiling, inputs), adjoint_outputs(dy, tiling))
        return adjoint_filters([jnp.einsum("pti,pto->pio", v, p) for v, p in pairs], tiling)

    def join(columns: list[jax.Array]) -> jax.Array:
        return jnp.stack(columns, 1).reshape(tiling.k, tiling.k, x.shape[-1], dy.shape[-1])

    if count == 1:
        return join(gradient(x, dy))
    x, dy = (jnp.pad(a, [(0, count * chunk - images)] + [(0, 0)] * 3) for a in (x, dy))
    pairs = jax.tree.map(lambda a: a.reshape(count, chunk, *a.shape[1:]), (x, dy))
    first = [jnp.zeros((tiling.k, x.shape[-1] * dy.shape[-1]), x.dtype)] * tiling.k
    add = functools.partial(jax.tree.map, jnp.add)
    return join(jax.lax.scan(lambda total, pair: (add(total, gradient(*pair)), None), first, pairs)[0])


def _combine(coefficients: np.ndarray, arrays: Groups) -> jax.Array:
    """Return the sum of coefficient times array, without terms of coefficient 0 and without multiplications by 1."""
    total: Any = None
    for c, array in zip(coefficients, arrays, strict=True):
        if c:
            term = array if abs(c) == 1 else abs(float(c)) * array
            signed = term if c > 0 else -term
            total = signed if total is None else total + signed
    return total
