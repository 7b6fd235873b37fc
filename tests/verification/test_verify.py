"""Verification from windows to scores."""

import itertools

import numpy as np
import xarray as xr
from tqdm import tqdm
from verified import make_cases, make_methods, rain

from predjax.radar.windows.batches import read_windows
from predjax.verification import cases as cases_module
from predjax.verification.cases import split
from predjax.verification.totals import measure_cases
from predjax.verification.verify import Pace, verify


def test_batches_change_nothing(monkeypatch):
    cases = make_cases(rain(size=8), rain(size=12, seed=5))
    methods = make_methods(cases)
    found = verify(methods, cases)
    monkeypatch.setattr(cases_module, "PIXELS_A_BATCH", 1)
    assert len(split(cases)) == len(cases.windows)
    one_by_one = verify(methods, cases)
    xr.testing.assert_allclose(one_by_one.common, found.common, rtol=1e-9)
    xr.testing.assert_allclose(one_by_one.whole, found.whole, rtol=1e-9)
    np.testing.assert_allclose(one_by_one.errors, found.errors, rtol=1e-6)


def test_a_verification_is_the_skill_of_the_totals():
    cases = make_cases(rain(movies=6))
    methods = make_methods(cases)
    found, expected = verify(methods, cases), measure_cases(methods, cases, split(cases)).skill(cases)
    xr.testing.assert_identical(found.common, expected.common)
    assert found.common.rmse_verdict.sel({"method": "members"}).values.tolist() == ["resolved"] * 2
    xr.testing.assert_identical(found.whole, expected.whole)


def test_the_forecasts_of_shown_cases_are_kept():
    cases = make_cases(rain())
    methods, runs = make_methods(cases), []
    methods["persistence"] = lambda batch, run=methods["persistence"]: runs.append(batch) or run(batch)
    kept = verify(methods, cases, "holed", keep=True).kept
    assert len(runs) == len(split(cases)) and set(kept) == set(range(len(cases.windows)))
    batch = read_windows(cases.sources, cases.windows, cases.length)
    for number, frames in kept.items():
        np.testing.assert_array_equal(frames["persistence"], make_methods(cases)["persistence"](batch)[number])
        np.testing.assert_array_equal(frames["members"], make_methods(cases)["members"](batch)[number].mean(0))
    assert not verify(methods, cases).kept


def test_a_slow_method_is_announced_after_its_first_batch(monkeypatch, caplog):
    clock = itertools.count(0, 10)
    monkeypatch.setattr("predjax.verification.verify.time.monotonic", lambda: next(clock))
    caplog.set_level("INFO", "predjax")
    with tqdm(total=2, disable=True) as bar:
        pace = Pace(bar, first=2, cases=8)
        for _ in range(2):
            for method in ("slow", ""):
                pace.wait(method)
            pace.done()
        assert [record.getMessage() for record in caplog.records] == [
            "slow: about 5.0 s a case, 8 cases (from the first)"
        ]
        Pace(bar, first=2, cases=2).wait("slow")
        assert len(caplog.records) == 1
