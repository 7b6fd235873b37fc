"""Kernels that every step of a scan uses (`kernels.scan`): prepared once, before the first step.

In the forward pass a step records the result of each convolution (its sum). In the backward pass the step is replayed
from these sums, without a convolution, and records the inputs of the convolutions.
"""

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from predjax.kernels import winograd
from predjax.kernels.convolution import Filters, apply_filters, apply_turned, convolve_same, kernel_gradient, prepare
from predjax.kernels.execution import Execution

Arrays = dict[str, jax.Array]
MakeKernel = Callable[[], jax.Array]


class Kernel(NamedTuple):
    """A kernel `(k, k, I, O)`, or a matrix `(I, O)`, and the shape of its inputs `(B, H, W, I)`."""

    w: jax.Array
    x_shape: tuple[int, ...]


def _number_products() -> Iterator[str]:
    """Yield the names of the matrix products of a step, in their order."""
    return (f"product {n}" for n in itertools.count())


class Products:
    """The convolutions and matrix products of a step. Here each kernel is used as it is made."""

    def convolve(self, name: str, x: jax.Array, make_kernel: MakeKernel) -> jax.Array:
        """Return `convolve_same(x, make_kernel())`. A step may use each `name` once."""
        del name
        return convolve_same(x, make_kernel())

    def multiply(self, x: jax.Array, w: jax.Array) -> jax.Array:
        """Return x @ w over the last axis of x."""
        return x @ w


class KernelCollector(Products):
    """A collector of the kernels of a step; its convolutions return zeros.

    With `matrices` it takes the matrices of products as well, which must depend on parameters alone.
    """

    def __init__(self, matrices: bool = False) -> None:
        self.kernels: dict[str, Kernel] = {}
        self.matrices, self.names = matrices, _number_products()

    def convolve(self, name: str, x: jax.Array, make_kernel: MakeKernel) -> jax.Array:
        if name in self.kernels:
            raise ValueError(f"{name} convolves twice in a step: its gradient would be that of the second time alone")
        w = make_kernel()
        self.kernels[name] = Kernel(w, x.shape)
        return jnp.zeros((*x.shape[:-1], w.shape[-1]), x.dtype)

    def multiply(self, x: jax.Array, w: jax.Array) -> jax.Array:
        return self.convolve(next(self.names), x, lambda: w) if self.matrices else x @ w


class SharedKernels:
    """Kernels by name, from a `KernelCollector`, that are the same at every step of a scan and are prepared once.

    `execution` chooses the implementation of convolutions and the precision of products and sums, which a step sees in
    the dtype of its inputs.
    """

    def __init__(self, kernels: dict[str, Kernel], execution: Execution) -> None:
        self.kernels = kernels
        self.dtype: DTypeLike | None = jnp.bfloat16 if execution.precision == "bfloat16" else None
        self.tilings: dict[str, winograd.Tiling | None] = {}
        for name, (w, x_shape) in kernels.items():
            force = execution.convolution == "winograd"
            direct = execution.convolution == "direct"
            self.tilings[name] = None if direct or w.ndim == 2 else winograd.choose_tiling(x_shape, w.shape, force)
        cast = {name: kernel.w.astype(self.dtype or kernel.w.dtype) for name, kernel in kernels.items()}
        self.filters: dict[str, Filters] = {name: prepare(w, self.tilings[name]) for name, w in cast.items()}

    def make_buffers(self, steps: int) -> tuple[Arrays, Arrays]:
        """Return zeros `(steps, B, h, w, channels)` for the inputs and the output gradients of each kernel."""
        inputs, gradients = {}, {}
        for name, (w, x_shape) in self.kernels.items():
            dtype = self.dtype or w.dtype
            inputs[name] = jnp.zeros((steps, *x_shape), dtype)
            gradients[name] = jnp.zeros((steps, *x_shape[:-1], w.shape[-1]), dtype)
        return inputs, gradients

    def gradients(self, inputs: Arrays, dsums: Arrays) -> Arrays:
        """Return the gradients of all kernels, given inputs and gradients of sums `(T, B, h, w, channels)`."""

        def gradient(name: str) -> jax.Array:
            w = self.kernels[name].w
            if w.ndim == 2:
                return _multiply_transposed(inputs[name], dsums[name]).astype(w.dtype)
            x, dy = (a.reshape(-1, *a.shape[2:]) for a in (inputs[name], dsums[name]))
            return kernel_gradient(x, dy, w.shape[0], self.tilings[name]).astype(w.dtype)

        return {name: gradient(name) for name in inputs}


