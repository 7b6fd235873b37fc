"""Convolutions with gradients of their own: fast on CPUs, also inside a scan.

XLA on CPU runs a convolution fast only when it reads NHWC and HWIO and writes NHWC. Inside a scan it does not
rewrite the other forms, so the gradients that automatic differentiation makes of a convolution take a path that is
an order of magnitude slower. `convolve` therefore states its own gradients, each as a convolution of that form. Where
Winograd's filtering is cheaper (`kernels.winograd`), CPUs use that; other platforms have their own convolution.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from predjax.kernels import winograd

_LAYOUT = ("NHWC", "HWIO", "NHWC")


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def convolve(x, w, stride=1, padding=((0, 0), (0, 0)), dilation=1):
    """Cross-correlation y[n,p,q,o] = sum_{a,b,i} x'[n, p s + a, q s + b, i] w[a,b,i,o].

    Args:
      x: `(B, H, W, I)`; x' is x with `dilation - 1` zeros between its pixels, then padded with zeros.
      w: `(k, k, I, O)`.
      stride: s.
      padding: `((top, bottom), (left, right))` zeros around the dilated x.
      dilation: 1 for a convolution; 2 for a transposed convolution of stride 2.

    Returns:
      `(B, P, Q, O)`.
    """
    return _correlate(x, w, stride, padding, dilation, 1)


def _correlate(x, w, stride, padding, x_dilation, w_dilation):
    """The convolution of x `(B, H, W, I)` with w `(k, l, I, O)`, both spread by their dilations, in the fast form.

    Where w has more pixels than x, XLA exchanges the two, into a slow form. Then they are exchanged here: y turned by
    half a turn is the same sum with w as the image and x as the kernel.
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


def _convolve_forward(x, w, stride, padding, dilation):
    return convolve(x, w, stride, padding, dilation), (x, w)


def _convolve_backward(stride, padding, dilation, residuals, dy):
    x, w = residuals

    def dilated(size, step):
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


def convolve_same(x, w, stride=1):
    """`convolve` with k//2 zeros on every side; a 1x1 kernel of stride 1 is a matrix product."""
    k = w.shape[0]
    if k == 1 and stride == 1:
        return x @ w[0, 0]
    tiling = winograd.choose_tiling(x.shape, w.shape) if stride == 1 else None
    if tiling is None:
        return convolve(x, w, stride, ((k // 2, k // 2),) * 2)
    return _convolve_tiles(x, w, tiling)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _convolve_tiles(x, w, tiling):
    return apply_filters(x, prepare(w, tiling), tiling)


def _tiles_forward(x, w, tiling):
    return _convolve_tiles(x, w, tiling), (x, w)


def _tiles_backward(tiling, residuals, dy):
    x, w = residuals
    return apply_turned(dy, prepare(w, tiling), tiling), kernel_gradient(x, dy, tiling.k, tiling)


_convolve_tiles.defvjp(_tiles_forward, _tiles_backward)


def convolve_transposed(x, w, output_size):
    """The adjoint of `convolve_same` with stride 2: `(B, h, w, I)` to `(B, *output_size, O)`, w `(k, k, I, O)`."""
    k = w.shape[0]
    low = k - 1 - k // 2
    padding = tuple((low, size + k - 1 - low - (2 * n - 1)) for size, n in zip(output_size, x.shape[1:3]))
    return convolve(x, w, 1, padding, 2)


class Filters(NamedTuple):
    """A kernel `(k, k, I, O)`, and for CPUs its transformed groups; () where the direct convolution is used."""

    kernel: jax.Array
    groups: tuple


def turn(w):
    """The kernel of the adjoint: turned by half a turn, with inputs and outputs exchanged."""
    return jnp.flip(w, (0, 1)).swapaxes(2, 3)


@functools.partial(jax.jit, static_argnames="tiling")
def prepare(w, tiling: winograd.Tiling | None) -> Filters:
    """What is worth doing once for a kernel that is used many times."""
    if tiling is None:
        return Filters(w, ())

    def transform(w):
        return winograd.transform_filters(_widen(w), tiling)

    def leave_out(w):
        return jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), jax.eval_shape(transform, w))

    return Filters(w, jax.lax.platform_dependent(w, cpu=transform, default=leave_out))


@functools.partial(jax.jit, static_argnames="tiling")
def apply_filters(x, filters, tiling):
    """The SAME convolution of x with prepared filters; no gradients are defined for it."""
    k = filters.kernel.shape[0]
    pads = ((k // 2, k // 2),) * 2
    if tiling is None:
        return convolve(x, filters.kernel, 1, pads)
    return jax.lax.platform_dependent(
        x,
        filters,
        cpu=lambda x, filters: winograd.convolve_tiles(_widen(x), filters.groups, tiling).astype(x.dtype),
        default=lambda x, filters: _correlate(x, filters.kernel, 1, pads, 1, 1),
    )


@functools.partial(jax.jit, static_argnames="tiling")
def apply_turned(dy, filters, tiling):
    """The adjoint of `apply_filters`, with the same filters; no gradients are defined for it."""
    k = filters.kernel.shape[0]
    pads = ((k // 2, k // 2),) * 2
    if tiling is None:
        return convolve(dy, turn(filters.kernel), 1, pads)
    return jax.lax.platform_dependent(
        dy,
        filters,
        cpu=lambda dy, filters: winograd.convolve_tiles_turned(_widen(dy), filters.groups, tiling).astype(dy.dtype),
        default=lambda dy, filters: _correlate(dy, turn(filters.kernel), 1, pads, 1, 1),
    )


@functools.partial(jax.jit, static_argnames=("k", "tiling"))
def kernel_gradient(x, dy, k: int, tiling: winograd.Tiling | None):
    """The gradient of a k x k kernel of a SAME convolution, from x `(N, H, W, I)` and dy `(N, H, W, O)`."""
    pads = ((k // 2, k // 2),) * 2

    def on_cpu(x, dy):
        if tiling is not None:
            return winograd.filter_gradient(_widen(x), _widen(dy), tiling).astype(x.dtype)
        return _correlate(x.transpose(3, 1, 2, 0), dy.transpose(1, 2, 0, 3), 1, pads, 1, 1).transpose(1, 2, 0, 3)

    def elsewhere(x, dy):
        def direct(w):
            return jax.lax.conv_general_dilated(x, w, (1, 1), pads, dimension_numbers=_LAYOUT)

        w = jax.ShapeDtypeStruct((k, k, x.shape[-1], dy.shape[-1]), x.dtype)
        return jax.linear_transpose(direct, w)(dy)[0]

    return jax.lax.platform_dependent(x, dy, cpu=on_cpu, default=elsewhere)


def _widen(x):
    """Sums of transformed values need more than the 8 bits of bfloat16 and the 11 of float16."""
    return x.astype(jnp.float32) if x.dtype.itemsize < 4 else x
