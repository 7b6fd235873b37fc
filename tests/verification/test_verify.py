"""Verification from windows to scores."""

import numpy as np
import xarray as xr
from verified import make_cases, make_methods, rain

from predjax.verification import cases as cases_module
from predjax.verification.cases import split
from predjax.verification.totals import measure_cases
from predjax.verification.verify import verify


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
