"""The Mackey-Glass equation, a delay differential equation."""

import dataclasses
import math

import numpy as np

from predjax.flags import flag
from predjax.synthetic.dynamics import Series, SeriesConfig

LONGEST_STEP = 0.05


@dataclasses.dataclass(frozen=True)
class MackeyGlassConfig(SeriesConfig):
    """Options of the Mackey-Glass equation."""

    dt: float = flag(1.0, "model time between samples")
    transient: float = flag(1000.0, "model time before the first sample")
    beta: float = flag(0.2, "production")
    gamma: float = flag(0.1, "decay")
    n: float = flag(10.0, "exponent of the feedback")
    tau: float = flag(17.0, "delay")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("beta", "gamma", "n", "tau"):
            self.require(name, getattr(self, name) > 0, "positive")


def make_mackey_glass(config: MackeyGlassConfig, seed: int, movie: int) -> Series:
    """Make a solution that starts from a constant past, drawn from [0.5, 1.5]."""
    past = np.random.default_rng([seed, movie]).uniform(0.5, 1.5)
    times = config.transient + config.dt * np.arange(config.length)
    return Series(solve_mackey_glass(config, past, times)[:, None])


def solve_mackey_glass(config: MackeyGlassConfig, past: float, times: np.ndarray) -> np.ndarray:
    """Solve dx/dt = g(t) - gamma x for t > 0 with x = `past` for t <= 0; return x (T,) at `times`.

    g(t) = beta x(t - tau) / (1 + x(t - tau)^n). Mackey & Glass (1977), Oscillation and chaos in physiological control
    systems, https://doi.org/10.1126/science.267326.

    The solver uses the method of steps: within one delay, g is known from the delay before. The equation is then linear
    in x, and a step of the classical Runge-Kutta method is x_{k+1} = r x_k + p g_k + q g_{k+1/2} + s g_{k+1}. Between
    grid points x is the cubic through values and slopes, which is as accurate as the method.
    """
    from scipy.interpolate import CubicHermiteSpline
    from scipy.signal import lfilter

    steps = math.ceil(config.tau * max(1 / LONGEST_STEP, config.gamma))
    step = config.tau / steps
    z = config.gamma * step
    r = 1 - z + z**2 / 2 - z**3 / 6 + z**4 / 24
    p, q, s = step / 6 * np.array([1 - z + z**2 / 2 - z**3 / 4, 4 - 2 * z + z**2 / 2, 1])

    grid = step * np.arange(steps + 1)
    middle = grid[:-1] + step / 2
    x, rate = np.full(steps + 1, past), np.zeros(steps + 1)
    values, rates = [x[:1]], [_feed_back(config, x[:1]) - config.gamma * x[:1]]
    for _ in range(max(1, math.ceil(times[-1] / config.tau))):
        delayed = CubicHermiteSpline(grid, x, rate)
        g, g_middle = _feed_back(config, x), _feed_back(config, delayed(middle))
        start = x[-1]
        known = p * g[:-1] + q * g_middle + s * g[1:]
        x = np.append(start, lfilter([1.0], [1.0, -r], known, zi=[r * start])[0])
        rate = g - config.gamma * x
        values.append(x[1:])
        rates.append(rate[1:])
    values, rates = np.concatenate(values), np.concatenate(rates)
    return CubicHermiteSpline(step * np.arange(len(values)), values, rates)(times)


def _feed_back(config: MackeyGlassConfig, delayed: np.ndarray) -> np.ndarray:
    return config.beta * delayed / (1 + delayed**config.n)
