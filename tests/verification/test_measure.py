"""All statistics of a stream of cases: in any order, in any parts, in little memory."""

import tracemalloc

import numpy as np
import pytest
import xarray as xr

from predjax.verification.fields import Scoring, label_leads
from predjax.verification.measure import FAMILIES, Family, measure, score, score_compared
from predjax.verification.skill import compare
from predjax.verification.sums import add_statistics, keep_labels

LABELS = {"lead_times": [10, 20], "units": "mm/h", "fill": 0.0, "pixel_size": 500.0}


def rain(cases=6, size=20, seed=0, missing=0.03):
    rng = np.random.default_rng(seed)
    values = rng.gamma(0.4, 3.0, (cases, 2, size, size, 1)).astype(np.float32)
    values[rng.random(values.shape) < missing] = np.nan
    return values


def test_a_stream_of_cases_in_any_order_gives_the_whole():
    forecast, observed = rain(), rain(seed=1)
    whole = measure(forecast, observed, Scoring([0.1, 1, 5], [3, 7], **LABELS))
    total = None
    for part in ([5, 0], [3], [1, 4, 2]):
        new = measure(forecast[part], observed[part], Scoring([0.1, 1, 5], [3, 7], **LABELS))
        total = new if total is None else add_statistics(new, total)
    assert total.attrs == whole.attrs and total.wavelength.attrs == whole.wavelength.attrs
    for name, values in whole.data_vars.items():
        assert total[name].dtype == values.dtype
        np.testing.assert_allclose(total[name], values, rtol=0 if values.dtype == np.int64 else 1e-12, err_msg=name)
    xr.testing.assert_allclose(score(total), score(whole), rtol=1e-10)


def test_all_scores_come_out_labelled():
    k = score(measure(rain(), rain(seed=1), Scoring([0.1, 1], [3, 7], **LABELS)))
    assert {"csi", "ets", "hss", "rmse", "correlation", "fss", "fss_useful", "rapsd_ratio", "q99_ratio"} < set(k)
    assert {"variance_ratio", "mean_ratio", "coverage", "hits", "pairs", "fss_windows", "spectrum_frames"} < set(k)
    assert all({"long_name", "units"} <= set(v.attrs) for v in k.data_vars.values())
    assert k.fss.dims == ("lead_time", "threshold", "window") and k.attrs["event_rule"] == "value >= threshold"
    assert compare({"a": k, "b": k}).fss.dims == ("method", "lead_time", "threshold", "window")


def test_a_perfect_forecast_is_perfect_in_every_score():
    observed = rain()
    k = score(measure(observed, observed, Scoring([0.1, 1], [3, 7], **LABELS)))
    for name in ("csi", "pod", "bias", "ets", "hss", "fss", "rapsd_ratio", "mean_ratio", "variance_ratio", "q99_ratio"):
        assert (k[name] == 1).all(), name
    np.testing.assert_allclose(k.correlation, 1, rtol=1e-12)
    assert all((k[name] == 0).all() for name in ("far", "mae", "mse", "rmse", "mean_error"))
    assert (k.coverage == 1).all()


@pytest.mark.parametrize("missing", ["all", "apart"])
def test_without_a_valid_pair_every_score_is_undefined(missing):
    forecast, observed = rain(missing=0), rain(seed=1, missing=0)
    forecast[:, :, :10] = np.nan
    observed[:, :, 10:] = np.nan
    if missing == "all":
        forecast[:] = observed[:] = np.nan
    k = score(measure(forecast, observed, Scoring([0.1, 1], [3, 7], **LABELS)))
    for name, values in k.data_vars.items():
        if name == "coverage" and missing == "apart":
            assert (values == 0).all()
        elif name == "members":
            assert values == 1
        elif values.dtype == np.int64:
            assert (values == 0).all(), name
        else:
            assert np.isnan(values).all(), name


def test_a_deterministic_forecast_is_an_ensemble_of_one():
    forecast, observed = rain(), rain(seed=1)
    k = score(measure(forecast, observed, Scoring([0.1, 1], [3, 7], **LABELS)))
    np.testing.assert_allclose(k.crps, k.mae, rtol=1e-12)
    np.testing.assert_allclose(k.ensemble_rmse, k.rmse, rtol=1e-12)
    np.testing.assert_allclose(k.brier, (k.misses + k.false_alarms) / k.pairs, rtol=1e-12)
    pofd = k.false_alarms / (k.false_alarms + k.correct_negatives)
    np.testing.assert_allclose(k.roc_area, (1 + k.pod - pofd) / 2, rtol=1e-12)
    assert k.members == 1 and np.isnan(k.spread_ratio).all()


def test_an_ensemble_has_the_scores_of_its_mean_and_of_its_members():
    members, observed = np.stack([rain(seed=n) for n in range(3)], axis=1), rain(seed=9)
    scoring = Scoring([0.1, 1], [3, 7], **LABELS)
    k, of_mean = (score(measure(frames, observed, scoring)) for frames in (members, members.mean(axis=1)))
    xr.testing.assert_identical(k[["rmse", "csi", "fss", "coverage"]], of_mean[["rmse", "csi", "fss", "coverage"]])
    np.testing.assert_allclose(k.ensemble_rmse, k.rmse, rtol=1e-6)  # the mean in float64 and in float32
    assert (k.crps < of_mean.crps).all() and k.members == 3 and k.sizes["rank"] == 4


def test_memory_does_not_grow_with_the_number_of_cases():
    def peak(cases):
        forecast, observed = (np.tile(rain(1, 256, seed), (cases, 1, 1, 1, 1)) for seed in (0, 1))
        tracemalloc.start()
        measure(forecast, observed, Scoring([0.1, 1, 5], [3, 9], **LABELS))
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(2)  # modules and caches of the first call
    assert peak(12) < 1.1 * peak(4)


def test_a_vector_series_has_neither_fss_nor_spectra():
    series = np.random.default_rng(0).random((3, 2, 1, 1, 4))
    k = score(measure(series / 2, series, Scoring([0.5], [3])))
    assert {"rmse", "csi", "q99_ratio", "coverage"} < set(k)
    assert not {"fss", "rapsd_ratio", "spectrum_frames", "window", "wavenumber"} & set(k.variables)


def test_the_scores_whose_differences_are_tested_are_among_all_scores():
    sums = measure(rain(), rain(seed=1), Scoring([0.1, 1], [3, 7], **LABELS))
    compared, every = score_compared(sums), score(sums)
    assert {"rmse", "csi", "fss"} < set(compared.data_vars) and "rapsd_ratio" not in compared
    for name, values in compared.data_vars.items():
        xr.testing.assert_identical(values.drop_attrs(), every[name].drop_attrs())


def test_a_family_of_scores_is_one_line_of_the_table(monkeypatch):
    def count(forecast, observed, scoring):
        dry = np.count_nonzero(forecast == 0, axis=(0, 2, 3, 4))
        return xr.Dataset({"dry": ("lead_time", dry)}, {"lead_time": label_leads(len(dry), scoring)})

    def share(sums):
        return keep_labels(sums, xr.Dataset({"dry_share": sums.dry / sums.pairs}))

    monkeypatch.setattr("predjax.verification.measure.FAMILIES", (*FAMILIES, Family(count, share)))
    observed = np.zeros((1, 2, 3, 3, 1))
    k = score(measure(observed, observed, Scoring([1], [3])))
    assert k.dry_share.values.tolist() == [1, 1] and {"rmse", "fss"} < set(k)
