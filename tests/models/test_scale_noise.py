"""Noise of scales on coarse grids: that of the a trous scales on the grid of the frame, at a fraction of the work."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from predjax.models.scale_noise import (
    add_scales,
    choose_grids,
    draw_waves,
    make_filters,
    place_nodes,
    refine,
    take_band,
)

SHAPE, SCALES = (64, 72), 4
GRIDS = choose_grids(SHAPE, SCALES)
FIELD = np.cumsum(np.cumsum(np.random.default_rng(0).normal(size=SHAPE), 0), 1).astype(np.float32)
FIELD -= FIELD.mean()


def draw_noises(filters, waves):
    return [jnp.fft.irfft2(one * take_band(waves, grid), s=grid[:2]) for one, grid in zip(filters, GRIDS)]


@jax.jit
def draw_each(field, key):
    """Return the noise of every scale at the pixels of the frame, and the waves."""
    waves, ones = draw_waves(GRIDS[0], key), [jnp.ones([len(n) for n in place_nodes(g, SHAPE)]) for g in GRIDS]
    noises = draw_noises(make_filters(field, SCALES), waves)
    each = [[noise * (i == k) for i, noise in enumerate(noises)] for k in range(SCALES)]
    return jnp.stack([add_scales(GRIDS, one, ones) for one in each]), waves


def blur(level):
    """Return the response of the B3 spline, whose weights are 2^level pixels apart, at the frequencies of GRIDS[0]."""
    angles = [2 * np.pi * 2**level * f for f in (np.fft.fftfreq(64)[:, None], np.fft.rfftfreq(72))]
    return np.prod(np.broadcast_arrays(*(3 / 8 + np.cos(a) / 2 + np.cos(2 * a) / 8 for a in angles)), 0)


def test_noise_on_coarse_grids_is_that_of_the_a_trous_scales():
    found, waves = draw_each(FIELD, jax.random.key(1))
    window = np.outer(np.hanning(66)[1:-1], np.hanning(74)[1:-1])
    coefficients, left = np.abs(np.fft.rfft2(window * FIELD)) * np.asarray(waves), 1.0
    coefficients[:, [0, -1]] *= np.sqrt(2)
    for level, noise in enumerate(np.asarray(found)):
        expected = np.fft.irfft2(coefficients * left * (1 - blur(level)), s=SHAPE)
        left = left * blur(level)
        assert np.corrcoef(noise.ravel(), expected.ravel())[0, 1] > 0.999
        np.testing.assert_allclose(noise / noise.std(), expected / expected.std(), atol=0.15)


def test_noise_has_variance_1():
    keys = jax.random.split(jax.random.key(0), 200)
    squares = np.mean([np.square(draw_each(FIELD, key)[0]).mean((1, 2)) for key in keys], 0)
    np.testing.assert_allclose(squares, 1, rtol=0.1)


def test_grids_hold_the_frame_and_the_edge_of_the_amplitude_goes_on_beyond_it():
    grids = choose_grids((765, 700), 6)
    assert [grid.spacing for grid in grids] == [1, 1, 2, 4, 8, 16]
    assert all(grid.height * grid.spacing == 768 and grid.width * grid.spacing == 720 for grid in grids)
    rows, columns = place_nodes(grids[2], (765, 700))
    assert rows[:3].tolist() == [0, 0, 2] and rows[-3:].tolist() == [764, 764, 764]
    assert len(rows) == 384 + 3 and len(columns) == 360 + 3


def test_refining_keeps_a_plane():
    plane = np.add.outer(np.arange(-1, 6), 3 * np.arange(-1, 5)).astype(np.float32)
    finer = np.add.outer(np.arange(-1, 10), 3 * np.arange(-1, 8)) / 2
    np.testing.assert_allclose(jax.jit(refine)(plane), finer, rtol=1e-6)


@pytest.mark.ci
def test_without_rain_there_is_no_noise():
    assert not np.asarray(draw_each(np.zeros_like(FIELD), jax.random.key(0))[0]).any()
