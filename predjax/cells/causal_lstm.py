"""The causal LSTM and the gradient highway unit of PredRNN++ (Wang et al. 2018)."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from predjax.cells.base import RecurrentCell
from predjax.cells.linear import LinearMap, add_normed
from predjax.cells.options import option


class CausalLSTMState(NamedTuple):
    """Hidden state H, temporal memory C and spatiotemporal memory M, each `(B, *S, F)`."""

    hidden: jax.Array
    cell: jax.Array
    memory: jax.Array


@dataclasses.dataclass(eq=False)
class CausalLSTM(RecurrentCell):
    """A causal LSTM, where the new C writes M: `(B, *S, I)` to H' `(B, *S, F)`; the state is `CausalLSTMState`.

    The subscripts x, h, c, m and n mark the parts of N(W_x * x), N(W_h * H), N(W_c * C), N(W_m * M) and N(W_n * C'); s
    is the logistic function, and 1 stands for `forget_bias`:

        i = s(i_x + i_h + i_c)      f = s(f_x + f_h + f_c + 1)      g = tanh(g_x + g_h + g_c)   C' = f C + i g
        i' = s(i'_x + i_m + i_n)    f' = s(f'_x + f_m + f_n + 1)    g' = tanh(g'_x + g_n)
        M' = f' tanh(m_m) + i' g'
        o = tanh(o_x + o_h + o_n + N(W_o * M'))                     H' = o tanh(W_1 [C'; M'])

    Wang et al. (2018), "PredRNN++", arXiv:1804.06300, as in the published code, which departs from the text: g' does
    not see M, and o sees H. There are no biases. W_1 is the same for every pixel and has no N. N is `FrameNorm` with
    `layer_norm`, else the identity. On its own the cell keeps its M; a stack hands M from layer to layer.
    """

    forget_bias: float = option(1.0)
    layer_norm: bool = option(False)
    state_type = CausalLSTMState

    def __post_init__(self) -> None:
        super().__post_init__()
        # The order of the parts: x i f g i' f' g' o; h i f g o; c i f g; m i f m; n i g f o; as in the code.
        gates = {"x": 7, "h": 4, "c": 3, "m": 3, "n": 4, "o": 1}
        sizes = {source: count * self.features for source, count in gates.items()}
        self.maps = {source: self.normed(size, f"from_{source}", self.layer_norm) for source, size in sizes.items()}
        self.last = LinearMap(self.features, context=self.context, name="last")

    def __call__(self, inputs: jax.Array, state: CausalLSTMState) -> tuple[jax.Array, CausalLSTMState]:
        def parts(source: str, x: jax.Array) -> list[jax.Array]:
            return jnp.split(self.maps[source](x), self.maps[source].features // self.features, axis=-1)

        sigmoid, bias = jax.nn.sigmoid, self.forget_bias
        i_x, f_x, g_x, i_xm, f_xm, g_xm, o_x = parts("x", inputs)
        i_h, f_h, g_h, o_h = parts("h", state.hidden)
        i_c, f_c, g_c = parts("c", state.cell)
        i_m, f_m, m_m = parts("m", state.memory)
        cell = sigmoid(f_x + f_h + f_c + bias) * state.cell + sigmoid(i_x + i_h + i_c) * jnp.tanh(g_x + g_h + g_c)
        i_n, g_n, f_n, o_n = parts("n", cell)
        kept = sigmoid(f_xm + f_m + f_n + bias) * jnp.tanh(m_m)
        memory = kept + sigmoid(i_xm + i_m + i_n) * jnp.tanh(g_xm + g_n)
        output = jnp.tanh(o_x + o_h + o_n + self.maps["o"](memory))
        hidden = output * jnp.tanh(self.last(jnp.concatenate([cell, memory], -1)))
        return hidden, CausalLSTMState(hidden, cell, memory)


@dataclasses.dataclass(eq=False)
class GHU(RecurrentCell):
    """The gradient highway unit: `(B, *S, I)` to z' `(B, *S, F)`; z is the state and the output.

        p u = N(W_x * x) + N(W_z * z)    z' = sigmoid(u) tanh(p) + (1 - sigmoid(u)) z

    It lies between the first two causal LSTMs of PredRNN++ (Wang et al. 2018, arXiv:1804.06300). There are no biases. N
    is `FrameNorm` with `layer_norm`, else the identity.
    """

    layer_norm: bool = option(False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.input = self.normed(2 * self.features, "input", self.layer_norm)
        self.recurrent = self.normed(2 * self.features, "recurrent", self.layer_norm)

    def __call__(self, inputs: jax.Array, state: jax.Array) -> tuple[jax.Array, jax.Array]:
        p, u = jnp.split(add_normed((self.input, inputs), (self.recurrent, state)), 2, axis=-1)
        switch = jax.nn.sigmoid(u)
        highway = switch * jnp.tanh(p) + (1 - switch) * state
        return highway, highway
