"""The sums of a verification: they add, and their scores are those of all pixels of all cases."""

import numpy as np
import pytest
import xarray as xr
from verified import make_cases, make_methods, rain

from predjax.models.scaling import Scaling
from predjax.radar.windows.batches import read_windows
from predjax.verification import totals as totals_module
from predjax.verification.cases import split
from predjax.verification.common_domain import keep_common
from predjax.verification.measure import measure, score
from predjax.verification.totals import Part, Totals, measure_cases


@pytest.fixture(scope="module")
def cases():
    return make_cases(rain())


@pytest.fixture(scope="module")
def whole(cases):
    return measure_cases(make_methods(cases), cases, split(cases))


def assert_equal(one, other):
    for a, b in zip(one[:2], other[:2]):
        xr.testing.assert_identical(a, b)
    np.testing.assert_array_equal(one.errors, other.errors)


def test_what_several_workers_measured_gives_the_scores_of_one(cases, whole):
    numbers = list(range(len(cases.windows)))
    parts = [numbers[:2], numbers[2:5], numbers[5:]]
    found = [measure_cases(make_methods(cases), cases, [part]) for part in parts]
    together = measure_cases(make_methods(cases), cases, parts)
    assert_equal(sum(found, Totals()).skill(cases), together.skill(cases))
    counts = [part for part in whole.sums if part.method == "holed"]
    for part in counts:
        xr.testing.assert_equal(together.sums[part].hits, whole.sums[part].hits)


def test_the_totals_of_no_case_change_nothing(whole):
    for total in (Totals() + whole, whole + Totals()):
        assert total.sums.keys() == whole.sums.keys() and total.errors == whole.errors
        assert all(total.sums[part].identical(sums) for part, sums in whole.sums.items())


def test_adding_leaves_both_totals_as_they_were(whole):
    part = Part("common", "holed", 0)
    before = whole.sums[part].copy(deep=True)
    twice = whole + whole
    xr.testing.assert_identical(whole.sums[part], before)
    xr.testing.assert_equal(twice.sums[part].pairs, 2 * before.pairs)


def test_totals_of_other_thresholds_do_not_add(cases, whole):
    other = make_cases(rain(), thresholds=(2.0,))
    with pytest.raises(ValueError, match="thresholds differ"):
        whole + measure_cases(make_methods(other), other, split(other))


def test_the_scores_are_those_of_all_pixels_of_all_cases(cases, whole):
    batch = read_windows(cases.sources, cases.windows, cases.length)
    observed = batch.frames[:, 2:]
    forecasts = {name: method(batch) for name, method in make_methods(cases).items()}
    found, common = whole.skill(cases), keep_common(forecasts, observed)
    for name, frames in forecasts.items():
        for scores, fields in ((found.common, common[name]), (found.whole, frames)):
            expected = score(measure(fields, observed, cases.scoring))
            for variable, values in expected.items():
                kept = scores[variable].sel({"method": name})
                if {"members_above", "rank"} & set(kept.dims):  # NaN beyond the members of the method
                    kept, beyond = (kept[..., part] for part in (np.s_[: values.shape[-1]], np.s_[values.shape[-1] :]))
                    assert np.isnan(beyond).all()
                np.testing.assert_allclose(kept, values, rtol=1e-9, atol=1e-12, err_msg=f"{name} {variable}")
    assert (found.whole.pairs.sel({"method": "holed"}) < found.whole.pairs.sel({"method": "members"})).all()
    assert (found.common.pairs == found.common.pairs[0]).all()


def test_the_error_of_a_case_is_that_of_the_first_method(cases, whole):
    batch = read_windows(cases.sources, cases.windows, cases.length)
    difference = make_methods(cases)["holed"](batch) - batch.frames[:, 2:]
    expected = np.sqrt(np.nanmean(difference**2, axis=(1, 2, 3, 4)))
    np.testing.assert_allclose(whole.skill(cases).errors, expected, rtol=1e-5)


