"""The linear maps of every cell: dense on vectors, SAME convolution on maps."""

import math

import haiku as hk
import jax
import jax.numpy as jnp

from predjax.cells.convolution import convolve_same, convolve_transposed
from predjax.cells.shared_kernels import convolve_shared, multiply


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

    def kernel(self, inputs: int, dtype=jnp.float32):
        """The parameter `w` for that many input features."""
        return hk.get_parameter("w", (*self.kernel_shape, inputs, self.features), dtype, init=uniform_fan_in)

    def __call__(self, x):
        if math.prod(self.kernel_shape) > 1:
            y = convolve_shared(self.module_name, x, lambda: self.kernel(x.shape[-1], x.dtype))
        else:
            y = multiply(x, self.kernel(x.shape[-1], x.dtype).reshape(x.shape[-1], self.features))
        if self.with_bias:
            fan_in = math.prod(self.kernel_shape) * x.shape[-1]
            y += hk.get_parameter("b", (self.features,), x.dtype, init=fan_in_initializer(fan_in))
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
