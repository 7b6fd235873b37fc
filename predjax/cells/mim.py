"""Memory in memory (Wang et al. 2019): an ST-LSTM with memories for the changes of a sequence."""

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from predjax.cells.base import RecurrentCell
from predjax.cells.conv_lstm import ConvLSTM
from predjax.cells.gated import LSTMState
from predjax.cells.linear import LinearMap
from predjax.cells.options import option


class MIMBlockState(NamedTuple):
    """Hidden state H, temporal memory C, spatiotemporal memory M, and the memory S of MIM-S, each `(B, *S, F)`."""

    hidden: jax.Array
    cell: jax.Array
    memory: jax.Array
    stationary: jax.Array


# MIM-N and MIM-S are convolutional LSTMs with peepholes.
MIMMemory = functools.partial(ConvLSTM, peepholes=True)


@dataclasses.dataclass(eq=False)
class MIMBlock(RecurrentCell):
    """An ST-LSTM in which the memory MIM-S replaces the term f C; `advance` takes the input x and the difference D.

    The subscripts x, h and m mark the parts of N(W_x * x), N(W_h * H) and N(W_m * M); s is the logistic function, and 1
    stands for `forget_bias`:

        T, S' = MIM-S(input D, hidden C, memory S)
        i = s(i_x + i_h)     g = tanh(g_x + g_h)     C' = T + i g
        i' = s(i_x + i_m)    g' = tanh(g_x + g_m)    f' = s(f_x + f_m + 1)    M' = f' M + i' g'
        o = s(o_x + o_h + o_m)                       H' = o tanh(W_1 [C'; M'])

    Wang et al. (2019), arXiv:1811.07490, as in OpenSTL, where i_x, g_x and f_x serve both memories. Unlike there, S is
    part of the state: it starts anew with every sequence, and gradients go through it, as in the authors' code. W_1 is
    the same for every pixel. N is `FrameNorm` with `layer_norm`, else the identity.
    """

    forget_bias: float = option(1.0)
    layer_norm: bool = option(False)
    state_type = MIMBlockState

    def __post_init__(self) -> None:
        super().__post_init__()
        norm = self.layer_norm
        self.from_hidden = self.normed(3 * self.features, "from_h", norm)  # i g o
        self.from_memory = self.normed(4 * self.features, "from_m", norm)  # i g f o
        self.from_inputs = self.normed(4 * self.features, "from_x", norm)  # i g f o
        options: Any = {"forget_bias": self.forget_bias, "layer_norm": norm, "context": self.context}
        self.mim_s = MIMMemory(self.features, self.spatial_shape, self.kernel_shape, **options, name="mim_s")
        self.last = LinearMap(self.features, context=self.context, name="last")

    def advance(self, inputs: jax.Array, difference: jax.Array, state: MIMBlockState) -> MIMBlockState:
        """Return the state after x `(B, *S, I)` and D `(B, *S, F)`."""
        sigmoid = jax.nn.sigmoid
        i_h, g_h, o_h = jnp.split(self.from_hidden(state.hidden), 3, axis=-1)
        i_m, g_m, f_m, o_m = jnp.split(self.from_memory(state.memory), 4, axis=-1)
        i_x, g_x, f_x, o_x = jnp.split(self.from_inputs(inputs), 4, axis=-1)
        kept, inner = self.mim_s(difference, LSTMState(state.cell, state.stationary))
        cell = kept + sigmoid(i_x + i_h) * jnp.tanh(g_x + g_h)
        memory = sigmoid(f_x + f_m + self.forget_bias) * state.memory + sigmoid(i_x + i_m) * jnp.tanh(g_x + g_m)
        hidden = sigmoid(o_x + o_h + o_m) * jnp.tanh(self.last(jnp.concatenate([cell, memory], -1)))
        return MIMBlockState(hidden, cell, memory, inner.cell)

    def __call__(self, inputs: tuple[jax.Array, jax.Array], state: MIMBlockState) -> tuple[jax.Array, MIMBlockState]:
        """Run a step as every cell does; `inputs` is the pair (x, D)."""
        x, difference = inputs
        state = self.advance(x, difference, state)
        return state.hidden, state


class MIMState(NamedTuple):
    """The state of `MIM`: the states of the block and of MIM-N, and the input `(B, *S, I)` of the last step.

    `started` `(B,)` is whether there was such a step.
    """

    block: MIMBlockState
    mim_n: LSTMState
    previous: jax.Array
    started: jax.Array


@dataclasses.dataclass(eq=False)
class MIM(RecurrentCell):
    """Memory in memory: `(B, *S, I)` to H' `(B, *S, F)`; the state is `MIMState`.

        D = MIM-N(x_t - x_{t-1}), then `MIMBlock` on x_t and D

    Wang et al. (2019), "Memory in memory", arXiv:1811.07490: MIM-N models the non-stationary part of a sequence, from
    differences of its inputs, and MIM-S the stationary part. At the first step the difference and D are 0.
    `input_features` is I; 0 stands for `features`, the I of the paper's layers above the first.
    """

    input_features: int = option(0, low=0)
    forget_bias: float = option(1.0)
    layer_norm: bool = option(False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.input_features = self.input_features or self.features
        options: Any = {"forget_bias": self.forget_bias, "layer_norm": self.layer_norm, "context": self.context}
        self.block = MIMBlock(self.features, self.spatial_shape, self.kernel_shape, **options, name="block")
        self.mim_n = MIMMemory(self.features, self.spatial_shape, self.kernel_shape, **options, name="mim_n")

    def initial_state(self, batch_size: int) -> MIMState:
        """Return zeros, and a mark that there was no input yet."""
        block, mim_n = self.block.initial_state(batch_size), self.mim_n.initial_state(batch_size)
        return MIMState(block, mim_n, self.zeros(batch_size, self.input_features), jnp.zeros(batch_size, bool))

    def __call__(self, inputs: jax.Array, state: MIMState) -> tuple[jax.Array, MIMState]:
        if inputs.shape[-1] != self.input_features:
            raise ValueError(
                f"input_features must be those of the input, {inputs.shape[-1]}, not {self.input_features}"
            )
        started = state.started.reshape(-1, *[1] * (inputs.ndim - 1))
        difference, mim_n = self.mim_n(jnp.where(started, inputs - state.previous, 0), state.mim_n)
        block = self.block.advance(inputs, jnp.where(started, difference, 0), state.block)
        return block.hidden, MIMState(block, mim_n, inputs, jnp.ones_like(state.started))
