"""A scan of steps that share kernels, for devices on which each operation has to be launched, which takes time.

It computes the same as `kernels.scan` in fewer and larger operations. All arrays that a step keeps lie in one vector,
so that one copy stores them. Matrix products are treated like convolutions: their results are kept, and their gradients
are computed for all steps at once. The inputs of all products are computed from the kept arrays for all steps at once;
the steps of the backward pass then only give the gradients of the sums.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from predjax.kernels.carries import fold, join, take_moving
from predjax.kernels.execution import Execution
from predjax.kernels.shared import Arrays, ComputedProducts, Kernel, ReplayedProducts, SharedKernels


class Packing(NamedTuple):
    """The places of the arrays of a tree in one vector for each dtype."""

    structure: Any
    leaves: tuple[jax.ShapeDtypeStruct, ...]

    @property
    def tree(self) -> Any:
        """The shapes of the arrays."""
        return jax.tree.unflatten(self.structure, self.leaves)

    def pack(self, tree: Any) -> list[jax.Array]:
        """Return the vectors of the arrays."""
        arrays = jax.tree.leaves(tree)
        return [jnp.concatenate([arrays[n].reshape(-1) for n in group]) for group in self._groups()]

    def unpack(self, vectors: list[jax.Array]) -> Any:
        """Return the arrays of vectors `(..., n)`, each with their leading axes."""
        arrays: list[Any] = [None] * len(self.leaves)
        for vector, group in zip(vectors, self._groups()):
            start = 0
            for n in group:
                size = math.prod(self.leaves[n].shape)
                part = jax.lax.slice_in_dim(vector, start, start + size, axis=-1)
                arrays[n] = part.reshape(*vector.shape[:-1], *self.leaves[n].shape)
                start += size
        return jax.tree.unflatten(self.structure, arrays)

    def _groups(self) -> list[list[int]]:
        groups: dict[Any, list[int]] = {}
        for n, leaf in enumerate(self.leaves):
            groups.setdefault(leaf.dtype, []).append(n)
        return list(groups.values())


def make_packing(tree: Any) -> Packing:
    """Make the packing of trees like this one, of arrays or their shapes."""
    leaves, structure = jax.tree.flatten(tree)
    return Packing(structure, tuple(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves))


def scan_packed(
    step: Callable[..., tuple[Any, Any]], kernels: dict[str, Kernel], execution: Execution, sequence: Any
) -> Any:
    """Return the outputs of all steps, time-major; arguments as for `scan.scan_shared`."""
    steps = len(jax.tree.leaves((sequence.inputs, sequence.masks))[0])
    numbers = jnp.arange(steps)

    def share(arrays: Arrays) -> SharedKernels:
        return SharedKernels({name: Kernel(w, kernels[name].x_shape) for name, w in arrays.items()}, execution)

    def run_step(shared: SharedKernels, sequence: Any, carry: Any, at: Any) -> tuple[Any, Any, Arrays]:
        t, x, mask = at
        products = ComputedProducts(shared)
        new, outputs = step(products, sequence.params, fold(sequence.key, t), carry, x, mask)
        return new, outputs, products.sums

    def packings(sequence: Any, shared: SharedKernels) -> tuple[Packing, Packing]:
        """Return the packings of the carry and the outputs of a step, and of its sums."""
        at = jax.tree.map(lambda a: a[0], (numbers, sequence.inputs, sequence.masks))
        new, outputs, sums = jax.eval_shape(lambda *given: run_step(shared, sequence, *given), sequence.first, at)
        return make_packing((new, outputs)), make_packing(sums)

    @jax.custom_vjp
    def run(sequence: Any, arrays: Arrays) -> Any:
        shared = share(arrays)

        def body(carry: Any, at: Any) -> tuple[Any, Any]:
            return run_step(shared, sequence, carry, at)[:2]

        return jax.lax.scan(body, sequence.first, (numbers, sequence.inputs, sequence.masks))[1]

    def forward(sequence: Any, arrays: Arrays) -> tuple[Any, Any]:
        shared, window = share(arrays), (numbers, sequence.inputs, sequence.masks)

        def body(state: Any, at: Any) -> tuple[Any, Any]:
            carry, rows = state
            new, outputs, computed = run_step(shared, sequence, carry, at)
            # The next row has the carry that this step gives: to keep the carry that it takes would copy it first.
            rows = _set_row(rows, at[0] + 1, kept.pack((new, outputs)))
            return (new, rows), sums.pack(computed)

        kept, sums = packings(sequence, shared)
        start = kept.pack((sequence.first, jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), kept.tree[1])))
        rows = _set_row([jnp.zeros((steps + 1, *row.shape), row.dtype) for row in start], 0, start)
        (_, rows), kept_sums = jax.lax.scan(body, (sequence.first, rows), window)
        outputs = kept.unpack([row[1:] for row in rows])[1]
        return outputs, (arrays, sequence, rows, kept_sums)

    def backward(residuals: Any, doutputs: Any) -> tuple[Any, Arrays]:
        arrays, sequence, rows, kept_sums = residuals
        params, key, first, inputs, masks = sequence
        shared = share(arrays)
        kept, sums = packings(sequence, shared)

        def see(at: Any) -> Arrays:
            """Return the inputs of the products of a step."""
            (t, x, mask), row, computed = at
            products = ReplayedProducts(shared, sums.unpack(computed))
            step(products, params, fold(key, t), kept.unpack(row)[0], x, mask)
            return products.inputs

        def pull_step(state: Any, at: Any) -> tuple[Any, Any]:
            (dparams, dcarry, results), ((t, x, mask), dout) = state, at
            carry, _ = kept.unpack(_take_row(rows, t))
            # The row is copied, so that its gradient can take its place.
            given = sums.unpack(jax.lax.optimization_barrier(_take_row(results, t)))

            def replay(params: Any, sums: Arrays, moving: list[jax.Array], x: Any) -> tuple[Any, Any]:
                products = ReplayedProducts(shared, sums)
                new, outputs = step(products, params, fold(key, t), join(carry, moving), x, mask)
                return take_moving(new), outputs

            _, pull = jax.vjp(replay, params, given, take_moving(carry), x)
            more, dsums, dcarry, dx = pull((dcarry, dout))
            dparams = jax.tree.map(jnp.add, dparams, more)
            return (dparams, dcarry, _set_row(results, t, sums.pack(dsums))), dx

        window = numbers, inputs, masks
        seen = jax.vmap(see)((window, [row[:-1] for row in rows], kept_sums))
        seen, kept_sums = jax.lax.optimization_barrier((seen, kept_sums))  # seen before gradients overwrite the sums
        state = *jax.tree.map(jnp.zeros_like, (params, take_moving(first))), kept_sums
        (dparams, dfirst, dsums), dinputs = jax.lax.scan(pull_step, state, (window, doutputs), reverse=True)
        darrays = shared.gradients(seen, sums.unpack(dsums))
        dfirst = join(first, dfirst, lambda a: np.zeros(a.shape, jax.dtypes.float0))
        return sequence._replace(params=dparams, key=None, first=dfirst, inputs=dinputs, masks=None), darrays

    run.defvjp(forward, backward)
    return run(sequence, {name: kernel.w for name, kernel in kernels.items()})


def _set_row(arrays: list[jax.Array], n: Any, rows: list[jax.Array]) -> list[jax.Array]:
    return [jax.lax.dynamic_update_index_in_dim(a, row, n, 0) for a, row in zip(arrays, rows)]


def _take_row(arrays: list[jax.Array], n: jax.Array) -> list[jax.Array]:
    return [jax.lax.dynamic_index_in_dim(a, n, 0, keepdims=False) for a in arrays]
