"""Scores of ensembles: by hand, against the definitions, and for ensembles that are right by construction."""

import itertools

import numpy as np
import pytest

from predjax.verification.ensembles import ensemble_skill, ensemble_statistics
from predjax.verification.fields import Scoring
from predjax.verification.scores import skill, statistics
from predjax.verification.sums import add_statistics

NAN = np.nan


def members(*rows):
    """(1, member, T=1, H=1, W, C=1) from one row of pixels a member."""
    return np.array(rows, np.float64)[None, :, None, None, :, None]


def observed(row):
    return np.array(row, np.float64)[None, None, None, :, None]


def random_ensemble(number=5, missing=0.0, seed=0, cases=4, steps=2):
    """Rain with many exact zeros, so that observations equal members."""
    rng = np.random.default_rng(seed)
    x = rng.gamma(0.5, 2.0, (cases, number, steps, 8, 9, 1))
    y = rng.gamma(0.5, 2.0, (cases, steps, 8, 9, 1))
    x[x < 0.5], y[y < 0.5] = 0, 0
    x[rng.random(x.shape) < missing], y[rng.random(y.shape) < missing] = NAN, NAN
    return x, y


def test_scores_of_a_hand_computed_example():
    # pixel 1: members 0, 2, 4, observed 1; pixel 2: members 0, 0, 3, observed 0
    k = ensemble_skill(ensemble_statistics(members([0, 0], [2, 0], [4, 3]), observed([1, 0]), Scoring([2.0]))).isel(
        lead_time=0
    )
    # E|x - y|: (1 + 1 + 3)/3 and 3/3; pairs |x - x'|: (2 + 4 + 2)/3 and (0 + 3 + 3)/3
    assert k.crps.item() == pytest.approx(((5 / 3 - 4 / 3) + (1 - 1)) / 2, abs=1e-15)
    # i = 2 and 1 of 3 say >= 2, nothing happens: (4/9 - 2*1/(9*2) + 1/9 - 1*2/(9*2)) / 2
    assert k.brier.item() == pytest.approx((4 / 9 - 1 / 9 + 1 / 9 - 1 / 9) / 2, abs=1e-15)
    # ranks: 1 is above one member; 0 equals two and is above none: a third each for the ranks 0, 1, 2
    np.testing.assert_allclose(k.rank_histogram, np.array([1 / 3, 4 / 3, 1 / 3, 0]) / 2, rtol=1e-15)
    # variances 4 and 3; means 2 and 1, errors 1 and 1
    assert k.spread.item() == pytest.approx(3.5**0.5) and k.ensemble_rmse.item() == 1
    assert k.spread_ratio.item() == pytest.approx((4 / 3 * 3.5) ** 0.5)
    np.testing.assert_array_equal(k.forecast_share.squeeze(), [0, 0.5, 0.5, 0])
    np.testing.assert_array_equal(k.observed_frequency.squeeze(), [NAN, 0, 0, NAN])
    assert k.ensemble_pairs.item() == 2 and k.members.item() == 3


def test_the_crps_is_that_of_all_pairs_of_members():
    x, y = random_ensemble()
    k = ensemble_skill(ensemble_statistics(x, y, Scoring([])))
    error = np.abs(x - y[:, None]).mean(axis=1)
    number = x.shape[1]
    difference = np.abs(x[:, :, None] - x[:, None]).sum(axis=(1, 2)) / (number * (number - 1))
    np.testing.assert_allclose(k.crps, (error - difference / 2).mean(axis=(0, 2, 3, 4)), rtol=1e-12)


def test_one_member_is_a_deterministic_forecast():
    x, y = random_ensemble(number=1)
    k, same = ensemble_skill(ensemble_statistics(x, y, Scoring([1.0]))), skill(statistics(x[:, 0], y, Scoring([1.0])))
    np.testing.assert_allclose(k.crps, same.mae, rtol=1e-14)
    np.testing.assert_allclose(k.ensemble_rmse, same.rmse, rtol=1e-14)
    np.testing.assert_allclose(k.brier, (same.misses + same.false_alarms) / same.pairs, rtol=1e-14)
    assert np.isnan(k.spread).all() and np.isnan(k.spread_ratio).all()


