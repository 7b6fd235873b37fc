"""Networks of damped, driven oscillators: coRNN (Rusch & Mishra 2021), with equal or with different oscillators."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from predjax.cells.base import RecurrentCell
from predjax.cells.linear import add_maps
from predjax.cells.options import check_count, check_number, check_switch


class OscillatorState(NamedTuple):
    """Position y and velocity z, each `(B, *S, F)`."""

    position: jax.Array
    velocity: jax.Array


def step_oscillators(state, force, gamma, epsilon, step_size, implicit_damping=False):
    """z' = z + dt [force - gamma y - epsilon z], y' = y + dt z'; with `implicit_damping` epsilon acts on z'.

    Then z' = (z + dt [force - gamma y]) / (1 + dt epsilon), which is stable for any epsilon.
    """
    position, velocity = state
    pull = force - gamma * position
    if implicit_damping:
        velocity = (velocity + step_size * pull) / (1 + step_size * epsilon)
    else:
        velocity = velocity + step_size * (pull - epsilon * velocity)
    return OscillatorState(position + step_size * velocity, velocity)


class CoRNN(RecurrentCell):
    """z' = z + dt [tanh(W y + W_z z + V u + b) - gamma y - epsilon z], y' = y + dt z': `(B, *S, I)` to y' `(B, *S, F)`.

    The coupled oscillatory RNN of Rusch & Mishra (2021), arXiv:2010.00951, eq. 3, with the damping of the old z as in
    the authors' experiments, or of z' with `implicit_damping`; dt is `step_size`, the state `OscillatorState`. gamma
    and epsilon are fixed, by default the authors' for sequential MNIST, as is dt. W, W_z and V are dense or
    convolutions; kernels and b start uniform in +-1/sqrt(fan_in).
    """

    def __init__(
        self,
        features,
        spatial_shape=(),
        kernel_shape=(),
        step_size=0.042,
        gamma=2.7,
        epsilon=4.7,
        implicit_damping=False,
        context=None,
        name=None,
    ):
        super().__init__(features, spatial_shape, kernel_shape, context, name)
        self.step_size = check_number("step_size", step_size, above=0)
        self.gamma = check_number("gamma", gamma, above=0)
        self.epsilon = check_number("epsilon", epsilon, above=0)
        self.implicit_damping = check_switch("implicit_damping", implicit_damping)
        self.input = self.linear(features, "input", with_bias=True)
        self.from_position = self.linear(features, "position")
        self.from_velocity = self.linear(features, "velocity")

    def initial_state(self, batch_size):
        """At rest, at zero."""
        return OscillatorState(self.zeros(batch_size), self.zeros(batch_size))

    def __call__(self, inputs, state):
        sums = add_maps(
            (self.input, inputs), (self.from_position, state.position), (self.from_velocity, state.velocity)
        )
        constants = self.gamma, self.epsilon, self.step_size
        state = step_oscillators(state, jnp.tanh(sums), *constants, self.implicit_damping)
        return state.position, state


class HeteroCoRNN(CoRNN):
    """`CoRNN` whose oscillators differ: gamma and epsilon `(F,)` are drawn once, uniformly from ranges, and stay fixed.

    Ceni et al. (2023), "Random oscillators network for time series processing". The ranges are the constants of
    `CoRNN` plus and minus half of them by default; `seed` draws them, the same for every pixel.
    """

    def __init__(
        self,
        features,
        spatial_shape=(),
        kernel_shape=(),
        step_size=0.042,
        gamma_min=1.35,
        gamma_max=4.05,
        epsilon_min=2.35,
        epsilon_max=7.05,
        seed=0,
        implicit_damping=False,
        context=None,
        name=None,
    ):
        options = {"step_size": step_size, "implicit_damping": implicit_damping, "context": context}
        super().__init__(features, spatial_shape, kernel_shape, **options, name=name)
        # RandomState: numpy promises its stream for good, and a checkpoint does not hold these numbers.
        random = np.random.RandomState(check_count("seed", seed, low=0))

        def draw(option, low, high):
            low = check_number(f"{option}_min", low, above=0)
            return random.uniform(low, check_number(f"{option}_max", high, low=low), features).astype(np.float32)

        self.gamma = draw("gamma", gamma_min, gamma_max)
        self.epsilon = draw("epsilon", epsilon_min, epsilon_max)
