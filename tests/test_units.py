"""The Z-R relation, accumulations and possible values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from predjax import units


def test_marshall_palmer_has_its_textbook_values():
    # Z = 200 R^1.6: 1 mm/h is 10 log10(200) = 23.0103 dBZ, 10 mm/h is 16 dB more.
    assert units.rain_rate_to_dbz(1.0) == pytest.approx(23.0102999566)
    assert units.rain_rate_to_dbz(10.0) == pytest.approx(39.0102999566)
    assert units.dbz_to_rain_rate(23.0102999566) == pytest.approx(1.0)


@pytest.mark.parametrize(("zr_a", "zr_b"), [(200.0, 1.6), (223.0, 1.53), (316.0, 1.5)])
def test_reflectivity_comes_back_from_rain_rate(zr_a, zr_b):
    dbz = np.linspace(-30, 70, 101)
    rate = units.dbz_to_rain_rate(dbz, zr_a, zr_b)
    np.testing.assert_allclose(units.rain_rate_to_dbz(rate, zr_a, zr_b), dbz, atol=1e-9)


def test_no_rain_is_the_dry_value_and_no_coverage_stays_missing():
    dbz = units.rain_rate_to_dbz(np.array([0.0, -0.0, -0.005, 1e-9, np.nan, 1.0]))
    np.testing.assert_array_equal(dbz[:4], units.DRY_DBZ)
    assert np.isnan(dbz[4]) and dbz[5] > 23
    assert units.rain_rate_to_dbz(np.array([0.0]), dry_dbz=-10.0) == [-10.0]
    assert np.isnan(units.dbz_to_rain_rate(np.nan))


def test_numpy_and_jax_agree_and_keep_their_kind_and_precision():
    dbz = np.linspace(-32, 60, 50, dtype=np.float32)
    rate = units.dbz_to_rain_rate(dbz)
    assert rate.dtype == np.float32 and units.rain_rate_to_dbz(rate).dtype == np.float32
    traced = jax.jit(units.dbz_to_rain_rate)(jnp.asarray(dbz))
    assert isinstance(traced, jax.Array)
    np.testing.assert_allclose(traced, rate, rtol=1e-4)
    back = jax.jit(units.rain_rate_to_dbz)(jnp.asarray(rate))
    np.testing.assert_allclose(back, units.rain_rate_to_dbz(rate), atol=1e-3)


def test_the_gradient_of_dbz_is_finite_where_it_is_dry():
    gradient = jax.grad(lambda rate: units.rain_rate_to_dbz(rate).sum())(jnp.array([0.0, 1.0]))
    # d dBZ / dR = 10 b / (ln 10 R)
    np.testing.assert_allclose(gradient, [0.0, 16 / np.log(10)], rtol=1e-5)


def test_an_accumulation_becomes_its_mean_rate():
    assert units.accumulation_to_rain_rate(0.05, 600) == pytest.approx(0.3)
    np.testing.assert_array_equal(units.accumulation_to_rain_rate(np.array([1.0, np.nan]), 300), [12.0, np.nan])


def test_metres_and_kilometres_are_known_by_all_their_names():
    names = [f"{prefix}{name}" for prefix in ("", "kilo") for name in ("metre", "metres", "meter", "meters")]
    assert [units.metre_factor(name) for name in ["m", "km", *names]] == [1, 1000] + [1] * 4 + [1000] * 4
    assert [units.metre_factor(name) for name in ("1", "", None, "degrees_north", "mm")] == [None] * 5


@pytest.mark.parametrize("unit", ["mm/h", "dBZ"])
def test_files_may_hold_more_than_frames_and_frames_more_than_thresholds(unit):
    for wide, narrow in ((0, 1), (1, 2)):
        (least, greatest), (low, high) = units.RANGES[unit][wide], units.RANGES[unit][narrow]
        assert least < low < high <= greatest
    assert units.find_ranges("K").frames == (-np.inf, np.inf)
