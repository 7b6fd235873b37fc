"""A layer of material points as a stack: strains in, scaled stresses out."""

import haiku as hk
import jax.numpy as jnp

from predjax.cells.context import StepContext
from predjax.cells.physical import Physical
from predjax.models.config import ModelConfig
from predjax.models.stacks.base import StackOutput


class PhysicalStack(hk.RNNCore):
    """`Physical` with as many points as `num_hidden` says, at every pixel of a map.

    Inputs are strains `(B, h, w, 3)` as they are, never scaled: materials know what a strain is. Outputs are
    `StackOutput`, stresses in the frames' unit scaled as frames are; `unroll` takes `(B, T, h, w, 3)`.
    """

    def __init__(self, config: ModelConfig, grid: tuple[int, int], context: StepContext, name=None):
        super().__init__(name=name or "physical")
        self.context = context
        self.scaling = config.scaling
        self.cell = Physical(config.num_hidden[0], grid, **config.options, context=context, name="cell")

    def initial_state(self, batch_size):
        """Points that were never strained."""
        return self.cell.initial_state(batch_size)

    def _run(self, run, strain, state):
        stress, state = run(strain, state)
        return StackOutput(self.scaling.scale(stress), jnp.zeros(())), state

    def __call__(self, inputs, state):
        return self._run(self.cell, inputs, state)

    def unroll(self, inputs, state):
        """All steps at once, as `predjax.unroll`."""
        return self._run(self.cell.unroll, inputs, state)
