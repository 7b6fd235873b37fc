"""Series that follow an input: NARMA and the sine-wave task. Inputs up to t determine the target at t."""

import dataclasses

import numpy as np

from predjax.flags import flag
from predjax.synthetic.dynamics import Series, SeriesConfig

DRAWS = 100  # of an input, before giving up


@dataclasses.dataclass(frozen=True)
class NarmaConfig(SeriesConfig):
    """Options of NARMA."""

    transient: int = flag(200, "steps before the first sample")
    order: int = flag(10, "steps that the target looks back")
    alpha: float = flag(0.3, "weight of the last target")
    beta: float = flag(0.05, "weight of the last target times the sum of targets")
    gamma: float = flag(1.5, "weight of the product of inputs")
    delta: float = flag(0.1, "constant")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("order", self.order >= 1, "at least 1")


def make_narma(config: NarmaConfig, seed: int, movie: int) -> Series:
    """Make a series of NARMA, a nonlinear autoregressive moving average of order n = `order`.

        y_t = alpha y_{t-1} + beta y_{t-1} sum_{i=1}^n y_{t-i} + gamma u_t u_{t-n+1} + delta

    The input u is uniform in [0, 0.5]. Papers write y_{t+1} for y_t, which here stands beside its newest input. With
    rare inputs y grows without bound; they are drawn anew. Errors: ValueError where y grows so for each of 100 inputs.
    Atiya & Parlos (2000), New results on recurrent network training, https://doi.org/10.1109/72.846741.
    """
    rng = np.random.default_rng([seed, movie])
    for _ in range(DRAWS):
        inputs = rng.uniform(0, 0.5, config.transient + config.length)
        targets = follow_narma(config, inputs)
        if np.abs(targets).max() < 1e3:  # False for NaN
            kept = slice(config.transient, None)
            return Series(targets[kept, None], inputs[kept, None])
    raise ValueError(f"narma of order {config.order} grows without bound with these parameters")


def follow_narma(config: NarmaConfig, inputs: np.ndarray) -> np.ndarray:
    """Return the targets (T,) of `inputs` (T,); before the first step inputs and targets are 0."""
    n = config.order
    u, y = np.append(np.zeros(n), inputs), np.zeros(n + len(inputs))
    for t in range(n, len(y)):
        memory = config.alpha * y[t - 1] + config.beta * y[t - 1] * y[t - n : t].sum()
        y[t] = memory + config.gamma * u[t] * u[t - n + 1] + config.delta
    return y[n:]


@dataclasses.dataclass(frozen=True)
class SineWaveConfig(SeriesConfig):
    """Options of the sine-wave task."""

    dt: float = flag(1.0, "model time between samples")
    num_frequencies: int = flag(51, "frequencies, evenly spaced")
    lowest: float = flag(0.1, "lowest frequency in radians per model time")
    highest: float = flag(0.6, "highest frequency in radians per model time")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("num_frequencies", self.num_frequencies >= 2, "at least 2")
        self.require("lowest", 0 < self.lowest < self.highest, f"above 0 and below highest {self.highest}")


def make_sine_wave(config: SineWaveConfig, seed: int, movie: int) -> Series:
    """Make a sine wave sin(w_j t) from t = 0, whose frequency is chosen by the constant input j / n + 0.25.

    j = 0 .. n-1 with n = `num_frequencies`; the w_j are evenly spaced from `lowest` to `highest`. Every n movies hold
    each frequency once, in random order. Sussillo & Barak (2013), Opening the black box,
    https://doi.org/10.1162/NECO_a_00409.
    """
    n = config.num_frequencies
    order = np.random.default_rng([seed, movie // n]).permutation(n)
    j = order[movie % n]
    frequency = np.linspace(config.lowest, config.highest, n)[j]
    times = config.dt * np.arange(config.length)
    return Series(np.sin(frequency * times)[:, None], np.full((config.length, 1), j / n + 0.25))
