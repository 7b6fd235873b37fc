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
from predjax.models.scale_noise import add_scales, choose_grids, draw_waves, make_filters, place_nodes, take_band
from predjax.models.wrappers.scale_gains import fit_scales, split_scales

RATE = 0.2  # mm/h, R0: far below it z is proportional to the rate, far above to its logarithm
MISSING = 1e30  # stands for pixels without coverage: whatever has a share in one is missing

State = tuple[jax.Array, jax.Array]  # A_k of a step and of the step before it


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
      logarithm of the observed rain in a step. Below 0, part of the observed growth or decay comes back.
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
    trend: float = -0.5
    trend_memory: float = 0.9


class Case(NamedTuple):
    """The parts that all members of a case share, for K scales and L lead times.

    centre: z without noise `(L, H, W)`. covered `(H, W)`: where the newest frame is known; wanted: its distribution.
    amplitude: s_k at the nodes of its grid (see `scale_noise.place_nodes`), and filters: those of `scale_noise`, for
    each of the K-1 scales. fitted: p1, p2, p0 `(3, K-1)`. paths: where the air of each pixel was at the time of the
    newest frame, in rows and columns `(L, 2, H, W)`. motion `(2,)`: the mean motion in pixels a step. growth: r of the
    `Scalars`.
    """

    centre: jax.Array
    covered: jax.Array
    wanted: Distribution
    amplitude: list[jax.Array]
    fitted: jax.Array
    filters: list[jax.Array]
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
        make_filters(_find_anomaly(newest, covered), count - 1),
        paths,
        motion,
        _find_growth(rates, known),
    )


def draw(scalars: Scalars, case: Case, key: jax.Array) -> jax.Array:
    """Draw a member: rain rates `(L, H, W)` in mm/h at fixed places, NaN where the air comes from no covered pixel."""
    noise_key, motion_key, rain_key = jax.random.split(key, 3)
    num_steps, shape = len(case.centre), case.covered.shape
    leads = jnp.arange(1, num_steps + 1, dtype=case.centre.dtype)
    shifts = _draw_shifts(scalars, case.motion, leads, motion_key)
    factors = _draw_factors(scalars, case.growth, leads, rain_key)
    grids = choose_grids(shape, len(case.filters))
    # The scales are added one by one: a sum over an axis takes the compiler's slow path.
    keep = jax.lax.optimization_barrier  # else the compiler computes a field anew wherever a pixel of it is read

    def step(states: list[State], inputs: tuple) -> tuple[list[State], jax.Array]:
        number, centre, strength, factor = inputs
        waves = keep(draw_waves(grids[0], jax.random.fold_in(noise_key, number)))
        bands = [filters * take_band(waves, grid) for filters, grid in zip(case.filters, grids)]
        noises = [jnp.fft.irfft2(band, s=grid[:2]) for band, grid in zip(bands, grids)]
        p1, p2, _ = case.fitted
        following = [a * x + b * y + c * e for a, b, c, (x, y), e in zip(p1, p2, strength, states, noises)]
        z = keep(centre + add_scales(grids, following, case.amplitude))
        matched = match_distribution(z, case.covered, case.wanted)
        rate = factor * to_rate(z + scalars.matching * (matched - z))
        return [(new, now) for new, (now, _) in zip(following, states)], jnp.where(case.covered, rate, MISSING)

    start = [(jnp.zeros(grid[:2], leads.dtype),) * 2 for grid in grids]
    strengths = find_strengths(scalars, case.fitted, leads)
    rates = jax.lax.scan(step, start, (jnp.arange(num_steps), case.centre, strengths, factors))[1]
    # In a loop of its own, else the compiler computes each of the four pixels around a point anew.
    return jax.lax.map(lambda each: sample(each[0], each[1] - each[2][:, None, None]), (rates, case.paths, shifts))


def find_strengths(scalars: Scalars, fitted: jax.Array, leads: jax.Array) -> jax.Array:
    """Return p0 c_k(n) `(L, K-1)` at the leads n `(L,)`; `fitted` is p1, p2, p0 `(3, K-1)`."""
    return fitted[2] * jnp.asarray(scalars.noise) * leads[:, None] ** jnp.asarray(scalars.noise_growth)


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
    p1, p2, _ = fitted

    def step(state: tuple[jax.Array, jax.Array], _: None) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        now, before = state
        following = p1 * now + p2 * before
        return (following, now), following

    none, one = jnp.zeros_like(p1), jnp.ones_like(p1)
    start = jnp.stack([one, none]), jnp.stack([none, one])
    weights = jax.lax.scan(step, start, None, num_steps)[1].reshape(num_steps, -1)  # of both frames, at each lead
    fields = jnp.concatenate([newest[:-1], before[:-1]])
    return jnp.tensordot(weights, fields, 1, precision="highest") + newest[-1]


def _find_amplitude(scalars: Scalars, scales: jax.Array, covered: jax.Array) -> list[jax.Array]:
    """Return s_k of the scales `(K-1, H, W)` of the newest frame at the nodes of their grids.

    Means are of covered pixels alone.
    """
    share = covered.astype(scales.dtype)
    number = jnp.maximum(share.sum(), 1)
    found = []
    for level, (scale, grid) in enumerate(zip(scales, choose_grids(covered.shape, len(scales)))):
        square, radius = jnp.where(covered, jnp.square(scale), 0.0), scalars.radius * 2.0**level
        nodes = place_nodes(grid, covered.shape)
        rows, columns = (_weigh(places, size, radius) for places, size in zip(nodes, covered.shape))
        around = (rows @ square @ columns.T) / jnp.maximum(rows @ share @ columns.T, 1e-6)
        found.append(scalars.local * around + (1 - scalars.local) * square.sum() / number)
    return [jnp.sqrt(jnp.maximum(square, 1e-12)) for square in found]


def _weigh(places: np.ndarray, size: int, radius: jax.Array | float) -> jax.Array:
    """Return the weights `(n, size)` of the pixels of an axis around n places, of a Gaussian of a radius in pixels."""
    return jnp.exp(-0.5 * jnp.square((np.arange(size) - places[:, None]) / radius))


def _find_anomaly(newest: jax.Array, covered: jax.Array) -> jax.Array:
    """Return the anomaly of a frame from the mean of its covered pixels, 0 at the others."""
    mean = jnp.sum(newest, where=covered) / jnp.maximum(covered.sum(), 1)
    return jnp.where(covered, newest - mean, 0.0)


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
