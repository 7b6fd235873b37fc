"""Extrapolation: the last frame moves, nothing else happens to it, and what cannot be known is NaN."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from predjax.motion.advection import advect
from predjax.motion.optical_flow import estimate_motion
from predjax.nowcasts.extrapolation import extrapolate
from predjax.nowcasts.persistence import persist
from predjax.units import rain_rate_to_dbz


def make_rain(shape, seed=0):
    """Showers of some ten pixels in mm/h with dry air between them."""
    field = gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 4)
    return np.where(field > 0, 30 * field / field.max(), 0).astype(np.float32)


def make_movie(row, column, steps, shape=(64, 80), seed=0):
    """A movie (1, T, H, W, 1) of rain that moves by whole pixels a step."""
    height, width = shape
    margin = (steps + 1) * max(abs(row), abs(column))
    rain = make_rain((height + 2 * margin, width + 2 * margin), seed)
    corners = [(margin - step * row, margin - step * column) for step in range(steps)]
    return np.stack([rain[y : y + height, x : x + width] for y, x in corners])[None, ..., None]


def constant(row, column, shape):
    return np.broadcast_to(np.array([row, column], np.float32)[:, None, None], (2, *shape))


def test_rain_that_moves_steadily_is_forecast():
    movie = make_movie(2, -3, 8)
    forecast = extrapolate(movie[:, :4], 4, units="mm/h")
    assert forecast.shape == (1, 4, 64, 80, 1)
    for lead in range(4):
        known = np.isfinite(forecast[0, lead])
        error, change = forecast[0, lead] - movie[0, 4 + lead], movie[0, 3] - movie[0, 4 + lead]
        steps = lead + 1
        assert known.mean() == pytest.approx((64 - 2 * steps) * (80 - 3 * steps) / (64 * 80), abs=0.05)
        assert np.abs(error[known]).mean() < 0.01 * np.abs(change[known]).mean()


def test_steps_of_a_whole_shift_add_up_exactly():
    frame = make_rain((40, 50))[..., None]
    moved = advect(frame, constant(2, -3, (40, 50)), 5)
    for lead in range(1, 6):
        np.testing.assert_array_equal(moved[lead - 1, 2 * lead :, : 50 - 3 * lead], frame[: 40 - 2 * lead, 3 * lead :])
        assert np.isnan(moved[lead - 1, : 2 * lead]).all()
        assert np.isnan(moved[lead - 1, :, 50 - 3 * lead :]).all()


def test_ten_tenths_of_a_pixel_are_one():
    frame = make_rain((20, 30))[..., None]
    moved = advect(frame, constant(0.1, 0, (20, 30)), 10)[-1]
    np.testing.assert_array_equal(moved[1:], frame[:-1])
    assert np.isnan(moved[0]).all()


def test_part_of_a_pixel_is_linear_and_unknown_where_a_neighbour_is_unknown():
    frame = np.arange(12, dtype=np.float32).reshape(1, 12, 1)
    frame[0, 5] = np.nan
    moved = advect(frame, constant(0, 0.25, (1, 12)), 2)
    np.testing.assert_allclose(moved[0, 0, :, 0], [np.nan, *np.arange(0.75, 4), *[np.nan] * 2, *np.arange(6.75, 11)])
    np.testing.assert_allclose(moved[1, 0, :, 0], [np.nan, *np.arange(0.5, 4), *[np.nan] * 2, *np.arange(6.5, 11)])


def test_missing_pixels_move_with_the_air():
    frame = make_rain((30, 30))[..., None]
    frame[10:14, 8:11] = np.nan
    unknown = np.isnan(advect(frame, constant(3, 4, (30, 30)), 2)[1, ..., 0])
    expected = np.zeros((30, 30), bool)
    expected[16:20, 16:19] = expected[:6] = expected[:, :8] = True
    np.testing.assert_array_equal(unknown, expected)


def test_a_rotation_goes_round():
    """A quarter turn in twelve steps puts the air at (row, column) from the middle at (-column, row)."""
    size, rate = 81, np.pi / 24
    frame = gaussian_filter(make_rain((size, size)), 2)[..., None]
    row, column = np.indices((size, size), np.float32) - size // 2
    moved = advect(frame, rate * np.stack([-column, row]), 12)[-1, ..., 0]
    disc = np.hypot(row, column) < 30
    # Midpoint steps are chords of 2 arctan(rate / 2): 0.13 degrees short in twelve steps.
    error = moved - np.rot90(frame[..., 0])
    assert np.abs(error[disc]).max() < 0.02 * frame.max()


def test_no_motion_is_persistence():
    frame = make_rain((24, 31)).astype(np.float64)[..., None]
    frame[3:5, 7:9] = np.nan
    for observed in (np.stack([frame] * 4)[None], frame[None, None]):
        np.testing.assert_array_equal(extrapolate(observed, 3, units="mm/h"), persist(observed, 3))


@pytest.mark.parametrize("value", [0.0, -32.0, np.nan])
@pytest.mark.parametrize("units", ["mm/h", "dBZ", "1"])
def test_nothing_to_move_is_persistence(value, units):
    observed = np.full((2, 4, 40, 36, 1), value, np.float32)
    np.testing.assert_array_equal(extrapolate(observed, 3, units=units), persist(observed, 3))


def test_one_observed_frame_is_persistence():
    observed = make_rain((40, 40))[None, None, ..., None]
    np.testing.assert_array_equal(extrapolate(observed, 2, units="mm/h"), persist(observed, 2))


def test_the_unit_does_not_change_where_rain_goes():
    movie = make_movie(1, 2, 4)
    dbz = rain_rate_to_dbz(movie)
    expected = advect(dbz[0, -1], estimate_motion(movie[..., 0], "mm/h")[0], 3)
    np.testing.assert_allclose(extrapolate(dbz, 3, units="dBZ")[0], expected, atol=0.05)


def test_values_stay_within_those_of_the_last_frame():
    observed = make_movie(2, 1, 4) + 0.1 * np.random.default_rng(3).random((1, 4, 64, 80, 1), np.float32)
    forecast = extrapolate(observed, 6, units="mm/h")
    assert np.nanmin(forecast) >= observed[:, -1].min() - 1e-6
    assert np.nanmax(forecast) <= observed[:, -1].max() * (1 + 1e-6)


def test_dry_stays_dry():
    movie = make_movie(2, 1, 4)
    movie[:, :, :, 30:] = 0
    forecast = extrapolate(movie, 3, units="mm/h")[..., 45:, :]
    assert (forecast[np.isfinite(forecast)] == 0).all()


def test_channels_share_the_motion_of_the_first():
    movie = make_movie(2, -3, 4)
    still = np.broadcast_to(make_rain((64, 80), seed=9)[..., None], movie.shape)
    both = extrapolate(np.concatenate([movie, still], axis=-1), 2, units="mm/h")
    alone = extrapolate(movie, 2, units="mm/h")
    np.testing.assert_array_equal(both[..., :1], alone)
    swapped = np.concatenate([movie[:, :, ::1], still, movie[:, :, ::1]], axis=-1)
    np.testing.assert_array_equal(extrapolate(swapped, 2, units="mm/h")[..., 2:], alone)
    assert not np.array_equal(both[..., 1:], persist(still, 2))


def test_cases_do_not_depend_on_each_other():
    movies = np.concatenate([make_movie(1, 0, 4), make_movie(-2, 4, 4, seed=1), np.zeros((1, 4, 64, 80, 1))])
    together = extrapolate(movies, 3, units="mm/h")
    for case in (2, 0, 1):
        np.testing.assert_array_equal(extrapolate(movies[case : case + 1], 3, units="mm/h")[0], together[case])
    assert extrapolate(movies[:0], 3).shape == (0, 3, 64, 80, 1)


def test_the_type_is_kept_and_the_observation_is_left_alone():
    movie = make_movie(1, 1, 4)
    before = movie.copy()
    for dtype in (np.float32, np.float64):
        assert extrapolate(movie.astype(dtype), 2).dtype == dtype
    assert extrapolate(movie.astype(np.uint8), 2).dtype == np.float32
    extrapolate(movie, 1)[:] = -1
    np.testing.assert_array_equal(movie, before)


def test_a_vector_of_time_series_has_no_motion():
    observed = np.random.default_rng(4).random((2, 5, 1, 1, 3), np.float32)
    np.testing.assert_array_equal(extrapolate(observed, 2), persist(observed, 2))


@pytest.mark.parametrize(
    ("observed", "steps", "message"),
    [
        (np.zeros((3, 4, 4, 1)), 2, r"\(3, 4, 4, 1\)"),
        (np.zeros((1, 0, 4, 4, 1)), 2, "T_in, H, W, C >= 1"),
        (np.zeros((1, 1, 4, 4, 1)), 0, "num_steps must be at least 1, not 0"),
    ],
)
def test_nothing_to_extrapolate_is_an_error(observed, steps, message):
    with pytest.raises(ValueError, match=message):
        extrapolate(observed, steps)
