"""Continuous-time rate networks in discrete steps: with noise, or with a time constant for each neuron."""

import dataclasses
from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from predjax.cells.base import RecurrentCell
from predjax.cells.linear import add_maps
from predjax.cells.options import choose_activation, option


def noise_scale(alpha: float, sigma: float, noise_form: str) -> float:
    """Return the factor of xi ~ N(0, 1) in a step: sqrt(2 alpha) sigma (Euler-Maruyama) or alpha sigma ("bracket")."""
    return alpha * sigma if noise_form == "bracket" else (2 * alpha) ** 0.5 * sigma


@dataclasses.dataclass(eq=False)
class CTRNN(RecurrentCell):
    """A continuous-time rate network with noise: `(B, *S, I)` to f(h') `(B, *S, F)`; the state is h.

        h' = (1 - a) h + a (W f(h) + U u + b) + noise

    The rate network tau dh/dt = -h + W f(h) + U u + b + sqrt(2 tau) sigma xi(t) in steps of a = dt / tau = `alpha` in
    (0, 1]; the rates f are `activation`, sigma is `noise`. The noise of a step follows Euler and Maruyama (Song et
    al. 2016), sqrt(2 a) sigma xi, which gives a free neuron the standard deviation sigma / sqrt(1 - a/2). With
    `noise_form` "bracket", as in some codes, it is a sigma xi, and the standard deviation sigma sqrt(a / (2 - a)). Each
    sample draws its own xi ~ N(0, 1) from Haiku's random key; without a key there is no noise.

    W starts as N(0, `gain`^2 / F), the random network of Sompolinsky et al. (1988), chaotic for a gain above 1; U and b
    start uniform in +-1/sqrt(fan_in). h starts at zero; codes for neuroscience start it at one.
    """

    alpha: float = option(0.1, above=0, high=1)
    noise: float = option(0.0, low=0)
    noise_form: str = option("euler_maruyama", choices=("euler_maruyama", "bracket"))
    gain: float = option(1.0, above=0)
    activation: str = "tanh"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.activate = choose_activation(self.activation)
        start = hk.initializers.VarianceScaling(self.gain**2, "fan_in", "normal")
        self.recurrent = self.linear(self.features, "recurrent", w_init=start)
        self.input = self.linear(self.features, "input", with_bias=True)

    def advance(self, inputs: jax.Array, state: jax.Array, xi: jax.Array | None = None) -> jax.Array:
        """Return h', with the noise xi `(B, *S, F)` if given."""
        drive = add_maps((self.input, inputs), (self.recurrent, self.activate(state)))
        state = (1 - self.alpha) * state + self.alpha * drive
        return state if xi is None else state + noise_scale(self.alpha, self.noise, self.noise_form) * xi

    def __call__(self, inputs: jax.Array, state: jax.Array) -> tuple[jax.Array, jax.Array]:
        def draw(key: jax.Array) -> jax.Array:
            return jax.random.normal(key, state.shape[1:], state.dtype)

        state = self.advance(inputs, state, self.context.draw(draw, len(state)) if self.noise else None)
        return self.activate(state), state


class TimedState(NamedTuple):
    """The hidden state h and the time constants tau, each `(B, *S, F)`; no step changes tau."""

    hidden: jax.Array
    time_constant: jax.Array


@dataclasses.dataclass(eq=False)
class SimpleCTRNN(RecurrentCell):
    """A rate network with time constants tau: `(B, *S, I)` to h' `(B, *S, F)`; the state is `TimedState`.

        h' = (1 - dt/tau) h + dt/tau (sigmoid(W h + b) + U u)

    Every neuron has its tau, which is part of the state; the initial state takes it from the parameter log tau `(F,)`,
    which starts at 0. The sigmoid acts on the weighted sum; Beer (1995) has tau dy/dt = -y + W sigmoid(y + theta) + I,
    which is not the same. dt is `step_size`. Kernels and b start uniform in +-1/sqrt(fan_in).
    """

    step_size: float = option(0.1, above=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.recurrent = self.linear(self.features, "recurrent", with_bias=True)
        self.input = self.linear(self.features, "input")

    def initial_state(self, batch_size: int) -> TimedState:
        """Return h = 0 and tau from the parameter."""
        zeros = self.zeros(batch_size)
        tau = jnp.exp(hk.get_parameter("log_tau", (self.features,), zeros.dtype, init=jnp.zeros))
        return TimedState(zeros, jnp.broadcast_to(tau, zeros.shape))

    def __call__(self, inputs: jax.Array, state: TimedState) -> tuple[jax.Array, TimedState]:
        rate = self.step_size / state.time_constant
        drive = jax.nn.sigmoid(self.recurrent(state.hidden)) + self.input(inputs)
        hidden = (1 - rate) * state.hidden + rate * drive
        return hidden, state._replace(hidden=hidden)
