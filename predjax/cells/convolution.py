"""Convolutions with gradients of their own: fast on CPUs, also inside a scan.

XLA on CPU runs a convolution fast only when it reads NHWC and HWIO and writes NHWC. Inside a scan it does not
rewrite the other forms, so the gradients that automatic differentiation makes of a convolution take a path that is
an order of magnitude slower. `convolve` therefore states its own gradients, each as a convolution of that form. Where
Winograd's filtering is cheaper (`cells.winograd`), CPUs use that; other platforms have their own convolution.

A kernel that a scan uses at every step is prepared once, before the scan, and its gradient is made once, after the
scan, from the inputs and output gradients of all steps: see `SharedKernels`.
"""

import contextlib
import contextvars
import functools
import math
from collections.abc import Iterator
from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from predjax.cells import winograd

IMPLEMENTATIONS = ("auto", "direct", "winograd")
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
    plan = winograd.choose_plan(x.shape, w.shape) if stride == 1 else None
    if plan is None:
        return convolve(x, w, stride, ((k // 2, k // 2),) * 2)
    return _convolve_planned(x, w, plan)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _convolve_planned(x, w, plan):
    return _apply(x, prepare(w, plan), plan)


def _planned_forward(x, w, plan):
    return _convolve_planned(x, w, plan), (x, w)


def _planned_backward(plan, residuals, dy):
    x, w = residuals
    return _apply(dy, prepare(turn(w), plan), plan), kernel_gradient(x, dy, plan.k, plan)


_convolve_planned.defvjp(_planned_forward, _planned_backward)


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


def prepare(w, plan: winograd.Plan | None) -> Filters:
    """What is worth doing once for a kernel that is used many times."""
    if plan is None:
        return Filters(w, ())

    def transform(w):
        return winograd.transform_filters(_widen(w), plan)

    def leave_out(w):
        return jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), jax.eval_shape(transform, w))

    return Filters(w, jax.lax.platform_dependent(w, cpu=transform, default=leave_out))


def _apply(x, filters, plan):
    """The SAME convolution of x with prepared filters; no gradients are defined for it."""
    k = filters.kernel.shape[0]
    pads = ((k // 2, k // 2),) * 2
    if plan is None:
        return convolve(x, filters.kernel, 1, pads)
    return jax.lax.platform_dependent(
        x,
        filters,
        cpu=lambda x, filters: winograd.convolve(_widen(x), filters.groups, plan).astype(x.dtype),
        default=lambda x, filters: _correlate(x, filters.kernel, 1, pads, 1, 1),
    )


def kernel_gradient(x, dy, k: int, plan: winograd.Plan | None):
    """The gradient of a k x k kernel of a SAME convolution, from x `(N, H, W, I)` and dy `(N, H, W, O)`."""
    pads = ((k // 2, k // 2),) * 2

    def on_cpu(x, dy):
        if plan is not None:
            return winograd.filter_gradient(_widen(x), _widen(dy), plan).astype(x.dtype)
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


@functools.partial(jax.custom_vjp, nondiff_argnums=(4,))
def _convolve_tapped(x, tap, filters, turned, plan):
    """The convolution plus `tap`, an array of zeros whose gradient is that of the output; none for the kernel."""
    del turned
    return _apply(x, filters, plan) + tap


def _tapped_forward(x, tap, filters, turned, plan):
    return _convolve_tapped(x, tap, filters, turned, plan), (filters, turned)


def _tapped_backward(plan, residuals, dy):
    filters, turned = residuals
    zeros = jax.tree.map(jnp.zeros_like, (filters, turned))
    return _apply(dy, turned, plan), dy, *zeros


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
            return _apply(x, filters, plan).astype(dtype)
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
