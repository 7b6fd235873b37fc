"""Simple recurrences: Elman (1990), leaky units, the Wilson-Cowan form, and independent neurons (Li et al. 2018)."""

import dataclasses

import haiku as hk
import jax
import jax.numpy as jnp

from predjax.cells.base import RecurrentCell
from predjax.cells.linear import add_maps
from predjax.cells.options import choose_activation, option


@dataclasses.dataclass(eq=False)
class Elman(RecurrentCell):
    """The Elman network: `(B, *S, I)` to `(B, *S, F)`; h is the state and the output.

        h' = f(W_hh h + W_ih x + b)

    Elman (1990), "Finding structure in time". W_hh and W_ih are dense or convolutions. f is `activation`.
    """

    activation: str = "tanh"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.activate = choose_activation(self.activation)
        self.input = self.linear(self.features, "input")
        self.recurrent = self.linear(self.features, "recurrent", with_bias=True)

    def __call__(self, inputs: jax.Array, state: jax.Array) -> tuple[jax.Array, jax.Array]:
        hidden = self.activate(add_maps((self.input, inputs), (self.recurrent, state)))
        return hidden, hidden


@dataclasses.dataclass(eq=False)
class LeakyElman(Elman):
    """An `Elman` network of leaky units, with a = `leak_rate` in (0, 1]; a = 1 is `Elman`.

        h' = (1 - a) h + a f(W_hh h + W_ih x + b)

    Leaky integrator neurons (Jaeger et al. 2007, with a decay of 1, in the form of Lukosevicius 2012).
    """

    leak_rate: float = option(0.3, above=0, high=1)

    def __post_init__(self) -> None:
        super().__post_init__()

    def __call__(self, inputs: jax.Array, state: jax.Array) -> tuple[jax.Array, jax.Array]:
        driven, _ = super().__call__(inputs, state)
        hidden = (1 - self.leak_rate) * state + self.leak_rate * driven
        return hidden, hidden


class WilsonCowan(LeakyElman):
    """A rate network with the input outside f, with a = `leak_rate` in (0, 1]; shapes are as in `Elman`.

        h' = (1 - a) h + a [f(W_hh h + b) + W_ih x]

    Libraries of recurrent cells give this form the name. Wilson & Cowan (1972) have the input inside f, and a factor
    1 - r h, the share of neurons that are not refractory.
    """

    def __call__(self, inputs: jax.Array, state: jax.Array) -> tuple[jax.Array, jax.Array]:
        driven = self.activate(self.recurrent(state)) + self.input(inputs)
        hidden = (1 - self.leak_rate) * state + self.leak_rate * driven
        return hidden, hidden


@dataclasses.dataclass(eq=False)
class IndRNN(RecurrentCell):
    """A network of independent neurons, each with one recurrent weight u; shapes are as in `Elman`.

        h' = f(u h + W x + b)    u `(F,)`; f is relu by default

    Li et al. (2018), "Independently recurrent neural network", arXiv:1803.04831. u starts as U(0, 1) and is clipped
    to +-`recurrent_bound`: 1 for long sequences, gamma^(1/T) for T steps (the authors take gamma 2 or 10). On maps u is
    the same for every pixel, and only W convolves.
    """

    activation: str = "relu"
    recurrent_bound: float = option(1.0, above=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.activate = choose_activation(self.activation)
        self.input = self.linear(self.features, "input", with_bias=True)

    def __call__(self, inputs: jax.Array, state: jax.Array) -> tuple[jax.Array, jax.Array]:
        init = hk.initializers.RandomUniform(0.0, min(1.0, self.recurrent_bound))
        u = hk.get_parameter("u", (self.features,), inputs.dtype, init=init)
        u = jnp.clip(u, -self.recurrent_bound, self.recurrent_bound)
        hidden = self.activate(u * state + self.input(inputs))
        return hidden, hidden
