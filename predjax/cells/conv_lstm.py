"""The convolutional LSTM of Shi et al. (2015)."""

import dataclasses
from collections.abc import Iterable

import haiku as hk
import jax
import jax.numpy as jnp

from predjax.cells.base import RecurrentCell
from predjax.cells.gated import LSTMState
from predjax.cells.linear import add_normed
from predjax.cells.options import option


def update_with_peepholes(
    gates: jax.Array, cell: jax.Array, peepholes: Iterable[jax.Array | float], forget_bias: float
) -> LSTMState:
    """Return h' and c' after a step whose gates may see the memory c `(B, *S, F)`.

        i = sigmoid(i + w_i c)   f = sigmoid(f + w_f c + forget_bias)   g = tanh(g)   c' = f c + i g
        o = sigmoid(o + w_o c')  h' = o tanh(c')

    `gates` are the sums i f g o over the input and the hidden state, `(B, *S, 4F)`; `peepholes` are w_i, w_f and w_o,
    each `(*S, F)`, or numbers.
    """
    i, f, g, o = jnp.split(gates, 4, axis=-1)
    w_i, w_f, w_o = peepholes
    kept = jax.nn.sigmoid(f + w_f * cell + forget_bias) * cell
    cell = kept + jax.nn.sigmoid(i + w_i * cell) * jnp.tanh(g)
    return LSTMState(jax.nn.sigmoid(o + w_o * cell) * jnp.tanh(cell), cell)


@dataclasses.dataclass(eq=False)
class ConvLSTM(RecurrentCell):
    """A convolutional LSTM: `(B, *S, I)` to h' `(B, *S, F)`; the state is `LSTMState`.

        i f g o = N(W_x * x) + N(W_h * h), then `update_with_peepholes`

    Shi et al. (2015), "Convolutional LSTM network", arXiv:1506.04214. The defaults are those of OpenSTL, the collection
    that runs PredRNN's baselines, and depart from the paper: there are no biases (`with_bias` adds them) and no w_i,
    w_f, w_o. `peepholes` adds these, one for each element of the grid, starting at 0; they fit no other grid. With
    `layer_norm` N is `FrameNorm`, else the identity. The constant `forget_bias` is 0 in the paper and in OpenSTL.
    """

    peepholes: bool = option(False)
    forget_bias: float = option(0.0)
    with_bias: bool = option(False)
    layer_norm: bool = option(False)
    state_type = LSTMState

    def __post_init__(self) -> None:
        super().__post_init__()
        self.input = self.normed(4 * self.features, "input", self.layer_norm, self.with_bias)
        self.recurrent = self.normed(4 * self.features, "recurrent", self.layer_norm)

    def __call__(self, inputs: jax.Array, state: LSTMState) -> tuple[jax.Array, LSTMState]:
        peepholes: Iterable[jax.Array | float] = (0.0, 0.0, 0.0)
        if self.peepholes:
            shape = (3, *self.spatial_shape, self.features)
            peepholes = hk.get_parameter("peepholes", shape, inputs.dtype, init=jnp.zeros)
        gates = add_normed((self.input, inputs), (self.recurrent, state.hidden))
        state = update_with_peepholes(gates, state.cell, peepholes, self.forget_bias)
        return state.hidden, state
