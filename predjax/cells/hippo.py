"""Initial values of structured state spaces: the HiPPO matrix, its spectrum, and maps in its eigenvectors."""

import functools

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from predjax.cells.linear import DType, Initializer, Shape


def make_hippo(size: int) -> np.ndarray:
    """Return the normal part S of the HiPPO-LegS matrix A, `(size, size)` (Gu et al. 2022).

    S = A + p p^T with p_n = sqrt(n + 1/2), and A_nk = -sqrt((2n + 1)(2k + 1)) for n > k, -(n + 1) for n = k, else 0. S
    is -I/2 plus an antisymmetric matrix.
    """
    p = np.sqrt(np.arange(size) + 0.5)
    return np.diag(-(np.arange(size) + 1.0)) - np.tril(2 * np.outer(p, p), -1) + np.outer(p, p)


@functools.cache
def diagonalise_hippo(size: int, blocks: int = 1, conjugate: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Return eigenvalues `(P,)` and eigenvectors V `(size, P)` of a block diagonal of `blocks` copies of `make_hippo`.

    With `conjugate` P = size / 2: of each pair of conjugate eigenvalues, the one with the negative imaginary part is
    kept.
    """
    each = size // blocks
    s = make_hippo(each)
    real = np.diag(s).mean()
    imaginary, v = np.linalg.eigh(-1j * (s - s.T) / 2)
    kept = each // 2 if conjugate else each
    values = np.tile(real + 1j * imaginary[:kept], blocks)
    return values, np.kron(np.eye(blocks), v[:, :kept])


def start_inputs(v: np.ndarray, variance: float) -> Initializer:
    """Return the initialiser of V^H B, real and imaginary parts `(..., I, 2P)`, for real B of variance / fan_in."""
    draw = hk.initializers.VarianceScaling(variance, "fan_in", "truncated_normal")

    def start(shape: Shape, dtype: DType) -> jax.Array:
        b = draw((*shape[:-1], len(v)), dtype)
        return jnp.concatenate([b @ jnp.asarray(v.real, dtype), b @ jnp.asarray(-v.imag, dtype)], -1)

    return start


def start_outputs(v: np.ndarray, variance: float, real: bool) -> Initializer:
    """Return the initialiser of C V, real and imaginary parts `(..., 2P, F)`; C has variance / fan_in."""
    draw = hk.initializers.VarianceScaling(variance if real else variance / 2, "fan_in", "truncated_normal")

    def start(shape: Shape, dtype: DType) -> jax.Array:
        def turn(c: jax.Array, part: np.ndarray) -> jax.Array:
            return jnp.einsum("...nf,np->...pf", c, jnp.asarray(part, dtype))

        size = (*shape[:-2], len(v), shape[-1])
        c_real = draw(size, dtype)
        parts = [turn(c_real, v.real), turn(c_real, v.imag)]
        if not real:
            c_imaginary = draw(size, dtype)
            parts = [parts[0] - turn(c_imaginary, v.imag), parts[1] + turn(c_imaginary, v.real)]
        return jnp.concatenate(parts, -2)

    return start
