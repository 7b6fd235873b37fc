"""The motion field: what is known to have moved is found, in any unit, and nothing is invented where nothing moves."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from predjax.motion.optical_flow import estimate_motion, sample
from predjax.units import rain_rate_to_dbz

SIZE = 96


@pytest.fixture(scope="module")
def rain():
    """A wide field in mm/h with showers of some ten pixels and dry air between them."""
    field = gaussian_filter(np.random.default_rng(0).standard_normal((320, 320)), 5)
    return np.where(field > 0, 30 * field / field.max(), 0).astype(np.float32)


def watch(rain, path, steps=4, shape=(SIZE, SIZE)):
    """Frames (1, T, H, W) of the field that `path(points, step)` moved, in a window in its middle."""
    points = np.indices(shape, float)
    offset = (np.array(rain.shape)[:, None, None] - np.array(shape)[:, None, None]) // 2
    frames = [map_coordinates(rain, path(points, step) + offset, order=1) for step in range(steps)]
    return np.stack(frames)[None]


def shifted(rain, row, column, **window):
    shift = np.array([row, column])[:, None, None]
    return watch(rain, lambda points, step: points - step * shift, **window)


def typical_error(found, expected):
    return np.median(np.hypot(*(found[0] - expected)))


@pytest.mark.parametrize("shift", [(0.0, 0.0), (1.5, -0.7), (0.0, 6.0), (-15.0, 9.0)])
def test_a_shift_is_found(rain, shift):
    expected = np.array(shift, np.float32)[:, None, None]
    found = estimate_motion(shifted(rain, *shift, shape=(160, 160)), "mm/h")
    assert found.shape == (1, 2, 160, 160)
    assert found.dtype == np.float32
    assert typical_error(found, expected) < 0.05
    assert np.abs(found[0] - expected).max() < 0.7


@pytest.mark.parametrize("shape", [(48, 131), (40, 40), (33, 200)])
def test_frames_of_any_shape(rain, shape):
    found = estimate_motion(shifted(rain, 1.2, -2.1, shape=shape), "mm/h")
    assert typical_error(found, np.array([1.2, -2.1])[:, None, None]) < 0.1


def rotating(rain, rate):
    """Frames (1, 4, 160, 160) of rain that goes round their middle by `rate` a step, and where each pixel lies."""

    def turn(points, step):
        row, column = points - 79.5
        cosine, sine = np.cos(step * rate), np.sin(step * rate)
        return np.stack([cosine * row + sine * column, cosine * column - sine * row]) + 79.5

    return watch(rain, turn, shape=(160, 160)), np.indices((160, 160)) - 79.5


@pytest.mark.parametrize("rate", [0.03, -0.1])
def test_a_rotation_is_found(rain, rate):
    frames, (row, column) = rotating(rain, rate)
    expected = 2 * np.tan(rate / 2) * np.stack([-column, row])
    assert typical_error(estimate_motion(frames, "mm/h"), expected) < 0.08 * np.abs(expected).max()


def test_the_motion_is_that_of_the_middle_of_a_step(rain):
    """Motion that points to where a circling pixel ends leads outwards by rate^2 / 2 of its distance, either way."""
    outwards = []
    for rate in (0.1, -0.1):
        frames, position = rotating(rain, rate)
        motion, position = (part[:, 30:130, 30:130] for part in (estimate_motion(frames, "mm/h")[0], position))
        outwards.append((motion * position).sum() / (position**2).sum())
    assert abs(np.mean(outwards)) < 0.25 * 0.1**2 / 2


def test_the_unit_does_not_matter(rain):
    rate = shifted(rain, 2.0, -1.0)
    motion = estimate_motion(rate, "mm/h")
    np.testing.assert_allclose(estimate_motion(rain_rate_to_dbz(rate), "dBZ"), motion, atol=1e-3)
    np.testing.assert_allclose(estimate_motion(rate, "mm h-1"), motion, atol=0)


@pytest.mark.parametrize("unit", ["1", "", "K", "unheard of"])
def test_factor_and_offset_of_an_unknown_unit_do_not_matter(rain, unit):
    frames = shifted(rain, 2.0, -1.0)
    motion = estimate_motion(frames / 30, unit)
    assert typical_error(motion, np.array([2.0, -1.0])[:, None, None]) < 0.1
    np.testing.assert_allclose(estimate_motion(250 + 8 * frames, unit), motion, atol=5e-3)


def test_growth_is_no_motion(rain):
    frames = shifted(rain, 0.0, 3.0) * 1.15 ** np.arange(4, dtype=np.float32)[:, None, None]
    assert typical_error(estimate_motion(frames, "mm/h"), np.array([0.0, 3.0])[:, None, None]) < 0.2


def test_showers_that_come_and_go_hold_little_up(rain):
    """A sixth of the frame rains at random in each frame: least squares without weights err by half a pixel."""
    flicker = gaussian_filter(np.random.default_rng(0).standard_normal((4, SIZE, SIZE)), (0, 5, 5))
    flicker = 10 * np.maximum(flicker / flicker.std() - 1, 0)
    found = estimate_motion(shifted(rain, 0.0, 3.0) + flicker, "mm/h")
    assert typical_error(found, np.array([0.0, 3.0])[:, None, None]) < 0.25


def test_the_last_frames_count():
    rng = np.random.default_rng(1)
    frames = rng.random((1, 7, 40, 40), np.float32)
    np.testing.assert_array_equal(estimate_motion(frames), estimate_motion(frames[:, -4:]))


def test_what_is_not_covered_is_not_seen(rain):
    """A hole that stands still, and a frame that is missing, hold nothing up."""
    frames = shifted(rain, 4.0, 2.0, steps=4)
    frames[..., 30:50, 40:60] = np.nan
    expected = np.array([4.0, 2.0])[:, None, None]
    assert typical_error(estimate_motion(frames, "mm/h"), expected) < 0.1
    frames[:, 1] = np.nan
    found = estimate_motion(frames, "mm/h")
    assert typical_error(found, expected) < 0.1
    assert np.isfinite(found).all()


def test_dry_air_has_the_motion_of_the_rain(rain):
    rain = rain.copy()
    rain[:, 170:] = 0
    found = estimate_motion(shifted(rain, 3.0, 0.0), "mm/h")
    assert np.abs(found[0, 0, :, -10:] - 3).max() < 0.5


@pytest.mark.parametrize("units", ["mm/h", "dBZ", "1"])
@pytest.mark.parametrize(
    "frames",
    [
        np.zeros((2, 4, 40, 40)),
        np.full((2, 4, 40, 40), np.nan),
        np.full((2, 4, 40, 40), 3.0),
        np.random.default_rng(2).random((2, 1, 40, 40)),
        np.random.default_rng(3).random((2, 4, 7, 40)),
        np.random.default_rng(4).random((2, 4, 1, 1)),
    ],
    ids=["dry", "missing", "constant", "one frame", "few rows", "one pixel"],
)
def test_nothing_to_follow_is_no_motion(frames, units):
    motion = estimate_motion(frames, units)
    assert motion.shape == (2, 2, *frames.shape[2:])
    assert not motion.any()


def test_a_case_does_not_depend_on_the_others(rain):
    frames = np.concatenate([shifted(rain, 2.0, 1.0), shifted(rain, -5.0, 0.0), np.zeros((1, 4, SIZE, SIZE))])
    together = estimate_motion(frames, "mm/h")
    for case in range(3):
        np.testing.assert_array_equal(estimate_motion(frames[case : case + 1], "mm/h")[0], together[case])


def test_another_number_of_dimensions_is_an_error():
    with pytest.raises(ValueError, match=r"\(B, T, H, W\), not \(4, 40, 40\)"):
        estimate_motion(np.zeros((4, 40, 40)))


def test_sampling_is_bilinear_and_stops_at_the_edge():
    rows, columns = np.indices((5, 6)).astype(np.float32)
    plane = (2 * rows - 3 * columns)[None]
    rng = np.random.default_rng(5)
    points = rng.uniform([[-2], [-2]], [[7], [8]], (2, 50)).astype(np.float32)
    row, column = np.clip(points, 0, [[4], [5]])
    np.testing.assert_allclose(sample(plane, *points)[0], 2 * row - 3 * column, atol=1e-5)
    np.testing.assert_array_equal(sample(plane, rows, columns), plane)
