"""Kernels that a scan uses at every step.

A kernel is prepared once, before the scan. Forwards, a step tells what its convolutions give (their sums). Backwards,
it is replayed from these sums, without a convolution, and tells the inputs of the convolutions; with the gradients of
the sums they make the gradient of a kernel, of many steps at once.
"""

import contextlib
import contextvars
import functools
from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp

from predjax.kernels import winograd
from predjax.kernels.convolution import apply_filters, apply_turned, convolve_same, kernel_gradient, prepare

IMPLEMENTATIONS = ("auto", "direct", "winograd")


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def _replay(x, y, filters, plan):
    """y, which is the convolution of x; the gradient of y is what there is for that of the kernel."""
    del x, filters
    return y


def _replay_forward(x, y, filters, plan):
    return _replay(x, y, filters, plan), filters


def _replay_backward(plan, filters, dy):
    return apply_turned(dy, filters, plan), dy, jax.tree.map(jnp.zeros_like, filters)


_replay.defvjp(_replay_forward, _replay_backward)


class Kernel(NamedTuple):
    """What a scan does with a kernel at every step: the kernel, and the shape of its inputs."""

    w: jax.Array
    x_shape: tuple[int, ...]


class _Collector:
    """Runs a step for its kernels alone: convolutions give zeros."""

    dtype = None

    def __init__(self):
        self.kernels = {}

    def convolve(self, name, x, make_kernel):
        if name in self.kernels:
            raise ValueError(f"{name} convolves twice in a step: its gradient would be that of the second time alone")
        w = make_kernel()
        self.kernels[name] = Kernel(w, x.shape)
        return jnp.zeros((*x.shape[:-1], w.shape[-1]), x.dtype)


class SharedKernels:
    """Kernels that are the same at every step of a scan, prepared once before it.

    Args:
      kernels: by name, as `collect_kernels` finds them.
      implementation: of `IMPLEMENTATIONS`; anything but "auto" is for measurements.
      dtype: of the products and of the sums that are kept; None leaves that of the kernels. A step sees its own dtype.
    """

    def __init__(self, kernels: dict[str, Kernel], implementation="auto", dtype=None):
        if implementation not in IMPLEMENTATIONS:
            raise ValueError(f"convolution {implementation!r} is not one of {', '.join(IMPLEMENTATIONS)}")
        self.dtype, self.kernels = dtype, kernels
        self._plans = {}
        for name, (w, x_shape) in kernels.items():
            force = implementation == "winograd"
            self._plans[name] = None if implementation == "direct" else winograd.choose_plan(x_shape, w.shape, force)
        cast = {name: kernel.w.astype(dtype or kernel.w.dtype) for name, kernel in kernels.items()}
        self._filters = {name: prepare(w, self._plans[name]) for name, w in cast.items()}

    @contextlib.contextmanager
    def computed(self, given=None) -> Iterator[dict]:
        """In this block convolutions by name use the prepared kernels; gives the dict of their sums.

        A sum of the dict `given` is taken as it is.
        """
        step = _Computed(self, given or {})
        with _activated(step):
            yield step.sums

    @contextlib.contextmanager
    def replayed(self, sums: dict) -> Iterator[dict]:
        """In this block convolutions by name give their `sums`; gives the dict of their inputs.

        Differentiation reaches the inputs through the adjoint convolutions, and ends at the sums.
        """
        step = _Replayed(self, sums)
        with _activated(step):
            yield step.inputs

    def make_buffers(self, steps: int) -> tuple[dict, dict]:
        """Zeros for the inputs and for the gradients of the sums of that many steps, `(steps, B, h, w, channels)`."""
        inputs, gradients = {}, {}
        for name, (w, x_shape) in self.kernels.items():
            dtype = self.dtype or w.dtype
            inputs[name] = jnp.zeros((steps, *x_shape), dtype)
            gradients[name] = jnp.zeros((steps, *x_shape[:-1], w.shape[-1]), dtype)
        return inputs, gradients

    def gradients(self, inputs: dict, outputs: dict) -> dict:
        """The gradients of all kernels from inputs and gradients of sums of some steps, `(T, B, h, w, channels)`."""

        def gradient(name):
            w = self.kernels[name].w
            x, dy = (a.reshape(-1, *a.shape[2:]) for a in (inputs[name], outputs[name]))
            return kernel_gradient(x, dy, w.shape[0], self._plans[name]).astype(w.dtype)

        return {name: gradient(name) for name in inputs}


class _Computed:
    """A step that convolves."""

    def __init__(self, shared, given):
        self.shared, self.given, self.sums = shared, given, {}
        self.dtype = shared.dtype

    def convolve(self, name, x, make_kernel):
        del make_kernel
        shared = self.shared
        if name in self.given:
            y = self.given[name]
        else:
            y = apply_filters(x.astype(shared.dtype or x.dtype), shared._filters[name], shared._plans[name])
        self.sums[name] = y
        return y.astype(x.dtype)


class _Replayed:
    """A step whose convolutions are known."""

    def __init__(self, shared, sums):
        self.shared, self.sums, self.inputs = shared, sums, {}
        self.dtype = shared.dtype

    def convolve(self, name, x, make_kernel):
        del make_kernel
        shared, dtype = self.shared, x.dtype
        self.inputs[name] = x = x.astype(shared.dtype or dtype)
        return _replay(x, self.sums[name], shared._filters[name], shared._plans[name]).astype(dtype)


_active: contextvars.ContextVar[_Collector | _Computed | _Replayed | None] = contextvars.ContextVar(
    "active", default=None
)


@contextlib.contextmanager
def _activated(step):
    token = _active.set(step)
    try:
        yield
    finally:
        _active.reset(token)


def collect_kernels(step, *arguments) -> dict[str, Kernel]:
    """The kernels that `step(*arguments)` convolves with, by name."""
    collector = _Collector()
    with _activated(collector):
        step(*arguments)
    return collector.kernels


def convolve_shared(name: str, x, make_kernel):
    """`convolve_same` of x with `make_kernel()`, prepared once where a scan shares it; `name` tells kernels apart."""
    active = _active.get()
    return convolve_same(x, make_kernel()) if active is None else active.convolve(name, x, make_kernel)


def multiply(x, w):
    """x @ w over the last axis, in the dtype that the scan around it asks for."""
    active = _active.get()
    if active is None:
        return x @ w
    dtype = active.dtype or jnp.result_type(x, w)
    y = _multiply(x.astype(dtype), w.astype(dtype))
    return y.astype(x.dtype) if active.dtype else y


@jax.custom_vjp
def _multiply(x, w):
    """x @ w. Its gradient of w is x^T dy: of (dy^T x)^T, as differentiation has it, XLA on CPUs makes a slow copy."""
    return x @ w


def _multiply_forward(x, w):
    return x @ w, (x, w)


def _multiply_backward(residuals, dy):
    x, w = residuals
    leading = tuple(range(x.ndim - 1))
    return dy @ w.T, jnp.tensordot(x, dy, (leading, leading))


_multiply.defvjp(_multiply_forward, _multiply_backward)
