"""Coordinates that move with the rain: what only moves stands still, and comes back as extrapolation."""

import numpy as np
import pytest

from predjax.motion.advection import advect
from predjax.motion.moving import from_moving, into_moving, to_moving
from predjax.motion.optical_flow import estimate_motion

ROWS, COLUMNS = np.mgrid[:48, :48].astype(np.float32)


def blob(row, column):
    return 20 * np.exp(-((ROWS - row) ** 2 + (COLUMNS - column) ** 2) / 50)[..., None].astype(np.float32)


def uniform(rows, columns):
    return np.broadcast_to(np.float32([rows, columns])[:, None, None], (2, 48, 48))


def rotation(angle):
    return np.float32([angle * (COLUMNS - 23.5), -angle * (ROWS - 23.5)])


def test_what_only_moves_stands_still():
    motion = uniform(1.0, -2.0)
    frames = np.stack([blob(20 + t, 30 - 2 * t) for t in range(-3, 5)])
    moved = to_moving(frames, motion, 3)
    np.testing.assert_array_equal(moved[3], frames[3])
    for frame in moved:
        known = np.isfinite(frame)
        assert known.mean() > 0.7
        np.testing.assert_allclose(frame[known], frames[3][known], atol=1e-3)


@pytest.mark.parametrize("motion", [uniform(0.7, -1.3), rotation(0.03)])
def test_what_stands_still_comes_back_as_extrapolation(motion):
    frame = blob(24, 20)
    frame[:5] = np.nan
    np.testing.assert_array_equal(from_moving(np.stack([frame] * 6), motion), advect(frame, motion, 6))


def test_windows_move_by_the_motion_of_what_was_observed():
    frames = np.stack([np.stack([blob(20 + 0.5 * t, 15 + t * v) for t in range(9)]) for v in (1, 2)])
    moved, motion = into_moving(frames, 5, "mm/h")
    np.testing.assert_array_equal(motion, estimate_motion(frames[:, :5, ..., 0], "mm/h"))
    future = frames.copy()
    future[:, 5:] = 0
    np.testing.assert_array_equal(into_moving(future, 5, "mm/h")[0][:, :5], moved[:, :5])
    known = np.isfinite(moved[:, -1])
    change = np.abs(moved[:, -1] - moved[:, 4])[known].mean()
    assert change < 0.25 * np.abs(frames[:, -1] - frames[:, 4]).mean()
    back = np.stack([from_moving(np.stack([one[4]] * 4), u) for one, u in zip(moved, motion)])
    extrapolated = np.stack([advect(one[4], u, 4) for one, u in zip(frames, motion)])
    np.testing.assert_array_equal(back, extrapolated)