class _PreparedProducts(Products):
    """The matrix products of a step, in the precision of its prepared kernels."""

    def __init__(self, shared: SharedKernels) -> None:
        self.shared, self.names = shared, _number_products()

    def multiply(self, x: jax.Array, w: jax.Array) -> jax.Array:
        name = next(self.names)
        if name in self.shared.kernels:
            return self.convolve(name, x, lambda: w)
        dtype = self.shared.dtype or jnp.result_type(x, w)
        y = _multiply(x.astype(dtype), w.astype(dtype))
        return y.astype(x.dtype) if self.shared.dtype else y


class ComputedProducts(_PreparedProducts):
    """Convolutions with prepared kernels that record their `sums`; a sum in `given` is not computed again."""

    def __init__(self, shared: SharedKernels, given: Arrays | None = None) -> None:
        super().__init__(shared)
        self.given = given or {}
        self.sums: Arrays = {}

    def convolve(self, name: str, x: jax.Array, make_kernel: MakeKernel) -> jax.Array:
        shared = self.shared
        if name in self.given:
            y = self.given[name]
        else:
            y = apply_filters(x.astype(shared.dtype or x.dtype), shared.filters[name], shared.tilings[name])
        self.sums[name] = y
        return y.astype(x.dtype)


class ReplayedProducts(_PreparedProducts):
    """Products that return known `sums` in the place of convolutions, and record the `inputs`.

    Differentiation reaches the inputs through the adjoint convolutions, and ends at the sums.
    """

    def __init__(self, shared: SharedKernels, sums: Arrays) -> None:
        super().__init__(shared)
        self.sums = sums
        self.inputs: Arrays = {}

    def convolve(self, name: str, x: jax.Array, make_kernel: MakeKernel) -> jax.Array:
        shared, dtype = self.shared, x.dtype
        self.inputs[name] = x = x.astype(shared.dtype or dtype)
        return _replay(x, self.sums[name], shared.filters[name], shared.tilings[name]).astype(dtype)


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def _replay(x: jax.Array, y: jax.Array, filters: Filters, tiling: winograd.Tiling | None) -> jax.Array:
    """Return y, a known convolution of x. Its gradient goes through the adjoint to x, and unchanged to y."""
    del x, filters
    return y


def _replay_backward(
    tiling: winograd.Tiling | None, filters: Filters, dy: jax.Array
) -> tuple[jax.Array, jax.Array, Filters]:
    return apply_turned(dy, filters, tiling), dy, jax.tree.map(jnp.zeros_like, filters)


_replay.defvjp(lambda x, y, filters, tiling: (_replay(x, y, filters, tiling), filters), _replay_backward)


@jax.custom_vjp
def _multiply(x: jax.Array, w: jax.Array) -> jax.Array:
    """Return x @ w. The gradient of w is x^T dy; automatic differentiation has (dy^T x)^T, a slow copy on CPUs."""
    return x @ w


def _multiply_backward(residuals: tuple[jax.Array, jax.Array], dy: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, w = residuals
    return dy @ w.T, _multiply_transposed(x, dy)


_multiply.defvjp(lambda x, w: (x @ w, (x, w)), _multiply_backward)


def _multiply_transposed(x: jax.Array, dy: jax.Array) -> jax.Array:
    """Return x^T dy over all axes but the last."""
    leading = tuple(range(x.ndim - 1))
    return jnp.tensordot(x, dy, (leading, leading))
