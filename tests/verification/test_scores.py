"""Scores from sums: every expectation is worked out by hand in the comment above it."""

import numpy as np
import pytest
import xarray as xr
from scored import random_fields
from skimage.metrics import peak_signal_noise_ratio

from predjax.verification.fields import EVENT_RULE, Scoring
from predjax.verification.scores import skill, statistics

NAN = np.nan


def field(*cases):
    """(case, T=1, H=1, W, C=1) float32 from rows of values."""
    return np.array(cases, np.float32)[:, None, None, :, None]


@pytest.fixture
def example():
    # Two cases of five pixels; the pairs with a NaN go, eight are left.
    forecast = field([0, 2, 3, NAN, 1], [4, 0, 1, 5, 1])
    observed = field([0, 1, 3, 9, 0], [1, 0, NAN, 6, 2])
    return forecast, observed


def test_counts_and_sums_of_a_hand_computed_example(example):
    s = statistics(*example, Scoring([1.0, 3.0]))
    # pairs f,o: (0,0) (2,1) (3,3) (1,0) | (4,1) (0,0) (5,6) (1,2)
    # >= 1: hits (2,1) (3,3) (4,1) (5,6) (1,2) = 5; false alarm (1,0); dry (0,0) twice; no miss
    # >= 3: hits (3,3) (5,6) = 2; false alarm (4,1); 5 correct negatives; no miss
    assert s.hits.values.tolist() == [[5, 2]]
    assert s.misses.values.tolist() == [[0, 0]]
    assert s.false_alarms.values.tolist() == [[1, 1]]
    assert s.correct_negatives.values.tolist() == [[2, 5]]
    assert s.cases.item() == 2 and s.pairs.item() == 8
    # errors 0 1 0 1 3 0 -1 -1: sum 3, absolute 7, squared 1 + 1 + 9 + 1 + 1 = 13
    assert (s.error.item(), s.absolute_error.item(), s.squared_error.item()) == (3, 7, 13)
    # sum f = 2+3+1+4+5+1 = 16, o = 1+3+1+6+2 = 13, f^2 = 4+9+1+16+25+1 = 56, o^2 = 1+9+1+36+4 = 51
    # f*o = 2 + 9 + 4 + 30 + 2 = 47
    sums = [s[n].item() for n in ("forecast", "observed", "forecast_squared", "observed_squared", "product")]
    assert sums == [16, 13, 56, 51, 47]
    assert all(s[name].dtype == np.int64 for name in ("hits", "misses", "cases", "pairs"))
    assert all(s[name].dtype == np.float64 for name in ("error", "squared_error", "product"))


def test_scores_of_the_hand_computed_example(example):
    k = skill(statistics(*example, Scoring([1.0, 3.0]))).isel(lead_time=0)
    assert k.mean_error.item() == 3 / 8 and k.mae.item() == 7 / 8 and k.mse.item() == 13 / 8
    assert k.rmse.item() == pytest.approx((13 / 8) ** 0.5, rel=1e-15)
    # (8 * 47 - 16 * 13) / sqrt((8 * 56 - 16^2) (8 * 51 - 13^2)) = 168 / sqrt(192 * 239)
    assert k.correlation.item() == pytest.approx(168 / (192 * 239) ** 0.5, rel=1e-14)
    # threshold 1: H 5, M 0, F 1, R 2;  threshold 3: H 2, M 0, F 1, R 5
    np.testing.assert_allclose(k.csi, [5 / 6, 2 / 3], rtol=1e-15)
    np.testing.assert_allclose(k.pod, [1, 1], rtol=1e-15)
    np.testing.assert_allclose(k.far, [1 / 6, 1 / 3], rtol=1e-15)
    np.testing.assert_allclose(k.bias, [6 / 5, 3 / 2], rtol=1e-15)
    # a = 5 * 6 / 8 = 3.75: (5 - 3.75) / (6 - 3.75) = 5/9;  a = 2 * 3 / 8 = 0.75: 1.25 / 2.25 = 5/9
    np.testing.assert_allclose(k.ets, [5 / 9, 5 / 9], rtol=1e-15)
    # 2 (5*2 - 1*0) / (5 * 2 + 6 * 3) = 20 / 28;  2 (2*5 - 0) / (2 * 5 + 3 * 6) = 20 / 28
    np.testing.assert_allclose(k.hss, [20 / 28, 20 / 28], rtol=1e-15)


