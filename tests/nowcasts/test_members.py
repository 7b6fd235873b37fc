"""What members say together, against plain numpy and by hand."""

import numpy as np
import pytest

from predjax.nowcasts.members import average, find_probability, find_quantiles, match_pool, spread


@pytest.fixture
def members():
    """Five members of 6 x 7 pixels, one of which has no value in one member."""
    found = np.random.default_rng(0).gamma(0.5, 2.0, (5, 6, 7)).astype(np.float32)
    found[2, 1, 3] = np.nan
    return found


def test_a_pixel_is_known_where_all_members_are(members):
    gap = np.zeros((6, 7), bool)
    gap[1, 3] = True
    mean = average(members)
    for found in (mean, find_quantiles(members, [0.0, 0.5, 1.0]), match_pool(mean, members)):
        np.testing.assert_array_equal(np.isnan(found), np.broadcast_to(gap, found.shape))
    for reach in (0.0, 2.0):
        np.testing.assert_array_equal(np.isnan(find_probability(members, 1.0, reach)), gap)


@pytest.mark.parametrize("count", [1, 2, 4, 5])
def test_quantiles_are_those_of_numpy(members, count):
    levels = [0.0, 0.1, 0.5, 0.9, 1.0]
    found = find_quantiles(members[:count], levels)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.quantile(members[:count], levels, axis=0), rtol=1e-6)


def test_the_matched_mean_keeps_its_order_and_has_the_values_of_the_pool(members):
    mean = average(members)
    found, known = match_pool(mean, members), np.isfinite(mean)
    pool = np.sort(members[:, known].ravel()).reshape(-1, 5)
    np.testing.assert_array_equal(np.sort(found[known]), pool[:, 2])  # the middle of every five
    np.testing.assert_array_equal(np.argsort(found[known]), np.argsort(mean[known]))
    heavy = np.mean(members[:, known] >= 3)
    assert abs(np.mean(found[known] >= 3) - heavy) <= 1 / known.sum() and np.mean(mean[known] >= 3) < heavy


def test_a_probability_is_a_share_of_members(members):
    np.testing.assert_allclose(
        find_probability(members, 1.0)[2], np.mean(members[:, 2] >= 1, axis=0, dtype=np.float32), rtol=1e-6
    )
    on_it = np.full((4, 1, 1), 0.1, np.float32)  # in the precision of the members, 0.1 is reached
    on_it[0] = 0
    assert find_probability(on_it, 0.1) == 0.75


@pytest.mark.parametrize("reach", [1.0, 1.5, 2.0, 3.7, 20.0])
def test_an_event_spreads_over_a_disk(reach):
    events = np.random.default_rng(1).random((3, 9, 12)) < 0.03
    rows, columns = np.mgrid[:9, :12]
    expected = np.zeros_like(events)
    for member, row, column in np.argwhere(events):
        expected[member] |= (rows - row) ** 2 + (columns - column) ** 2 <= reach**2
    np.testing.assert_array_equal(spread(events, reach), expected)


def test_what_is_unknown_reaches_no_threshold_nearby():
    members = np.zeros((2, 1, 4), np.float32)
    members[0, 0, 3] = np.nan
    members[1, 0, 1] = 5
    np.testing.assert_array_equal(find_probability(members, 1.0, 1.0), [[0.5, 0.5, 0.5, np.nan]])
