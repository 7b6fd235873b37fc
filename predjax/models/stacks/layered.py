"""Layers of any recurrent cell between an embedding of the patches and a linear head."""

import haiku as hk
import jax
import jax.numpy as jnp

from predjax.cells.context import StepContext
from predjax.cells.linear import LinearMap
from predjax.models.catalogue import load
from predjax.models.config import ModelConfig
from predjax.models.stacks.base import StackOutput


def choose_kernel(config: ModelConfig) -> tuple[int, ...]:
    """Return the `kernel_shape` of a model's cells; () where every patch is on its own."""
    return (config.filter_size,) * 2 if config.filter_size > 1 else ()


class Layered(hk.RNNCore):
    """x_0 = E p + e, x_l = cell_l(x_{l-1}), prediction W x_L + b: layers of the model's cell.

    E and W are the same for every patch. Inputs p `(B, h, w, features)`; outputs `StackOutput`, whose penalty is the
    sum of the penalties of the cells; the state holds the states of all cells.
    """

    def __init__(self, config: ModelConfig, grid: tuple[int, int], context: StepContext) -> None:
        super().__init__(name=config.model_name)
        self.context = context
        make_cell, kernel, options = load(config.spec.cell), choose_kernel(config), config.options
        if config.layer_norm:
            options["layer_norm"] = True
        self.embed = LinearMap(config.num_hidden[0], with_bias=True, context=context, name="embed")
        self.cells = [
            make_cell(features, grid, kernel, **options, context=context, name=f"cell_{layer}")
            for layer, features in enumerate(config.num_hidden)
        ]
        self.head = LinearMap(config.head_features, with_bias=True, context=context, name="head")

    def initial_state(self, batch_size: int) -> tuple:
        """Return the initial states of all cells."""
        return tuple(cell.initial_state(batch_size) for cell in self.cells)

    def __call__(self, inputs: jax.Array, state: tuple) -> tuple[StackOutput, tuple]:
        hidden, states, penalty = self.embed(inputs), [], jnp.zeros(())
        for cell, before in zip(self.cells, state):
            hidden, after = cell(hidden, before)
            states.append(after)
            if hasattr(cell, "penalty"):
                penalty += cell.penalty()
        return StackOutput(self.head(hidden), penalty), tuple(states)
