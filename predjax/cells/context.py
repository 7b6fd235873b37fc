"""The context of a step: its products, its constants (arrays that follow from parameters), its random draws."""

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from predjax.kernels.shared import MakeKernel, Products

ALL_STEPS = 2**31 - 1  # folded into a key, which so differs from the keys of steps, numbered from 0


class BatchKey(NamedTuple):
    """The random key of a batch or step, from which the keys of its samples are derived.

    `first_sample` is the number of the batch's first sample in the global batch. `all_steps` is the key of draws that
    are the same at all steps; `at` makes it.
    """

    key: jax.Array
    first_sample: jax.Array | int = 0
    all_steps: jax.Array | None = None

    def at(self, step: jax.Array | int) -> "BatchKey":
        """Return the key of a step."""
        return BatchKey(jax.random.fold_in(self.key, step), self.first_sample, jax.random.fold_in(self.key, ALL_STEPS))


def draw_samples(
    draw: Callable[[jax.Array], jax.Array],
    batch_size: int,
    first_sample: jax.Array | int = 0,
    key: jax.Array | None = None,
) -> jax.Array | None:
    """Call `draw` with the random key of each sample and return the results `(B, ...)`; None without a key.

    The keys of the samples are derived from `key`, by default Haiku's next key, and from their numbers in the global
    batch: draws do not change with the number of devices.
    """
    key = hk.maybe_next_rng_key() if key is None else key
    if key is None:
        return None
    numbers = first_sample + jnp.arange(batch_size)
    return jax.vmap(draw)(jax.vmap(jax.random.fold_in, (None, 0))(key, numbers))


@dataclasses.dataclass(eq=False)
class StepContext:
    """The arrays and operations that a step uses besides its inputs, its state and its parameters.

    The cells and linear maps of a step share one context; it reaches them through their constructors. `products` are
    the step's convolutions and matrix products; a scan with prepared kernels passes its own. `constants` are arrays by
    name that follow from parameters alone and are the same at all steps; None if each step makes its own.
    """

    products: Products = dataclasses.field(default_factory=Products)
    constants: dict[str, jax.Array] | None = None
    first_sample: jax.Array | int = 0  # the number of the batch's first sample in the global batch
    all_steps: jax.Array | None = None  # the random key of what is the same at all steps; None without draws
    penalises: bool = True  # whether a stack adds the penalty of its increments; else the unroll does, for all steps

    def apply_kernel(
        self, name: str, x: jax.Array, make_kernel: MakeKernel, kernel_shape: Sequence[int] = ()
    ) -> jax.Array:
        """Return W x with the kernel `(*kernel_shape, I, O)` that `make_kernel()` gives.

        A step may use a name once. A kernel that a step needs twice has two names, and its gradient is their sum.
        """
        if math.prod(kernel_shape) > 1:
            return self.products.convolve(name, x, make_kernel)
        w = make_kernel()
        return self.products.multiply(x, w.reshape(w.shape[-2:]))

    def constant(self, name: str, make: Callable[[], jax.Array]) -> jax.Array:
        """Return `make()`, or the constant made before under that name; `make` depends on parameters alone."""
        if self.constants is None:
            return make()
        if name not in self.constants:
            self.constants[name] = make()
        return self.constants[name]

    @contextlib.contextmanager
    def share_constants(self) -> Iterator[None]:
        """Make each constant only once in this block.

        A constant belongs to the trace that makes it: call the cell outside a scan first, and the steps inside find it.
        """
        before, self.constants = self.constants, {}
        try:
            yield
        finally:
            self.constants = before

    def draw(self, draw: Callable[[jax.Array], jax.Array], batch_size: int) -> jax.Array | None:
        """Return random draws for each sample of the batch, see `draw_samples`."""
        return draw_samples(draw, batch_size, self.first_sample)

    def draw_once(self, draw: Callable[[jax.Array], jax.Array], batch_size: int) -> jax.Array | None:
        """Return random draws for each sample that are the same at all steps; None without random draws."""
        if self.all_steps is None:
            return None
        return draw_samples(draw, batch_size, self.first_sample, self.all_steps)

    def drop(self, x: jax.Array, rate: float) -> jax.Array:
        """Return dropout of x `(B, ...)`: 0 with probability `rate`, else x / (1 - rate); x without a random key."""
        kept = self.draw(lambda key: jax.random.bernoulli(key, 1 - rate, x.shape[1:]), len(x)) if rate else None
        return x if kept is None else jnp.where(kept, x / (1 - rate), 0)
