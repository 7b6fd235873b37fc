"""Stacks of state-space blocks, run step by step or for all steps at once."""

from collections.abc import Callable, Sequence
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from predjax.cells.context import StepContext
from predjax.cells.linear import LinearMap
from predjax.cells.options import check_number
from predjax.cells.state_space import ConvS5
from predjax.models.catalogue import load
from predjax.models.config import ModelConfig
from predjax.models.stacks.base import StackOutput
from predjax.models.stacks.layered import choose_kernel


class Block(hk.RNNCore):
    """x + drop(G(cell(N(x)))): a linear recurrence and the nonlinearity that follows it in the papers.

    N normalises the features of each pixel. For LRU and S5 G(y) = (W z + b) sigmoid(V z + c) with z = drop(gelu(y)), a
    gated linear unit (Orvieto et al. 2023, Smith et al. 2023). For ConvS5 with the head "standard", which has group
    normalisation and gelu itself, G is the identity. `dropout` acts in training only.

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


class StateSpaceStack(hk.RNNCore):
    """Embedded patches, blocks of the model's cell, and a linear head; all blocks have the same width.

    Inputs `(B, h, w, features)`; outputs `StackOutput`. `unroll` takes `(B, T, h, w, features)` and returns the outputs
    of all steps, by operations whose depth grows with the logarithm of T.
    """

    around_cells = (Block,)  # takes options as well

    def __init__(self, config: ModelConfig, grid: tuple[int, int], context: StepContext) -> None:
        super().__init__(name=config.model_name)
        self.context = context
        options, features = config.options, config.num_hidden[0]
        dropout = options.pop("dropout", 0.0)
        make_cell, kernel = load(config.spec.cell), choose_kernel(config)
        self.embed = LinearMap(features, with_bias=True, context=context, name="embed")
        self.blocks = [
            Block(
                make_cell(features, grid, kernel, **options, context=context, name=f"cell_{i}"),
                dropout,
                name=f"block_{i}",
            )
            for i in range(len(config.num_hidden))
        ]
        self.head = LinearMap(config.head_features, with_bias=True, context=context, name="head")

    def initial_state(self, batch_size: int) -> tuple:
        """Return the initial states of all blocks."""
        return tuple(block.initial_state(batch_size) for block in self.blocks)

    def _run(self, runs: Sequence[Callable], inputs: jax.Array, state: tuple) -> tuple[StackOutput, tuple]:
        hidden, states = self.embed(inputs), []
        for run, before in zip(runs, state):
            hidden, after = run(hidden, before)
            states.append(after)
        return StackOutput(self.head(hidden), jnp.zeros(())), tuple(states)

    def __call__(self, inputs: jax.Array, state: tuple) -> tuple[StackOutput, tuple]:
        return self._run(self.blocks, inputs, state)

    def unroll(self, inputs: jax.Array, state: tuple) -> tuple[StackOutput, tuple]:
        """Run all steps at once, as `predjax.unroll` does."""
        return self._run([block.unroll for block in self.blocks], inputs, state)
