"""The linear maps of every cell: dense on vectors, SAME convolution on maps."""

import dataclasses
import functools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from predjax.cells.context import StepContext
from predjax.kernels.convolution import convolve_same, convolve_transposed, turn

Shape = Sequence[int]
DType = Any  # whatever jax takes for a dtype
Initializer = Callable[[Shape, DType], jax.Array]


def uniform_fan_in(shape: Shape, dtype: DType = jnp.float32) -> jax.Array:
    """Draw U(-1/sqrt(fan_in), 1/sqrt(fan_in)), where fan_in is the product of all but the last axis of a kernel.

    The default of the published PyTorch codes (He et al. 2015 with a = sqrt(5)).
    """
    return fan_in_initializer(math.prod(shape[:-1]))(shape, dtype)


def fan_in_initializer(fan_in: int) -> Initializer:
    """Return the U(-1/sqrt(fan_in), 1/sqrt(fan_in)) initialiser of a kernel or its bias."""
    bound = 1.0 / math.sqrt(fan_in)
    return hk.initializers.RandomUniform(-bound, bound)


def transpose_kernel(w: jax.Array) -> jax.Array:
    """Return the kernel of the adjoint map: `(I, O)` transposed, `(k, k, I, O)` also turned by half a turn."""
    return turn(w) if w.ndim == 4 else w.T


@dataclasses.dataclass(eq=False)
class LinearMap(hk.Module):
    """The linear map y = W x (+ b), `(B, *S, I)` to `(B, *S, features)`.

    W is dense for `kernel_shape` (), and a convolution of stride 1 with SAME padding for (k, k), k odd. The parameters
    are `w` `(*kernel_shape, I, features)`, with the initialiser `w_init`, and `b` `(features,)` unless `with_bias` is
    False; `with_bias` is its initialiser, or True for the uniform initialiser of kernels. `context` is the context of
    the cell that the map belongs to.
    """

    features: int
    kernel_shape: Shape = ()
    with_bias: bool | Initializer = False
    w_init: Initializer | None = None  # `uniform_fan_in`
    context: StepContext = dataclasses.field(default_factory=StepContext)
    name: str | None = None

    def kernel(self, inputs: int, dtype: DType = jnp.float32) -> jax.Array:
        """Return the parameter `w` for that many input features."""
        shape, init = (*self.kernel_shape, inputs, self.features), self.w_init or uniform_fan_in
        return hk.get_parameter("w", shape, dtype, init=init)

    def bias(self, inputs: int, dtype: DType = jnp.float32) -> jax.Array:
        """Return the parameter `b` for that many input features."""
        uniform = fan_in_initializer(math.prod(self.kernel_shape) * inputs)
        init = uniform if isinstance(self.with_bias, bool) else self.with_bias
        return hk.get_parameter("b", (self.features,), dtype, init=init)

    def __call__(self, x: jax.Array) -> jax.Array:
        return add_maps((self, x))

    def adjoint(self, y: jax.Array, inputs: int) -> jax.Array:
        """Return W^T y, `(B, *S, features)` to `(B, *S, inputs)`: <W x, y> = <x, W^T y> for every x; no bias."""

        def make_kernel() -> jax.Array:
            return transpose_kernel(self.kernel(inputs, y.dtype))

        return self.context.apply_kernel(f"{self.module_name}/adjoint", y, make_kernel, self.kernel_shape)


def add_maps(*terms: tuple[LinearMap, jax.Array]) -> jax.Array:
    """Return the sum of `linear(x)` over pairs `(linear, x)` of one kernel shape: one convolution of all inputs."""
    sizes = [(x.shape[-1], x.dtype) for _, x in terms]
    shape, products = terms[0][0].kernel_shape, terms[0][0].context.products
    if math.prod(shape) > 1:

        def make_kernel() -> jax.Array:
            return jnp.concatenate([linear.kernel(*size) for (linear, _), size in zip(terms, sizes)], -2)

        name = "+".join(linear.module_name for linear, _ in terms)
        y = products.convolve(name, jnp.concatenate([x for _, x in terms], -1), make_kernel)
    else:
        kernels = (linear.kernel(*size).reshape(size[0], linear.features) for (linear, _), size in zip(terms, sizes))
        y = functools.reduce(operator.add, (products.multiply(x, w) for (_, x), w in zip(terms, kernels)))
    for (linear, _), size in zip(terms, sizes):
        if linear.with_bias:
            y += linear.bias(*size)
    return y


class Downsample(hk.Module):
    """A k x k convolution of stride 2 without bias: `(B, h, w, I)` to `(B, ceil(h/2), ceil(w/2), features)`."""

    def __init__(self, features: int, kernel_size: int, name: str | None = None) -> None:
        super().__init__(name=name)
        self.features, self.kernel_size = features, kernel_size

    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        return convolve_same(x, hk.get_parameter("w", shape, x.dtype, init=uniform_fan_in), stride=2)


class Upsample(hk.Module):
    """The transposed convolution of `Downsample`: `(B, h, w, I)` to `(B, *output_size, features)`, no bias."""

    def __init__(self, features: int, kernel_size: int, name: str | None = None) -> None:
        super().__init__(name=name)
        self.features, self.kernel_size = features, kernel_size

    def __call__(self, x: jax.Array, output_size: Shape) -> jax.Array:
        k = self.kernel_size
        # PyTorch counts the outputs of a transposed convolution as its fan-in.
        init = fan_in_initializer(k * k * self.features)
        w = hk.get_parameter("w", (k, k, x.shape[-1], self.features), x.dtype, init=init)
        return convolve_transposed(x, w, output_size)


class FrameNorm(hk.Module):
    """Layer normalisation over rows, columns and features together, with a scale and an offset for each element.

    y = scale * (x - mean) / sqrt(variance + 1e-5) + offset, where scale and offset are `(h, w, F)`, or `(F,)` for
    vectors (Ba et al. 2016, as in the codes of the PredRNN papers). The parameters belong to the elements of a grid:
    they fit no other grid.
    """

    def __call__(self, x: jax.Array) -> jax.Array:
        axes = tuple(range(1, x.ndim))
        mean = x.mean(axes, keepdims=True)
        centred = x - mean
        variance = jnp.square(centred).mean(axes, keepdims=True)
        scale = hk.get_parameter("scale", x.shape[1:], x.dtype, init=jnp.ones)
        offset = hk.get_parameter("offset", x.shape[1:], x.dtype, init=jnp.zeros)
        return scale * centred * jax.lax.rsqrt(variance + 1e-5) + offset


@dataclasses.dataclass(eq=False)
class NormedMap(LinearMap):
    """The map N(W x), where N is `FrameNorm` with `layer_norm`, else the identity."""

    layer_norm: bool = dataclasses.field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.norm = FrameNorm(name="norm") if self.layer_norm else None

    def __call__(self, x: jax.Array) -> jax.Array:
        y = super().__call__(x)
        return self.norm(y) if self.norm else y


def add_normed(*terms: tuple[NormedMap, jax.Array]) -> jax.Array:
    """Return the sum of `linear(x)` over pairs `(linear, x)`: one convolution where no map has a norm."""
    if any(linear.norm for linear, _ in terms):
        return functools.reduce(operator.add, (linear(x) for linear, x in terms))
    return add_maps(*terms)
