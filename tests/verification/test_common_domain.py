"""Methods on one set of pixels, and how many each one covers."""

import numpy as np
import pytest

from predjax.verification.common_domain import coverage_skill, coverage_statistics, keep_common
from predjax.verification.fields import Scoring
from predjax.verification.scores import statistics
from predjax.verification.spatial import fss_statistics
from predjax.verification.sums import add_statistics

NAN = np.nan


def field(*cases):
    """(case, T=1, H=1, W, C=1) float32 from rows of values."""
    return np.array(cases, np.float32)[:, None, None, :, None]


@pytest.fixture
def methods():
    return {"model": field([1, 2, NAN, 4, 5]), "persistence": field([1, NAN, 3, 4, 5])}, field([1, 2, 3, 4, NAN])


def test_a_pixel_that_one_method_lacks_counts_for_none(methods):
    forecasts, observed = methods
    common = keep_common(forecasts, observed)
    assert list(common) == ["model", "persistence"]
    for values in common.values():
        np.testing.assert_array_equal(values, field([1, NAN, NAN, 4, NAN]))
        assert values.dtype == np.float32
    np.testing.assert_array_equal(forecasts["model"], field([1, 2, NAN, 4, 5]))  # the caller's stay


def test_all_members_lack_a_pixel_that_one_lacks():
    observed = field([1, 2, 3, NAN])
    members = np.stack([field([1, NAN, 3, 4]), field([2, 2, 2, 2])], axis=1)
    common = keep_common({"members": members, "one": field([1, 2, NAN, 4])}, observed)
    for member, first in zip(common["members"][0], (1, 2)):
        np.testing.assert_array_equal(member[None], field([first, NAN, NAN, NAN]))
    np.testing.assert_array_equal(common["one"], field([1, NAN, NAN, NAN]))


def test_all_methods_have_the_same_pairs_and_windows_on_the_common_domain():
    rng = np.random.default_rng(0)
    observed = rng.random((3, 2, 12, 12, 1))
    forecasts = {}
    for name in ("a", "b", "c"):
        forecasts[name] = rng.random(observed.shape)
        forecasts[name][rng.random(observed.shape) < 0.1] = NAN
    common = keep_common(forecasts, observed)
    lacking = np.isnan(list(forecasts.values())).any(axis=0)
    counts = [statistics(values, observed, Scoring([0.5])) for values in common.values()]
    assert all((s.pairs == (~lacking).sum((0, 2, 3, 4))).all() for s in counts)
    assert all((s.hits + s.misses == counts[0].hits + counts[0].misses).all() for s in counts)
    windows = [fss_statistics(values, observed, Scoring([0.5], [3])).fss_windows.values for values in common.values()]
    np.testing.assert_array_equal(windows, [windows[0]] * 3)


def test_disjoint_methods_have_nothing_in_common():
    forecasts = {"left": field([1, 1, NAN, NAN]), "right": field([NAN, NAN, 1, 1])}
    observed = field([1, 1, 1, 1])
    for values in keep_common(forecasts, observed).values():
        assert statistics(values, observed, Scoring([0.5])).pairs.item() == 0


def test_an_ensemble_lacks_a_pixel_where_a_member_does():
    observed = field([1, 1, 1])
    members = np.stack([field([1, 2, NAN]), field([NAN, 2, 3])], axis=1)
    common = keep_common({"ensemble": members, "model": field([1, 2, 3])}, observed)
    np.testing.assert_array_equal(common["model"], field([NAN, 2, NAN]))
    np.testing.assert_array_equal(common["ensemble"], np.stack([field([NAN, 2, NAN])] * 2, axis=1))


def test_coverage_is_the_forecast_part_of_the_observed(methods):
    forecasts, observed = methods
    found = {name: coverage_statistics(values, observed) for name, values in forecasts.items()}
    # observed: four pixels; the model has 1, 2, 4 of them, persistence 1, 3, 4, both have 1 and 4
    assert [found[name].covered_pixels.item() for name in forecasts] == [3, 3]
    assert coverage_skill(found["model"]).coverage.item() == 0.75
    common = keep_common(forecasts, observed)["model"]
    assert coverage_skill(coverage_statistics(common, observed)).coverage.item() == 0.5


def test_coverage_is_by_lead_time_and_adds():
    observed = np.ones((2, 2, 3, 4, 1))
    observed[1, :, 0] = NAN
    forecast = np.ones_like(observed)
    forecast[:, 1, :, 2:] = NAN
    whole = coverage_statistics(forecast, observed, Scoring(lead_times=[5, 10]))
    # 12 + 8 observed pixels; at 10 minutes half of each row is forecast
    assert whole.observed_pixels.values.tolist() == [20, 20] and whole.covered_pixels.values.tolist() == [20, 10]
    halves = [
        coverage_statistics(forecast[p], observed[p], Scoring(lead_times=[5, 10])) for p in (slice(1, 2), slice(1))
    ]
    assert add_statistics(*halves).identical(whole)
    k = coverage_skill(whole)
    assert k.coverage.values.tolist() == [1, 0.5] and k.lead_time.attrs["units"] == "minutes"


def test_without_observations_the_coverage_is_undefined():
    missing = np.full((1, 1, 2, 2, 1), NAN)
    assert np.isnan(coverage_skill(coverage_statistics(missing, missing)).coverage.item())


def test_a_forecast_of_another_shape_is_named(methods):
    forecasts, observed = methods
    with pytest.raises(ValueError, match=r"late has forecasts of the shape \(1, 1, 1, 4, 1\) but observed has"):
        keep_common(forecasts | {"late": field([1, 2, 3, 4])}, observed)