def test_all_methods_have_the_scores_of_ensembles_on_the_common_pixels(cases, whole):
    found = whole.skill(cases)
    assert found.common.members.values.tolist() == found.whole.members.values.tolist() == [1, 3, 1]
    assert (found.common.ensemble_pairs == found.common.pairs).all()
    assert (found.common.pairs == found.common.pairs[0]).all()
    assert (found.whole.ensemble_pairs == found.whole.pairs).all()
    alone = found.common.members == 1
    np.testing.assert_allclose(found.common.crps[alone], found.common.mae[alone], rtol=1e-12)
    assert np.isfinite(found.common.spread_ratio[~alone]).all()


def test_scores_of_ensembles_have_intervals():
    cases = make_cases(rain(movies=6, size=16))
    found = measure_cases(make_methods(cases), cases, split(cases)).skill(cases).common
    for name in ("crps", "crps_area", "crps_accumulation", "brier", "roc_area"):
        assert ((found[f"{name}_low"] <= found[name]) & (found[name] <= found[f"{name}_high"])).all(), name
        assert {"resolved", "reference"} <= set(found[f"{name}_verdict"].values.ravel().tolist()), name
    assert (found.spread_ratio_low[1] < found.spread_ratio[1]).all()
    np.testing.assert_allclose(found.crps_difference[0], found.mae_difference[0], rtol=1e-9)


def test_without_a_reference_there_are_no_differences(cases):
    alone = measure_cases({"holed": make_methods(cases)["holed"]}, cases, split(cases)).skill(cases)
    assert "rmse_skill" not in alone.common and "rmse_low" in alone.common


def test_the_result_says_what_was_verified(cases, whole):
    found = whole.skill(cases)
    assert found.common.method.values.tolist() == ["holed", "members", "persistence"]
    described = {name: found.common.attrs[name] for name in ("cases", "movies", "blocks", "domain", "reference")}
    assert described == {
        "cases": 6,
        "movies": 2,
        "blocks": "2 events",
        "domain": "pixels that all methods forecast",
        "reference": "persistence",
    }
    assert found.whole.attrs["domain"] == "pixels that the method forecasts" and "floor" not in found.whole.attrs


def test_values_below_the_floor_count_as_the_floor():
    cases = make_cases(rain(units="dBZ"), scaling=Scaling("dBZ", 5.0, 60.0, units="dBZ"))

    def low(batch):
        return np.minimum(batch.frames[:, 2:], 5) - 40  # below the floor everywhere

    found = measure_cases({"low": low}, cases, split(cases)).skill(cases)
    observed = read_windows(cases.sources, cases.windows, cases.length).frames[:, 2:]
    expected = np.nanmean(5.0 - np.maximum(observed, 5).astype(float), axis=(0, 2, 3, 4))
    np.testing.assert_allclose(found.common.mean_error[0], expected, rtol=1e-6)
    assert found.common.attrs["floor"] == "values below 5 dBZ count as 5 in all fields"


def test_windows_that_cannot_be_read_count_nowhere(monkeypatch, cases):
    def read(sources, windows, length, crop, bad):
        batch = read_windows(sources, windows, length, crop)
        for place, window in enumerate(windows):
            if window.start == 0:
                bad.add(ValueError("cut short"))
                batch.frames[place] = np.nan
        return batch

    monkeypatch.setattr(totals_module, "read_windows", read)
    tolerant = cases._replace(on_bad_window="skip")
    methods = make_methods(cases)
    parts = [measure_cases(methods, tolerant, [part]) for part in ([0, 1, 2], [3, 4, 5])]
    total = sum(parts, Totals())
    found = total.skill(tolerant)
    assert total.unreadable == 2 and found.common.attrs["cases"] == 4
    assert found.common.attrs["unreadable"] == "2 windows could not be read and count nowhere"
    assert np.isnan(found.errors).tolist() == [True, False, False, True, False, False]
    assert (found.common.cases == 4).all()
