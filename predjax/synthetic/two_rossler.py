"""A slow and a fast Rössler oscillator, partially superposed: each feature shows one of them or both."""

import dataclasses

import numpy as np

from predjax.flags import flag
from predjax.synthetic.dynamics import RosslerConfig, Series, SeriesConfig, integrate, rossler_rate

MEAN = np.array([0.176, -0.880, 0.882])  # of x, y, z over 12000 time units
DEVIATION = np.array([5.14, 4.83, 2.86])
SYSTEM_STREAM = 3  # of random numbers; stream 1 makes the observation noise


@dataclasses.dataclass(frozen=True)
class TwoRosslerConfig(SeriesConfig):
    """Options of the two oscillators."""

    dt: float = flag(0.1, "model time of the slow oscillator between samples")
    transient: float = flag(100.0, "model time of each oscillator before the first sample")
    ratio: float = flag(5.0, "speed of the fast oscillator, relative to the slow one")
    features: int = flag(8, "observed features, which are mixtures of the oscillators")
    superposed: int = flag(4, "features that show both oscillators; the others show the slow and the fast one in turn")
    system_seed: int = flag(0, "seed of the mixture, the same for all movies and seeds")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("ratio", self.ratio > 1, "above 1")
        self.require("features", self.features >= 1, "at least 1")
        self.require("superposed", 0 <= self.superposed <= self.features, f"from 0 to features {self.features}")
        self.require("system_seed", self.system_seed >= 0, "at least 0")


def make_two_rossler(config: TwoRosslerConfig, seed: int, movie: int) -> Series:
    """Make a series x = C s that mixes two independent Rössler oscillators, a slow and a fast one.

    du/dt = f(u) and dv/dt = `ratio` f(v) with the f of Rössler (1976). The truth `latent` is s, both oscillators
    standardised: (u - m) / d and (v - m) / d with the mean m and the standard deviation d of the attractor. Both are
    constants, so that C is the same map for all movies. The hypernetworks of Abe & Brunton, TiDHy: timescale demixing
    via hypernetworks, https://doi.org/10.1101/2025.01.28.635316, separate two such timescales.
    """
    rng = np.random.default_rng([seed, movie])
    states = []
    for speed in (1.0, config.ratio):
        own = RosslerConfig(length=config.length, dt=speed * config.dt, transient=config.transient)
        states.append(integrate(rossler_rate, rng.uniform([-4, -4, 0], [4, 4, 0.1]), own).values)
    latent = (np.stack(states, 1) - MEAN) / DEVIATION
    latent = latent.reshape(config.length, 6)
    return Series(latent @ draw_mixture(config).T, truths={"latent": latent})


def draw_mixture(config: TwoRosslerConfig) -> np.ndarray:
    """Draw C `(D, 6)`: random rows of length 1, with zeros for the oscillator that a feature does not show."""
    rng = np.random.default_rng([config.system_seed, 0, SYSTEM_STREAM])
    mixture = rng.standard_normal((config.features, 6))
    for row, sight in zip(mixture, list_sights(config)):
        if sight != "both":
            row[3:] *= sight == "fast"
            row[:3] *= sight == "slow"
    return mixture / np.linalg.norm(mixture, axis=1, keepdims=True)


def list_sights(config: TwoRosslerConfig) -> list[str]:
    """Return the oscillators that each feature shows: "both", "slow" or "fast"."""
    alone = config.features - config.superposed
    return ["both"] * config.superposed + [("slow", "fast")[number % 2] for number in range(alone)]
