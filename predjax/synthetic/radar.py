"""Synthetic radar movies: rain of many scales that moves, turns, grows and decays inside the range of a radar.

A movie is made in two steps. First, a Gaussian random field with a power-law spectrum evolves in coordinates that move
with the air; each wave number forgets its past at its own pace, small scales sooner than large ones. Then a fixed radar
sees this field: every pixel is traced back along a smooth flow to the place of its air in the first frame, the field is
read there, and values above a threshold become rain. No frame is interpolated from another, so no frame is blurred.

Movie `i` of a seed is a pure function of (configuration, seed, i).
"""

import dataclasses
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.linalg import expm
from scipy.ndimage import map_coordinates

from predjax.flags import flag

MAX_DBZ = 55.0  # stronger echoes are hail, and operational products have this limit as well


@dataclasses.dataclass(frozen=True)
class RadarConfig:
    """The properties of the movies.

    Lengths are in pixels, times in steps; a pair (least, most) is the range of a number that each movie draws anew.
    """

    size: int = flag(40, "rows and columns of a frame")
    num_frames: int = flag(20, "frames of a movie")
    pixel_km: float = flag(1.0, "side of a pixel in km")
    step_minutes: int = flag(5, "minutes between frames")
    coverage_radius: float = flag(22.0, "range of the radar in pixels around the middle of the frame; 0 covers all")
    speed: tuple[float, float] = (0.8, 2.0)
    rotation: tuple[float, float] = (-0.02, 0.02)  # radians a step
    deformation: tuple[float, float] = (0.0, 0.01)  # stretching rate a step
    wet_fraction: tuple[float, float] = (0.22, 0.5)  # of the covered pixels of a movie
    peak_dbz: tuple[float, float] = (36.0, 47.0)  # exceeded by one wet pixel in a hundred
    spectral_slope: tuple[float, float] = (3.4, 4.2)  # power ~ wave number^-slope
    outer_scale: tuple[float, float] = (24.0, 48.0)  # longer waves hold no more power
    elongation: tuple[float, float] = (1.0, 2.0)  # ratio of length to width of rain bands
    lifetime_of_10: float = 12.0  # steps after which a wave of 10 pixels has the correlation 1/e
    lifetime_exponent: float = 0.8  # lifetime ~ wave length^exponent
    noise_db: float = 0.5  # measurement noise of a wet pixel

    def __post_init__(self) -> None:
        if self.size < 8 or self.num_frames < 1:
            raise ValueError(f"size {self.size} and num_frames {self.num_frames} must be at least 8 and 1")
        if self.pixel_km <= 0 or self.step_minutes < 1:
            raise ValueError(
                f"pixel_km {self.pixel_km} must be positive and step_minutes {self.step_minutes} at least 1"
            )
        if self.coverage_radius and self.coverage_radius < 2:
            raise ValueError(f"coverage_radius {self.coverage_radius} must be at least 2 pixels (0 covers everything)")


class Flow(NamedTuple):
    """A steady linear flow in pixels a step: v(p) = velocity + gradient (p - centre), p = (row, column)."""

    velocity: np.ndarray  # (2,)
    gradient: np.ndarray  # (2, 2), without divergence
    centre: np.ndarray  # (2,)


class RadarMovie(NamedTuple):
    """The frames of a movie, and the flow that moved them."""

    dbz: np.ndarray  # (T, H, W) float32, 0 = no echo, NaN = no coverage
    flow: Flow


def trace_back(flow: Flow, points: np.ndarray, steps: float) -> np.ndarray:
    """Return where the air that is now at `points` (2, ...) was `steps` steps earlier.

    The result solves dp/dt = v(p) exactly, backwards in time.

    With q = (p - centre, 1) the flow is dq/dt = A q, so q(t - s) = expm(-s A) q(t).
    """
    rates = np.zeros((3, 3))
    rates[:2, :2], rates[:2, 2] = flow.gradient, flow.velocity
    back = expm(-steps * rates)
    centre = flow.centre.reshape((2,) + (1,) * (points.ndim - 1))
    moved = np.einsum("ij,j...->i...", back[:2, :2], points - centre)
    return moved + back[:2, 2].reshape(centre.shape) + centre


def find_coverage(config: RadarConfig) -> np.ndarray:
    """Return the mask (H, W) of the pixels in the range of the radar."""
    if not config.coverage_radius:
        return np.ones((config.size, config.size), bool)
    offset = np.arange(config.size) - (config.size - 1) / 2
    return np.hypot(*np.meshgrid(offset, offset)) <= config.coverage_radius


