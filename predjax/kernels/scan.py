"""A scan of steps that share kernels, with its own backward pass.

In the forward pass a step keeps its carry and the sums of its convolutions. In the backward pass the steps are replayed
from these in rounds: a round collects the inputs of the convolutions and the gradients of their sums for some steps,
and then computes the gradients of the kernels at once. To add up the gradient of a kernel at every step would read and
write all of it each time; to keep everything that a step computes, as automatic differentiation does, would take three
times the memory.

This is the scan of CPUs. Other devices have it where a step is computed again to save memory, and else the scan of
`kernels.packed_scan`.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from predjax import parallel
from predjax.kernels.carries import fold, join, take_moving
from predjax.kernels.execution import Execution
from predjax.kernels.packed_scan import scan_packed
from predjax.kernels.shared import Arrays, ComputedProducts, Kernel, ReplayedProducts, SharedKernels

ROUND_BYTES = 64 * 2**20  # inputs and gradients of a round: the longer a round, the fewer passes over the kernels


class Sequence(NamedTuple):
    """The arrays of a scan over T steps, each a tree."""

    params: Any  # the same at all steps
    key: Any  # the random key, or None; step t gets `key.at(t)`
    first: Any  # the first carry; counts in it get no gradients
    inputs: Any  # arrays `(T, ...)` that get gradients, at least one
    masks: Any  # arrays `(T, ...)` that get none


def packs(execution: Execution) -> bool:
    """Return whether `scan_shared` is `scan_packed`: on all devices but CPUs, where everything is kept."""
    return not _on_cpu(execution) and execution.remat == "none"


def _on_cpu(execution: Execution) -> bool:
    return parallel.find_platform(execution.platform) == "cpu"


def scan_shared(
    step: Callable[..., tuple[Any, Any]], kernels: dict[str, Kernel], execution: Execution, sequence: Sequence
) -> Any:
    """Return the outputs of all steps, time-major; the kernels of a step come from a `KernelCollector`.

    The step is `(products, params, key, carry, inputs, masks) -> (carry, outputs)`. It convolves and multiplies by
    `Products`, and its outputs are arrays of floats.
    """
    if packs(execution):
        return scan_packed(step, kernels, execution, sequence)
    arrays = {name: kernel.w for name, kernel in kernels.items()}
    kept, on_cpu = _choose_kept(kernels, execution.remat), _on_cpu(execution)
    steps = len(jax.tree.leaves((sequence.inputs, sequence.masks))[0])

    def share(arrays: Arrays) -> SharedKernels:
        return SharedKernels({name: Kernel(w, kernels[name].x_shape) for name, w in arrays.items()}, execution)

    def run_steps(sequence: Sequence, arrays: Arrays, keep: bool) -> tuple[Any, Any]:
        params, key, first, inputs, masks = sequence
        shared = share(arrays)

        def run_step(carry: Any, at: Any) -> tuple[Any, Any, Any]:
            index, x, mask = at
            products = ComputedProducts(shared)
            new, outputs = step(products, params, fold(key, index), carry, x, mask)
            return new, outputs, (carry, {name: products.sums[name] for name in kept}) if keep else None

        def body(state: Any, at: Any) -> tuple[Any, Any]:
            # The scan returns the outputs of the step before: XLA on CPUs writes them with one core, and would
            # compute the outputs of this step with one core as well.
            carry, before = state
            new, outputs, residuals = run_step(carry, at)
            return (new, outputs), (before, residuals)

        window = jnp.arange(steps), inputs, masks
        _, shapes, _ = jax.eval_shape(run_step, first, jax.tree.map(lambda a: a[0], window))
        none = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), shapes)
        (_, last), (before, residuals) = jax.lax.scan(body, (first, none), window)
        return jax.tree.map(lambda a, end: jnp.concatenate([a[1:], end[None]]), before, last), residuals

    @jax.custom_vjp
    def run(sequence: Sequence, arrays: Arrays) -> Any:
        return run_steps(sequence, arrays, False)[0]

    def forward(sequence: Sequence, arrays: Arrays) -> tuple[Any, Any]:
        outputs, residuals = run_steps(sequence, arrays, True)
        return outputs, (arrays, sequence._replace(first=None), residuals)

    def backward(residuals: Any, doutputs: Any) -> tuple[Sequence, Arrays]:
        arrays, (params, key, _, inputs, masks), (carries, sums) = residuals
        shared = share(arrays)
        length = _choose_round(shared, steps)

        def pull_step(t: jax.Array, dcarry: Any) -> tuple[Any, ...]:
            """Return the gradients of step t, and the inputs of its convolutions."""
            carry, given, x, mask, dout = jax.tree.map(lambda a: a[t], (carries, sums, inputs, masks, doutputs))
            own = fold(key, t)
            if len(given) < len(arrays):
                computed = ComputedProducts(shared, given)
                step(computed, params, own, carry, x, mask)
                given = computed.sums

            def replay(params: Any, sums: Arrays, moving: list[jax.Array], x: Any) -> tuple[Any, Arrays]:
                products = ReplayedProducts(shared, sums)
                new, outputs = step(products, params, own, join(carry, moving), x, mask)
                return (take_moving(new), outputs), products.inputs

            _, pull, seen = jax.vjp(replay, params, given, take_moving(carry), x, has_aux=True)
            return *pull((dcarry, dout)), seen

        def pull_round(state: Any, low: Any, high: Any, count: int | None = None) -> Any:
            dparams, darrays, dcarry, dinputs = state

            def body(i: jax.Array, state: Any) -> Any:
                dparams, dcarry, dinputs, buffers = state
                t = high - 1 - i
                more, dsums, dcarry, dx, seen = pull_step(t, dcarry)
                dparams = jax.tree.map(jnp.add, dparams, more)
                dinputs = jax.tree.map(lambda a, d: a.at[t].set(d), dinputs, dx)
                buffers = jax.tree.map(lambda a, new: a.at[t - low].set(new), buffers, (seen, dsums))
                return dparams, dcarry, dinputs, buffers

            state = dparams, dcarry, dinputs, shared.make_buffers(length)
            dparams, dcarry, dinputs, buffers = jax.lax.fori_loop(
                0, high - low if count is None else count, body, state
            )
            darrays = jax.tree.map(jnp.add, darrays, shared.gradients(*buffers))
            return dparams, darrays, dcarry, dinputs

        def pull_rounds(state: Any) -> Any:
            if on_cpu:

                def pull_next(state: Any, low: jax.Array) -> tuple[Any, None]:
                    return pull_round(state, low, jnp.minimum(low + length, steps)), None

                return jax.lax.scan(pull_next, state, jnp.arange(0, steps, length), reverse=True)[0]

            # A device would ask the host after every step whether a round of unknown length has ended.
            whole = steps - steps % length
            state = pull_round(state, whole, steps, steps - whole) if whole < steps else state
            lows = jnp.arange(0, whole, length)
            pull = lambda state, low: (pull_round(state, low, low + length, length), None)  # noqa: E731
            return jax.lax.scan(pull, state, lows, reverse=True)[0]

        dcarry = [jnp.zeros_like(a[0]) for a in take_moving(carries)]
        state = *jax.tree.map(jnp.zeros_like, (params, arrays)), dcarry, jax.tree.map(jnp.zeros_like, inputs)
        dparams, darrays, dfirst, dinputs = pull_rounds(state)
        dfirst = join(carries, dfirst, lambda a: np.zeros(a.shape[1:], jax.dtypes.float0))
        return Sequence(dparams, None, dfirst, dinputs, None), darrays

    run.defvjp(forward, backward)
    return run(sequence, arrays)


def _choose_kept(kernels: dict[str, Kernel], remat: str) -> tuple[str, ...]:
    """Return the kernels whose sums the forward pass keeps: all, about half of them in bytes, or none."""
    names = tuple(kernels)
    if remat == "cell":
        sizes = [math.prod(k.x_shape[:-1]) * k.w.shape[-1] for k in kernels.values()]
        return tuple(name for i, name in enumerate(names) if 2 * sum(sizes[: i + 1]) <= sum(sizes))
    return names if remat == "none" else ()


def _choose_round(shared: SharedKernels, steps: int) -> int:
    """Return the number of steps in a round: as many as fit, with rounds of about equal length."""
    size = sum(a.size * a.dtype.itemsize for a in jax.tree.leaves(jax.eval_shape(lambda: shared.make_buffers(1))))
    rounds = -(-steps // max(1, ROUND_BYTES // max(size, 1)))
    return -(-steps // rounds)
