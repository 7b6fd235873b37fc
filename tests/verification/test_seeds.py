"""Models over seeds: the interval of Student's t, paired differences, scores over all lead times, the table."""

import numpy as np
import pytest
import xarray as xr
from scored import LEADS, random_fields

from predjax.verification.fields import Scoring
from predjax.verification.scores import skill, statistics
from predjax.verification.seeds import by_model_and_seed, compare_seeds, make_curves, pool_leads
from predjax.verification.seeds_table import format_comparison
from predjax.verification.skill import compare

SEEDS = [5, 6, 7]


@pytest.fixture(scope="module")
def comparison():
    """Two models of three seeds, the second a little worse by the same for each, and a baseline."""
    forecast, observed = random_fields()
    scoring = Scoring([2.0], lead_times=LEADS, units="mm/h")
    rng = np.random.default_rng(2)
    shifts = [rng.normal(0, 0.3, forecast.shape).astype(np.float32) * scale for scale in (1, 2, 3)]
    methods = {f"a/seed_{seed}": forecast + shift for seed, shift in zip(SEEDS, shifts)}
    methods |= {f"b/seed_{seed}": forecast + 1.1 * shift for seed, shift in zip(SEEDS, shifts)}
    methods["persistence"] = 0 * forecast
    return compare({name: skill(statistics(frames, observed, scoring)) for name, frames in methods.items()})


def scores_of(*models):
    array = xr.DataArray(np.array(models, float), dims=("model", "seed"))
    return xr.Dataset({"s": array}).assign_coords(model=["a", "b"][: len(models)])


def test_the_interval_is_that_of_student():
    found = compare_seeds(scores_of([1, 2, 3]), "a")
    half = 4.302652729911275 / np.sqrt(3)  # t of 0.975 with 2 degrees of freedom; the standard deviation is 1
    np.testing.assert_allclose([found.s_mean[0], found.s_low[0], found.s_high[0]], [2, 2 - half, 2 + half], rtol=1e-9)


@pytest.mark.parametrize(
    "a, b, verdict",
    [
        ([1, 2, 3], [1.1, 2.11, 3.09], "resolved"),  # paired, although the intervals of the means overlap
        ([1, 2, 3], [1.1, 1.9, 3.2], "not resolved"),
        ([1, 2, 3], [1.1, np.nan, 3.2], "undefined"),
        ([1], [9], "too few seeds"),
    ],
)
def test_differences_are_paired_by_seed(a, b, verdict):
    found = compare_seeds(scores_of(a, b), "a")
    assert found.s_verdict.values.tolist() == ["reference", verdict]
    np.testing.assert_allclose(found.s_difference[1], np.mean(np.subtract(b, a)))
    assert np.isnan(found.s_low[1]) == (verdict in ("undefined", "too few seeds"))
    with pytest.raises(ValueError, match="'c' is not among the models a, b"):
        compare_seeds(scores_of(a, b), "c")


def test_over_all_lead_times_sums_are_added(comparison):
    forecast, observed = random_fields()
    defined = np.isfinite(forecast) & np.isfinite(observed)
    zero = pool_leads(comparison).sel({"method": "persistence"})
    np.testing.assert_allclose(zero.overall_rmse, np.sqrt(np.mean(np.square(observed[defined]))), rtol=1e-6)
    np.testing.assert_allclose(zero.overall_mae, np.mean(np.abs(observed[defined])), rtol=1e-6)
    assert zero.overall_csi.item() == 0


def test_networks_in_turn_are_models_and_seeds(comparison):
    found = by_model_and_seed(comparison, ["a", "b"], SEEDS)
    assert found.rmse.dims == ("model", "seed", "lead_time") and "threshold" in found.overall_csi.dims
    one = found.rmse.sel(model="b", seed=6)
    np.testing.assert_array_equal(one, comparison.rmse.sel({"method": "b/seed_6"}))


def test_curves_and_table_have_models_and_baselines(comparison):
    compared = compare_seeds(by_model_and_seed(comparison, ["a", "b"], SEEDS), "a")
    curves = make_curves(compared, comparison)
    assert curves["method"].values.tolist() == ["a", "b", "persistence"]
    assert compared.lead_time.attrs["units"] == curves.lead_time.attrs["units"] == "minutes"
    np.testing.assert_array_equal(curves.rmse[:2], compared.rmse_mean)
    np.testing.assert_array_equal(curves.rmse[2], comparison.rmse[-1])
    assert curves.csi_low[:2].notnull().all() and curves.csi_low[2].isnull().all()
    costs = {"parameters": [1234, 5], "iterations": [200, 100], "megabytes": [3.0, 4.0]}
    compared = compared.assign({name: ("model", values) for name, values in costs.items()})
    compared["iteration_seconds"] = ("model", "seed"), np.full((2, 3), 0.25)
    lines = format_comparison(compared.assign_attrs(units="mm/h"), comparison).splitlines()
    assert lines[1].split() == ["a", "1,234", "200", "0.25", "3.0"]
    [head] = [number for number, line in enumerate(lines) if line.startswith("RMSE, mm/h")]
    assert lines[head + 1].endswith("reference") and "resolved" in lines[head + 2] and "+" in lines[head + 2]
    assert lines[head + 3].split() == ["persistence", f"{pool_leads(comparison).overall_rmse.values[-1]:.3f}"]
    assert max(map(len, lines)) <= 110 and "not say what other cases would give" in lines[-1]
