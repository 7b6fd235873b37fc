"""Noise in the hidden features of a stack, so that a network draws members of an ensemble."""

import re

import haiku as hk
import jax

from predjax.cells.context import StepContext
from predjax.models.config import ModelConfig

LATENTS = 16  # features of z


class Noise(hk.Module):
    """Noise of a fixed size f, whose strength in each feature is learned and differs between members: h + f n (W z) m.

    The stochastic layer of arXiv:2512.18815. n ~ N(0, 1) is drawn for every step, pixel and feature; z ~ N(0, 1)
    `(LATENTS,)` is drawn once for all steps and layers of a member. Parameters: W `w` `(LATENTS, F)`, which starts as
    N(0, 1 / LATENTS), and m `m` `(F,)`, which starts at 1: the noise then has the standard deviation f. Without a
    random key there is no noise; with f = 0 there are no parameters.

    Inputs and outputs are `(B, ..., F)`.
    """

    def __init__(self, size: float, context: StepContext, name: str | None = None) -> None:
        super().__init__(name=name)
        self.size, self.context = size, context

    def __call__(self, hidden: jax.Array) -> jax.Array:
        if not self.size:
            return hidden
        batch, features, dtype = len(hidden), hidden.shape[-1], hidden.dtype
        z = self.context.draw_once(lambda key: jax.random.normal(key, (LATENTS,), dtype), batch)
        if z is None and not hk.running_init():
            return hidden
        w = hk.get_parameter("w", (LATENTS, features), dtype, init=hk.initializers.RandomNormal(LATENTS**-0.5))
        m = hk.get_parameter("m", (features,), dtype, init=hk.initializers.Constant(1))
        n = self.context.draw(lambda key: jax.random.normal(key, hidden.shape[1:], dtype), batch)
        if z is None or n is None:
            return hidden
        strength = (z @ w).reshape(batch, *[1] * (hidden.ndim - 2), features)
        return hidden + self.size * n * strength * m


def is_noise(module: str) -> bool:
    """Return whether a module in the parameters of a model is a `Noise`, by its name."""
    return re.fullmatch(r"(.*/)?noise_\d+", module) is not None


def make_noise(config: ModelConfig, context: StepContext) -> list[Noise]:
    """Make the noise of every layer of a stack, inside a Haiku function."""
    return [Noise(config.noise, context, name=f"noise_{layer}") for layer in range(len(config.num_hidden))]
