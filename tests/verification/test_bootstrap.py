"""Intervals by block bootstrap: against drawing in a loop, against known truth, and the words beside them."""

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm, t

from predjax.verification.bootstrap import VERDICTS, Draws, bootstrap, draw_blocks, widen_level
from predjax.verification.case_blocks import stack_blocks, sum_blocks
from predjax.verification.fields import Scoring
from predjax.verification.measure import measure, score
from predjax.verification.scores import skill, statistics
from predjax.verification.sums import add_statistics

NAN = np.nan


def blocks_of(*fields, **options):
    """Statistics with a block for each pair (forecast, observed)."""
    return stack_blocks({number: statistics(*pair, Scoring([0.5], **options)) for number, pair in enumerate(fields)})


def make_methods(number=8, seed=0, shape=(2, 2, 6, 6, 1)):
    """A good and a bad forecast of events that differ a lot in how hard they are."""
    rng = np.random.default_rng(seed)
    pairs = {"good": [], "bad": []}
    for difficulty in np.linspace(0.05, 0.6, number):
        observed = rng.random(shape)
        noise = rng.standard_normal(shape)
        pairs["good"].append((observed + difficulty * noise, observed))
        pairs["bad"].append((observed + 1.1 * difficulty * noise, observed))
    return {name: blocks_of(*fields) for name, fields in pairs.items()}


def means(values):
    """Statistics whose score is the mean of the numbers given, one a block."""
    values = np.asarray(values, float)
    variables = {"total": ("block", values), "count": ("block", np.ones(values.size, np.int64))}
    return xr.Dataset(variables, {"block": np.arange(values.size)})


def mean(s):
    return xr.Dataset({"mean": s.total / s["count"]})


def test_intervals_are_those_of_drawing_the_blocks_one_by_one():
    methods = make_methods()
    found = bootstrap(methods, skill, reference="bad", draws=Draws(20, level=0.8, seed=3))
    weights = draw_blocks(8, 20, 3)
    drawn = {"good": [], "bad": []}
    for draw in weights:
        for name, s in methods.items():
            parts = [s.isel(block=b, drop=True) for b, times in enumerate(draw) for _ in range(times)]
            total = parts[0]
            for part in parts[1:]:
                total = add_statistics(total, part)
            drawn[name].append(skill(total))
    shares = widen_level(0.8, 8)
    for score_name in ("csi", "rmse", "correlation"):
        values = {name: np.stack([one[score_name].values for one in drawn[name]]) for name in methods}
        low, high = np.quantile(values["good"], shares, axis=0)
        one = found.sel({"method": "good"})
        np.testing.assert_allclose(one[f"{score_name}_low"], low, rtol=1e-10)
        np.testing.assert_allclose(one[f"{score_name}_high"], high, rtol=1e-10)
        low, high = np.quantile(values["good"] - values["bad"], shares, axis=0)
        np.testing.assert_allclose(one[f"{score_name}_difference_low"], low, rtol=1e-8)
        np.testing.assert_allclose(one[f"{score_name}_difference_high"], high, rtol=1e-8)


def test_chunks_of_draws_change_nothing(monkeypatch):
    methods = make_methods()
    whole = bootstrap(methods, skill, reference="bad", draws=Draws(10))
    monkeypatch.setattr("predjax.verification.bootstrap.CHUNK_VALUES", 1)
    xr.testing.assert_allclose(bootstrap(methods, skill, reference="bad", draws=Draws(10)), whole, rtol=1e-12)


def test_draws_depend_on_the_seed_alone():
    methods = make_methods()
    first, same, other = (bootstrap(methods, skill, draws=Draws(50, seed=s)) for s in (1, 1, 2))
    assert first.identical(same) and not first.equals(other)
    weights = draw_blocks(7, 1000, 0)
    assert (weights.sum(axis=1) == 7).all() and weights.shape == (1000, 7)
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.15)


def test_a_paired_difference_is_resolved_where_the_intervals_overlap():
    found = bootstrap(make_methods(), skill, reference="bad", draws=Draws(500))
    good, bad = (found.sel({"method": name}).isel(lead_time=0) for name in ("good", "bad"))
    assert good.rmse_high > bad.rmse_low  # apart from each other they are not told
    assert good.rmse_verdict.item() == "resolved" and good.rmse_difference_high < 0
    assert bad.rmse_verdict.item() == "reference" and bad.rmse_difference.item() == 0


def test_equal_methods_are_not_resolved():
    same = make_methods()["good"]
    found = bootstrap({"a": same, "b": same}, skill, reference="b", draws=Draws(50)).sel({"method": "a"})
    assert (found.csi_difference == 0).all() and (found.csi_verdict == "not resolved").all()


def test_below_five_blocks_there_are_too_few_cases():
    for number, word in ((1, "too few cases"), (4, "too few cases"), (5, "resolved")):
        found = bootstrap(make_methods(number), skill, reference="bad", draws=Draws(200)).sel({"method": "good"})
        assert (found.rmse_verdict == word).all() and word in VERDICTS
        assert np.isnan(found.rmse_low).all() == np.isnan(found.rmse_difference_high).all() == (word != "resolved")
        assert (found.rmse_difference < 0).all()  # the difference itself is always there
        assert found.attrs["interval_blocks"] == number


