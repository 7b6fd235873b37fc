"""The common base of the cells: sizes, an initial state of zeros, and the loop over the steps of a sequence."""

import dataclasses
from typing import Any, ClassVar

import haiku as hk
import jax
import jax.numpy as jnp

from predjax.cells.context import StepContext
from predjax.cells.linear import DType, Initializer, LinearMap, NormedMap, Shape
from predjax.cells.options import check_count, check_fields


@dataclasses.dataclass(eq=False)
class RecurrentCell(hk.RNNCore):
    """The base class of cells, which turn inputs `(B, *S, I)` and a state into real outputs `(B, *S, features)`.

    The fields of a cell are its options. `__post_init__` checks them and makes the linear maps. The state is an array
    `(B, *S, features)`, or a NamedTuple of such arrays, `state_type`.

    Attributes:
      features: number of outputs.
      spatial_shape: S, `(h, w)` of a map or () for vectors.
      kernel_shape: `(k, k)` with k odd where the linear maps are convolutions, () where each pixel is on its own.
      context: the context of the steps that the cell is part of, for all its linear maps; by default a new one.
    """

    features: int
    spatial_shape: Shape = ()
    kernel_shape: Shape = ()
    context: StepContext = dataclasses.field(default_factory=StepContext, kw_only=True)
    name: str | None = dataclasses.field(default=None, kw_only=True)
    state_type: ClassVar[Any] = None  # a type of NamedTuple

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("features", self.features)
        check_fields(self)
        self.spatial_shape, self.kernel_shape = tuple(self.spatial_shape), tuple(self.kernel_shape)
        if self.kernel_shape and (len(self.spatial_shape), len(self.kernel_shape)) != (2, 2):
            raise ValueError(f"a kernel {self.kernel_shape} needs a map (h, w), not spatial_shape {self.spatial_shape}")
        if any(k % 2 == 0 or k != self.kernel_shape[0] for k in self.kernel_shape):
            raise ValueError(f"kernel_shape must be (k, k) with k odd, not {self.kernel_shape}")

    @hk.transparent
    def linear(
        self, features: int, name: str, with_bias: bool | Initializer = False, w_init: Initializer | None = None
    ) -> LinearMap:
        """Return a `LinearMap` with the kernel shape and the context of the cell."""
        return LinearMap(features, self.kernel_shape, with_bias, w_init, self.context, name)

    @hk.transparent
    def normed(self, features: int, name: str, layer_norm: bool, with_bias: bool = False) -> NormedMap:
        """Return a `NormedMap` with the kernel shape and the context of the cell."""
        options: Any = {"context": self.context, "name": name, "layer_norm": layer_norm}
        return NormedMap(features, self.kernel_shape, with_bias, **options)

    def zeros(self, batch_size: int, features: int | None = None, dtype: DType = float) -> jax.Array:
        """Return zeros `(B, *S, features)`."""
        return jnp.zeros((batch_size, *self.spatial_shape, features or self.features), dtype)

    def initial_state(self, batch_size: int) -> Any:
        """Return zeros."""
        zeros = self.zeros(batch_size)
        return zeros if self.state_type is None else self.state_type(*[zeros] * len(self.state_type._fields))


def unroll(cell: hk.RNNCore, inputs: Any, state: Any) -> tuple[Any, Any]:
    """Run a cell over a sequence, step by step, inside a Haiku function.

    Inputs `(B, T, *S, I)`, or any tree of such arrays, become outputs `(B, T, *S, F)` and the state after the last
    step. `state` is the state before the first step: `cell.initial_state(B)`, or the last state of the sequence before.
    The cell is any `hk.RNNCore`. The constants of its `context`, arrays that follow from parameters alone, are made
    once.
    """
    with getattr(cell, "context", StepContext()).share_constants():
        cell(jax.tree.map(lambda a: a[:, 0], inputs), state)  # jit drops this step, except for its constants
        return hk.dynamic_unroll(cell, inputs, state, time_major=False)
