"""A missing frame between its neighbours."""

import numpy as np

from predjax.nowcasts.interpolation import interpolate


def blob(column):
    rows, columns = np.mgrid[:64, :64]
    return 20 * np.exp(-((rows - 30) ** 2 + (columns - column) ** 2) / 40)[..., None].astype(np.float32)


def test_rain_that_moves_is_interpolated_where_it_was():
    found = interpolate(blob(24.0), blob(34.0), "mm/h")
    inner = (slice(10, 54), slice(12, 52))
    error, blurred = (np.abs(one - blob(29.0))[inner].mean() for one in (found, (blob(24.0) + blob(34.0)) / 2))
    assert error < 0.3 * blurred and found.max() > 15 and found.dtype == np.float32


def test_where_one_frame_has_no_coverage_the_other_counts_alone():
    missing = np.full((64, 64, 1), np.nan, np.float32)
    np.testing.assert_allclose(interpolate(blob(24.0), missing, "mm/h"), blob(24.0), atol=1e-4)
    assert np.isnan(interpolate(missing, missing, "mm/h")).all()
