"""CRPS of means over areas and of accumulations, against the definitions."""

import numpy as np
import pytest

from predjax.units import dbz_to_rain_rate
from predjax.verification.amounts import amount_skill, amount_statistics
from predjax.verification.fields import Scoring
from predjax.verification.sums import add_statistics

NAN = np.nan
RAIN = Scoring([1.0], units="mm/h", lead_times=[5, 15])


def fair_crps(x, y):
    """Mean over points of members (member, ...) and observations (...)."""
    number = len(x)
    apart = np.abs(x[:, None] - x[None]).sum(axis=(0, 1)) / max(number * (number - 1), 1)
    return (np.abs(x - y).mean(axis=0) - apart / 2).mean()


def rain(number=3, cases=2, size=(32, 48), seed=0):
    """Members (case, member, 2, H, W, 1) and observations, in mm/h."""
    rng = np.random.default_rng(seed)
    return rng.gamma(0.5, 2.0, (cases, number, 2, *size, 1)), rng.gamma(0.5, 2.0, (cases, 2, *size, 1))


def find(x, y, scoring=RAIN):
    return amount_skill(amount_statistics(x, y, scoring))


@pytest.mark.parametrize("number", [1, 3])
def test_the_crps_of_areas_is_that_of_means_over_16_pixels(number):
    x, y = rain(number)
    k = find(x, y)
    for lead in range(2):
        means = [v[..., lead, :, :, 0].reshape(*v.shape[:-4], 2, 16, 3, 16).mean(axis=(-3, -1)) for v in (x, y)]
        expected = fair_crps(np.moveaxis(means[0], 1, 0), means[1])
        assert k.crps_area[lead].item() == pytest.approx(expected, rel=1e-12)
    assert k.areas.values.tolist() == [12, 12]
    if number == 1:
        assert k.crps_area[1].item() == pytest.approx(np.abs(means[0][:, 0] - means[1]).mean(), rel=1e-12)


@pytest.mark.parametrize("number", [1, 4])
def test_the_crps_of_accumulations_is_that_of_the_total_in_mm(number):
    x, y = rain(number)
    totals = [(v[..., 0, :, :, 0] * 5 + v[..., 1, :, :, 0] * 10) / 60 for v in (x, y)]  # lead times of 5 and 15 minutes
    k = find(x, y)
    assert k.crps_accumulation.item() == pytest.approx(fair_crps(np.moveaxis(totals[0], 1, 0), totals[1]), rel=1e-12)
    assert k.crps_accumulation.attrs["units"] == "mm" and k.accumulations.item() == 2 * 32 * 48


def test_errors_that_cancel_in_an_area_are_no_errors_there():
    y = np.ones((1, 1, 16, 16, 1))
    board = np.where(np.indices((16, 16)).sum(axis=0) % 2, 0.0, 2.0)
    x = np.broadcast_to(board[None, None, None, :, :, None], (1, 1, 1, 16, 16, 1))
    k = find(x, y, Scoring([], units="mm/h", lead_times=[5]))
    assert k.crps_area.item() == 0 and k.crps_accumulation.item() == pytest.approx(5 / 60)


def test_missing_pixels_are_left_out_of_means_and_totals():
    x, y = rain(2, cases=1)
    x[0, 1, 0, :16, :9] = NAN  # of the first area, 7 of 16 columns are left: it does not count
    y[0, 1, :16, 16:24] = NAN  # of the second one half is left: it counts at the second lead time
    k = find(x, y)
    assert k.areas.values.tolist() == [5, 6] and k.accumulations.item() == 32 * 48 - 16 * 17
    half = fair_crps(x[0, :, 1, :16, 24:32, 0].mean(axis=(1, 2)), y[0, 1, :16, 24:32, 0].mean())
    others = [np.s_[r : r + 16, c : c + 16] for r in (0, 16) for c in (0, 16, 32) if (r, c) != (0, 16)]
    of_others = [fair_crps(x[(0, np.s_[:], 1, *s, 0)].mean(axis=(1, 2)), y[(0, 1, *s, 0)].mean()) for s in others]
    assert k.crps_area[1].item() == pytest.approx(np.mean([half, *of_others]), rel=1e-12)


def test_reflectivity_becomes_rain_first():
    x, y = rain()
    as_rain = find(x, y)
    with np.errstate(divide="ignore"):
        x, y = (10 * np.log10(200 * np.maximum(v, 1e-9) ** 1.6) for v in (x, y))
    found = find(x, y, Scoring([20.0], units="dBZ", lead_times=[5, 15]))
    np.testing.assert_allclose(found.crps_area, as_rain.crps_area, rtol=1e-6)
    np.testing.assert_allclose(found.crps_accumulation, as_rain.crps_accumulation, rtol=1e-6)
    assert found.crps_area.attrs["units"] == "mm/h" and dbz_to_rain_rate(y).shape == y.shape


def test_only_rain_with_a_known_time_step_accumulates():
    x, y = rain()
    for scoring in (Scoring([1.0]), Scoring([1.0], units="mm/h", lead_times=[1, 2], lead_units="1")):
        assert "crps_accumulation" not in find(x, y, scoring) and np.isfinite(find(x, y, scoring).crps_area).all()


def test_frames_smaller_than_an_area_have_none():
    k = find(*rain(size=(15, 40)))
    assert np.isnan(k.crps_area).all() and (k.areas == 0).all() and np.isfinite(k.crps_accumulation)


def test_halves_add_to_the_whole():
    x, y = rain(cases=4)
    whole = amount_statistics(x, y, RAIN)
    halves = add_statistics(*(amount_statistics(x[part], y[part], RAIN) for part in ([3, 0], [1, 2])))
    for name, values in whole.data_vars.items():
        np.testing.assert_allclose(halves[name], values, rtol=1e-13, err_msg=name)
        assert halves[name].dtype == values.dtype
