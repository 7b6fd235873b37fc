"""Convolutions with their own gradients: fast on CPUs, also inside a scan.

XLA on CPU convolves fast only if it reads NHWC and HWIO and writes NHWC. Inside a scan XLA does not rewrite other
forms: the gradients by automatic differentiation take a path that is ten times slower. Therefore `convolve` defines its
gradients, each as a convolution of that form. CPUs use Winograd's filtering (`kernels.winograd`) where it is cheaper;
other platforms use XLA's convolution.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from predjax.kernels import winograd

Padding = Sequence[tuple[int, int]]  # (top, bottom), (left, right)
Pair = tuple[jax.Array, jax.Array]
_LAYOUT = ("NHWC", "HWIO", "NHWC")


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def convolve(
    x: jax.Array, w: jax.Array, stride: int = 1, padding: Padding = ((0, 0), (0, 0)), dilation: int = 1
) -> jax.Array:
    """Return the cross-correlation of x with w, with a stride, zero padding, and a dilation of x.

    For the stride s it is y[n,p,q,o] = sum_{a,b,i} x'[n, p s + a, q s + b, i] w[a,b,i,o].

    x `(B, H, W, I)` and w `(k, k, I, O)` give y `(B, P, Q, O)`. x' is x with `dilation - 1` zeros between its pixels
    (dilation 2: a transposed convolution of stride 2), and with the zeros of `padding` around these.
    """
    return _correlate(x, w, stride, padding, dilation, 1)


def _correlate(
    x: jax.Array, w: jax.Array, stride: int, padding: Padding, x_dilation: int, w_dilation: int
) -> jax.Array:
    """Return the cross-correlation of x `(B, H, W, I)` with w `(k, l, I, O)`, each with its dilation, in the fast form.

    If w has more pixels than x, XLA swaps x and w and takes a slow path. In this case they are swapped here: with w as
    the image and x as the kernel, the same sum gives y turned by half a turn.
    """
    if math.prod(w.shape[:2]) <= math.prod(x.shape[1:3]):
        dilations = (x_dilation,) * 2, (w_dilation,) * 2
        return jax.lax.conv_general_dilated(x, w, (stride,) * 2, padding, *dilations, dimension_numbers=_LAYOUT)
    exchanged = []
    for n, k, (low, high) in zip(x.shape[1:3], w.shape[:2], padding):
        n, k = (n - 1) * x_dilation + 1, (k - 1) * w_dilation + 1
        last = (n + low + high - k) // stride * stride
        exchanged.append((last - low, n - k + low))
    y = _correlate(w.transpose(3, 0, 1, 2), x.transpose(1, 2, 3, 0), stride, exchanged, w_dilation, x_dilation)
    return jnp.flip(y, (1, 2)).transpose(3, 1, 2, 0)


def _convolve_forward(
    x: jax.Array, w: jax.Array, stride: int, padding: Padding, dilation: int
) -> tuple[jax.Array, Pair]:
    return convolve(x, w, stride, padding, dilation), (x, w)


def _convolve_backward(stride: int, padding: Padding, dilation: int, residuals: Pair, dy: jax.Array) -> Pair:
    x, w = residuals

    def dilated(size: int, step: int) -> int:
        return (size - 1) * step + 1

    dx_padding, dw_padding = [], []
    for axis in (1, 2):
        k, low = w.shape[axis - 1], padding[axis - 1][0]
        excess = dilated(x.shape[axis], dilation) + low - dilated(dy.shape[axis], stride)
        dx_padding.append((k - 1 - low, excess))
        dw_padding.append((low, k - 1 - excess))
    dx = convolve(dy, jnp.flip(w, (0, 1)).swapaxes(2, 3), dilation, tuple(dx_padding), stride)
    dw = _correlate(x.transpose(3, 1, 2, 0), dy.transpose(1, 2, 0, 3), 1, dw_padding, dilation, stride)
    return dx, dw.transpose(1, 2, 0, 3)


convolve.defvjp(_convolve_forward, _convolve_backward)


def convolve_same(x: jax.Array, w: jax.Array, stride: int = 1) -> jax.Array:
    """Return `convolve` with k//2 zeros on every side; a 1x1 kernel of stride 1 is a matrix product."""
    k = w.shape[0]
    if k == 1 and stride == 1:
        return x @ w[0, 0]
    tiling = winograd.choose_tiling(x.shape, w.shape) if stride == 1 else None
    if tiling is None:
        return convolve(x, w, stride, ((k // 2, k // 2),) * 2)
    return _convolve_tiles(x, w, tiling)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _convolve_tiles(x: jax.Array, w: jax.Array, tiling: winograd.Tiling) -> jax.Array:
    return apply_filters(x, prepare(w, tiling), tiling)


def _tiles_backward(tiling: winograd.Tiling, residuals: Pair, dy: jax.Array) -> Pair:
    x, w = residuals
    return apply_turned(dy, prepare(w, tiling), tiling), kernel_gradient(x, dy, tiling.k, tiling)


_convolve_tiles.defvjp(lambda x, w, tiling: (_convolve_tiles(x, w, tiling), (x, w)), _tiles_backward)


def convolve_transposed(x: jax.Array, w: jax.Array, output_size: Sequence[int]) -> jax.Array:
    """Return the adjoint of `convolve_same` with stride 2: `(B, h, w, I)` to `(B, *output_size, O)`, w as there."""
    k = w.shape[0]
    low = k - 1 - k // 2
    padding = tuple((low, size + k - 1 - low - (2 * n - 1)) for size, n in zip(output_size, x.shape[1:3]))
    return convolve(x, w, 1, padding, 2)


class Filters(NamedTuple):
    """A kernel `(k, k, I, O)`, and for CPUs its transformed groups, () where the direct convolution is used."""

    kernel: jax.Array
    groups: tuple


def turn(w: jax.Array) -> jax.Array:
    """Return the kernel of the adjoint: w turned by half a turn, with inputs and outputs exchanged."""
    return w.T if w.ndim == 2 else jnp.flip(w, (0, 1)).swapaxes(2, 3)


@functools.partial(jax.jit, static_argnames="tiling")
def prepare(w: jax.Array, tiling: winograd.Tiling | None) -> Filters:
    """Transform a kernel once, for many convolutions with it."""
    if tiling is None:
        return Filters(w, ())

    def transform(w: jax.Array) -> tuple[jax.Array, ...]:
        return winograd.transform_filters(_widen(w), tiling)

    def leave_out(w: jax.Array) -> tuple[jax.Array, ...]:
        return jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), jax.eval_shape(transform, w))

    return Filters(w, jax.lax.platform_dependent(w, cpu=transform, default=leave_out))


@functools.partial(jax.jit, static_argnames="tiling")
def apply_filters(x: jax.Array, filters: Filters, tiling: winograd.Tiling | None) -> jax.Array:
    """Return the SAME convolution of x with prepared filters. It has no gradients."""
    return _apply(x, filters, tiling, winograd.convolve_tiles, lambda w: w)


@functools.partial(jax.jit, static_argnames="tiling")
def apply_turned(dy: jax.Array, filters: Filters, tiling: winograd.Tiling | None) -> jax.Array:
    """Return the adjoint of `apply_filters`, with the same filters. It has no gradients."""
    return _apply(dy, filters, tiling, winograd.convolve_tiles_turned, turn)


def _apply(
    x: jax.Array, filters: Filters, tiling: winograd.Tiling | None, convolve_tiles: Callable, make_kernel: Callable
) -> jax.Array:
    """Convolve x with `make_kernel(filters.kernel)`, on CPUs by `convolve_tiles` with the transformed groups."""
    if filters.kernel.ndim == 2:
        return x @ make_kernel(filters.kernel)
    k = filters.kernel.shape[0]
    pads = ((k // 2, k // 2),) * 2
    if tiling is None:
        return convolve(x, make_kernel(filters.kernel), 1, pads)
    return jax.lax.platform_dependent(
        x,
        filters,
        cpu=lambda x, filters: convolve_tiles(_widen(x), filters.groups, tiling).astype(x.dtype),
        default=lambda x, filters: _correlate(x, make_kernel(filters.kernel), 1, pads, 1, 1),
    )


@functools.partial(jax.jit, static_argnames=("k", "tiling"))
def kernel_gradient(x: jax.Array, dy: jax.Array, k: int, tiling: winograd.Tiling | None) -> jax.Array:
    """Return the gradient of a k x k kernel of a SAME convolution, given x `(N, H, W, I)` and dy `(N, H, W, O)`."""
    pads = ((k // 2, k // 2),) * 2

    def on_cpu(x: jax.Array, dy: jax.Array) -> jax.Array:
        if tiling is not None:
            return winograd.filter_gradient(_widen(x), _widen(dy), tiling).astype(x.dtype)
        return _correlate(x.transpose(3, 1, 2, 0), dy.transpose(1, 2, 0, 3), 1, pads, 1, 1).transpose(1, 2, 0, 3)

    def elsewhere(x: jax.Array, dy: jax.Array) -> jax.Array:
        def direct(w: jax.Array) -> jax.Array:
            return jax.lax.conv_general_dilated(x, w, (1, 1), pads, dimension_numbers=_LAYOUT)

        w = jax.ShapeDtypeStruct((k, k, x.shape[-1], dy.shape[-1]), x.dtype)
        return jax.linear_transpose(direct, w)(dy)[0]

    return jax.lax.platform_dependent(x, dy, cpu=on_cpu, default=elsewhere)


def _widen(x: jax.Array) -> jax.Array:
    """Return x in float32 or more: sums of transformed values need more bits than bfloat16 (8) and float16 (11)."""
    return x.astype(jnp.float32) if x.dtype.itemsize < 4 else x
