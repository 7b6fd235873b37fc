"""The common base of the cells: sizes, an initial state of zeros, and the loop over the steps of a sequence."""

from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from predjax.cells.context import StepContext
from predjax.cells.linear import DType, Initializer, LinearMap, NormedMap, Shape, uniform_fan_in
from predjax.cells.options import check_count


class RecurrentCell(hk.RNNCore):
    """`(inputs (B, *S, I), state) -> (outputs (B, *S, features), state)`, real outputs.

    Args:
      features: number of outputs.
      spatial_shape: S, `(h, w)` of a map or () for vectors.
      kernel_shape: `(k, k)` with k odd where the linear maps are convolutions, () where each pixel is on its own.
      context: the context of the steps that the cell is part of, for all its linear maps; by default a new one.
    """

    def __init__(
        self,
        features: int,
        spatial_shape: Shape = (),
        kernel_shape: Shape = (),
        context: StepContext | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.features, self.context = check_count("features", features), StepContext() if context is None else context
        self.spatial_shape, self.kernel_shape = tuple(spatial_shape), tuple(kernel_shape)
        if self.kernel_shape and (len(self.spatial_shape), len(self.kernel_shape)) != (2, 2):
            raise ValueError(f"a kernel {self.kernel_shape} needs a map (h, w), not spatial_shape {self.spatial_shape}")
        if any(k % 2 == 0 or k != self.kernel_shape[0] for k in self.kernel_shape):
            raise ValueError(f"kernel_shape must be (k, k) with k odd, not {self.kernel_shape}")

    @hk.transparent
    def linear(
        self, features: int, name: str, with_bias: bool | Initializer = False, w_init: Initializer = uniform_fan_in
    ) -> LinearMap:
        """Return a `LinearMap` with the kernel shape and the context of the cell."""
        return LinearMap(features, self.kernel_shape, with_bias, w_init, self.context, name)

    @hk.transparent
    def normed(self, features: int, name: str, layer_norm: bool, with_bias: bool = False) -> NormedMap:
        """Return a `NormedMap` with the kernel shape and the context of the cell."""
        return NormedMap(features, self.kernel_shape, with_bias, layer_norm, self.context, name)

    def zeros(self, batch_size: int, features: int | None = None, dtype: DType = float) -> jax.Array:
        """Return zeros `(B, *S, features)`."""
        return jnp.zeros((batch_size, *self.spatial_shape, features or self.features), dtype)

    def initial_state(self, batch_size: int) -> Any:
        """Return zeros."""
        return self.zeros(batch_size)


def unroll(cell: hk.RNNCore, inputs: Any, state: Any) -> tuple[Any, Any]:
    """Run all steps of a sequence, one after the other, inside a Haiku function.

    Args:
      cell: `(inputs (B, ...), state) -> (outputs (B, ...), state)`, as every `hk.RNNCore`. A cell with a `context`
        makes its constants, the arrays that follow from parameters alone, once.
      inputs: `(B, T, *S, I)`, or any tree of such arrays.
      state: `cell.initial_state(B)`, or the state after the sequence before.

    Returns:
      Outputs `(B, T, *S, F)` and the last state.
    """
    with getattr(cell, "context", StepContext()).share_constants():
        cell(jax.tree.map(lambda a: a[:, 0], inputs), state)  # jit drops this step, except for its constants
        return hk.dynamic_unroll(cell, inputs, state, time_major=False)