def make_radar_movie(config: RadarConfig, seed: int, movie: int) -> RadarMovie:
    """Make movie number `movie` of `seed`."""
    rng = np.random.default_rng([seed, movie])
    flow = _draw_flow(config, rng)
    # The periodic domain holds all air that passes the frame and one wave more, so that no rain passes twice.
    passing = config.size + 1.5 * config.speed[1] * config.num_frames
    domain = next_fast_len(math.ceil(passing + config.outer_scale[1]), real=True)
    points = np.indices((config.size, config.size), float)
    seen = np.stack(
        [
            # Prefiltered cubic splines smooth far less than linear interpolation.
            map_coordinates(field, trace_back(flow, points, step), order=3, mode="grid-wrap")
            for step, field in enumerate(_live(config, rng, domain))
        ]
    )
    return RadarMovie(_to_rain(config, rng, seen), flow)


def _draw_flow(config: RadarConfig, rng: np.random.Generator) -> Flow:
    speed, rotation = rng.uniform(*config.speed), rng.uniform(*config.rotation)
    stretching = rng.uniform(*config.deformation)
    direction, axis = rng.uniform(0, 2 * np.pi, 2)
    a, b = stretching * np.cos(axis), stretching * np.sin(axis)
    return Flow(
        velocity=speed * np.array([np.sin(direction), np.cos(direction)]),
        gradient=np.array([[a, b - rotation], [b + rotation, -a]]),
        centre=np.full(2, (config.size - 1) / 2),
    )


def _live(config: RadarConfig, rng: np.random.Generator, domain: int) -> Iterator[np.ndarray]:
    """Yield `num_frames` periodic Gaussian fields (domain, domain) of variance 1, which move with the air.

    Each wave number is a critically damped second-order autoregressive process, as the levels of STEPS are of second
    order (Bowler, Pierce & Seed, 2006, https://doi.org/10.1256/qj.04.100). Its correlation is close to
    (1 + s) exp(-s), s = 2.146 t / lifetime, which is 1/e at t = lifetime.
    """
    rows, columns = np.fft.fftfreq(domain)[:, None], np.fft.rfftfreq(domain)[None]
    angle, elongation = rng.uniform(0, np.pi), rng.uniform(*config.elongation)
    along = np.cos(angle) * rows + np.sin(angle) * columns
    across = np.cos(angle) * columns - np.sin(angle) * rows
    wave = np.hypot(along * elongation**0.5, across / elongation**0.5)
    slope, outer = rng.uniform(*config.spectral_slope), rng.uniform(*config.outer_scale)
    amplitude = (wave**2 + outer**-2) ** (-slope / 4)
    both_sides = np.where((columns == 0) | (columns == 0.5), 1.0, 2.0)  # rfft2 keeps one of a conjugate pair
    amplitude *= domain / np.sqrt(np.sum(both_sides * amplitude**2))

    lifetime = config.lifetime_of_10 * (0.1 / np.maximum(wave, 1 / domain)) ** config.lifetime_exponent
    r = np.exp(-2.146 / lifetime)
    lag_one = 2 * r / (1 + r**2)
    innovation = np.sqrt((1 - r**2) ** 3 / (1 + r**2))  # keeps the variance at 1

    def noise() -> np.ndarray:
        return rfft2(rng.standard_normal((domain, domain)))

    before = noise()
    now = lag_one * before + np.sqrt(1 - lag_one**2) * noise()
    for _ in range(config.num_frames):
        yield irfft2(amplitude * before, (domain, domain))
        before, now = now, 2 * r * now - r**2 * before + innovation * noise()


def _to_rain(config: RadarConfig, rng: np.random.Generator, seen: np.ndarray) -> np.ndarray:
    """Turn a Gaussian field (T, H, W) into dBZ: values above a threshold are rain, with sharper edges than peaks."""
    covered = find_coverage(config)
    values = np.sort(seen[:, covered], axis=None)
    wet = rng.uniform(*config.wet_fraction)
    threshold, strong = values[int((1 - wet) * (values.size - 1))], values[int((1 - wet / 100) * (values.size - 1))]
    dbz = rng.uniform(*config.peak_dbz) * (np.maximum(seen - threshold, 0) / (strong - threshold)) ** 0.75
    dbz += np.where(dbz > 0, config.noise_db * rng.standard_normal(dbz.shape), 0)
    return np.where(covered, np.clip(dbz, 0, MAX_DBZ), np.nan).astype(np.float32)
