"""Statistics of single frames."""

import numpy as np
import pytest

from predjax.radar.store.statistics import STATISTICS, WET_THRESHOLDS, measure_frames


def test_frames_without_coverage_have_no_mean():
    frames = np.full((2, 3, 3, 1), np.nan, np.float32)
    frames[1, 0] = 2
    np.testing.assert_array_equal(measure_frames(frames, 2.0), np.float32([[0, 0, np.nan], [1 / 3, 1 / 3, 2]]))
    assert np.isnan(measure_frames(frames, None)[:, 1]).all()


def test_a_frame_is_measured_by_itself():
    frames = np.random.default_rng(0).gamma(0.3, 3.0, (3, 5, 6, 2)).astype(np.float32)
    frames[1, :2] = np.nan
    found = dict(zip(STATISTICS, measure_frames(frames, WET_THRESHOLDS["mm/h"]).T))
    assert found["covered"] == pytest.approx([1, 0.6, 1])
    assert found["wet"] == pytest.approx((frames >= 0.1).mean((1, 2, 3)))
    assert found["mean"] == pytest.approx(np.nanmean(frames, (1, 2, 3)), rel=1e-6)