def test_a_value_equal_to_the_threshold_is_an_event_in_its_own_precision():
    # float32(0.7) = 0.699999988 is below the float64 0.7, yet it is what a file that says 0.7 becomes.
    s = statistics(field([0.7, 0.7]), field([0.7, 0.6]).astype(np.float64), Scoring([0.7]))
    # The float64 observation float64(float32(0.7)) is truly below 0.7.
    assert s.false_alarms.item() == 2 and s.hits.item() == 0
    assert statistics(field([0.7]), field([0.7]), Scoring([0.7])).hits.item() == 1


def test_a_missing_pixel_is_dropped_and_never_dry():
    s = statistics(field([NAN, 0, NAN]), field([0, NAN, NAN]), Scoring([1.0]))
    assert s.pairs.item() == 0 and s.cases.item() == 0 and s.correct_negatives.item() == 0
    k = skill(s)
    assert all(np.isnan(k[name]).all() for name in ("rmse", "mae", "mean_error", "csi", "bias", "correlation"))


def test_undefined_scores_are_nan_with_their_counts_beside():
    k = skill(statistics(field([0, 0]), field([0, 0]), Scoring([1.0])))
    assert all(np.isnan(k[name]).all() for name in ("csi", "pod", "far", "bias", "ets", "hss", "correlation"))
    assert k.rmse.item() == 0 and k.correct_negatives.item() == 2 and k.hits.item() == 0 and k.pairs.item() == 2


def test_a_constant_field_has_no_correlation_whatever_its_value():
    values = np.random.default_rng(0).random((1, 1, 30, 30, 1))
    assert np.isnan(skill(statistics(np.full_like(values, 0.1), values, Scoring([]))).correlation).all()
    assert skill(statistics(0.1 * values + 100, values, Scoring([]))).correlation.item() == pytest.approx(1, abs=1e-6)


def test_working_in_blocks_changes_nothing(monkeypatch):
    forecast, observed = random_fields()
    whole = statistics(forecast, observed, Scoring([1.0]))
    monkeypatch.setattr("predjax.verification.scores.BLOCK_PIXELS", 1)
    xr.testing.assert_allclose(statistics(forecast, observed, Scoring([1.0])), whole, rtol=1e-12)


def test_float32_frames_are_summed_in_float64():
    # 2^24 is where float32 stops counting: 2^24 + 1 = 2^24 there.
    forecast = np.zeros((1, 1, 2, 2, 1), np.float32)
    forecast.flat = [2**24, 1, 1, 1]
    assert statistics(forecast, np.zeros_like(forecast), Scoring([])).error.item() == 2**24 + 3


def test_float64_fields_keep_their_digits():
    observed = np.ones((1, 1, 1, 4, 1))
    s = statistics(observed + 1e-12, observed, Scoring([]))
    assert s.error.item() == pytest.approx(4e-12, rel=1e-3)


def test_what_belongs_to_the_numbers_travels_with_them():
    s = statistics(*random_fields(), Scoring([5, 0.1], lead_times=[5, 10, 15], units="mm/h"))
    assert s.threshold.values.tolist() == [0.1, 5]
    assert s.attrs == {"event_rule": EVENT_RULE, "units": "mm/h", "thresholds": [0.1, 5.0]}
    assert EVENT_RULE == "value >= threshold"
    k = skill(s)
    assert k.attrs == s.attrs and k.lead_time.values.tolist() == [5, 10, 15]
    assert k.lead_time.attrs["units"] == "minutes" and k.threshold.attrs["units"] == "mm/h"
    assert k.rmse.attrs == {"long_name": "root mean squared error", "units": "mm/h"}
    assert k.mse.attrs["units"] == "(mm/h)^2" and k.csi.attrs["units"] == "1"


def test_every_score_says_what_it_is_and_in_what_unit():
    forecast, observed = random_fields()
    size = ((0, 0), (0, 0), (0, 8), (0, 8), (0, 0))  # room for the window of the SSIM
    forecast, observed = (np.nan_to_num(np.pad(values, size)) for values in (forecast, observed))
    k = skill(statistics(forecast, observed, Scoring([1], data_range=50, units="dBZ")))
    assert {"ssim", "psnr", "ssim_cases", "psnr_cases"} <= set(k.data_vars)
    assert all(variable.attrs["long_name"] for variable in k.data_vars.values())
    units = {name: variable.attrs["units"] for name, variable in k.data_vars.items() if variable.attrs["units"] != "1"}
    assert units == {"mean_error": "dBZ", "mae": "dBZ", "rmse": "dBZ", "mse": "(dBZ)^2", "psnr": "dB"}


