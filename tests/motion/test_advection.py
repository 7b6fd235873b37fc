"""Paths of the air, and frames at the end of them."""

import numpy as np

from predjax.motion import optical_flow
from predjax.motion.advection import advect, sample_frame, trace

ROWS, COLUMNS = np.mgrid[:48, :48].astype(np.float32)


def rotation(angle):
    return np.float32([angle * (COLUMNS - 23.5), -angle * (ROWS - 23.5)])


def test_paths_there_and_back_meet():
    (*_, there), (*_, back) = (trace(sign * rotation(0.05), 6) for sign in (1, -1))
    angle = 0.05 * 6
    centred = ROWS - 23.5, COLUMNS - 23.5
    expected = centred[0] * np.cos(angle) + centred[1] * np.sin(angle)
    inner = (slice(12, 36), slice(12, 36))
    np.testing.assert_allclose(there[0][inner] - 23.5, expected[inner], atol=0.05)
    expected = centred[0] * np.cos(angle) - centred[1] * np.sin(angle)
    np.testing.assert_allclose(back[0][inner] - 23.5, expected[inner], atol=0.05)


def test_a_shift_by_whole_pixels_is_a_copy_and_what_comes_from_outside_is_unknown():
    frame = np.random.default_rng(0).random((48, 48, 2)).astype(np.float32)
    motion = np.broadcast_to(np.float32([2, -3])[:, None, None], (2, 48, 48))
    carried = advect(frame, motion, 2)
    np.testing.assert_array_equal(carried[0, 2:, :-3], frame[:-2, 3:])
    np.testing.assert_array_equal(carried[1, 4:, :-6], frame[:-4, 6:])
    assert np.isnan(carried[0, :2]).all() and np.isnan(carried[0, :, -3:]).all()


def test_a_point_next_to_a_pixel_without_coverage_is_unknown():
    frame = np.add.outer(np.arange(4.0), 10 * np.arange(5.0))[..., None].astype(np.float32)
    frame[1, 1] = np.nan
    points = np.float32([[[2.5, 0.5, 3.0, 2.0005]], [[2.5, 0.5, 4.2, 1.0]]])
    values = sample_frame(frame, points)[0, :, 0]
    assert values[0] == 27.5 and np.isnan(values[1:3]).all()
    assert values[3] == 12.0  # as close to a pixel as rounding brings it: the neighbour does not matter


def test_frames_are_carried_in_parts_that_do_not_show(monkeypatch):
    frame, motion = np.random.default_rng(1).random((48, 48, 1)).astype(np.float32), rotation(0.1)
    whole = advect(frame, motion, 3)
    monkeypatch.setattr(optical_flow, "PART", 96 * 7)  # seven rows of two fields; the last part has six
    np.testing.assert_array_equal(advect(frame, motion, 3), whole)
