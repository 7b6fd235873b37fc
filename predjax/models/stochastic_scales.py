"""Stochastic scales: members of an ensemble that differ as much as each scale of rain is unpredictable.

STEPS (Bowler et al., 2006, https://doi.org/10.1256/qj.04.100; Pulkkinen et al., 2019,
https://doi.org/10.5194/gmd-12-4185-2019) adds noise to S-PROG (Seed, 2003): noise with the spectrum of rain replaces
what the autoregression of a scale forgets. Departures: the scales are those of the a trous transform (Starck et al.,
2007, see `wrappers.scale_gains`) of z = log(1 + R / R0), in coordinates that move with the rain; noise is weak where
there is no rain; and members are differentiable by the `Scalars`, so that these can be learned.

A member is z = centre + sum over k of s_k(x) A_k(x, n) at lead n, with the autoregression p1, p2 of the case in

    A_k(n) = p1 A_k(n-1) + p2 A_k(n-2) + p0 c_k(n) e_k(x, n)
    p0^2 = 1 - p1 g1 - p2 (p1 g1 + p2),  g1 = p1 / (1 - p2)

from A = 0. e_k is noise of variance 1 with the spectrum of scale k of the newest frame, so the variance of A_k tends to
1 where c_k = 1. The centre is the same autoregression without noise, or the forecast of a network. The coarsest scale
has no noise.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from predjax.models.probability_matching import Distribution, find_distribution, match_distribution
from predjax.models.wrappers.scale_gains import fit_scales, split_scales

RATE = 0.2  # mm/h, R0: far below it z is proportional to the rate, far above to its logarithm
MISSING = 1e30  # stands for pixels without coverage: whatever has a share in one is missing


class Scalars(NamedTuple):
    """The numbers of the method, the same for all cases. With the scale k = 0 ... K-2 from fine to coarse, and lead n:

    noise, noise_growth: c_k(n) = noise_k n^noise_growth_k, the amplitude of the noise.
    local, radius: s_k^2 is `local` of the mean square of scale k of the newest frame around the pixel, a Gaussian of
      radius 2^k pixels, and the rest of the mean square of all pixels.
    typical, shrinkage: p1 and p2 of the case move by the share `shrinkage` towards `typical` (K-1, 2).
    motion_along, motion_across, motion_growth: a member is displaced by `motion_along` times the mean speed, times
      n^motion_growth, times a draw of Laplace's distribution (scale 1) along the mean motion, and so across it.
    matching: the share of probability matching to the newest frame in z.
    rain_spread, rain_memory: rain is multiplied by exp(eta - var(eta) / 2), with eta(n) = rain_memory eta(n-1) +
      rain_spread (1 - rain_memory^2)^(1/2) N(0, 1) from eta = 0, and
    trend, trend_memory: by exp(trend r sum over j = 1 ... n of trend_memory^j), where r is the mean change of the
      logarithm of the observed rain in a step.
    """

    noise: tuple[float, ...] = (1.0,) * 6
    noise_growth: tuple[float, ...] = (0.0,) * 6
    local: float = 0.8
    radius: float = 2.0
    typical: tuple[tuple[float, float], ...] = ((0.5, 0.0),) * 6
    shrinkage: tuple[float, float] = (0.0, 0.0)
    motion_along: float = 0.1
    motion_across: float = 0.1
    motion_growth: float = 1.0
    matching: float = 1.0
    rain_spread: float = 0.0
    rain_memory: float = 0.9
    trend: float = 0.0
    trend_memory: float = 0.9


class Case(NamedTuple):
    """The parts that all members of a case share, for K scales and L lead times.

    centre: z without noise `(L, H, W)`. covered `(H, W)`: where the newest frame is known; wanted: its distribution.
    amplitude: s_k `(K-1, H, W)`. fitted: p1, p2, p0 `(3, K-1)`. filters: the amplitudes of the noise's Fourier
    coefficients `(K-1, H, W//2+1)`. paths: where the air of each pixel was at the time of the newest frame, in rows
    and columns `(L, 2, H, W)`. motion `(2,)`: the mean motion in pixels a step. growth: r of the `Scalars`.
    """

    centre: jax.Array
    covered: jax.Array
    wanted: Distribution
    amplitude: jax.Array
    fitted: jax.Array
    filters: jax.Array
    paths: jax.Array
    motion: jax.Array
    growth: jax.Array


def to_log(rate: jax.Array) -> jax.Array:
    """Return z = log(1 + R / RATE) of a rain rate in mm/h."""
    return jnp.log1p(jnp.maximum(rate, 0.0) / RATE)


def to_rate(z: jax.Array) -> jax.Array:
    """Return the rain rate in mm/h of z; 0 below z = 0."""
    return RATE * jnp.expm1(jnp.maximum(z, 0.0))


def prepare(
    scalars: Scalars, rates: jax.Array, paths: jax.Array, motion: jax.Array, centre: jax.Array | None = None
) -> Case:
    """Prepare a case.

    Args:
      rates: observed frames `(T, H, W)` in mm/h, in coordinates that move with the rain and are at rest at the newest
        one; NaN = no coverage.
      paths, motion: see `Case`.
      centre: rain rates `(L, H, W)` in mm/h in the same coordinates, around which members are drawn; None: the scales
        are extrapolated.
    """
    count = len(scalars.noise) + 1
    covered = jnp.isfinite(rates[-1])
    known = jnp.isfinite(rates)
    z = jnp.where(known, to_log(rates), jnp.nan)
    newest = jnp.where(covered, z[-1], 0.0)
    fitted = _fit(scalars, z)
    scales = jnp.stack(split_scales(newest, count))
    if centre is not None:
        centre = jnp.where(jnp.isfinite(centre), to_log(centre), 0.0)
    else:
        before = jnp.where(jnp.isfinite(z[-2]), z[-2], newest) if len(z) > 1 else newest
        centre = _extrapolate(scales, jnp.stack(split_scales(before, count)), fitted, len(paths))
    return Case(
        centre,
        covered,
        find_distribution(newest, covered),
        _find_amplitude(scalars, scales[:-1], covered),
        fitted,
        _make_filters(newest, covered, count),
        paths,
        motion,
        _find_growth(rates, known),
    )


def draw(scalars: Scalars, case: Case, key: jax.Array) -> jax.Array:
    """Draw a member: rain rates `(L, H, W)` in mm/h at fixed places, NaN where the air comes from no covered pixel."""
    noise_key, motion_key, rain_key = jax.random.split(key, 3)
    leads = jnp.arange(1, len(case.centre) + 1, dtype=case.centre.dtype)
    shifts = _draw_shifts(scalars, case.motion, leads, motion_key)
    factors = _draw_factors(scalars, case.growth, leads, rain_key)
    waves = draw_waves(case.filters.shape[1:], len(leads), noise_key)
    # The scales are added one by one: a sum over an axis takes the compiler's slow path.
    keep = jax.lax.optimization_barrier  # else the compiler computes a field anew wherever a pixel of it is read

    def step(inputs: tuple) -> jax.Array:
        centre, weights, path, shift, factor = inputs
        coefficients = case.filters * jnp.tensordot(weights.astype(waves.dtype), waves, 1)
        noise = jnp.fft.irfft2(coefficients, s=case.covered.shape)
        z = keep(sum((s * e for s, e in zip(case.amplitude, keep(noise))), centre))
        matched = match_distribution(z, case.covered, case.wanted)
        rate = factor * to_rate(z + scalars.matching * (matched - z))
        return sample(keep(jnp.where(case.covered, rate, MISSING)), path - shift[:, None, None])

    inputs = case.centre, weigh_noise(scalars, case.fitted, len(leads)), case.paths, shifts, factors
    return jax.lax.map(step, inputs)


def weigh_noise(scalars: Scalars, fitted: jax.Array, num_steps: int) -> jax.Array:
    """Return the weight of the noise of each step in A_k, `(L, K-1, L)`: A_k(n) = sum over j of weight[n, k, j] e_k(j).

    `fitted` is p1, p2, p0 `(3, K-1)`. A noise of step j lives on by the autoregression; later noise has no weight.
    """
    p1, p2, p0 = fitted[..., None]
    leads = jnp.arange(1, num_steps + 1, dtype=fitted.dtype)
    strength = p0 * jnp.asarray(scalars.noise)[:, None] * leads ** jnp.asarray(scalars.noise_growth)[:, None]

    def step(state: tuple[jax.Array, jax.Array], new: jax.Array) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        now, before = state
        following = p1 * now + p2 * before + strength * new
        return (following, now), following

    return jax.lax.scan(step, (jnp.zeros_like(strength),) * 2, jnp.eye(num_steps, dtype=fitted.dtype))[1]


def draw_waves(shape: tuple[int, ...], num_steps: int, key: jax.Array) -> jax.Array:
    """Draw the Fourier coefficients of white noise, `(num_steps, *shape)`; no step depends on `num_steps`.

    They are drawn from a uniform distribution, which is faster; their sums, the pixels, are normal by the central limit
    theorem.
    """
    keys = jax.vmap(lambda number: jax.random.fold_in(key, number))(jnp.arange(num_steps))
    bits = jax.vmap(lambda key: jax.random.bits(key, shape, jnp.uint32))(keys)
    real, imaginary = (part.astype(jnp.float32) - 32767.5 for part in (bits >> 16, bits & 0xFFFF))
    return jax.lax.complex(real, imaginary)


def sample(field: jax.Array, points: jax.Array) -> jax.Array:
    """Interpolate a field `(H, W)` bilinearly at the points `(2, h, w)`; NaN beyond the field and beside MISSING."""
    height, width = field.shape
    nearest = jnp.round(points)
    rows, columns = jnp.where(jnp.abs(points - nearest) < 1e-3, nearest, points)
    outside = (rows < 0) | (rows > height - 1) | (columns < 0) | (columns > width - 1)
    top = jnp.clip(rows.astype(jnp.int32), 0, max(height - 2, 0))
    left = jnp.clip(columns.astype(jnp.int32), 0, max(width - 2, 0))
    down, right = rows - top, columns - left
    corner, pixels = top * width + left, field.ravel()
    upper = pixels[corner] * (1 - right) + pixels[corner + 1] * right
    lower = pixels[corner + width] * (1 - right) + pixels[corner + width + 1] * right
    value = upper * (1 - down) + lower * down
    return jnp.where(outside | (value > MISSING * 1e-9), jnp.nan, value)


def _fit(scalars: Scalars, z: jax.Array) -> jax.Array:
    """Return p1, p2 and p0 `(3, K-1)` of the case; p1 and p2 are `typical` where there is only one frame."""
    typical = jnp.asarray(scalars.typical, z.dtype).T
    if len(z) == 1:
        p1, p2 = typical
    else:
        a, b = fit_scales(z[None, ..., None], len(scalars.noise) + 1)[0, :-1, :, 0].T
        own = jnp.stack([1 + a + b, -b])
        p1, p2 = own + jnp.asarray(scalars.shrinkage, z.dtype)[:, None] * (typical - own)
    g1 = p1 / (1 - p2)
    left = 1 - p1 * g1 - p2 * (p1 * g1 + p2)
    return jnp.stack([p1, p2, jnp.sqrt(jnp.maximum(left, 1e-12))])


def _extrapolate(newest: jax.Array, before: jax.Array, fitted: jax.Array, num_steps: int) -> jax.Array:
    """Return the sums of the scales `(K, H, W)` that their autoregression extrapolates: `(num_steps, H, W)`."""
    p1, p2, _ = fitted[..., None, None]

    def step(state: tuple[jax.Array, jax.Array], _: None) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        now, before = state
        following = p1 * now + p2 * before
        return (following, now), following.sum(0) + newest[-1]

    return jax.lax.scan(step, (newest[:-1], before[:-1]), None, num_steps)[1]


def _find_amplitude(scalars: Scalars, scales: jax.Array, covered: jax.Array) -> jax.Array:
    """Return s_k `(K-1, H, W)` of the scales of the newest frame, with means of covered pixels alone."""
    squares = jnp.where(covered, jnp.square(scales), 0.0)
    share = covered.astype(scales.dtype)
    whole = squares.sum((1, 2), keepdims=True) / jnp.maximum(share.sum(), 1)
    radius = scalars.radius * 2.0 ** jnp.arange(len(scales))

    def weigh(size: int) -> jax.Array:
        distance = jnp.arange(size) - jnp.arange(size)[:, None]
        return jnp.exp(-0.5 * jnp.square(distance / radius[:, None, None]))

    def blur(fields: jax.Array) -> jax.Array:
        return weigh(covered.shape[0]) @ fields @ weigh(covered.shape[1])

    around = blur(squares) / jnp.maximum(blur(jnp.broadcast_to(share, scales.shape)), 1e-6)
    square = scalars.local * around + (1 - scalars.local) * whole
    return jnp.sqrt(jnp.maximum(square, 1e-12))


def _make_filters(newest: jax.Array, covered: jax.Array, count: int) -> jax.Array:
    """Return the filters that turn `draw_waves` into noise of variance 1 with the spectrum of each scale of a frame.

    The frame is its anomaly from the mean of covered pixels, under a Hann window. Coefficients of the first and, for an
    even width, the last column stand alone; all others stand for two.
    """
    height, width = newest.shape
    mean = jnp.sum(newest, where=covered) / jnp.maximum(covered.sum(), 1)
    window = jnp.asarray(np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1]), newest.dtype)
    spectrum = jnp.abs(jnp.fft.rfft2(window * jnp.where(covered, newest - mean, 0.0)))
    alone = np.zeros(width // 2 + 1, bool)
    alone[0] = True
    alone[-1] |= width % 2 == 0
    filters = spectrum * jnp.asarray(_respond(newest.shape, count), newest.dtype)
    power = (jnp.square(filters) * jnp.where(alone, 1.0, 2.0)).sum((1, 2), keepdims=True)
    filters = filters * jnp.where(power > 0, jax.lax.rsqrt(jnp.where(power > 0, power, 1.0)), 0.0)
    # A drawn coefficient has the variance 65536^2 / 6; of a column that stands alone the real part counts.
    return filters * jnp.where(alone, np.sqrt(2.0), 1.0) * (height * width * np.sqrt(6.0) / 65536)


def _respond(shape: tuple[int, ...], count: int) -> np.ndarray:
    """Return the response `(count - 1, H, W//2+1)` of each scale but the coarsest at every frequency."""
    rows, columns = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])
    scales, left = [], np.ones((shape[0], shape[1] // 2 + 1))
    for level in range(count - 1):
        blurred = left
        for frequency in (rows, columns):
            angle = 2 * np.pi * frequency * 2**level
            blurred = blurred * (3 / 8 + np.cos(angle) / 2 + np.cos(2 * angle) / 8)  # of the B3 spline
        scales.append(left - blurred)
        left = blurred
    # Below it is rounding, whose products with the spectrum may be denormal numbers, which are slow.
    return np.where(np.stack(scales) < 1e-9, 0.0, np.stack(scales))


def _find_growth(rates: jax.Array, known: jax.Array) -> jax.Array:
    """Return the mean change of the logarithm of the rain in a step, on pixels that all frames cover."""
    if len(rates) == 1:
        return jnp.zeros((), rates.dtype)
    first, last = (jnp.where(known.all(0), rates[n], 0.0).sum() for n in (0, -1))
    rains = (first > 0) & (last > 0)
    return jnp.where(rains, jnp.log(jnp.where(rains, last, 1.0) / jnp.where(rains, first, 1.0)), 0.0) / (len(rates) - 1)


def _draw_shifts(scalars: Scalars, motion: jax.Array, leads: jax.Array, key: jax.Array) -> jax.Array:
    """Return the displacement of a member in rows and columns, `(L, 2)`."""
    along, across = jax.random.laplace(key, (2,), leads.dtype)
    aside = jnp.stack([-motion[1], motion[0]])
    shift = scalars.motion_along * along * motion + scalars.motion_across * across * aside
    return leads[:, None] ** scalars.motion_growth * shift


def _draw_factors(scalars: Scalars, growth: jax.Array, leads: jax.Array, key: jax.Array) -> jax.Array:
    """Return the rain factor of a member, `(L,)`."""
    draws = jax.random.normal(key, leads.shape, leads.dtype)
    memory = scalars.rain_memory

    def step(eta: jax.Array, drawn: jax.Array) -> tuple[jax.Array, jax.Array]:
        eta = memory * eta + scalars.rain_spread * jnp.sqrt(1 - memory**2) * drawn
        return eta, eta

    eta = jax.lax.scan(step, jnp.zeros((), leads.dtype), draws)[1]
    variance = scalars.rain_spread**2 * (1 - memory ** (2 * leads))
    trend = scalars.trend * growth * jnp.cumsum(scalars.trend_memory**leads)
    return jnp.exp(eta - variance / 2 + trend)
