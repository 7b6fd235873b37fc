"""predjax beside `scores` and pysteps: equal where those are right, and not where they are wrong.

Each of the mistakes has a test that shows it, so that a library that mends one is noticed.
"""

import importlib
import warnings

import numpy as np
import pytest
import xarray as xr

from predjax.verification.distribution import find_quantile, histogram_statistics
from predjax.verification.ensembles import ensemble_skill, ensemble_statistics
from predjax.verification.fields import Scoring
from predjax.verification.scores import skill, statistics
from predjax.verification.spatial import fss_skill, fss_statistics
from predjax.verification.spectra import spectrum_skill, spectrum_statistics
from predjax.verification.sums import add_statistics

NAN = np.nan
MEMBERS = ("case", "member", "T", "H", "W", "C")


def load(name, module):
    """A module of a library, or a skip that says what to install."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the library's own imports
        try:
            importlib.import_module(name)
        except ImportError:
            pytest.skip(f"{name} is not installed (pip install {name})")
        return importlib.import_module(f"{name}.{module}")


def rain(*shape, seed=0, dry=0.5):
    """Rain with exact zeros; no value is on a threshold of the tests."""
    values = np.random.default_rng(seed).gamma(0.5, 2.0, shape)
    values[values < dry] = 0
    return values


def plane(values):
    """(1, 1, H, W, 1) from (H, W)."""
    return np.asarray(values, np.float64)[None, None, :, :, None]


def ours(forecast, observed, threshold, window, **options):
    return fss_skill(
        fss_statistics(plane(forecast), plane(observed), Scoring([threshold], [window], **options))
    ).fss.item()


# --- where they are right ---


def test_counts_and_scores_equal_those_of_scores():
    categorical = load("scores", "categorical")
    forecast, observed = rain(4, 1, 20, 20, 1), rain(4, 1, 20, 20, 1, seed=1)
    forecast[0, 0, :5], observed[1, 0, 3:7] = NAN, NAN
    k = skill(statistics(forecast, observed, Scoring([1.0]))).squeeze()
    pair = [xr.DataArray(v) for v in (forecast, observed)]
    theirs = categorical.ThresholdEventOperator(default_event_threshold=1.0).make_contingency_manager(*pair)
    counts = theirs.get_counts()
    names = {"hits": "tp_count", "misses": "fn_count", "false_alarms": "fp_count", "correct_negatives": "tn_count"}
    assert {ours: k[ours].item() for ours in names} == {ours: counts[name].item() for ours, name in names.items()}
    for name, method in {
        "csi": "critical_success_index",
        "pod": "probability_of_detection",
        "far": "false_alarm_ratio",
        "bias": "frequency_bias",
        "ets": "equitable_threat_score",
        "hss": "heidke_skill_score",
    }.items():
        assert k[name].item() == pytest.approx(getattr(theirs, method)().item(), rel=1e-12), name


def test_errors_equal_those_of_scores():
    continuous = load("scores", "continuous")
    forecast, observed = rain(4, 1, 20, 20, 1), rain(4, 1, 20, 20, 1, seed=1)
    forecast[0, 0, :5], observed[1, 0, 3:7] = NAN, NAN
    k = skill(statistics(forecast, observed, Scoring([]))).squeeze()
    pair = [xr.DataArray(v) for v in (forecast, observed)]
    for name, function in {"mae": "mae", "mse": "mse", "rmse": "rmse", "mean_error": "additive_bias"}.items():
        assert k[name].item() == pytest.approx(getattr(continuous, function)(*pair).item(), rel=1e-12), name
    assert k.correlation.item() == pytest.approx(continuous.correlation.pearsonr(*pair).item(), rel=1e-12)


@pytest.mark.parametrize("number", [2, 3, 10])
def test_ensemble_scores_equal_those_of_scores(number):
    probability = load("scores", "probability")
    x, y = rain(3, number, 1, 15, 15, 1), rain(3, 1, 15, 15, 1, seed=1)
    x[0, 0, 0, :4], y[1, 0, 9:] = NAN, NAN  # one member is missing: for predjax the pixel is
    k = ensemble_skill(ensemble_statistics(x, y, Scoring([1.0, 3.0]))).squeeze()
    whole = np.where(np.isnan(x).any(axis=1, keepdims=True), NAN, x)
    pair = xr.DataArray(whole, dims=MEMBERS), xr.DataArray(y, dims=[d for d in MEMBERS if d != "member"])
    assert k.crps.item() == pytest.approx(
        probability.crps_for_ensemble(*pair, "member", method="fair").item(), rel=1e-12
    )
    brier = probability.brier_score_for_ensemble(*pair, "member", [1.0, 3.0])
    np.testing.assert_allclose(k.brier, brier, rtol=1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that there are missing values
        ranks = probability.rank_histogram(*pair, "member")
    every = ensemble_skill(ensemble_statistics(x, y, Scoring([]))).squeeze()  # dry pixels have a rank too
    np.testing.assert_allclose(every.rank_histogram, ranks, rtol=1e-12)  # ties shared among the ranks
    thresholds = np.maximum(np.arange(number + 1) - 0.5, 0) / number  # between the shares, which are not exact
    for threshold in (1.0, 3.0):
        share = (pair[0] >= threshold).where(pair[0].notnull()).mean("member", skipna=False)
        happened = (pair[1] >= threshold).where(pair[1].notnull())
        roc = probability.roc_curve_data(share, happened, thresholds)
        one = k.sel(threshold=threshold)
        np.testing.assert_allclose(one.roc_pod, roc.POD.values[:-1], rtol=1e-12)  # theirs ends in (0, 0)
        np.testing.assert_allclose(one.roc_pofd, roc.POFD.values[:-1], rtol=1e-12)
        assert one.roc_area.item() == pytest.approx(roc.AUC.item(), rel=1e-12)


@pytest.mark.parametrize("window", [1, 3, 9])
def test_fss_of_complete_fields_equals_that_of_scores(window):
    spatial = load("scores", "spatial")
    forecast, observed = rain(24, 30), rain(24, 30, seed=1)
    size = (window, window)
    theirs = spatial.fss_2d_single_field(forecast, observed, event_threshold=1.0, window_size=size)
    assert ours(forecast, observed, 1.0, window) == pytest.approx(theirs, rel=1e-12)


def test_spectra_of_squares_equal_those_of_pysteps():
    spectral = load("pysteps", "utils.spectral")
    for size in (32, 33):
        field = rain(size, size)
        s = spectrum_skill(spectrum_statistics(plane(field), plane(field), taper=False))
        theirs = spectral.rapsd(field, fft_method=np.fft)[1:]
        np.testing.assert_allclose(s.rapsd_forecast[0, : theirs.size], theirs, rtol=1e-10)
        assert s.sizes["wavenumber"] == size // 2  # theirs ends one before, where the size is even


def test_fss_of_one_window_inside_equals_that_of_pysteps():
    # Rain far from the edges, nothing missing: no rule applies, and the windows over the edge are dry.
    spatialscores = load("pysteps", "verification.spatialscores")
    forecast, observed = np.zeros((2, 60, 60))
    forecast[20:40, 20:40], observed[20:40, 20:40] = rain(20, 20), rain(20, 20, seed=1)
    for window in (1, 5, 17):
        theirs = spatialscores.fss(forecast, observed, 1.0, window)
        assert ours(forecast, observed, 1.0, window) == pytest.approx(theirs, rel=1e-9)


def test_crps_without_ties_equals_that_of_pysteps():
    probscores = load("pysteps", "verification.probscores")
    rng = np.random.default_rng(0)
    x, y = rng.random((6, 20, 20)), rng.random((20, 20))
    s = ensemble_statistics(x[None, :, None, :, :, None], plane(y), Scoring([]))
    plain = (s.member_error - s.member_difference * (5 / 6) / 2) / s.ensemble_pairs  # theirs is not the fair one
    assert plain.item() == pytest.approx(probscores.CRPS(x, y), rel=1e-12)


def test_ranks_without_ties_equal_those_of_pysteps():
    ensscores = load("pysteps", "verification.ensscores")
    rng = np.random.default_rng(0)
    x, y = 1 + rng.random((6, 20, 20)), 1 + rng.random((20, 20))
    x[:, :5], y[:5] = 0, 0  # dry in all fields
    s = ensemble_statistics(x[None, :, None, :, :, None], plane(y), Scoring([0.1]))
    np.testing.assert_array_equal(s.ranks[0], ensscores.rankhist(x, y, 0.1, normalize=False))


def test_reliability_and_roc_equal_those_of_pysteps():
    probscores = load("pysteps", "verification.probscores")
    x, y = rain(4, 40, 40, seed=3), rain(40, 40, seed=4)
    x = 0.5 * (x + y)  # some skill
    share = (x >= 1).mean(axis=0)
    k = ensemble_skill(ensemble_statistics(x[None, :, None, :, :, None], plane(y), Scoring([1.0]))).squeeze()
    probability, frequency = probscores.reldiag(share, y, 1.0, n_bins=5, min_count=1)  # 0, 1/4 ... 1, a bin each
    np.testing.assert_allclose(probability, k.members_above / 4, atol=1e-12)
    np.testing.assert_allclose(k.observed_frequency, frequency, rtol=1e-12)
    false, detection, area = probscores.ROC_curve(share, y, 1.0, n_prob_thrs=5, compute_area=True)
    np.testing.assert_allclose(k.roc_pod, detection, rtol=1e-12)
    np.testing.assert_allclose(k.roc_pofd, false, rtol=1e-12)
    assert 0.5 < area < 1 and k.roc_area.item() == pytest.approx(area, rel=1e-12)


# --- where they are wrong ---


def test_pysteps_takes_a_value_on_the_threshold_for_none():
    detcatscores = load("pysteps", "verification.detcatscores")
    forecast, observed = np.array([[1.5, 1.5, 1.5, 0.0]]), np.array([[1.0, 1.0, 2.0, 0.0]])
    assert detcatscores.det_cat_fct(forecast, observed, 1.0, "FAR")["FAR"] == 2 / 3  # `>`: 1.0 is no event
    k = skill(statistics(plane(forecast), plane(observed), Scoring([1.0])))
    assert k.hits.item() == 3 and k.far.item() == 0


def test_pysteps_counts_missing_pixels_as_dry():
    detcatscores = load("pysteps", "verification.detcatscores")
    forecast, observed = np.array([[2.0, NAN, 0.0]]), np.array([[2.0, 2.0, 0.0]])
    assert detcatscores.det_cat_fct(forecast, observed, 1.0, "POD")["POD"] == 0.5  # "NaNs are ignored", its docs say
    k = skill(statistics(plane(forecast), plane(observed), Scoring([1.0])))
    assert k.pod.item() == 1 and k.misses.item() == 0 and k.pairs.item() == 2


def test_pysteps_makes_the_crps_too_good_where_rain_and_members_are_zero():
    probscores = load("pysteps", "verification.probscores")
    x, y = np.array([0.0, 0.0, 3.0]).reshape(3, 1, 1), np.zeros((1, 1))
    # plain CRPS: 3/3 - (0 + 3 + 3) * 2 / 9 / 2 = 1/3; fair: 1 - 1 = 0
    assert probscores.CRPS(x, y) < 0.3
    s = ensemble_statistics(x[None, :, None, :, :, None], plane(y), Scoring([]))
    assert s.member_error.item() - s.member_difference.item() * (2 / 3) / 2 == pytest.approx(1 / 3, rel=1e-14)
    assert ensemble_skill(s).crps.item() == pytest.approx(0, abs=1e-15)


def test_pysteps_fss_pads_with_dry_pixels_and_counts_missing_ones_as_dry():
    spatialscores = load("pysteps", "verification.spatialscores")
    # Rain at the left edge, in the observation a pixel farther: what the windows over the edge hold is the same.
    forecast, observed = np.zeros((2, 9, 9))
    forecast[:, :1], observed[:, :2] = 2, 2
    # The five windows of a row inside have 5, 0, 0, 0, 0 and 10, 5, 0, 0, 0 events; those at the edges fewer.
    assert ours(forecast, observed, 1.0, 5) == pytest.approx(1 - (25 + 25) / (25 + 125), rel=1e-14)
    # With dry pixels around, three windows hold 5 and three 10, one more 5: 1 - (3 + 1) / (3 + 12 + 1)
    assert spatialscores.fss(forecast, observed, 1.0, 5) == pytest.approx(0.75, rel=1e-12)
    forecast, observed = np.full((9, 9), 2.0), np.full((9, 9), 2.0)
    forecast[:, :3] = NAN  # of the rest nothing is wrong
    assert spatialscores.fss(forecast, observed, 1.0, 3) < 0.9 and ours(forecast, observed, 1.0, 3) == 1


def test_pysteps_measures_the_waves_of_a_rectangle_in_two_units():
    # 4 waves along 64 pixels of width: 16 pixels each. Along 32 pixels of height 2 waves are as long.
    spectral = load("pysteps", "utils.spectral")
    rows = np.cos(2 * np.pi * 2 * np.arange(32) / 32)[:, None] * np.ones(64)
    assert spectral.rapsd(rows, fft_method=np.fft).argmax() == 2
    found = spectrum_statistics(plane(rows), plane(rows), Scoring(pixel_size=1.0), taper=False).spectrum_forecast
    assert found.isel(lead_time=0).idxmax("wavenumber") == 4
    assert found.wavelength.sel(wavenumber=4).item() == 16


def test_scores_fss_counts_missing_pixels_as_dry():
    spatial = load("scores", "spatial")
    forecast, observed = np.full((9, 9), 2.0), np.full((9, 9), 2.0)
    forecast[:, :3] = NAN
    assert spatial.fss_2d_single_field(forecast, observed, event_threshold=1.0, window_size=(3, 3)) < 0.9
    assert ours(forecast, observed, 1.0, 3) == 1


def test_scores_fss_of_two_dry_fields_is_zero():
    spatial = load("scores", "spatial")
    dry = np.zeros((9, 9))
    assert spatial.fss_2d_single_field(dry, dry, event_threshold=1.0, window_size=(3, 3)) == 0
    assert np.isnan(ours(dry, dry, 1.0, 3))


def test_scores_moves_a_threshold_of_zero():
    categorical = load("scores", "categorical")
    forecast, observed = np.full((2, 1, 1, 9, 9, 1), 0.0005)
    pair = [xr.DataArray(v) for v in (forecast, observed)]
    table = categorical.ThresholdEventOperator().make_contingency_manager(*pair, event_threshold=0.0)
    assert table.get_counts()["tp_count"] == 0  # no value reaches the 0.001 that is taken instead
    assert statistics(forecast, observed, Scoring([0.0])).hits.item() == 81


def test_scores_fss_takes_a_value_on_the_threshold_for_none():
    spatial = load("scores", "spatial")
    field = np.ones((9, 9))
    options = {"event_threshold": 1.0, "window_size": (3, 3)}
    assert spatial.fss_2d_single_field(field, field, **options) == 0  # `>` unless told otherwise
    assert spatial.fss_2d_single_field(field, field, **options, threshold_operator=np.greater_equal) == 1
    assert ours(field, field, 1.0, 3) == 1


def test_xarray_drops_a_lead_time_that_only_one_of_two_has():
    field = np.ones((1, 2, 3, 3, 1))
    one, other = (statistics(field, field, Scoring([0.5], lead_times=leads)) for leads in ([5, 10], [10, 15]))
    assert (one + other).lead_time.values.tolist() == [10]
    with pytest.raises(ValueError, match=r"lead times differ: \[5, 10\] in one, \[10, 15\] in the other"):
        add_statistics(one, other)


def test_quantiles_are_those_of_numpy_to_the_stated_error():
    values = rain(3, 1, 40, 40, 1)
    s = histogram_statistics(values, values, Scoring(units="mm/h"))
    exact = np.quantile(values, 0.99, method="inverted_cdf")
    assert find_quantile(s.histogram_forecast).item() == pytest.approx(exact, rel=0.01)
