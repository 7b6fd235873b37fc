"""The linear maps of every cell: dense on vectors, SAME convolution on maps.

XLA on CPU runs a convolution fast only when it reads NHWC and HWIO and writes NHWC. Inside a scan it does not
rewrite the other forms, so the gradients that automatic differentiation makes of a convolution take a path that is
an order of magnitude slower. `convolve` therefore states its own gradients, each as a convolution of that form.
"""

import functools
import math

import haiku as hk
import jax
import jax.numpy as jnp

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
    return convolve(x, w, stride, ((k // 2, k // 2),) * 2)


def convolve_transposed(x, w, output_size):
    """The adjoint of `convolve_same` with stride 2: `(B, h, w, I)` to `(B, *output_size, O)`, w `(k, k, I, O)`."""
    k = w.shape[0]
    low = k - 1 - k // 2
    padding = tuple((low, size + k - 1 - low - (2 * n - 1)) for size, n in zip(output_size, x.shape[1:3]))
    return convolve(x, w, 1, padding, 2)


def uniform_fan_in(shape, dtype=jnp.float32):
    """Samples U(-1/sqrt(fan_in), 1/sqrt(fan_in)) with fan_in = product of all but the last axis of a kernel.

    The default of the published PyTorch codes (He et al. 2015 with a = sqrt(5)).
    """
    return fan_in_initializer(math.prod(shape[:-1]))(shape, dtype)


def fan_in_initializer(fan_in):
    """The U(-1/sqrt(fan_in), 1/sqrt(fan_in)) initialiser of a kernel or its bias."""
    bound = 1.0 / math.sqrt(fan_in)
    return hk.initializers.RandomUniform(-bound, bound)


class LinearMap(hk.Module):
    """y = W x (+ b): dense for `kernel_shape` (), a convolution of stride 1 with SAME padding for (k, k), k odd.

    `(B, *S, I)` to `(B, *S, features)`. Parameters: `w` `(*kernel_shape, I, features)`, `b` `(features,)`.
    """

    def __init__(self, features, kernel_shape=(), with_bias=False, name=None):
        super().__init__(name=name)
        self.features, self.kernel_shape, self.with_bias = features, tuple(kernel_shape), with_bias

    def __call__(self, x):
        shape = (*self.kernel_shape, x.shape[-1], self.features)
        w = hk.get_parameter("w", shape, x.dtype, init=uniform_fan_in)
        y = convolve_same(x, w) if self.kernel_shape else x @ w
        if self.with_bias:
            y += hk.get_parameter("b", (self.features,), x.dtype, init=fan_in_initializer(math.prod(shape[:-1])))
        return y


class Downsample(hk.Module):
    """A k x k convolution of stride 2 without bias: `(B, h, w, I)` to `(B, ceil(h/2), ceil(w/2), features)`."""

    def __init__(self, features, kernel_size, name=None):
        super().__init__(name=name)
        self.features, self.kernel_size = features, kernel_size

    def __call__(self, x):
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        return convolve_same(x, hk.get_parameter("w", shape, x.dtype, init=uniform_fan_in), stride=2)


class Upsample(hk.Module):
    """The transposed convolution of `Downsample`: `(B, h, w, I)` to `(B, *output_size, features)`, no bias."""

    def __init__(self, features, kernel_size, name=None):
        super().__init__(name=name)
        self.features, self.kernel_size = features, kernel_size

    def __call__(self, x, output_size):
        k = self.kernel_size
        # PyTorch counts the outputs of a transposed convolution as its fan-in.
        init = fan_in_initializer(k * k * self.features)
        w = hk.get_parameter("w", (k, k, x.shape[-1], self.features), x.dtype, init=init)
        return convolve_transposed(x, w, output_size)


class FrameNorm(hk.Module):
    """Layer normalisation over rows, columns and features jointly, with a scale and an offset for each element.

    y = scale * (x - mean) / sqrt(variance + 1e-5) + offset, all of shape `(h, w, F)` per sample (Ba et al. 2016, as
    in the codes of the PredRNN papers). The parameters belong to the elements of a grid: they fit no other grid.
    """

    def __call__(self, x):
        mean = x.mean((1, 2, 3), keepdims=True)
        centred = x - mean
        variance = jnp.square(centred).mean((1, 2, 3), keepdims=True)
        scale = hk.get_parameter("scale", x.shape[1:], x.dtype, init=jnp.ones)
        offset = hk.get_parameter("offset", x.shape[1:], x.dtype, init=jnp.zeros)
        return scale * centred * jax.lax.rsqrt(variance + 1e-5) + offset
