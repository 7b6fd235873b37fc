"""Networks of damped, driven oscillators: coRNN (Rusch & Mishra 2021), with equal or different oscillators."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from predjax.cells.base import RecurrentCell
from predjax.cells.context import StepContext
from predjax.cells.linear import Shape, add_maps
from predjax.cells.options import check_count, check_number, check_switch

Constant = float | np.ndarray  # of all oscillators, or `(F,)`, one for each


class OscillatorState(NamedTuple):
    """Position y and velocity z, each `(B, *S, F)`."""

    position: jax.Array
    velocity: jax.Array


def step_oscillators(
    state: OscillatorState,
    force: jax.Array,
    gamma: Constant,
    epsilon: Constant,
    step_size: float,
    implicit_damping: bool = False,
) -> OscillatorState:
    """Return z' = z + dt [force - gamma y - epsilon z] and y' = y + dt z'.

    With `implicit_damping` epsilon acts on z': z' = (z + dt [force - gamma y]) / (1 + dt epsilon), which is stable for
    any epsilon.
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

    The coupled oscillatory RNN of Rusch & Mishra (2021), arXiv:2010.00951, eq. 3. Damping acts on z, as in the authors'
    experiments, or on z' with `implicit_damping`. dt is `step_size`, the state `OscillatorState`. dt, gamma and epsilon
    are constants, by default the authors' values for sequential MNIST. W, W_z and V are dense or convolutions; kernels
    and b start uniform in +-1/sqrt(fan_in).
    """

    def __init__(
        self,
        features: int,
        spatial_shape: Shape = (),
        kernel_shape: Shape = (),
        step_size: float = 0.042,
        gamma: float = 2.7,
        epsilon: float = 4.7,
        implicit_damping: bool = False,
        context: StepContext | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(features, spatial_shape, kernel_shape, context, name)
        self.step_size = check_number("step_size", step_size, above=0)
        self.gamma: Constant = check_number("gamma", gamma, above=0)
        self.epsilon: Constant = check_number("epsilon", epsilon, above=0)
        self.implicit_damping = check_switch("implicit_damping", implicit_damping)
        self.input = self.linear(features, "input", with_bias=True)
        self.from_position = self.linear(features, "position")
        self.from_velocity = self.linear(features, "velocity")

    def initial_state(self, batch_size: int) -> OscillatorState:
        """Return zeros: oscillators at rest."""
        return OscillatorState(self.zeros(batch_size), self.zeros(batch_size))

    def __call__(self, inputs: jax.Array, state: OscillatorState) -> tuple[jax.Array, OscillatorState]:
        sums = add_maps(
            (self.input, inputs), (self.from_position, state.position), (self.from_velocity, state.velocity)
        )
        constants = self.gamma, self.epsilon, self.step_size
        state = step_oscillators(state, jnp.tanh(sums), *constants, self.implicit_damping)
        return state.position, state


class HeteroCoRNN(CoRNN):
    """`CoRNN` with different oscillators: gamma and epsilon `(F,)` are drawn once, uniform in their ranges, and stay.

    Ceni et al. (2023), "Random oscillators network for time series processing". By default the ranges are the constants
    of `CoRNN` plus and minus half of them. `seed` makes the draws, which are the same for every pixel.
    """

    def __init__(
        self,
        features: int,
        spatial_shape: Shape = (),
        kernel_shape: Shape = (),
        step_size: float = 0.042,
        gamma_min: float = 1.35,
        gamma_max: float = 4.05,
        epsilon_min: float = 2.35,
        epsilon_max: float = 7.05,
        seed: int = 0,
        implicit_damping: bool = False,
        context: StepContext | None = None,
        name: str | None = None,
    ) -> None:
        damping: Any = {"step_size": step_size, "implicit_damping": implicit_damping}
        super().__init__(features, spatial_shape, kernel_shape, **damping, context=context, name=name)
        # RandomState: numpy promises its stream for good, and a checkpoint does not hold these numbers.
        random = np.random.RandomState(check_count("seed", seed, low=0))

        def draw(option: str, low: float, high: float) -> np.ndarray:
            low = check_number(f"{option}_min", low, above=0)
            return random.uniform(low, check_number(f"{option}_max", high, low=low), features).astype(np.float32)

        self.gamma = draw("gamma", gamma_min, gamma_max)
        self.epsilon = draw("epsilon", epsilon_min, epsilon_max)
