"""A switching linear dynamical system: modes with rotations of several speeds take turns, observed as mixtures."""

import dataclasses
from typing import NamedTuple

import numpy as np

from predjax.flags import flag
from predjax.synthetic.dynamics import Series, SeriesConfig

SYSTEM_STREAM = 2  # of random numbers; stream 1 makes the observation noise


@dataclasses.dataclass(frozen=True)
class SwitchingLinearConfig(SeriesConfig):
    """Options of the switching linear dynamical system."""

    observation_noise: float = flag(0.05, "white noise, as a fraction of each feature's standard deviation")
    modes: int = flag(3, "modes, from the slowest to the fastest")
    latent: int = flag(4, "variables of the state, two for each rotation")
    features: int = flag(10, "observed features, which are mixtures of the state")
    longest_period: float = flag(60.0, "steps of the slowest rotation of the slowest mode")
    shortest_period: float = flag(6.0, "steps of the fastest rotation of the fastest mode")
    contraction: float = flag(0.001, "fraction of the state that is lost in a step; noise replaces it")
    dwell_min: int = flag(50, "fewest steps that a mode holds")
    dwell_max: int = flag(150, "most steps that a mode holds")
    system_seed: int = flag(0, "seed of the rotations and the mixture, the same for all movies and seeds")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("modes", self.modes >= 2, "at least 2")
        self.require("latent", self.latent >= 2 and self.latent % 2 == 0, "even and at least 2")
        self.require("features", self.features >= 1, "at least 1")
        self.require("shortest_period", self.shortest_period > 2, "above 2")
        rule = f"above shortest_period {self.shortest_period}"
        self.require("longest_period", self.longest_period > self.shortest_period, rule)
        self.require("contraction", 0 <= self.contraction < 1, "at least 0 and below 1")
        self.require("dwell_min", self.dwell_min >= 1, "at least 1")
        self.require("dwell_max", self.dwell_max >= self.dwell_min, f"at least dwell_min {self.dwell_min}")
        self.require("system_seed", self.system_seed >= 0, "at least 0")


class SwitchingLinear(NamedTuple):
    """The matrices of a system: M modes of an R-dimensional state, and D features."""

    transitions: np.ndarray  # (M, R, R), the matrix of each mode
    mixture: np.ndarray  # (D, R), rows of length 1


def build_switching_linear(config: SwitchingLinearConfig) -> SwitchingLinear:
    """Draw the matrices of a system from `system_seed`: A_k of each mode, and C of the observation.

    A_k = (1 - c) Q_k diag(rotation(w_k1) .. rotation(w_kP)) Q_k^T with the `contraction` c. M modes of P = R / 2
    rotations have M P speeds, whose logarithms are evenly spaced from 2 pi / `longest_period` to 2 pi /
    `shortest_period` radians a step; mode 0 has the P slowest and mode M-1 the P fastest. Q_k is a random orthonormal
    basis for each mode, and the rows of C are random directions.
    """
    rng = np.random.default_rng([config.system_seed, 0, SYSTEM_STREAM])
    slowest, fastest = 2 * np.pi / config.longest_period, 2 * np.pi / config.shortest_period
    speeds = np.geomspace(slowest, fastest, config.modes * config.latent // 2).reshape(config.modes, -1)
    transitions = np.zeros((config.modes, config.latent, config.latent))
    for mode, angles in enumerate(speeds):
        real, imaginary = np.arange(0, config.latent, 2), np.arange(1, config.latent, 2)
        transitions[mode, real, real] = transitions[mode, imaginary, imaginary] = np.cos(angles)
        transitions[mode, imaginary, real] = np.sin(angles)
        transitions[mode, real, imaginary] = -np.sin(angles)
        basis, _ = np.linalg.qr(rng.standard_normal((config.latent, config.latent)))
        transitions[mode] = (1 - config.contraction) * basis @ transitions[mode] @ basis.T
    mixture = rng.standard_normal((config.features, config.latent))
    return SwitchingLinear(transitions, mixture / np.linalg.norm(mixture, axis=1, keepdims=True))


def make_switching_linear(config: SwitchingLinearConfig, seed: int, movie: int) -> Series:
    """Make a series of the switching system; its hidden truth is the mode m_t of each step.

        z_t = A_{m_t} z_{t-1} + (1 - (1 - c)^2)^(1/2) e_t    x_t = C z_t    with e_t standard normal

    A mode holds for a number of steps that is uniform from `dwell_min` to `dwell_max`; then any other mode follows with
    equal chance. A_k is 1 - c times a rotation, so z is standard normal at every step in all modes: the modes differ in
    the movement of z and not in its place, and each feature of x has the variance 1. With c = 0 there is no noise and
    the length of z is constant.

    The switches of Linderman et al. (2017), Bayesian learning and inference in recurrent switching linear dynamical
    systems, arXiv:1610.08466, depend on z; these do not. Abe & Brunton, TiDHy: timescale demixing via hypernetworks,
    https://doi.org/10.1101/2025.01.28.635316, separate such mixtures of slow and fast dynamics.
    """
    rng = np.random.default_rng([seed, movie])
    system = build_switching_linear(config)
    modes = draw_modes(config, rng)
    kicks = rng.standard_normal((config.length, config.latent))
    kicks[1:] *= np.sqrt(1 - (1 - config.contraction) ** 2)
    states = kicks  # the first is the start
    for step in range(1, config.length):
        states[step] += system.transitions[modes[step]] @ states[step - 1]
    return Series(states @ system.mixture.T, truths={"mode": modes})


def draw_modes(config: SwitchingLinearConfig, rng: np.random.Generator) -> np.ndarray:
    """Draw the mode `(T,)` of every step; the mode of step t takes z_{t-1} to z_t. The last mode may be cut short."""
    mode = rng.integers(config.modes)
    modes: list[np.integer] = []
    while len(modes) < config.length:
        modes += [mode] * rng.integers(config.dwell_min, config.dwell_max + 1)
        mode = (mode + rng.integers(1, config.modes)) % config.modes
    return np.array(modes[: config.length])
