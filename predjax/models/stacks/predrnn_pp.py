"""The stack of PredRNN++ (Wang et al. 2018): causal LSTMs with a gradient highway between the first two."""

from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from predjax.cells import GHU, CausalLSTM
from predjax.cells.causal_lstm import CausalLSTMState
from predjax.cells.context import StepContext
from predjax.cells.linear import LinearMap
from predjax.models.config import ModelConfig
from predjax.models.stacks.base import StackOutput
from predjax.models.stacks.layered import choose_kernel
from predjax.models.stacks.noise import make_noise


class PredRNNPPState(NamedTuple):
    """The states of all layers of the stack."""

    layers: tuple[tuple[jax.Array, jax.Array], ...]  # H and C of each causal LSTM
    memory: jax.Array  # M of the top layer
    highway: jax.Array  # z of the gradient highway unit


class PredRNNPP(hk.RNNCore):
    """Causal LSTMs with a gradient highway unit between the first two, as PredRNN++ stacks them.

        H_1 = LSTM(x)    z' = GHU(H_1, z)    H_2 = LSTM(z')    H_l = LSTM(H_{l-1}) for l > 2

    Wang et al. (2018), arXiv:1804.06300, eq. 3. The prediction is W H_L, with the same W for every patch. M passes
    through the layers as in PredRNN: upwards within a step, from the top to the bottom at the next one.

    Inputs `(B, h, w, features)`; outputs `StackOutput`.
    """

    def __init__(self, config: ModelConfig, grid: tuple[int, int], context: StepContext) -> None:
        super().__init__(name="predrnn_pp")
        self.context = context
        features, kernel = config.num_hidden[0], choose_kernel(config)
        options: Any = {"layer_norm": config.layer_norm, "context": context}
        self.cells = [
            CausalLSTM(features, grid, kernel, **config.options, **options, name=f"cell_{layer}")
            for layer in range(len(config.num_hidden))
        ]
        self.highway = GHU(features, grid, kernel, **options, name="highway")
        self.noise = make_noise(config, context)
        self.head = LinearMap(config.head_features, context=context, name="head")

    def initial_state(self, batch_size: int) -> PredRNNPPState:
        """Return zeros."""
        states = [cell.initial_state(batch_size) for cell in self.cells]
        layers = tuple((s.hidden, s.cell) for s in states)
        return PredRNNPPState(layers, states[0].memory, self.highway.initial_state(batch_size))

    def __call__(self, inputs: jax.Array, state: PredRNNPPState) -> tuple[StackOutput, PredRNNPPState]:
        below, memory, highway, layers = inputs, state.memory, state.highway, []
        for layer, (cell, noise, (h, c)) in enumerate(zip(self.cells, self.noise, state.layers)):
            _, new = cell(below, CausalLSTMState(h, c, memory))
            below, memory = noise(new.hidden), new.memory
            layers.append((new.hidden, new.cell))
            if layer == 0:
                below, highway = self.highway(below, highway)
        return StackOutput(self.head(below), jnp.zeros(())), PredRNNPPState(tuple(layers), memory, highway)
