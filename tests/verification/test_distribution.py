"""Mean, variance and quantile of forecasts against those of the values themselves."""

import numpy as np
import pytest
import xarray as xr

from predjax.verification.distribution import choose_bins, distribution_skill, find_quantile, histogram_statistics
from predjax.verification.fields import Scoring
from predjax.verification.scores import statistics
from predjax.verification.sums import add_statistics

NAN = np.nan


def collect(forecast, observed, units):
    """The sums and histograms that `distribution_skill` needs."""
    parts = (
        statistics(forecast, observed, Scoring([], units=units)),
        histogram_statistics(forecast, observed, Scoring(units=units)),
    )
    return xr.merge(parts, join="exact", compat="no_conflicts", combine_attrs="no_conflicts")


def rain(cases=4, seed=0):
    values = np.random.default_rng(seed).gamma(0.3, 3.0, (cases, 2, 20, 20, 1)).astype(np.float32)
    values[values < 0.05] = 0
    return values


@pytest.mark.parametrize(
    ("units", "values", "allowed"),
    [
        ("mm/h", rain(), {"rtol": 0.01}),
        ("dBZ", np.random.default_rng(1).normal(15, 12, (4, 2, 20, 20, 1)), {"rtol": 0, "atol": 0.125}),
        ("1", np.random.default_rng(2).random((4, 2, 20, 20, 1)), {"rtol": 0.021}),
        ("K", np.random.default_rng(3).normal(-200, 20, (4, 2, 20, 20, 1)), {"rtol": 0.021}),
    ],
)
def test_quantiles_are_within_the_error_that_they_state(units, values, allowed):
    s = histogram_statistics(values, values, Scoring(units=units))
    for share in (0.5, 0.9, 0.99):
        exact = [np.quantile(values[:, lead], share, method="inverted_cdf") for lead in range(2)]
        np.testing.assert_allclose(find_quantile(s.histogram_observed, share), exact, **allowed)
    stated = {"mm/h": "at most 1 % from 0.01 to 1000", "dBZ": "at most 0.125 dB", "1": "at most 2 %"}
    assert s.bin.attrs["quantile_error"].startswith(stated.get(units, stated["1"]))


@pytest.mark.parametrize("units", ["mm/h", "dBZ", "1"])
def test_bins_cover_all_values_in_order(units):
    bins = choose_bins(units)
    assert (
        bins.values.size == bins.edges.size + 1 and (np.diff(bins.edges) > 0).all() and (np.diff(bins.values) > 0).all()
    )
    assert ((bins.values[1:-1] > bins.edges[:-1]) & (bins.values[1:-1] < bins.edges[1:])).all()
    extremes = np.array([-1e9, 0, 1e9]).reshape(1, 1, 1, 3, 1)
    s = histogram_statistics(extremes, extremes, Scoring(units=units))
    assert s.histogram_forecast.sum() == 3
    assert find_quantile(s.histogram_forecast, 1.0).item() == bins.values[-1]


def test_a_forecast_of_half_the_rain_has_half_the_mean_and_a_quarter_of_the_variance():
    observed = rain()
    k = distribution_skill(collect(observed / 2, observed, "mm/h"))
    np.testing.assert_allclose(k.mean_ratio, 0.5, rtol=1e-6)
    np.testing.assert_allclose(k.variance_ratio, 0.25, rtol=1e-6)
    np.testing.assert_allclose(k.q99_ratio, 0.5, rtol=0.02)
    np.testing.assert_allclose(k.mean_observed, observed.mean((0, 2, 3, 4), np.float64), rtol=1e-6)
    np.testing.assert_allclose(k.variance_observed, observed.var((0, 2, 3, 4), np.float64), rtol=1e-6)
    assert k.variance_observed.attrs["units"] == "(mm/h)^2" and k.q99_observed.attrs["units"] == "mm/h"
    assert "at most 1 %" in k.q99_observed.attrs["error"] and k.mean_ratio.attrs["units"] == "1"


def test_a_perfect_forecast_has_all_ratios_one():
    observed = rain()
    k = distribution_skill(collect(observed, observed, "mm/h"))
    assert all((k[f"{name}_ratio"] == 1).all() for name in ("mean", "variance", "q99"))


def test_a_blurred_forecast_keeps_the_mean_and_loses_the_rest():
    observed = rain()
    blurred = np.broadcast_to(observed.mean((2, 3), keepdims=True), observed.shape)
    k = distribution_skill(collect(blurred, observed, "mm/h"))
    np.testing.assert_allclose(k.mean_ratio, 1, rtol=1e-5)
    assert (k.variance_ratio < 0.1).all() and (k.q99_ratio < 0.5).all()


def test_only_pairs_count_and_nothing_is_undefined():
    observed = rain()
    forecast = observed.copy()
    forecast[:, :, :10] = NAN
    s = collect(forecast, observed, "mm/h")
    assert (s.histogram_observed.sum("bin") == s.pairs).all() and (s.histogram_observed == s.histogram_forecast).all()
    missing = np.full_like(observed, NAN)
    assert all(np.isnan(v).all() for v in distribution_skill(collect(missing, observed, "mm/h")).data_vars.values())


def test_dry_fields_have_values_but_no_ratios():
    dry = np.zeros((1, 1, 5, 5, 1))
    k = distribution_skill(collect(dry, dry, "mm/h"))
    assert k.mean_observed.item() == k.variance_observed.item() == k.q99_observed.item() == 0
    assert all(np.isnan(k[f"{name}_ratio"]).all() for name in ("mean", "variance", "q99"))


def test_a_constant_field_has_no_variance():
    values = np.full((1, 1, 50, 50, 1), 0.1)
    assert distribution_skill(collect(values, values, "mm/h")).variance_forecast.item() == 0


def test_ratios_of_logarithms_are_left_out():
    values = np.random.default_rng(4).normal(15, 12, (2, 1, 9, 9, 1))
    k = distribution_skill(collect(values, values, "dBZ"))
    assert "mean_ratio" not in k and "q99_ratio" not in k
    assert k.variance_ratio.item() == 1 and k.q99_forecast.attrs["units"] == "dBZ"


def test_histograms_add_exactly_in_any_order():
    forecast, observed = rain(6), rain(6, seed=5)
    whole = histogram_statistics(forecast, observed, Scoring(units="mm/h"))
    total = None
    for case in (4, 1, 0, 5, 3, 2):
        new = histogram_statistics(forecast[case : case + 1], observed[case : case + 1], Scoring(units="mm/h"))
        total = new if total is None else add_statistics(total, new)
    assert total.identical(whole) and whole.histogram_forecast.dtype == np.int64
    with pytest.raises(ValueError, match=r"values of bin differ: \[.*\.\.\. in one, \[-40\.0, .* in the other"):
        add_statistics(whole, histogram_statistics(forecast, observed, Scoring(units="dBZ")))