def test_events_in_few_of_many_blocks_are_too_few_cases():
    wet, dry = np.ones((1, 1, 4, 4, 1)), np.zeros((1, 1, 4, 4, 1))
    half = wet.copy()
    half[..., :2, :] = 0
    for rainy, word in ((2, "too few cases"), (9, "resolved")):
        pairs = [(wet, wet)] * rainy + [(dry, dry)] * (12 - rainy)
        worse = [(half, wet)] * rainy + [(dry, dry)] * (12 - rainy)
        found = bootstrap({"m": blocks_of(*pairs), "p": blocks_of(*worse)}, skill, reference="p").sel({"method": "m"})
        assert found.csi_verdict.item() == word and found.csi_difference.item() == 0.5
        assert np.isnan(found.csi_low.item()) == (word == "too few cases")
        assert np.isfinite(found.rmse_low.item())  # the dry blocks count for it
        assert found.rmse_verdict.item() == {2: "not resolved", 9: "resolved"}[rainy]


def test_an_undefined_score_is_called_so():
    dry = np.zeros((1, 1, 4, 4, 1))
    s = blocks_of(*[(dry, dry)] * 8)
    found = bootstrap({"m": s, "p": s}, skill, reference="p", draws=Draws(20)).sel({"method": "m"})
    assert found.csi_verdict.item() == "undefined" and np.isnan(found.csi_high.item())
    assert found.rmse_verdict.item() == "not resolved"


def test_any_function_of_sums_has_intervals():
    rng = np.random.default_rng(0)
    pairs = [rng.gamma(0.5, 2.0, (2, 1, 2, 24, 24, 1)) for _ in range(6)]
    options = {"thresholds": [1.0], "windows": [3, 9], "units": "mm/h", "fill": 0.0}
    model = stack_blocks({b: measure(*pair, Scoring(**options)) for b, pair in enumerate(pairs)})
    found = bootstrap({"model": model, "dry": model}, score, reference="dry", draws=Draws(50)).sel({"method": "model"})
    whole = score(sum_blocks(model))
    for name in ("fss", "rapsd_ratio", "q99_ratio", "variance_ratio", "coverage", "ets"):
        assert found[f"{name}_low"].dims == whole[name].dims
        assert (found[f"{name}_low"] <= whole[name]).all() and (whole[name] <= found[f"{name}_high"]).all()
    assert not [name for name in found.data_vars if name.startswith(("hits", "cases", "fss_windows"))]
    assert found.window.attrs["boundary_rule"] and "wavenumber" in found.coords
    few = bootstrap({"model": model}, score, names=["fss"], draws=Draws(50))
    assert set(few.data_vars) == {"fss_low", "fss_high"} and "wavenumber" not in few.coords


def test_intervals_fit_beside_the_scores():
    methods = make_methods()
    found = bootstrap(methods, skill, reference="bad", draws=Draws(20))
    assert found.method.values.tolist() == ["good", "bad"]
    assert found.csi_low.dims == (
        "method",
        "lead_time",
        "threshold",
    )
    assert found.rmse_difference.attrs["long_name"] == "difference to bad of root mean squared error"
    assert found.attrs["interval_level"] == 0.95 and found.attrs["interval_resamples"] == 20


@pytest.mark.parametrize("number", [5, 8, 20])
def test_the_true_mean_lies_in_the_interval_as_often_as_stated(number):
    # 400 trials at once: the mean of `number` normal numbers, whose true value is zero
    values = np.random.default_rng(number).standard_normal((number, 400))
    s = xr.Dataset({"total": (("block", "trial"), values), "count": ("block", np.ones(number))})
    found = bootstrap({"m": s.assign_coords(block=np.arange(number))}, mean, draws=Draws(level=0.9))
    inside = ((found.mean_low <= 0) & (found.mean_high >= 0)).mean().item()
    assert 0.86 < inside < 0.94


def test_few_blocks_widen_the_level_as_a_t_interval_would():
    low, high = widen_level(0.95, 5)
    assert low == pytest.approx(norm.cdf((5 / 4) ** 0.5 * t.ppf(0.025, 4)), rel=1e-12) and low + high == 1
    assert widen_level(0.95, 10**6)[0] == pytest.approx(0.025, rel=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reference": "best"}, "the reference 'best' is not among the methods good, bad"),
        ({"names": ["crps"]}, "'crps' is not among the scores mean_error, mae"),
    ],
)
def test_bad_requests_are_refused_in_one_line(options, message):
    with pytest.raises(ValueError, match=message) as error:
        bootstrap(make_methods(), skill, **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"level": 95}, "level between 0 and 1, not 2000 and 95"), ({"resamples": 0}, "resamples must be positive")],
)
def test_draws_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Draws(**options)


def test_methods_must_have_the_same_blocks():
    methods = make_methods()
    with pytest.raises(ValueError, match="values of block differ"):
        bootstrap(methods | {"bad": methods["bad"].isel(block=slice(7))}, skill)
    with pytest.raises(ValueError, match="the statistics of good have no dimension block"):
        bootstrap({"good": sum_blocks(methods["good"])}, skill)
    with pytest.raises(ValueError, match="no statistics"):
        bootstrap({}, skill)


def test_means_of_known_blocks():
    # every draw of equal blocks is the same: the interval is a point
    found = bootstrap({"m": means([3.0] * 6)}, mean, draws=Draws(10))
    assert found.mean_low.item() == found.mean_high.item() == 3
