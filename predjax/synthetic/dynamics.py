"""Chaotic systems as vector time series: Lorenz-63, Lorenz-96, Rössler, the double scroll and the Hénon map.

A series starts at a random state, runs through a transient that is not kept, and is then sampled every `dt` model time
units. Series `i` of a seed is a pure function of (configuration, seed, i).
"""

import dataclasses
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from scipy.integrate import solve_ivp

from predjax.flags import flag

TOLERANCE = 1e-9  # of a step, relative and absolute: below the precision of float32
RUNAWAY = 1e6  # far outside every attractor here


class Series(NamedTuple):
    """A vector time series, with the input of a driven system and the hidden truths by name."""

    values: np.ndarray  # (T, F)
    inputs: np.ndarray | None = None  # (T, C)
    truths: Mapping[str, np.ndarray] = MappingProxyType({})  # (T,) or (T, S)


@dataclasses.dataclass(frozen=True)
class SeriesConfig:
    """The options of all series; a subclass adds `dt` and `transient` in model time units, and the parameters."""

    length: int = flag(1000, "samples of a series")
    observation_noise: float = flag(0.0, "white noise, as a fraction of each feature's standard deviation")

    def __post_init__(self) -> None:
        self.require("length", self.length >= 2, "at least 2")
        for name in ("observation_noise", "transient"):
            self.require(name, getattr(self, name, 0) >= 0, "at least 0")
        self.require("dt", getattr(self, "dt", 1) > 0, "positive")
        for field in dataclasses.fields(self):
            self.require(field.name, math.isfinite(getattr(self, field.name)), "finite")

    def require(self, name: str, holds: bool, rule: str) -> None:
        """Raise a ValueError that names the option, unless its rule holds."""
        if not holds:
            raise ValueError(f"{name} {getattr(self, name)} must be {rule}")


@dataclasses.dataclass(frozen=True)
class Lorenz63Config(SeriesConfig):
    """Options of Lorenz-63."""

    dt: float = flag(0.02, "model time between samples")
    transient: float = flag(50.0, "model time before the first sample")
    sigma: float = flag(10.0, "Prandtl number")
    rho: float = flag(28.0, "Rayleigh number relative to the onset of convection")
    beta: float = flag(8 / 3, "aspect ratio of the convection cells")


def lorenz63_rate(state: np.ndarray, config: Lorenz63Config) -> np.ndarray:
    """Return the rates dx/dt = sigma (y - x), dy/dt = x (rho - z) - y, dz/dt = x y - beta z.

    Lorenz (1963), Deterministic nonperiodic flow, https://doi.org/10.1175/1520-0469(1963)020<0130:DNF>2.0.CO;2.
    """
    x, y, z = state
    return np.array([config.sigma * (y - x), x * (config.rho - z) - y, x * y - config.beta * z])


def make_lorenz63(config: Lorenz63Config, seed: int, movie: int) -> Series:
    """Make a series of Lorenz-63 from a random state around the attractor."""
    rng = np.random.default_rng([seed, movie])
    return integrate(lorenz63_rate, rng.normal([0, 0, config.rho - 1], 5.0), config)


@dataclasses.dataclass(frozen=True)
class Lorenz96Config(SeriesConfig):
    """Options of Lorenz-96."""

    dt: float = flag(0.05, "model time between samples; 0.05 is six hours of weather")
    transient: float = flag(20.0, "model time before the first sample")
    num_variables: int = flag(40, "variables on the circle")
    forcing: float = flag(8.0, "F")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("num_variables", self.num_variables >= 4, "at least 4")


def lorenz96_rate(state: np.ndarray, config: Lorenz96Config) -> np.ndarray:
    """Return the rates dx_i/dt = (x_{i+1} - x_{i-2}) x_{i-1} - x_i + F on a circle: advection, damping and forcing.

    The advection conserves the energy sum_i x_i^2 / 2. Lorenz (1996), Predictability: a problem partly solved, ECMWF
    Seminar on Predictability; Lorenz & Emanuel (1998), https://doi.org/10.1175/1520-0469(1998)055<0399:OSFSWO>2.0.CO;2.
    """
    circle = np.concatenate([state[-2:], state, state[:1]])
    advection = (circle[3:] - circle[:-3]) * circle[1:-2]
    return advection - state + config.forcing


def make_lorenz96(config: Lorenz96Config, seed: int, movie: int) -> Series:
    """Make a series of Lorenz-96 from the unstable rest state F with noise."""
    rng = np.random.default_rng([seed, movie])
    return integrate(lorenz96_rate, config.forcing + rng.standard_normal(config.num_variables), config)


