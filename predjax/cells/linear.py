"""The linear maps of every cell: dense on vectors, SAME convolution on maps."""

import functools
import math
import operator

import haiku as hk
import jax
import jax.numpy as jnp

from predjax.kernels.convolution import convolve_same, convolve_transposed, turn
from predjax.kernels.shared import convolve_shared, multiply


def uniform_fan_in(shape, dtype=jnp.float32):
    """Samples U(-1/sqrt(fan_in), 1/sqrt(fan_in)) with fan_in = product of all but the last axis of a kernel.

    The default of the published PyTorch codes (He et al. 2015 with a = sqrt(5)).
    """
    return fan_in_initializer(math.prod(shape[:-1]))(shape, dtype)


def fan_in_initializer(fan_in):
    """The U(-1/sqrt(fan_in), 1/sqrt(fan_in)) initialiser of a kernel or its bias."""
    bound = 1.0 / math.sqrt(fan_in)
    return hk.initializers.RandomUniform(-bound, bound)


def transpose_kernel(w):
    """The kernel of the adjoint map: `(I, O)` transposed, `(k, k, I, O)` turned by half a turn as well."""
    return turn(w) if w.ndim == 4 else w.T


def apply_kernel(name: str, x, make_kernel, kernel_shape=()):
    """W x with the kernel `(*kernel_shape, I, O)` that `make_kernel()` gives; a scan shares it under `name`.

    A step may use a name once. A kernel that a step needs twice has two names, and its gradient is their sum.
    """
    if math.prod(kernel_shape) > 1:
        return convolve_shared(name, x, make_kernel)
    w = make_kernel()
    return multiply(x, w.reshape(w.shape[-2:]))


class LinearMap(hk.Module):
    """y = W x (+ b): dense for `kernel_shape` (), a convolution of stride 1 with SAME padding for (k, k), k odd.

    `(B, *S, I)` to `(B, *S, features)`. Parameters: `w` `(*kernel_shape, I, features)`, `b` `(features,)`. `w_init`
    and `b_init` are initialisers `(shape, dtype)` of Haiku; `b_init` None is the uniform one of the kernel's inputs.
    """

    def __init__(self, features, kernel_shape=(), with_bias=False, w_init=uniform_fan_in, b_init=None, name=None):
        super().__init__(name=name)
        self.features, self.kernel_shape, self.with_bias = features, tuple(kernel_shape), with_bias
        self.w_init, self.b_init = w_init, b_init

    def kernel(self, inputs: int, dtype=jnp.float32):
        """The parameter `w` for that many input features."""
        return hk.get_parameter("w", (*self.kernel_shape, inputs, self.features), dtype, init=self.w_init)

    def bias(self, inputs: int, dtype=jnp.float32):
        """The parameter `b` for that many input features."""
        init = self.b_init or fan_in_initializer(math.prod(self.kernel_shape) * inputs)
        return hk.get_parameter("b", (self.features,), dtype, init=init)

    def __call__(self, x):
        return add_maps((self, x))

    def adjoint(self, y, inputs: int):
        """W^T y, `(B, *S, features)` to `(B, *S, inputs)`: <W x, y> = <x, W^T y> for every x; no bias."""

        def make_kernel():
            return transpose_kernel(self.kernel(inputs, y.dtype))

        return apply_kernel(f"{self.module_name}/adjoint", y, make_kernel, self.kernel_shape)


def add_maps(*terms):
    """The sum of `linear(x)` over pairs `(linear, x)` of one kernel shape: a single convolution of all inputs."""
    sizes = [(x.shape[-1], x.dtype) for _, x in terms]
    shape = terms[0][0].kernel_shape
    if math.prod(shape) > 1:

        def make_kernel():
            return jnp.concatenate([linear.kernel(*size) for (linear, _), size in zip(terms, sizes)], -2)

        name = "+".join(linear.module_name for linear, _ in terms)
        y = convolve_shared(name, jnp.concatenate([x for _, x in terms], -1), make_kernel)
    else:
        kernels = (linear.kernel(*size).reshape(size[0], linear.features) for (linear, _), size in zip(terms, sizes))
        y = functools.reduce(operator.add, (multiply(x, w) for (_, x), w in zip(terms, kernels)))
    for (linear, _), size in zip(terms, sizes):
        if linear.with_bias:
            y += linear.bias(*size)
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
    in the codes of the PredRNN papers); `(F,)` of a vector. The parameters belong to the elements of a grid: they fit
    no other grid.
    """

    def __call__(self, x):
        axes = tuple(range(1, x.ndim))
        mean = x.mean(axes, keepdims=True)
        centred = x - mean
        variance = jnp.square(centred).mean(axes, keepdims=True)
        scale = hk.get_parameter("scale", x.shape[1:], x.dtype, init=jnp.ones)
        offset = hk.get_parameter("offset", x.shape[1:], x.dtype, init=jnp.zeros)
        return scale * centred * jax.lax.rsqrt(variance + 1e-5) + offset


class NormedMap(LinearMap):
    """N(W x) with N = `FrameNorm` if `layer_norm`, else a `LinearMap`."""

    def __init__(self, features, kernel_shape=(), with_bias=False, layer_norm=False, name=None):
        super().__init__(features, kernel_shape, with_bias, name=name)
        self.norm = FrameNorm(name="norm") if layer_norm else None

    def __call__(self, x):
        y = super().__call__(x)
        return self.norm(y) if self.norm else y


def add_normed(*terms):
    """The sum of `linear(x)` over pairs `(linear, x)` of normed maps: a single convolution where none has a norm."""
    if any(linear.norm for linear, _ in terms):
        return functools.reduce(operator.add, (linear(x) for linear, x in terms))
    return add_maps(*terms)