def test_without_labels_lead_times_are_counted_in_frames():
    s = statistics(*random_fields(), Scoring([]))
    assert s.lead_time.values.tolist() == [1, 2, 3] and s.lead_time.attrs["units"] == "1"
    assert skill(s).csi.shape == (3, 0)


def test_ssim_and_psnr_against_the_formulas():
    rng = np.random.default_rng(2)
    observed = rng.random((3, 2, 16, 16, 1)).astype(np.float32)
    forecast = np.clip(observed + 0.1 * rng.standard_normal(observed.shape), 0, 1).astype(np.float32)
    forecast[2, 1, 0, 0, 0] = NAN  # this frame is not complete: in neither mean
    k = skill(statistics(forecast, observed, Scoring([], data_range=1.0)))
    assert k.psnr_cases.values.tolist() == [3, 2] and k.ssim_cases.values.tolist() == [3, 2]
    pairs = [(observed[i, 0].astype(float), forecast[i, 0].astype(float)) for i in range(3)]
    psnr = np.mean([peak_signal_noise_ratio(o, f, data_range=1.0) for o, f in pairs])
    assert k.psnr[0].item() == pytest.approx(psnr, rel=1e-12)
    assert k.ssim[0].item() == pytest.approx(np.mean([wang_ssim(o[..., 0], f[..., 0]) for o, f in pairs]), rel=1e-9)


def wang_ssim(a, b):
    """Wang et al. (2004), equation 13, with its 11 x 11 Gaussian window, by explicit sums."""
    r = np.arange(-5, 6)
    w = np.exp(-(r[:, None] ** 2 + r**2) / (2 * 1.5**2))
    w /= w.sum()
    values = []
    for i in range(5, a.shape[0] - 5):
        for j in range(5, a.shape[1] - 5):
            p, q = a[i - 5 : i + 6, j - 5 : j + 6], b[i - 5 : i + 6, j - 5 : j + 6]
            mp, mq = (w * p).sum(), (w * q).sum()
            vp, vq, c = (w * p * p).sum() - mp**2, (w * q * q).sum() - mq**2, (w * p * q).sum() - mp * mq
            c1, c2 = 0.01**2, 0.03**2
            values.append((2 * mp * mq + c1) * (2 * c + c2) / ((mp**2 + mq**2 + c1) * (vp + vq + c2)))
    return np.mean(values)


def test_a_perfect_frame_counts_as_100_db_and_a_small_one_has_no_ssim():
    frame = np.full((1, 1, 8, 8, 1), 0.5, np.float32)
    k = skill(statistics(frame, frame, Scoring([], data_range=1.0)))
    assert k.psnr.item() == 100 and np.isnan(k.ssim.item()) and k.ssim_cases.item() == 0
    large = np.random.default_rng(3).random((1, 1, 12, 12, 1))
    assert skill(statistics(large, large, Scoring([], data_range=1.0))).ssim.item() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    ("forecast", "observed", "options", "message"),
    [
        (np.zeros((1, 2, 3, 3, 1)), np.zeros((1, 1, 3, 3, 1)), {}, r"\(1, 2, 3, 3, 1\) but observed has"),
        (np.zeros((2, 3, 3, 1)), np.zeros((2, 3, 3, 1)), {}, r"must be \(case, T, H, W, C\)"),
        (np.zeros((1, 1, 3, 3, 1), int), np.zeros((1, 1, 3, 3, 1)), {}, "floating point.*int64"),
        (np.ma.zeros((1, 1, 3, 3, 1)), np.zeros((1, 1, 3, 3, 1)), {}, "masked array"),
        (field([np.inf]), field([1]), {}, "infinite value in frame 1"),
        (field([1]), field([1]), {"lead_times": [5, 10]}, "2 lead times for 1 frames"),
    ],
)
def test_bad_fields_are_refused_in_one_line(forecast, observed, options, message):
    with pytest.raises(ValueError, match=message) as error:
        statistics(forecast, observed, Scoring(**options))
    assert "\n" not in str(error.value)
