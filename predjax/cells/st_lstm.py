"""The spatiotemporal LSTM of PredRNN (Wang et al. 2017) and PredRNN-V2 (Wang et al. 2022), also action-conditioned."""

from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from predjax.cells.linear import FrameNorm, LinearMap

FORGET_BIAS = 1.0  # the constant of the published code, on both forget gates; the papers have bias vectors


class STLSTMState(NamedTuple):
    """Hidden state H, temporal memory C and spatiotemporal memory M, each `(B, h, w, F)`."""

    hidden: jax.Array
    cell: jax.Array
    memory: jax.Array


class Increments(NamedTuple):
    """What a step adds to the memories: delta_c to C and delta_m to M, each `(B, h, w, F)`."""

    delta_c: jax.Array
    delta_m: jax.Array


def update_memories(from_x, from_h, from_m, state):
    """The gates and both memories of one step.

        i, f, g = sigmoid(i_x + i_h), sigmoid(f_x + f_h + 1), tanh(g_x + g_h)         C' = f C + i g
        i', f', g' = sigmoid(i'_x + i_m), sigmoid(f'_x + f_m + 1), tanh(g'_x + g_m)   M' = f' M + i' g'

    Args:
      from_x: `(B, h, w, 7F)`: i f g i' f' g' o of the input, in this order.
      from_h: `(B, h, w, 4F)`: i f g o of the hidden state.
      from_m: `(B, h, w, 3F)`: i' f' g' of the spatiotemporal memory.
      state: `STLSTMState`.

    Returns:
      C', M', the sum o_x + o_h, and the `Increments` i g and i' g'.
    """
    i_x, f_x, g_x, im_x, fm_x, gm_x, o_x = jnp.split(from_x, 7, axis=-1)
    i_h, f_h, g_h, o_h = jnp.split(from_h, 4, axis=-1)
    i_m, f_m, g_m = jnp.split(from_m, 3, axis=-1)
    delta_c = jax.nn.sigmoid(i_x + i_h) * jnp.tanh(g_x + g_h)
    delta_m = jax.nn.sigmoid(im_x + i_m) * jnp.tanh(gm_x + g_m)
    cell = jax.nn.sigmoid(f_x + f_h + FORGET_BIAS) * state.cell + delta_c
    memory = jax.nn.sigmoid(fm_x + f_m + FORGET_BIAS) * state.memory + delta_m
    return cell, memory, o_x + o_h, Increments(delta_c, delta_m)


class STLSTM(hk.RNNCore):
    """One ST-LSTM unit on maps: `(B, h, w, I)` to `(B, h, w, F)`.

    With `*` a k x k convolution and N the identity or, with `layer_norm`, `FrameNorm`:

        x-gates = N(W_x * x)   h-gates = N(W_h * H)   m-gates = N(W_m * M)     then `update_memories`
        o = sigmoid(o_x + o_h + N(W_o * [C'; M']))    H' = o tanh(W_last * [C'; M'])

    W_last is 1x1 and never normalised. With an action `a` (PredRNN-V2's action-conditioned unit) every convolution has
    a bias and the h-gates are N(W_h * H) N(W_a * a), element by element. The units of version 1 and 2 compute the same;
    version 2 trains with the increments decoupled (see `models.stacks`).
    """

    def __init__(self, features, kernel_size, spatial_shape, layer_norm=False, with_action=False, name=None):
        super().__init__(name=name)
        self.features, self.spatial_shape, self.with_action = features, tuple(spatial_shape), with_action
        gates = {"x": 7, "h": 4, "m": 3, "o": 1} | ({"a": 4} if with_action else {})
        kernel = (kernel_size, kernel_size)
        self.convolutions = {
            source: LinearMap(count * features, kernel, with_bias=with_action, name=f"conv_{source}")
            for source, count in gates.items()
        }
        self.norms = {source: FrameNorm(name=f"norm_{source}") for source in gates} if layer_norm else {}
        self.last = LinearMap(features, (1, 1), with_bias=with_action, name="conv_last")

    def initial_state(self, batch_size):
        """All zeros."""
        zeros = jnp.zeros((batch_size, *self.spatial_shape, self.features))
        return STLSTMState(zeros, zeros, zeros)

    def _gates(self, source, x):
        gates = self.convolutions[source](x)
        return self.norms[source](gates) if self.norms else gates

    def advance(self, inputs, state, action=None):
        """One step; returns the new state and the `Increments`."""
        from_h = self._gates("h", state.hidden)
        if self.with_action:
            from_h *= self._gates("a", action)
        cell, memory, output, increments = update_memories(
            self._gates("x", inputs), from_h, self._gates("m", state.memory), state
        )
        memories = jnp.concatenate([cell, memory], -1)
        output = jax.nn.sigmoid(output + self._gates("o", memories))
        return STLSTMState(output * jnp.tanh(self.last(memories)), cell, memory), increments

    def __call__(self, inputs, state):
        """As every cell: `(inputs, state) -> (outputs, state)`; with actions, `inputs` is the pair (x, a)."""
        inputs, action = inputs if self.with_action else (inputs, None)
        state, _ = self.advance(inputs, state, action)
        return state.hidden, state
