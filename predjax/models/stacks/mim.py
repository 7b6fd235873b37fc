"""The stack of memory in memory (Wang et al. 2019)."""

from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from predjax.cells.context import StepContext
from predjax.cells.gated import LSTMState
from predjax.cells.linear import LinearMap
from predjax.cells.mim import MIMBlock, MIMBlockState, MIMMemory
from predjax.cells.st_lstm import STLSTM, STLSTMState
from predjax.models.config import ModelConfig
from predjax.models.stacks.base import StackOutput
from predjax.models.stacks.layered import choose_kernel
from predjax.models.stacks.noise import make_noise


class MIMStackState(NamedTuple):
    """The states of all layers of the stack."""

    bottom: tuple[jax.Array, jax.Array]  # H and C of the ST-LSTM
    blocks: tuple[tuple[jax.Array, jax.Array, jax.Array], ...]  # H, C and S of each block
    mim_n: tuple[LSTMState, ...]
    memory: jax.Array  # M of the top layer
    started: jax.Array  # whether there was a step, `(B,)`


class MIMStack(hk.RNNCore):
    """An ST-LSTM below memory-in-memory blocks, which take differences of hidden states; the prediction is W H_L.

        H_1 = ST-LSTM(x)    D_1 = H_1 - H_1 of the step before
        for l = 2 ... L:    D_l = MIM-N_l(D_{l-1})    H_l = MIM block_l(H_{l-1}, D_l)

    Wang et al. (2019), arXiv:1811.07490: differences of the lowest hidden states go up through the MIM-N. At the first
    step all D are 0. M passes through the layers as in PredRNN.

    Inputs `(B, h, w, features)`; outputs `StackOutput`. The option `forget_bias` is for blocks and MIM-N alike.
    """

    def __init__(self, config: ModelConfig, grid: tuple[int, int], context: StepContext) -> None:
        super().__init__(name="mim")
        self.context = context
        features, kernel, norm = config.num_hidden[0], choose_kernel(config), config.layer_norm
        layers = range(1, len(config.num_hidden))
        options: dict[str, Any] = {"layer_norm": norm, "context": context}
        self.bottom = STLSTM(features, grid, (config.filter_size,) * 2, **options, name="cell_0")
        options["forget_bias"] = config.options.get("forget_bias", 1.0)
        self.blocks = [MIMBlock(features, grid, kernel, **options, name=f"cell_{layer}") for layer in layers]
        self.mim_n = [MIMMemory(features, grid, kernel, **options, name=f"mim_n_{layer}") for layer in layers]
        self.noise = make_noise(config, context)
        self.head = LinearMap(config.head_features, context=context, name="head")

    def initial_state(self, batch_size: int) -> MIMStackState:
        """Return zeros, before any step."""
        bottom = self.bottom.initial_state(batch_size)
        blocks = [block.initial_state(batch_size) for block in self.blocks]
        return MIMStackState(
            (bottom.hidden, bottom.cell),
            tuple((s.hidden, s.cell, s.stationary) for s in blocks),
            tuple(cell.initial_state(batch_size) for cell in self.mim_n),
            bottom.memory,
            jnp.zeros(batch_size, bool),
        )

    def __call__(self, inputs: jax.Array, state: MIMStackState) -> tuple[StackOutput, MIMStackState]:
        started = state.started[:, None, None, None]
        hidden, cell = state.bottom
        bottom, _ = self.bottom.advance(inputs, STLSTMState(hidden, cell, state.memory))
        hidden, memory = self.noise[0](bottom.hidden), bottom.memory
        difference = jnp.where(started, bottom.hidden - state.bottom[0], 0)
        blocks, mim_n = [], []
        layers = zip(self.blocks, self.mim_n, self.noise[1:], state.blocks, state.mim_n)
        for block, cell, noise, (h, c, s), of_cell in layers:
            difference, of_cell = cell(difference, of_cell)
            difference = jnp.where(started, difference, 0)
            new = block.advance(hidden, difference, MIMBlockState(h, c, memory, s))
            hidden, memory = noise(new.hidden), new.memory
            blocks.append((new.hidden, new.cell, new.stationary))
            mim_n.append(of_cell)
        state = MIMStackState(
            (bottom.hidden, bottom.cell), tuple(blocks), tuple(mim_n), memory, jnp.ones_like(state.started)
        )
        return StackOutput(self.head(hidden), jnp.zeros(())), state
