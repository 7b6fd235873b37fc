"""Synthetic radar movies: moved by their flow, growing and decaying, the same for the same seed."""

import dataclasses
import itertools

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from predjax.synthetic.radar import Flow, RadarConfig, find_coverage, make_radar_movie, trace_back

CONFIG = RadarConfig()


OPEN = dataclasses.replace(CONFIG, coverage_radius=0.0)  # no mask, so that frames can be interpolated


@pytest.fixture(scope="module")
def movies():
    return [make_radar_movie(OPEN, 3, movie) for movie in range(6)]


def follow(movie, frame, steps):
    """Frame `frame` carried along the flow for `steps`, the frame then, and where both are known."""
    origin = trace_back(movie.flow, np.indices(movie.dbz.shape[1:], float), steps)
    inside = ((origin >= 0) & (origin <= OPEN.size - 1)).all(0)
    return map_coordinates(movie.dbz[frame], origin, order=1, mode="nearest")[inside], movie.dbz[frame + steps][inside]


def correlate(a, b):
    return np.corrcoef(a, b)[0, 1]


def test_a_movie_depends_on_seed_and_number_alone():
    movie = make_radar_movie(CONFIG, 5, 2)
    np.testing.assert_array_equal(movie.dbz, make_radar_movie(CONFIG, 5, 2).dbz)
    assert not np.array_equal(movie.dbz, make_radar_movie(CONFIG, 5, 3).dbz, equal_nan=True)
    assert not np.array_equal(movie.dbz, make_radar_movie(CONFIG, 6, 2).dbz, equal_nan=True)


def test_outside_the_radars_range_every_frame_is_nan():
    covered, dbz = find_coverage(CONFIG), make_radar_movie(CONFIG, 0, 0).dbz
    assert not covered[0, 0] and not covered[-1, -1] and covered[0, CONFIG.size // 2]
    np.testing.assert_array_equal(np.isfinite(dbz), np.broadcast_to(covered, dbz.shape))


def test_rain_is_within_the_range_of_a_radar(movies):
    for movie in movies:
        assert movie.dbz.dtype == np.float32
        assert movie.dbz.min() == 0 and 35 < movie.dbz.max() <= 55
        low, high = CONFIG.wet_fraction
        assert low - 0.02 < np.mean(movie.dbz > 0) <= high


def test_power_falls_with_the_wave_number(movies):
    frames = np.concatenate([movie.dbz for movie in movies])
    # A window in space, or the jump from edge to edge hides how little power the small scales hold.
    taper = np.hanning(OPEN.size)[:, None] * np.hanning(OPEN.size)
    power = np.mean(np.abs(np.fft.fft2((frames - frames.mean((1, 2), keepdims=True)) * taper)) ** 2, 0)
    wave = np.hypot(*np.meshgrid(np.fft.fftfreq(OPEN.size), np.fft.fftfreq(OPEN.size)))
    edges = [0.04, 0.08, 0.16, 0.32, 0.5]
    octaves = [power[(wave > low) & (wave <= high)].mean() for low, high in itertools.pairwise(edges)]
    slopes = np.diff(np.log(octaves)) / np.log(2)
    assert (slopes[:2] < -2).all() and (slopes < -1).all()


@pytest.mark.parametrize("steps", [1, 4])
def test_rain_moves_as_the_flow_says(movies, steps):
    for movie in movies:
        along = correlate(*follow(movie, 8, steps))
        standing = correlate(movie.dbz[8].ravel(), movie.dbz[8 + steps].ravel())
        against = correlate(
            *follow(movie._replace(flow=Flow(*(-part for part in movie.flow[:2]), movie.flow[2])), 8, steps)
        )
        assert along > standing > against
        assert along > (0.9 if steps == 1 else 0.6)


def test_rain_grows_and_decays_while_it_moves(movies):
    """With the motion taken away the fields still change, more with every step."""
    change = np.zeros(12)
    for movie in movies:
        for steps in range(1, 13):
            moved, then = follow(movie, 6, steps)
            change[steps - 1] += 1 - correlate(moved, then)
    assert change[0] < change[3] < change[11]
    wet = np.array([(movie.dbz > 0).mean((1, 2)) for movie in movies])
    assert np.ptp(wet, axis=1).min() > 0.03  # the rain area of a movie is not constant


def test_small_scales_live_shorter_than_large_ones():
    """Along the flow the correlation of the fine structure is lost before that of the coarse one."""
    still = dataclasses.replace(
        OPEN, num_frames=24, speed=(0.0, 0.0), rotation=(0.0, 0.0), deformation=(0.0, 0.0), noise_db=0.0
    )
    wave = np.hypot(*np.meshgrid(np.fft.fftfreq(OPEN.size), np.fft.fftfreq(OPEN.size)))
    fine, coarse = [], []
    for movie in range(4):
        spectra = np.fft.fft2(make_radar_movie(still, 1, movie).dbz)
        for band, kept in (((wave > 0.15) & (wave < 0.3), fine), ((wave > 0) & (wave < 0.06), coarse)):
            before, after = spectra[:-8, band], spectra[8:, band]
            kept.append(np.vdot(before, after).real / (np.linalg.norm(before) * np.linalg.norm(after)))
    assert max(fine) + 0.2 < min(coarse), (fine, coarse)


def test_tracing_back_a_rotation_turns_the_points():
    flow = Flow(np.zeros(2), 0.1 * np.array([[0.0, -1.0], [1.0, 0.0]]), np.array([3.0, 5.0]))
    back = trace_back(flow, np.array([[4.0], [5.0]]), 5)  # one below the centre, half a radian back
    np.testing.assert_allclose(back[:, 0], [3 + np.cos(0.5), 5 - np.sin(0.5)], rtol=1e-12)


def test_tracing_back_is_the_inverse_of_moving_on(movies):
    flow, points = movies[0].flow, np.indices((4, 4), float)
    np.testing.assert_allclose(trace_back(flow, trace_back(flow, points, 7), -7), points, atol=1e-9)
    there_and_on = (trace_back(flow, points, -1e-6) - points) / 1e-6
    speed = np.einsum("ij,jyx->iyx", flow.gradient, points - flow.centre[:, None, None]) + flow.velocity[:, None, None]
    np.testing.assert_allclose(there_and_on, speed, atol=1e-5)
