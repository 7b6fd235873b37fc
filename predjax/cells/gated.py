"""Gated recurrences: LSTM (Hochreiter & Schmidhuber 1997, Gers et al. 2000) and GRU (Cho et al. 2014)."""

import dataclasses
from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from predjax.cells.base import RecurrentCell
from predjax.cells.linear import DType, Initializer, Shape, add_maps, fan_in_initializer
from predjax.cells.options import option


class LSTMState(NamedTuple):
    """Hidden state h and memory cell c, each `(B, *S, F)`."""

    hidden: jax.Array
    cell: jax.Array


def update_cell(gates: jax.Array, cell: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return c' and h' `(..., F)` of an LSTM, from the sums i f g o `(..., 4F)`.

    They are c' = sigmoid(f) c + sigmoid(i) tanh(g) and h' = sigmoid(o) tanh(c').
    """
    i, f, g, o = jnp.split(gates, 4, axis=-1)
    cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
    return cell, jax.nn.sigmoid(o) * jnp.tanh(cell)


@dataclasses.dataclass(eq=False)
class LSTM(RecurrentCell):
    """The long short-term memory: `(B, *S, I)` to h' `(B, *S, F)`; the state is `LSTMState`.

        i f g o = W x + U h + b, then `update_cell`

    Hochreiter & Schmidhuber (1997) with the forget gate of Gers et al. (2000), without peepholes. W and U are dense or
    convolutions, with the gates in the order i f g o. The bias of the forget gate starts at `forget_bias`; above zero,
    it keeps the memory at first (Gers et al.; 1 in Jozefowicz et al. 2015). The other biases and the kernels start
    uniform in +-1/sqrt(fan_in).
    """

    forget_bias: float = option(1.0)
    state_type = LSTMState

    def __post_init__(self) -> None:
        super().__post_init__()

        def start_biases(shape: Shape, dtype: DType) -> jax.Array:
            start = fan_in_initializer(self.features)(shape, dtype)
            return start.at[self.features : 2 * self.features].set(self.forget_bias)

        self.input = self.linear(4 * self.features, "input")
        self.recurrent = self.linear(4 * self.features, "recurrent", start_biases)

    def __call__(self, inputs: jax.Array, state: LSTMState) -> tuple[jax.Array, LSTMState]:
        gates = add_maps((self.input, inputs), (self.recurrent, state.hidden))
        cell, hidden = update_cell(gates, state.cell)
        return hidden, LSTMState(hidden, cell)


def start_orthogonal(features: int) -> Initializer:
    """Return an initialiser of concatenated kernels, each with `features` outputs and orthogonal columns."""
    init = hk.initializers.Orthogonal()

    def start(shape: Shape, dtype: DType) -> jax.Array:
        parts = shape[-1] // features
        return jnp.concatenate([init((*shape[:-1], features), dtype) for _ in range(parts)], -1)

    return start


@dataclasses.dataclass(eq=False)
class GRU(RecurrentCell):
    """Gated recurrent unit: `(B, *S, I)` to `(B, *S, F)`; h is the state and the output.

        r, z = sigmoid(W x + U h + b)    n = tanh(W_n x + U_n (r h) + b_n)    h' = (1 - z) h + z n

    Cho et al. (2014), arXiv:1406.1078v3, which resets before U_n. z gates the new value, as in Chung et al. (2014); Cho
    et al. have h' = z h + (1 - z) n. With `reset_after` n = tanh(W_n x + b_n + r (U_n h + b_hn)), as in the paper's
    first version and, with b_hn, in cuDNN, PyTorch and Keras. The parts of W are in the order r z n.

    As in the paper, W starts as N(0, 0.01^2), U orthogonal, and the biases at zero.
    """

    reset_after: bool = option(False)

    def __post_init__(self) -> None:
        super().__post_init__()
        small = hk.initializers.RandomNormal(0.01)  # Cho et al. (2014), appendix
        orthogonal = start_orthogonal(self.features)
        self.input = self.linear(3 * self.features, "input", jnp.zeros, small)
        self.recurrent = self.linear(2 * self.features, "recurrent", w_init=orthogonal)
        self.candidate = self.linear(self.features, "candidate", jnp.zeros if self.reset_after else False, orthogonal)

    def __call__(self, inputs: jax.Array, state: jax.Array) -> tuple[jax.Array, jax.Array]:
        from_inputs, from_state = self.input(inputs), self.recurrent(state)
        r, z = jnp.split(jax.nn.sigmoid(from_inputs[..., : 2 * self.features] + from_state), 2, axis=-1)
        recalled = r * self.candidate(state) if self.reset_after else self.candidate(r * state)
        candidate = jnp.tanh(from_inputs[..., 2 * self.features :] + recalled)
        hidden = (1 - z) * state + z * candidate
        return hidden, hidden