@dataclasses.dataclass(frozen=True)
class RosslerConfig(SeriesConfig):
    """Options of the Rössler system."""

    dt: float = flag(0.1, "model time between samples")
    transient: float = flag(200.0, "model time before the first sample")
    a: float = flag(0.2, "growth of the spiral")
    b: float = flag(0.2, "source of z")
    c: float = flag(5.7, "x above which z grows")


def rossler_rate(state: np.ndarray, config: RosslerConfig) -> np.ndarray:
    """Return the rates dx/dt = -y - z, dy/dt = x + a y, dz/dt = b + z (x - c).

    Rössler (1976), An equation for continuous chaos, https://doi.org/10.1016/0375-9601(76)90101-8.
    """
    x, y, z = state
    return np.array([-y - z, x + config.a * y, config.b + z * (x - config.c)])


def make_rossler(config: RosslerConfig, seed: int, movie: int) -> Series:
    """Make a series of the Rössler system from a random state near the plane z = 0."""
    rng = np.random.default_rng([seed, movie])
    return integrate(rossler_rate, rng.uniform([-4, -4, 0], [4, 4, 0.1]), config)


@dataclasses.dataclass(frozen=True)
class DoubleScrollConfig(SeriesConfig):
    """Options of the double scroll."""

    dt: float = flag(0.1, "model time between samples")
    transient: float = flag(100.0, "model time before the first sample")
    alpha: float = flag(9.0, "ratio of the capacitors")
    beta: float = flag(100 / 7, "capacitor over inductance and squared conductance")
    inner_slope: float = flag(-1 / 7, "slope of h where |x| < 1")
    outer_slope: float = flag(2 / 7, "slope of h where |x| > 1")


def double_scroll_rate(state: np.ndarray, config: DoubleScrollConfig) -> np.ndarray:
    """Return the rates dx/dt = alpha (y - h(x)), dy/dt = x - y + z, dz/dt = -beta y of Chua's circuit.

    h(x) = m1 x + (m0 - m1) (|x + 1| - |x - 1|) / 2 with the slope m0 inside |x| < 1 and m1 outside; all quantities are
    dimensionless. The default parameters come from Chua, Komuro & Matsumoto (1986), The double scroll family,
    https://doi.org/10.1109/TCS.1986.1085869, and equal the circuit of Matsumoto, Chua & Komuro (1985),
    https://doi.org/10.1109/TCS.1985.1085791.
    """
    x, y, z = state
    bend = (np.abs(x + 1) - np.abs(x - 1)) / 2
    h = config.outer_slope * x + (config.inner_slope - config.outer_slope) * bend
    return np.array([config.alpha * (y - h), x - y + z, -config.beta * y])


def make_double_scroll(config: DoubleScrollConfig, seed: int, movie: int) -> Series:
    """Make a series of the double scroll from a random state near its origin."""
    rng = np.random.default_rng([seed, movie])
    return integrate(double_scroll_rate, rng.uniform(-0.1, 0.1, 3), config)


def integrate(rate: Callable, start: np.ndarray, config: Any) -> Series:
    """Solve d state / dt = rate(state, config) by DOP853 with tight tolerances; the transient is left out.

    Errors: ValueError where the solution grows without bound.
    """
    times = config.transient + config.dt * np.arange(config.length)

    def room(_: float, state: np.ndarray) -> float:
        return RUNAWAY - np.abs(state).max()

    room.terminal = True  # type: ignore[attr-defined]  # scipy then stops, instead of shrinking its steps for hours
    options = {"method": "DOP853", "t_eval": times, "events": room, "rtol": TOLERANCE, "atol": TOLERANCE}
    solution = solve_ivp(lambda _, state: rate(state, config), (0.0, times[-1]), start, **options)
    if solution.status != 0:
        raise ValueError(f"{rate.__name__.removesuffix('_rate')} grows without bound with these parameters")
    return Series(solution.y.T)


@dataclasses.dataclass(frozen=True)
class HenonConfig(SeriesConfig):
    """Options of the Hénon map."""

    transient: int = flag(1000, "steps before the first sample")
    a: float = flag(1.4, "strength of the fold")
    b: float = flag(0.3, "contraction of areas")


def make_henon(config: HenonConfig, seed: int, movie: int) -> Series:
    """Make a series of the Hénon map, x_{t+1} = 1 - a x_t^2 + y_t, y_{t+1} = b x_t.

    Hénon (1976), A two-dimensional mapping with a strange attractor, https://doi.org/10.1007/BF01608556.
    """
    rng = np.random.default_rng([seed, movie])
    states = np.empty((config.transient + config.length, 2))
    states[0] = rng.uniform(-0.1, 0.1, 2)
    for step in range(1, len(states)):
        x, y = states[step - 1]
        states[step] = 1 - config.a * x * x + y, config.b * x
    return Series(states[config.transient :])
