"""The Kuramoto-Sivashinsky equation on a circle, which is chaotic in space and time."""

import dataclasses
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.fft import irfft, rfft

from predjax.flags import flag
from predjax.synthetic.dynamics import Series, SeriesConfig

LONGEST_STEP = 0.0625
CONTOUR_POINTS = 32
START_WAVES = 4  # waves of the random start


@dataclasses.dataclass(frozen=True)
class KuramotoSivashinskyConfig(SeriesConfig):
    """Options of the Kuramoto-Sivashinsky equation."""

    dt: float = flag(0.25, "model time between samples")
    transient: float = flag(200.0, "model time before the first sample")
    domain: float = flag(22.0, "length L of the circle")
    num_points: int = flag(64, "grid points")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require("domain", self.domain > 0, "positive")
        self.require("num_points", self.num_points >= 16 and self.num_points % 2 == 0, "even and at least 16")


class Weights(NamedTuple):
    """The coefficients of a step of ETDRK4."""

    whole: np.ndarray
    half: np.ndarray
    inner: np.ndarray
    first: np.ndarray
    middle: np.ndarray
    last: np.ndarray


def make_kuramoto_sivashinsky(config: KuramotoSivashinskyConfig, seed: int, movie: int) -> Series:
    """Make a solution whose start is a sum of the four longest waves with random amplitudes; its mean is 0."""
    rng = np.random.default_rng([seed, movie])
    spectrum = np.zeros(config.num_points // 2 + 1, complex)
    spectrum[1 : START_WAVES + 1] = config.num_points / 4 * (rng.standard_normal((START_WAVES, 2)) @ [1, 1j])
    return Series(solve_kuramoto_sivashinsky(config, irfft(spectrum, config.num_points)))


def solve_kuramoto_sivashinsky(
    config: KuramotoSivashinskyConfig, start: np.ndarray, longest_step: float = LONGEST_STEP
) -> np.ndarray:
    """Solve du/dt = -u u_x - u_xx - u_xxxx from u = `start`, periodic in x.

    The result is u (T, num_points) after the transient.

    Kuramoto & Tsuzuki (1976), https://doi.org/10.1143/PTP.55.356; Sivashinsky (1977),
    https://doi.org/10.1016/0094-5765(77)90096-0.
    """
    wave = 2 * np.pi / config.domain * np.arange(config.num_points // 2 + 1)
    derivative = 1j * wave
    derivative[-1] = 0  # the shortest wave of a grid has no slope
    linear = wave**2 - wave**4

    def advance(spectrum: np.ndarray, weights: Weights) -> np.ndarray:
        """Make one step of ETDRK4 for d spectrum / dt = linear spectrum + bend(spectrum)."""
        first = bend(spectrum)
        a = weights.half * spectrum + weights.inner * first
        second = bend(a)
        b = weights.half * spectrum + weights.inner * second
        third = bend(b)
        c = weights.half * a + weights.inner * (2 * third - first)
        middle = weights.middle * (second + third)
        return weights.whole * spectrum + weights.first * first + middle + weights.last * bend(c)

    def bend(spectrum: np.ndarray) -> np.ndarray:
        return -0.5 * derivative * rfft(irfft(spectrum, config.num_points) ** 2)

    def run(spectrum: np.ndarray, duration: float) -> Iterator[np.ndarray]:
        steps = math.ceil(duration / longest_step)
        weights = weigh_etdrk4(linear, duration / max(1, steps))
        while True:
            for _ in range(steps):
                spectrum = advance(spectrum, weights)
            yield spectrum

    spectrum = next(run(rfft(start), config.transient))
    samples = run(spectrum, config.dt)
    spectra = [spectrum, *(next(samples) for _ in range(config.length - 1))]
    return irfft(np.array(spectra), config.num_points)


def weigh_etdrk4(linear: np.ndarray, step: float) -> Weights:
    """Return the coefficients of fourth-order exponential time differencing for real rates `linear`.

    Near 0 the quotients of the method suffer from cancellation; their means over a circle around each rate do not.
    Kassam & Trefethen (2005), Fourth-order time-stepping for stiff PDEs, https://doi.org/10.1137/S1064827502410633.
    """
    circle = np.exp(1j * np.pi * (np.arange(CONTOUR_POINTS) + 0.5) / CONTOUR_POINTS)  # the lower half mirrors it
    z = step * linear[:, None] + circle
    e = np.exp(z)

    def mean(quotient: np.ndarray) -> np.ndarray:
        return step * quotient.mean(1).real

    return Weights(
        whole=np.exp(step * linear),
        half=np.exp(step * linear / 2),
        inner=mean((np.exp(z / 2) - 1) / z),
        first=mean((-4 - z + e * (4 - 3 * z + z**2)) / z**3),
        middle=2 * mean((2 + z + e * (z - 2)) / z**3),
        last=mean((-4 - 3 * z - z**2 + e * (4 - z)) / z**3),
    )
