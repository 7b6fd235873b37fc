"""The spatiotemporal LSTM of PredRNN (Wang et al. 2017) and PredRNN-V2 (Wang et al. 2022), also action-conditioned."""

import warnings
from typing import NamedTuple

import jax
import jax.numpy as jnp

from predjax.cells.base import RecurrentCell
from predjax.cells.linear import FrameNorm, LinearMap
from predjax.cells.options import check_switch

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


def update_memories(from_inputs, from_memory, state):
    """Both memories of one step from the sums of the gates.

        i, f, g = sigmoid(i), sigmoid(f + 1), tanh(g)           C' = f C + i g
        i', f', g' = sigmoid(i'), sigmoid(f' + 1), tanh(g')     M' = f' M + i' g'

    Args:
      from_inputs: `(B, h, w, 3F or more)`: i f g, sums over the input and the hidden state.
      from_memory: `(B, h, w, 3F)`: i' f' g', sums over the input and the spatiotemporal memory.
      state: `STLSTMState`.

    Returns:
      C', M', and the `Increments` i g and i' g'.
    """
    features = state.cell.shape[-1]
    i, f, g = jnp.split(from_inputs[..., : 3 * features], 3, axis=-1)
    i_m, f_m, g_m = jnp.split(from_memory, 3, axis=-1)
    delta_c = jax.nn.sigmoid(i) * jnp.tanh(g)
    delta_m = jax.nn.sigmoid(i_m) * jnp.tanh(g_m)
    cell = jax.nn.sigmoid(f + FORGET_BIAS) * state.cell + delta_c
    memory = jax.nn.sigmoid(f_m + FORGET_BIAS) * state.memory + delta_m
    return cell, memory, Increments(delta_c, delta_m)


class STLSTM(RecurrentCell):
    """One ST-LSTM unit on maps: `(B, h, w, I)` to `(B, h, w, F)`.

    With `*` a k x k convolution and N the identity or, with `layer_norm`, `FrameNorm`:

        x-gates = N(W_x * x)   h-gates = N(W_h * H)   m-gates = N(W_m * M)     then `update_memories`
        o = sigmoid(o_x + o_h + N(W_o * [C'; M']))    H' = o tanh(W_last * [C'; M'])

    W_last is 1x1 and never normalised. With an action `a` (PredRNN-V2's action-conditioned unit) every convolution has
    a bias and the h-gates are N(W_h * H) N(W_a * a), element by element. The units of version 1 and 2 compute the same;
    version 2 trains with the increments decoupled (see `models.stacks.predrnn`).
    """

    def __init__(
        self,
        features,
        spatial_shape=(),
        kernel_shape=(),
        layer_norm=False,
        with_action=False,
        context=None,
        name=None,
        kernel_size=None,
    ):
        if kernel_size is not None:
            warnings.warn("STLSTM: kernel_shape=(k, k) takes the place of kernel_size=k", DeprecationWarning, 2)
            kernel_shape = (kernel_size, kernel_size)
        super().__init__(features, spatial_shape, kernel_shape, context, name)
        self.with_action = check_switch("with_action", with_action)
        gates = {"x": 7, "h": 4, "m": 3, "o": 1} | ({"a": 4} if with_action else {})
        self.convolutions = {
            source: self.linear(count * features, f"conv_{source}", with_action) for source, count in gates.items()
        }
        layer_norm = check_switch("layer_norm", layer_norm)
        self.norms = {source: FrameNorm(name=f"norm_{source}") for source in gates} if layer_norm else {}
        pixelwise = (1,) * len(self.kernel_shape)
        self.last = LinearMap(features, pixelwise, with_action, context=self.context, name="conv_last")

    def initial_state(self, batch_size):
        """All zeros."""
        return STLSTMState(*[self.zeros(batch_size)] * 3)

    def _gates(self, source, x):
        gates = self.convolutions[source](x)
        return self.norms[source](gates) if self.norms else gates

    def _sums(self, inputs, state, action):
        """`(B, h, w, 4F)`: i f g o over input and hidden state; `(B, h, w, 3F)`: i' f' g' over input and memory."""
        if not self.norms and not self.with_action:
            return self._merged("h", inputs, state.hidden), self._merged("m", inputs, state.memory)
        from_x, from_h = self._gates("x", inputs), self._gates("h", state.hidden)
        if self.with_action:
            from_h *= self._gates("a", action)
        i, f, g, i_m, f_m, g_m, o = jnp.split(from_x, 7, axis=-1)
        from_inputs = jnp.concatenate([i, f, g, o], -1) + from_h
        return from_inputs, jnp.concatenate([i_m, f_m, g_m], -1) + self._gates("m", state.memory)

    def _merged(self, source, inputs, other):
        """W_x * inputs + W_source * other as one convolution."""

        def make_kernel():
            w_x, w = (self.convolutions[s].kernel(x.shape[-1], x.dtype) for s, x in (("x", inputs), (source, other)))
            i, f, g, i_m, f_m, g_m, o = jnp.split(w_x, 7, axis=-1)
            w_x = jnp.concatenate([i, f, g, o] if source == "h" else [i_m, f_m, g_m], -1)
            return jnp.concatenate([w_x, w], -2)

        both, products = jnp.concatenate([inputs, other], -1), self.context.products
        if self.kernel_shape:
            return products.convolve(f"{self.module_name}/x{source}", both, make_kernel)
        return products.multiply(both, make_kernel())

    def advance(self, inputs, state, action=None):
        """One step; returns the new state and the `Increments`."""
        from_inputs, from_memory = self._sums(inputs, state, action)
        cell, memory, increments = update_memories(from_inputs, from_memory, state)
        memories = jnp.concatenate([cell, memory], -1)
        output = jax.nn.sigmoid(from_inputs[..., 3 * self.features :] + self._gates("o", memories))
        return STLSTMState(output * jnp.tanh(self.last(memories)), cell, memory), increments

    def __call__(self, inputs, state):
        """As every cell: `(inputs, state) -> (outputs, state)`; with actions, `inputs` is the pair (x, a)."""
        inputs, action = inputs if self.with_action else (inputs, None)
        state, _ = self.advance(inputs, state, action)
        return state.hidden, state
