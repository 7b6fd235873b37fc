"""The spatiotemporal LSTM of PredRNN (Wang et al. 2017) and PredRNN-V2 (Wang et al. 2022), also action-conditioned."""

import dataclasses
import warnings
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from predjax.cells.base import RecurrentCell
from predjax.cells.linear import FrameNorm, LinearMap

FORGET_BIAS = 1.0  # the constant of the published code, on both forget gates; the papers have bias vectors


class STLSTMState(NamedTuple):
    """Hidden state H, temporal memory C and spatiotemporal memory M, each `(B, *S, F)`."""

    hidden: jax.Array
    cell: jax.Array
    memory: jax.Array


class Increments(NamedTuple):
    """The increments of the memories in a step: delta_c of C and delta_m of M, each `(B, *S, F)`."""

    delta_c: jax.Array
    delta_m: jax.Array


def update_memories(
    from_inputs: jax.Array, from_memory: jax.Array, state: STLSTMState
) -> tuple[jax.Array, jax.Array, Increments]:
    """Return C', M' and the `Increments` of a step, given the sums of its gates.

        i, f, g = sigmoid(i), sigmoid(f + 1), tanh(g)           C' = f C + i g
        i', f', g' = sigmoid(i'), sigmoid(f' + 1), tanh(g')     M' = f' M + i' g'

    `from_inputs` are i f g, the sums over the input and the hidden state, `(B, *S, 3F or more)`; `from_memory` are
    i' f' g', the sums over the input and M, `(B, *S, 3F)`. The `Increments` are i g and i' g'.
    """
    features = state.cell.shape[-1]
    i, f, g = jnp.split(from_inputs[..., : 3 * features], 3, axis=-1)
    i_m, f_m, g_m = jnp.split(from_memory, 3, axis=-1)
    delta_c = jax.nn.sigmoid(i) * jnp.tanh(g)
    delta_m = jax.nn.sigmoid(i_m) * jnp.tanh(g_m)
    cell = jax.nn.sigmoid(f + FORGET_BIAS) * state.cell + delta_c
    memory = jax.nn.sigmoid(f_m + FORGET_BIAS) * state.memory + delta_m
    return cell, memory, Increments(delta_c, delta_m)


@dataclasses.dataclass(eq=False)
class STLSTM(RecurrentCell):
    """One ST-LSTM unit: `(B, *S, I)` to H' `(B, *S, F)`; the state is `STLSTMState`.

    `*` is dense or a k x k convolution; N is `FrameNorm` with `layer_norm`, else the identity:

        x-gates = N(W_x * x)   h-gates = N(W_h * H)   m-gates = N(W_m * M)     then `update_memories`
        o = sigmoid(o_x + o_h + N(W_o * [C'; M']))    H' = o tanh(W_last * [C'; M'])

    W_last is the same for every pixel and has no N. `with_action` is PredRNN-V2's action-conditioned unit: inputs are
    pairs (x, a), every W has a bias, and the h-gates are N(W_h * H) N(W_a * a), element by element. The units of
    PredRNN and PredRNN-V2 compute the same; PredRNN-V2 decouples the increments in training (`models.stacks.predrnn`).
    On its own the cell keeps its M; a stack hands M from layer to layer. `kernel_size=k` is the deprecated
    kernel_shape=(k, k).
    """

    layer_norm: bool = False
    with_action: bool = False
    state_type = STLSTMState
    kernel_size: int | None = dataclasses.field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if self.kernel_size is not None:
            words = "STLSTM: kernel_shape=(k, k) takes the place of kernel_size=k"
            warnings.warn(words, DeprecationWarning, stacklevel=6)  # 4 of these are Haiku's and dataclasses'
            self.kernel_shape = (self.kernel_size, self.kernel_size)
        super().__post_init__()
        gates = {"x": 7, "h": 4, "m": 3, "o": 1} | ({"a": 4} if self.with_action else {})
        sizes = {source: count * self.features for source, count in gates.items()}
        self.convolutions = {s: self.linear(size, f"conv_{s}", self.with_action) for s, size in sizes.items()}
        self.norms = {source: FrameNorm(name=f"norm_{source}") for source in gates} if self.layer_norm else {}
        pixelwise = (1,) * len(self.kernel_shape)
        self.last = LinearMap(self.features, pixelwise, self.with_action, context=self.context, name="conv_last")

    def _gates(self, source: str, x: jax.Array) -> jax.Array:
        gates = self.convolutions[source](x)
        return self.norms[source](gates) if self.norms else gates

    def _sums(self, inputs: jax.Array, state: STLSTMState, action: jax.Array | None) -> tuple[jax.Array, jax.Array]:
        """Return the sums i f g o of inputs and H, `(B, *S, 4F)`, and i' f' g' of inputs and M, `(B, *S, 3F)`."""
        if not self.norms and not self.with_action:
            return self._merged("h", inputs, state.hidden), self._merged("m", inputs, state.memory)
        from_x, from_h = self._gates("x", inputs), self._gates("h", state.hidden)
        if self.with_action:
            assert action is not None, "an action-conditioned unit needs an action"
            from_h *= self._gates("a", action)
        i, f, g, i_m, f_m, g_m, o = jnp.split(from_x, 7, axis=-1)
        from_inputs = jnp.concatenate([i, f, g, o], -1) + from_h
        return from_inputs, jnp.concatenate([i_m, f_m, g_m], -1) + self._gates("m", state.memory)

    def _merged(self, source: str, inputs: jax.Array, other: jax.Array) -> jax.Array:
        """Return W_x * inputs + W_source * other as one convolution."""

        def make_kernel() -> jax.Array:
            w_x, w = (self.convolutions[s].kernel(x.shape[-1], x.dtype) for s, x in (("x", inputs), (source, other)))
            i, f, g, i_m, f_m, g_m, o = jnp.split(w_x, 7, axis=-1)
            w_x = jnp.concatenate([i, f, g, o] if source == "h" else [i_m, f_m, g_m], -1)
            return jnp.concatenate([w_x, w], -2)

        both, products = jnp.concatenate([inputs, other], -1), self.context.products
        if self.kernel_shape:
            return products.convolve(f"{self.module_name}/x{source}", both, make_kernel)
        return products.multiply(both, make_kernel())

    def advance(
        self, inputs: jax.Array, state: STLSTMState, action: jax.Array | None = None
    ) -> tuple[STLSTMState, Increments]:
        """Return the state after a step, and the `Increments`."""
        from_inputs, from_memory = self._sums(inputs, state, action)
        cell, memory, increments = update_memories(from_inputs, from_memory, state)
        memories = jnp.concatenate([cell, memory], -1)
        output = jax.nn.sigmoid(from_inputs[..., 3 * self.features :] + self._gates("o", memories))
        return STLSTMState(output * jnp.tanh(self.last(memories)), cell, memory), increments

    def __call__(
        self, inputs: jax.Array | tuple[jax.Array, jax.Array], state: STLSTMState
    ) -> tuple[jax.Array, STLSTMState]:
        x: Any
        x, action = inputs if self.with_action else (inputs, None)
        state, _ = self.advance(x, state, action)
        return state.hidden, state
