"""The ST-LSTM stack of PredRNN and PredRNN-V2, also action-conditioned."""

from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from predjax.cells.context import StepContext
from predjax.cells.linear import Downsample, LinearMap, Upsample
from predjax.cells.st_lstm import STLSTM, Increments, STLSTMState
from predjax.models.config import ModelConfig
from predjax.models.stacks.base import StackOutput
from predjax.models.stacks.noise import make_noise

VANISHED = 1e-12  # squared norm over space below which an increment has no direction: an all-dry field


class PredRNNState(NamedTuple):
    """The states of all layers of the stack."""

    layers: tuple[tuple[jax.Array, jax.Array], ...]  # H and C of each layer
    memory: jax.Array  # M of the top layer, which enters the bottom layer at the next step


def decoupling_loss(delta_c: jax.Array, delta_m: jax.Array) -> jax.Array:
    """Return the decoupling loss: the mean over samples and features of |cos(delta_c, delta_m)|, vectors over space.

    0 stands for orthogonal, 1 for parallel increments. These, `(..., h, w, F)`, come from the shared convolution
    W_decouple. The loss is a mean as in the published code; the paper has a sum (Wang et al. 2022, eq. 9). Increments
    that vanish over the whole frame count as decoupled and give no gradient.
    """
    space = (-3, -2)
    product = (delta_c * delta_m).sum(space)
    norms = jnp.square(delta_c).sum(space) * jnp.square(delta_m).sum(space)
    exists = (jnp.square(delta_c).sum(space) > VANISHED) & (jnp.square(delta_m).sum(space) > VANISHED)
    cosine = product * jax.lax.rsqrt(jnp.where(exists, norms, 1.0))
    return jnp.where(exists, jnp.abs(cosine), 0.0).mean()


class PredRNN(hk.RNNCore):
    """The ST-LSTM stack of PredRNN, PredRNN-V2 and their action-conditioned forms.

    M zig-zags: the layer below hands it to the layer above within a step, the top layer to the bottom one at the next
    step. The prediction is a 1x1 convolution of the top H. With `conv_on_input` (action models) two strided
    convolutions stand before the stack and two transposed ones after it, `res_on_conv` adds skips around the stack.
    The V2 models add decouple_beta times the mean `decoupling_loss` of their layers as a penalty.

    Inputs `(B, h, w, p p C + forcing features)`, frames first; outputs `StackOutput`.
    """

    def __init__(self, config: ModelConfig, grid: tuple[int, int], context: StepContext) -> None:
        super().__init__(name="predrnn")
        self.context = context
        self.config, self.grid = config, tuple(grid)
        self.frame_features = config.patch_size**2 * (config.img_channel + config.coverage_channel)
        halved = tuple(-(-n // 2) for n in self.grid)
        self.sizes: list = [self.grid, halved, tuple(-(-n // 2) for n in halved)]
        spatial_shape = self.sizes[-1] if config.conv_on_input else self.grid
        features, k = config.num_hidden[0], config.filter_size
        options: Any = {"layer_norm": config.layer_norm, "with_action": config.spec.action, "context": context}
        self.cells = [
            STLSTM(features, spatial_shape, (k, k), **options, name=f"cell_{layer}")
            for layer in range(len(config.num_hidden))
        ]
        self.noise = make_noise(config, context)
        if config.conv_on_input:
            narrowing, widening = (features // 2, features), (features // 2, config.head_features)
            self.encode = [Downsample(n, k, name=f"encode_{i}") for i, n in enumerate(narrowing)]
            self.encode_action = [Downsample(n, k, name=f"encode_action_{i}") for i, n in enumerate(narrowing)]
            self.decode = [Upsample(n, k, name=f"decode_{i}") for i, n in enumerate(widening)]
        else:
            self.head = LinearMap(config.head_features, (1, 1), context=context, name="conv_last")
        if config.spec.decoupled:
            self.decouple = LinearMap(features, (1, 1), context=context, name="decouple")

    def initial_state(self, batch_size: int) -> PredRNNState:
        """Return zeros."""
        states = [cell.initial_state(batch_size) for cell in self.cells]
        return PredRNNState(tuple((s.hidden, s.cell) for s in states), states[0].memory)

    def penalise(self, increments: Increments) -> jax.Array:
        """Return the penalty of `Increments` `(..., h, w, F)`, the mean over their leading axes."""
        if not self.config.spec.decoupled:
            return jnp.zeros(())
        return self.config.decouple_beta * decoupling_loss(*map(self.decouple, increments))

    def _decode(self, hidden: jax.Array, first: jax.Array, second: jax.Array) -> jax.Array:
        if self.config.res_on_conv:
            return self.decode[1](self.decode[0](hidden + second, self.sizes[1]) + first, self.sizes[0])
        return self.decode[1](self.decode[0](hidden, self.sizes[1]), self.sizes[0])

    def __call__(self, inputs: jax.Array, state: PredRNNState) -> tuple[StackOutput, PredRNNState]:
        frames, action = inputs[..., : self.frame_features], inputs[..., self.frame_features :]
        hidden = frames
        if self.config.conv_on_input:
            first = self.encode[0](frames)
            second = hidden = self.encode[1](first)
            action = self.encode_action[1](self.encode_action[0](action))
        memory, layers, increments = state.memory, [], []
        for cell, noise, (h, c) in zip(self.cells, self.noise, state.layers):
            new, delta = cell.advance(hidden, STLSTMState(h, c, memory), action)
            hidden, memory = noise(new.hidden), new.memory
            layers.append((new.hidden, new.cell))
            increments.append(delta)
        features = self._decode(hidden, first, second) if self.config.conv_on_input else self.head(hidden)
        increments = Increments(*map(jnp.stack, zip(*increments)))
        penalty = self.penalise(increments) if self.context.penalises else jnp.zeros(())
        return StackOutput(features, penalty, increments), PredRNNState(tuple(layers), memory)
