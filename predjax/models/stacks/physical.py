"""A layer of material points as a stack, from strains to scaled stresses."""

from collections.abc import Callable
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from predjax.cells.context import StepContext
from predjax.cells.physical import Physical
from predjax.models.config import ModelConfig
from predjax.models.stacks.base import StackOutput


class PhysicalStack(hk.RNNCore):
    """`Physical` with `num_hidden` points at every pixel of a map.

    Inputs are strains `(B, h, w, 3)`, which are never scaled, because material laws need true strains. Outputs are
    `StackOutput`: stresses in the unit of the frames, scaled as frames are. `unroll` takes `(B, T, h, w, 3)`.
    """

    def __init__(self, config: ModelConfig, grid: tuple[int, int], context: StepContext) -> None:
        super().__init__(name="physical")
        self.context = context
        self.scaling = config.scaling
        self.cell = Physical(config.num_hidden[0], grid, **config.options, context=context, name="cell")

    def initial_state(self, batch_size: int) -> Any:
        """Return the state of points that have not been strained yet."""
        return self.cell.initial_state(batch_size)

    def _run(self, run: Callable, strain: jax.Array, state: Any) -> tuple[StackOutput, Any]:
        stress, state = run(strain, state)
        return StackOutput(self.scaling.scale(stress), jnp.zeros(())), state

    def __call__(self, inputs: jax.Array, state: Any) -> tuple[StackOutput, Any]:
        return self._run(self.cell, inputs, state)

    def unroll(self, inputs: jax.Array, state: Any) -> tuple[StackOutput, Any]:
        """Run all steps at once, as `predjax.unroll` does."""
        return self._run(self.cell.unroll, inputs, state)