def test_fair_scores_do_not_depend_on_the_number_of_members():
    # Members and observation of one and the same distribution: E|X - y| - E|X - X'| / 2 = E|X - X'| / 2 = 1 / sqrt(pi).
    rng = np.random.default_rng(1)
    y = rng.standard_normal((1, 1, 300, 300, 1))
    found = {}
    for number in (2, 4, 16):
        x = rng.standard_normal((1, number, 1, 300, 300, 1))
        found[number] = ensemble_skill(ensemble_statistics(x, y, Scoring([0.5]))).isel(lead_time=0, threshold=0)
        assert found[number].crps.item() == pytest.approx(np.pi**-0.5, abs=0.006)
        assert found[number].spread_ratio.item() == pytest.approx(1, abs=0.01)
        np.testing.assert_allclose(found[number].rank_histogram, 1 / (number + 1), atol=0.004)
        # p (1 - p) with p = P(Z >= 0.5) is the Brier score of the perfect probability
        assert found[number].brier.item() == pytest.approx(0.3085 * 0.6915, abs=0.003)


def test_a_narrow_ensemble_is_seen_in_ranks_and_spread():
    rng = np.random.default_rng(2)
    x, y = 0.5 * rng.standard_normal((1, 9, 1, 60, 60, 1)), rng.standard_normal((1, 1, 60, 60, 1))
    k = ensemble_skill(ensemble_statistics(x, y, Scoring([]))).isel(lead_time=0)
    assert k.rank_histogram[[0, -1]].sum() > 0.4 and k.spread_ratio < 0.6


def test_the_parts_make_up_the_plain_brier_score():
    x, y = random_ensemble(number=4)
    k = ensemble_skill(ensemble_statistics(x, y, Scoring([0.5, 2.0])))
    plain = k.brier_reliability - k.brier_resolution + k.brier_uncertainty
    for j, threshold in enumerate((0.5, 2.0)):
        share = (x >= threshold).mean(axis=1)
        expected = ((share - (y >= threshold)) ** 2).mean(axis=(0, 2, 3, 4))
        np.testing.assert_allclose(plain[:, j], expected, rtol=1e-12)
    np.testing.assert_allclose(k.forecast_share.sum("members_above"), 1, rtol=1e-15)
    np.testing.assert_allclose(k.rank_histogram.sum("rank"), 1, rtol=1e-15)


def test_a_perfect_ensemble_has_no_error():
    _, y = random_ensemble()
    x = np.repeat(y[:, None], 3, axis=1)
    k = ensemble_skill(ensemble_statistics(x, y, Scoring([1.0])))
    assert (k.crps == 0).all() and (k.brier == 0).all() and (k.ensemble_rmse == 0).all()
    np.testing.assert_allclose(k.rank_histogram, 0.25, rtol=1e-14)  # equal to all members: every rank alike
    assert np.isnan(k.spread_ratio).all()


def test_pixels_without_all_members_do_not_count():
    x, y = random_ensemble(missing=0.1)
    valid = ~(np.isnan(x).any(axis=1) | np.isnan(y))
    s = ensemble_statistics(x, y, Scoring([1.0]))
    np.testing.assert_array_equal(s.ensemble_pairs, valid.sum(axis=(0, 2, 3, 4)))
    assert (s.member_events.sum("members_above").isel(threshold=0) == s.ensemble_pairs).all()
    told = valid & ((y >= 1) | (x >= 1).any(axis=1))
    np.testing.assert_array_equal(s.rank_pixels, told.sum(axis=(0, 2, 3, 4)))
    np.testing.assert_allclose(s.ranks.sum("rank"), s.rank_pixels, rtol=1e-12)
    nothing = ensemble_skill(ensemble_statistics(np.full_like(x, NAN), y, Scoring([1.0])))
    assert all(np.isnan(nothing[name]).all() for name in ("crps", "brier", "rank_histogram", "spread_ratio"))


def test_a_member_on_the_threshold_is_an_event():
    x, y = members([0.7], [0.6]).astype(np.float32), observed([0.7]).astype(np.float32)
    s = ensemble_statistics(x, y, Scoring([0.7]))
    assert s.member_events.values.ravel().tolist() == [0, 1, 0]
    assert s.member_events_observed.values.ravel().tolist() == [0, 1, 0]


