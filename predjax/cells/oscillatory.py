"""Networks of damped, driven oscillators: coRNN (Rusch & Mishra 2021), with equal or different oscillators."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from predjax.cells.base import RecurrentCell
from predjax.cells.linear import add_maps
from predjax.cells.options import check_number, option

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
    """Advance oscillators by a step dt; return the new position y' and velocity z'.

        z' = z + dt [force - gamma y - epsilon z]    y' = y + dt z'

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


@dataclasses.dataclass(eq=False)
class CoRNN(RecurrentCell):
    """The coupled oscillatory RNN: `(B, *S, I)` to y' `(B, *S, F)`; the state is `OscillatorState`.

        z' = z + dt [tanh(W y + W_z z + V u + b) - gamma y - epsilon z]    y' = y + dt z'

    Rusch & Mishra (2021), arXiv:2010.00951, eq. 3. Damping acts on z, as in the authors' experiments, or on z' with
    `implicit_damping`. dt is `step_size`. dt, gamma and epsilon are constants, by default the authors' values for
    sequential MNIST. W, W_z and V are dense or convolutions; kernels and b start uniform in +-1/sqrt(fan_in).
    """

    step_size: float = option(0.042, above=0)
    gamma: float = option(2.7, above=0)
    epsilon: float = option(4.7, above=0)
    implicit_damping: bool = option(False)
    state_type = OscillatorState

    def __post_init__(self) -> None:
        super().__post_init__()
        self.input = self.linear(self.features, "input", with_bias=True)
        self.from_position = self.linear(self.features, "position")
        self.from_velocity = self.linear(self.features, "velocity")

    def __call__(self, inputs: jax.Array, state: OscillatorState) -> tuple[jax.Array, OscillatorState]:
        sums = add_maps(
            (self.input, inputs), (self.from_position, state.position), (self.from_velocity, state.velocity)
        )
        constants = self.gamma, self.epsilon, self.step_size
        state = step_oscillators(state, jnp.tanh(sums), *constants, self.implicit_damping)
        return state.position, state


@dataclasses.dataclass(eq=False)
class HeteroCoRNN(CoRNN):
    """A `CoRNN` of different oscillators, whose constants gamma and epsilon `(F,)` are drawn once and are not trained.

    Ceni et al. (2023), "Random oscillators network for time series processing". The draws are uniform in the given
    ranges, by default the constants of `CoRNN` plus and minus half of them. `seed` fixes the draws, which are the same
    for every pixel.
    """

    gamma: float = dataclasses.field(default=2.7, init=False)
    epsilon: float = dataclasses.field(default=4.7, init=False)
    gamma_min: float = option(1.35, above=0)
    gamma_max: float = 4.05
    epsilon_min: float = option(2.35, above=0)
    epsilon_max: float = 7.05
    seed: int = option(0, low=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        # RandomState: numpy promises its stream for good, and a checkpoint does not hold these numbers.
        random = np.random.RandomState(self.seed)
        for constant in ("gamma", "epsilon"):
            low, high = getattr(self, f"{constant}_min"), getattr(self, f"{constant}_max")
            check_number(f"{constant}_max", high, low=low)
            setattr(self, constant, random.uniform(low, high, self.features).astype(np.float32))
