"""Stacks of state-space blocks, run step by step or for all steps at once."""

from collections.abc import Callable
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from predjax.cells.linear import LinearMap
from predjax.cells.options import check_number
from predjax.cells.state_space import ConvS5
from predjax.models.config import ModelConfig
from predjax.models.stacks.base import StackOutput
from predjax.models.stacks.layered import Layered


class Block(hk.RNNCore):
    """A cell with the nonlinearity G that follows it in the papers, and a skip connection: x + drop(G(cell(N(x)))).

    N normalises the features of each pixel. G is a gated linear unit, G(y) = (W z + b) sigmoid(V z + c) with
    z = drop(gelu(y)) (Orvieto et al. 2023, Smith et al. 2023); for ConvS5 with the head "standard", which has a
    nonlinearity itself, G is the identity. drop sets elements to 0 with the probability `dropout`, in training only.

    Inputs and outputs are `(B, *S, F)`; in `unroll`, with all steps, `(B, T, *S, F)`.
    """

    def __init__(self, cell: Any, dropout: float = 0.0, name: str | None = None) -> None:
        super().__init__(name=name)
        self.cell, self.dropout = cell, check_number("dropout", dropout, low=0, high=0.99)
        self.norm = hk.LayerNorm(-1, create_scale=True, create_offset=True, name="norm")
        bends = isinstance(cell, ConvS5) and cell.head == "standard"
        self.gate = None if bends else LinearMap(2 * cell.features, (), True, context=cell.context, name="gate")

    def initial_state(self, batch_size: int) -> Any:
        """Return the initial state of the cell."""
        return self.cell.initial_state(batch_size)

    def _run(self, run: Callable, inputs: jax.Array, state: Any) -> tuple[jax.Array, Any]:
        outputs, state = run(self.norm(inputs), state)
        drop = self.cell.context.drop
        if self.gate:
            linear, gate = jnp.split(self.gate(drop(jax.nn.gelu(outputs), self.dropout)), 2, axis=-1)
            outputs = linear * jax.nn.sigmoid(gate)
        return inputs + drop(outputs, self.dropout), state

    def __call__(self, inputs: jax.Array, state: Any) -> tuple[jax.Array, Any]:
        return self._run(self.cell, inputs, state)

    def unroll(self, inputs: jax.Array, state: Any) -> tuple[jax.Array, Any]:
        """Run all steps at once, as `predjax.unroll` does."""
        return self._run(self.cell.unroll, inputs, state)


class StateSpaceStack(Layered):
    """Layers whose cells are `Block`s of the model's cell, all of the same width.

    `unroll` takes `(B, T, h, w, features)` and returns the outputs of all steps, by operations whose depth grows with
    the logarithm of T.
    """

    around_cells = (Block,)  # takes options as well

    @hk.transparent
    def make_cells(self, config: ModelConfig, grid: tuple[int, int], options: dict[str, Any]) -> list[Block]:
        dropout = options.pop("dropout", 0.0)
        cells = super().make_cells(config, grid, options)
        return [Block(cell, dropout, name=f"block_{i}") for i, cell in enumerate(cells)]

    def unroll(self, inputs: jax.Array, state: tuple) -> tuple[StackOutput, tuple]:
        """Run all steps at once, as `predjax.unroll` does."""
        hidden, states = self.embed(inputs), []
        for block, noise, before in zip(self.cells, self.noise, state):
            hidden, after = block.unroll(hidden, before)
            hidden = noise(hidden)
            states.append(after)
        return StackOutput(self.head(hidden), jnp.zeros(())), tuple(states)