def test_halves_add_to_the_whole_and_order_does_not_matter(monkeypatch):
    x, y = random_ensemble(missing=0.1)
    whole = ensemble_statistics(x, y, Scoring([0.5, 2.0], lead_times=[5, 10], units="mm/h"))
    parts = [
        ensemble_statistics(x[p], y[p], Scoring([0.5, 2.0], lead_times=[5, 10], units="mm/h")) for p in ([3, 1], [2, 0])
    ]
    monkeypatch.setattr("predjax.verification.ensembles.BLOCK_PIXELS", 1)
    shuffled = ensemble_statistics(
        x[:, ::-1], y, Scoring([0.5, 2.0], lead_times=[5, 10], units="mm/h")
    )  # of the members
    for other in (add_statistics(*parts), shuffled):
        for name, values in whole.data_vars.items():
            tolerance = 0 if values.dtype == np.int64 else 1e-13
            np.testing.assert_allclose(other[name], values, rtol=tolerance, err_msg=name)
        assert other.attrs == whole.attrs and other[name].dtype == values.dtype


def test_ranks_of_exchangeable_values_are_equally_frequent():
    """In every order of the values, with and without ties, each of them is once the observation."""
    for values in ([1, 2, 3, 4], [0, 0, 1, 2], [0, 0, 0, 5], [3, 3, 3, 3]):
        orders = np.array(list(itertools.permutations(values)), float).T  # (4, order)
        k = ensemble_skill(ensemble_statistics(members(*orders[1:]), observed(orders[0]), Scoring([])))
        np.testing.assert_allclose(k.rank_histogram[0], 0.25, rtol=1e-14)


def test_pixels_that_are_dry_everywhere_have_no_rank():
    x, y = members([0, 0, 0.05, 0.1, 0], [0, 0, 0, 0, 0]), observed([0, 0.05, 0, 0, 0.1])
    k = ensemble_skill(ensemble_statistics(x, y, Scoring([0.1, 1.0]))).isel(lead_time=0)
    # pixel 4: 0 equals one member and is below the other; pixel 5: 0.1 is above both; the others are below 0.1
    np.testing.assert_allclose(k.rank_histogram, np.array([0.5, 0.5, 1]) / 2)
    assert k.rank_pixels.item() == 2 and k.ensemble_pairs.item() == 5
    every = ensemble_skill(ensemble_statistics(x, y, Scoring([]))).isel(lead_time=0)
    assert every.rank_pixels.item() == 5


def test_the_roc_area_is_the_chance_to_give_an_event_the_higher_probability():
    """Mann & Whitney: P(p of an event > p of a non-event) + P(equal) / 2."""
    x, y = random_ensemble(number=4)
    k = ensemble_skill(ensemble_statistics(x, y, Scoring([1.0, 3.0])))
    for lead, (j, threshold) in itertools.product(range(2), enumerate((1.0, 3.0))):
        share, happened = (x[:, :, lead] >= threshold).mean(axis=1), y[:, lead] >= threshold
        pairs = share[happened][:, None] - share[~happened][None]
        expected = (pairs > 0).mean() + (pairs == 0).mean() / 2
        assert k.roc_area[lead, j].item() == pytest.approx(expected, rel=1e-12)
        for count in range(5):
            warned = share >= count / 4
            assert k.roc_pod[lead, j, count].item() == pytest.approx(warned[happened].mean())
            assert k.roc_pofd[lead, j, count].item() == pytest.approx(warned[~happened].mean())


def test_an_event_that_never_or_always_happens_has_no_roc_area():
    x, y = random_ensemble()
    k = ensemble_skill(ensemble_statistics(x, y, Scoring([-1.0, 99.0])))
    assert np.isnan(k.roc_area).all()


def test_ensembles_of_different_sizes_do_not_add():
    few, many = (ensemble_statistics(*random_ensemble(number=n), Scoring([1.0])) for n in (3, 5))
    with pytest.raises(ValueError, match=r"values of members_above differ: \[0, 1, 2, 3\] in one"):
        add_statistics(few, many)


def test_fields_that_do_not_fit_are_refused():
    x, y = random_ensemble()
    with pytest.raises(ValueError, match=r"members must be \(case, member, T, H, W, C\)"):
        ensemble_statistics(x[:, 0], y, Scoring([1.0]))
    with pytest.raises(ValueError, match=r"members has the shape \(4, 5, 2, 8, 9, 1\) but observed has"):
        ensemble_statistics(x, y[:, :1], Scoring([1.0]))
