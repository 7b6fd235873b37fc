"""Rain on areas from pixels: means with exact shares, and missing data that never count as dry."""

import numpy as np
from radar.areas.placed import box, make_areas, make_grid

from predjax.radar.areas.place import place_areas
from predjax.radar.areas.rain import accumulate, find_rates

GRID = make_grid((4, 5))
# Two pixels and a half in the first row; one pixel; half in the grid.
AREAS = place_areas(
    make_areas(box(300e3, 699e3, 302.5e3, 700e3), [(304.5e3, 697.5e3)], box(299e3, 696e3, 301e3, 697e3)), GRID
)


def make_rates():
    return np.arange(40, dtype=np.float32).reshape(2, 4, 5)


def test_means_have_the_shares_as_weights():
    found = find_rates(make_rates(), AREAS, 0.5)
    np.testing.assert_allclose(found.mean, [[2 / 2.5, 14, 15], [(20 + 21 + 11) / 2.5, 34, 35]])
    np.testing.assert_allclose(found.maximum, [[2, 14, 15], [22, 34, 35]])
    np.testing.assert_allclose(found.coverage, [1, 1, 0.5])


def test_missing_pixels_are_not_dry():
    rates = make_rates()
    rates[1, 0, 1] = rates[0, 2, 4] = np.nan  # of one member each, so that no member has them
    found = find_rates(rates, AREAS, 0.6)
    np.testing.assert_allclose(found.coverage, [0.6, 0, 0.5])
    np.testing.assert_allclose(found.mean[:, 0], [(0 + 1) / 1.5, (20 + 11) / 1.5])
    np.testing.assert_allclose(found.maximum[:, 0], [2, 22])
    assert np.isnan(found.mean[:, 1:]).all() and np.isnan(found.maximum[:, 1:]).all()
    assert np.isnan(find_rates(rates, AREAS, 0.61).mean).all()


def test_an_hour_ends_only_where_it_begins_at_a_lead_time():
    assert "hourly_accumulation" not in accumulate(np.ones(3), np.array([25.0, 50.0, 75.0]))
    np.testing.assert_allclose(accumulate(np.ones(3), np.array([20.0, 40.0, 60.0]))["hourly_accumulation"][-1], 1)
    seconds = 100 * np.arange(1, 73)  # whose minutes are rounded
    np.testing.assert_allclose(accumulate(np.ones(72), seconds / 60)["hourly_accumulation"][35:], 1)
