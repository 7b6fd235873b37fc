"""Kernels that a scan uses at every step.

A kernel is prepared once, before the scan, and its gradient is made once, after the scan, from the inputs and output
gradients of all steps: a step tells the inputs, and zeros added to the outputs (taps) get the output gradients.
"""

import contextlib
import contextvars
import functools
from collections.abc import Iterator
from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from predjax.cells import winograd
from predjax.cells.convolution import apply_filters, convolve_same, kernel_gradient, prepare, turn

IMPLEMENTATIONS = ("auto", "direct", "winograd")


@functools.partial(jax.custom_vjp, nondiff_argnums=(4,))
def _convolve_tapped(x, tap, filters, turned, plan):
    """The convolution plus `tap`, an array of zeros whose gradient is that of the output; none for the kernel."""
    del turned
    return apply_filters(x, filters, plan) + tap


def _tapped_forward(x, tap, filters, turned, plan):
    return _convolve_tapped(x, tap, filters, turned, plan), (filters, turned)


def _tapped_backward(plan, residuals, dy):
    filters, turned = residuals
    zeros = jax.tree.map(jnp.zeros_like, (filters, turned))
    return apply_filters(dy, turned, plan), dy, *zeros


_convolve_tapped.defvjp(_tapped_forward, _tapped_backward)


class Kernel(NamedTuple):
    """What a scan does with a kernel at every step: the kernel, and the shape of its inputs."""

    w: jax.Array
    x_shape: tuple[int, ...]


class _Collector:
    """Runs a step for its kernels alone: convolutions give zeros."""

    def __init__(self):
        self.kernels = {}
        self.dtype = None

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
      dtype: of the products; None leaves that of the inputs. Results have the dtype of the inputs.
      trains: whether inputs need gradients: then the adjoint kernels are prepared as well.
    """

    def __init__(self, kernels: dict[str, Kernel], implementation="auto", dtype=None, trains=False):
        if implementation not in IMPLEMENTATIONS:
            raise ValueError(f"convolution {implementation!r} is not one of {', '.join(IMPLEMENTATIONS)}")
        self.dtype, self._sizes = dtype, {name: kernel.w.shape[0] for name, kernel in kernels.items()}
        self._plans = {}
        for name, (w, x_shape) in kernels.items():
            force = implementation == "winograd"
            self._plans[name] = None if implementation == "direct" else winograd.choose_plan(x_shape, w.shape, force)
        cast = {name: kernel.w.astype(dtype or kernel.w.dtype) for name, kernel in kernels.items()}
        self._filters = {name: prepare(w, self._plans[name]) for name, w in cast.items()}
        self._turned = {name: prepare(turn(w), self._plans[name]) for name, w in cast.items()} if trains else None

    @contextlib.contextmanager
    def used(self, taps=None) -> Iterator[dict]:
        """In this block, convolutions by name use the prepared kernels; gives the dict of their inputs.

        `taps` are zeros of the shapes of the outputs by name: their gradients are those of the outputs.
        """
        step = _Step(self, taps)
        token = _active.set(step)
        try:
            yield step.inputs
        finally:
            _active.reset(token)

    def gradients(self, inputs: dict, outputs: dict) -> dict:
        """The gradients of all kernels from inputs and output gradients of all steps, `(T, B, h, w, channels)`."""

        def gradient(name):
            pair = (a.reshape(-1, *a.shape[2:]) for a in (inputs[name], outputs[name].astype(inputs[name].dtype)))
            return kernel_gradient(*pair, self._sizes[name], self._plans[name]).astype(outputs[name].dtype)

        return {name: gradient(name) for name in inputs}


class _Step:
    """One step of a scan with `SharedKernels`."""

    def __init__(self, shared, taps):
        self.shared, self.taps, self.inputs = shared, taps, {}
        self.dtype = shared.dtype

    def convolve(self, name, x, make_kernel):
        del make_kernel
        shared, dtype = self.shared, x.dtype
        x = x.astype(shared.dtype or dtype)
        filters, plan = shared._filters[name], shared._plans[name]
        if self.taps is None:
            return apply_filters(x, filters, plan).astype(dtype)
        self.inputs[name] = x
        return _convolve_tapped(x, self.taps[name].astype(x.dtype), filters, shared._turned[name], plan).astype(dtype)


_active: contextvars.ContextVar[_Collector | _Step | None] = contextvars.ContextVar("active", default=None)


def collect_kernels(step, *arguments) -> dict[str, Kernel]:
    """The kernels that `step(*arguments)` convolves with, by name."""
    collector = _Collector()
    token = _active.set(collector)
    try:
        step(*arguments)
    finally:
        _active.reset(token)
    return collector.kernels


def convolve_shared(name: str, x, make_kernel):
    """`convolve_same` of x with `make_kernel()`, prepared once where a scan shares it; `name` tells kernels apart."""
    active = _active.get()
    return convolve_same(x, make_kernel()) if active is None else active.convolve(name, x, make_kernel)


def checkpoint(function):
    """`hk.remat(function)`, which still tells the scan around it the inputs of its convolutions."""

    def rematerialised(*arguments):
        active = _active.get()
        if not isinstance(active, _Step):
            return function(*arguments)

        def inner(taps, *arguments):
            with active.shared.used(taps) as inputs:
                return function(*arguments), dict(inputs)

        result, inputs = hk.remat(inner)(active.taps, *arguments)
        active.inputs.update(inputs)
        return result

    return rematerialised


def multiply(x, w):
    """x @ w over the last axis, in the dtype that the scan around it asks for."""
    active = _active.get()
    if active is None or active.dtype is None:
        return x @ w
    return (x.astype(active.dtype) @ w.astype(active.dtype)).astype(x.dtype)
