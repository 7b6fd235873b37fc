"""Stochastic scales: the equations in plain numpy, the noise, and the limits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from predjax.models.scale_noise import choose_grids, draw_waves
from predjax.models.stochastic_scales import Scalars, draw, prepare, sample, to_log, to_rate

RNG = np.random.default_rng(0)
SMALL = Scalars(noise=(1.0, 1.0), noise_growth=(0.0, 0.0), typical=((0.5, 0.1),) * 2)
SILENT = SMALL._replace(noise=(0.0, 0.0), motion_along=0.0, motion_across=0.0, matching=0.0, trend=0.0)
STEPS, SHAPE = 3, (17, 20)
FRAMES = np.exp(np.cumsum(RNG.normal(size=(4, *SHAPE)), 1) / 2).astype(np.float32)
PATHS = np.stack([np.mgrid[:17, :20].astype(np.float32)] * STEPS)
MOTION = np.array([0.5, 1.0], np.float32)
KEY = jax.random.key(1)


@jax.jit
def forecast(scalars, frames, key=KEY):
    case = prepare(scalars, frames, PATHS, MOTION)
    return draw(scalars, case, key), case


def test_noise_keeps_its_variance():
    p1, p2, p0 = np.asarray(forecast(SMALL, FRAMES)[1].fitted, np.float64)
    responses = [np.zeros(2), p0]  # to the noise of one step
    for _ in range(200):
        responses.append(p1 * responses[-1] + p2 * responses[-2])
    np.testing.assert_allclose(np.square(responses).sum(0), 1, rtol=1e-4)


def test_without_noise_and_motion_it_is_the_autoregression_of_the_scales():
    member, case = forecast(SILENT, FRAMES)
    p1, p2, _ = np.asarray(case.fitted)

    def split(frame):
        left, scales = np.log1p(frame / 0.2), []
        for distance in (1, 2):
            blurred = left
            for axis in (0, 1):
                padded = np.pad(blurred, [(2 * distance,) * 2 if n == axis else (0, 0) for n in (0, 1)], mode="edge")
                taps = [np.take(padded, np.arange(n, n + SHAPE[axis]), axis) for n in distance * np.arange(5)]
                blurred = sum(weight * tap for weight, tap in zip((1, 4, 6, 4, 1), taps)) / 16
            scales.append(left - blurred)
            left = blurred
        return scales, left

    (now, rest), (before, _) = split(FRAMES[-1]), split(FRAMES[-2])
    for found in np.asarray(member):
        following = [a * x + b * y for a, b, x, y in zip(p1, p2, now, before)]
        now, before = following, now
        expected = 0.2 * np.expm1(np.maximum(sum(following) + rest, 0))
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_noise_lives_on_by_the_autoregression_and_is_added_by_the_local_amplitude():
    growing = SILENT._replace(noise=(1.0, 0.5), noise_growth=(0.0, 1.0))
    quiet, case = forecast(SILENT, FRAMES)
    loud, _ = forecast(growing, FRAMES)
    (p1, p2, p0), grids = np.asarray(case.fitted), choose_grids(SHAPE, 2)
    now = before = np.zeros((2, *grids[0][:2]))
    for step in range(STEPS):
        waves = np.asarray(draw_waves(grids[0], jax.random.fold_in(jax.random.split(KEY, 3)[0], step)))
        drawn = np.fft.irfft2(np.asarray(case.filters) * waves, s=grids[0][:2])
        strength = p0 * [1.0, 0.5 * (step + 1)]
        now, before = np.einsum("k,kij->kij", p1, now) + np.einsum("k,kij->kij", p2, before), now
        now += np.einsum("k,kij->kij", strength, drawn)
        expected = np.asarray(case.centre)[step] + (np.asarray(case.amplitude) * now[:, : SHAPE[0], : SHAPE[1]]).sum(0)
        np.testing.assert_allclose(loud[step], to_rate(expected), rtol=1e-3, atol=1e-3)
    assert np.abs(loud - quiet).max() > 0.1


def test_dry_frames_stay_dry_and_missing_pixels_stay_missing():
    dry = np.zeros_like(FRAMES)
    dry[:, :, :4] = np.nan
    member = np.asarray(forecast(SMALL, dry)[0])
    assert np.isnan(member[:, :, :4]).all() and np.isnan(forecast(SMALL, np.full_like(dry, np.nan))[0]).all()
    assert not member[np.isfinite(member)].any() and np.isfinite(member).mean() > 0.5


@pytest.mark.ci
def test_one_frame_takes_the_typical_autoregression():
    member, case = forecast(SMALL, FRAMES[-1:])
    np.testing.assert_allclose(case.fitted[:2], np.transpose(SMALL.typical), rtol=1e-6)
    assert np.isfinite(member).any() and float(case.growth) == 0


def test_the_rain_factor_follows_the_trend():
    growing = FRAMES * 1.5 ** np.arange(4, dtype=np.float32)[:, None, None]
    growing = growing / FRAMES * FRAMES[-1]
    scalars = SILENT._replace(trend=1.0, trend_memory=0.5)
    grown, case = forecast(scalars, growing)
    np.testing.assert_allclose(case.growth, np.log(1.5), rtol=1e-4)
    kept = forecast(SILENT, growing)[0]
    np.testing.assert_allclose(grown[1], kept[1] * 1.5**0.75, rtol=1e-3)


@pytest.mark.ci
def test_every_scalar_has_a_finite_gradient():
    holes = FRAMES.copy()
    holes[:, :3] = np.nan
    start = SMALL._replace(shrinkage=(0.1, 0.1), matching=0.5, rain_spread=0.1, trend=0.1)

    @jax.jit
    @jax.grad
    def slope(scalars):
        member = draw(scalars, prepare(scalars, holes, PATHS, MOTION), KEY)
        return jnp.sum(jnp.square(member), where=jnp.isfinite(member))

    slopes = slope(jax.tree.map(jnp.float32, start))
    assert all(np.isfinite(slope) for slope in jax.tree.leaves(slopes))
    assert all(np.any(np.asarray(getattr(slopes, name))) for name in Scalars._fields)


def test_the_logarithm_has_its_inverse_and_points_between_pixels_are_interpolated():
    np.testing.assert_allclose(to_rate(to_log(FRAMES)), FRAMES, rtol=1e-4)
    points = np.array([[[0.5]], [[1.25]]], np.float32)
    np.testing.assert_allclose(sample(jnp.arange(20.0).reshape(4, 5), points), [[3.75]])
    assert np.isnan(sample(jnp.zeros((4, 5)), points - 1)).all()
