"""Layers of any recurrent cell between an embedding of the patches and a linear head."""

from collections.abc import Sequence
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from predjax.cells.context import StepContext
from predjax.cells.linear import LinearMap
from predjax.models.catalogue import load
from predjax.models.config import ModelConfig
from predjax.models.stacks.base import StackOutput
from predjax.models.stacks.noise import make_noise


def choose_kernel(config: ModelConfig) -> tuple[int, ...]:
    """Return the `kernel_shape` of a model's cells; () where every patch is on its own."""
    return (config.filter_size,) * 2 if config.filter_size > 1 else ()


class Layered(hk.RNNCore):
    """Layers of the model's cell between an embedding E p + e of the patches p and the prediction W x_L + b.

        x_0 = E p + e    x_l = cell_l(x_{l-1}) for l = 1 ... L

    E, e, W and b are the same for every patch. Inputs are patches `(B, h, w, features)`, outputs `StackOutput`, whose
    penalty is the sum of the penalties of the cells. The state is the tuple of the states of the cells.
    """

    def __init__(self, config: ModelConfig, grid: tuple[int, int], context: StepContext) -> None:
        super().__init__(name=config.model_name)
        self.context = context
        self.embed = LinearMap(config.num_hidden[0], with_bias=True, context=context, name="embed")
        norm: dict[str, Any] = {"layer_norm": True} if config.layer_norm else {}
        self.cells = self.make_cells(config, grid, config.options | norm)
        self.noise = make_noise(config, context)
        self.head = LinearMap(config.head_features, with_bias=True, context=context, name="head")

    @hk.transparent
    def make_cells(self, config: ModelConfig, grid: tuple[int, int], options: dict[str, Any]) -> Sequence[Any]:
        """Make the cells of all layers, with the options."""
        make_cell, kernel = load(config.spec.cell), choose_kernel(config)
        return [
            make_cell(features, grid, kernel, **options, context=self.context, name=f"cell_{layer}")
            for layer, features in enumerate(config.num_hidden)
        ]

    def initial_state(self, batch_size: int) -> tuple:
        """Return the initial states of all cells."""
        return tuple(cell.initial_state(batch_size) for cell in self.cells)

    def __call__(self, inputs: jax.Array, state: tuple) -> tuple[StackOutput, tuple]:
        hidden, states, penalty = self.embed(inputs), [], jnp.zeros(())
        for cell, noise, before in zip(self.cells, self.noise, state):
            hidden, after = cell(hidden, before)
            hidden = noise(hidden)
            states.append(after)
            if hasattr(cell, "penalty"):
                penalty += cell.penalty()
        return StackOutput(self.head(hidden), penalty), tuple(states)
