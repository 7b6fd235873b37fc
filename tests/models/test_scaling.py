"""Scaling: round trips, anchors, what is missing stays missing."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from predjax.flags import from_dict, to_dict
from predjax.models.scaling import Scaling, choose_scaling

SCALINGS = {
    "none": (Scaling(), [0.0, 0.2, 1.0]),
    "linear": (Scaling("linear", -20.0, 60.0, "K"), [-30.0, -20.0, 0.0, 70.0]),
    "dBZ": (Scaling("dBZ", 0.0, 60.0, "dBZ"), [0.0, 12.5, 60.0, 71.0]),
    "rain_rate": (Scaling("rain_rate", 0.1, 100.0, "mm/h"), [0.0, 0.05, 0.1, 1.0, 100.0, 250.0]),
}
EVERY = pytest.mark.parametrize(("scaling", "values"), SCALINGS.values(), ids=SCALINGS)


@EVERY
def test_unscaling_undoes_scaling(scaling, values):
    values = np.array(values, np.float32)
    np.testing.assert_allclose(scaling.unscale(scaling.scale(values)), values, rtol=2e-6, atol=1e-6)


@EVERY
def test_the_range_becomes_0_to_1_and_dry_is_0_both_ways(scaling, values):
    ends = scaling.scale(np.array([scaling.dry, scaling.high], np.float32))
    np.testing.assert_allclose(ends, [0, 1], atol=1e-6)
    assert scaling.scale(np.float32([scaling.dry]))[0] == 0
    assert scaling.unscale(np.zeros(1, np.float32))[0] == scaling.dry


@EVERY
def test_missing_stays_missing_and_single_precision_stays_single(scaling, values):
    values = np.array([*values, np.nan], np.float32)
    for array in (values, jnp.asarray(values)):
        scaled = scaling.scale(array)
        for result in (scaled, scaling.unscale(scaled)):
            assert result.dtype == np.float32
            np.testing.assert_array_equal(np.isnan(result), np.isnan(values))


@EVERY
def test_numpy_and_jax_agree(scaling, values):
    values = np.array(values, np.float32)
    scaled = scaling.scale(values)
    np.testing.assert_allclose(scaled, scaling.scale(jnp.asarray(values)), rtol=3e-6, atol=1e-6)
    np.testing.assert_allclose(scaling.unscale(scaled), scaling.unscale(jnp.asarray(scaled)), rtol=3e-6, atol=1e-6)


@EVERY
def test_more_rain_is_a_larger_number(scaling, values):
    values = np.linspace(scaling.dry, 2 * scaling.high, 50, dtype=np.float32)
    assert (np.diff(scaling.scale(values)) > 0).all()
    assert (np.diff(scaling.unscale(np.linspace(0, 1.5, 50, dtype=np.float32))) > 0).all()


def test_nothing_is_drier_than_dry():
    """No echo below the range, negative rain rates and negative predictions all are dry."""
    for kind in ("dBZ", "rain_rate"):
        scaling, _ = SCALINGS[kind]
        np.testing.assert_array_equal(scaling.scale(np.float32([-32.0, -0.01])), [0, 0])
        np.testing.assert_array_equal(scaling.unscale(np.float32([-0.5])), [scaling.dry])


def test_rain_rates_are_decibels_above_the_floor():
    """s = log(1 + R/low) / log(1 + high/low): at R = low one doubling, so log 2 of log 1001."""
    scaled = SCALINGS["rain_rate"][0].scale(np.array([0.1]))
    np.testing.assert_allclose(scaled, np.log(2) / np.log(1001), rtol=1e-12)


@pytest.mark.parametrize(
    ("units", "dtype", "value_range", "expected"),
    [
        ("dBZ", "uint8", (0, 255), ("dBZ", 0, 60)),
        ("mm/h", "float32", (0, 30), ("rain_rate", 0.1, 100)),
        ("1", "uint8", (0, 1), ("linear", 0, 255)),
        ("1", "float32", (0, 1), ("none", 0, 1)),
        ("1", "float32", (-1, 1), ("linear", -1, 1)),
        ("K", "float32", (200, 300), ("linear", 200, 300)),
        ("K", "float32", (200, 200), ("linear", 200, 201)),
    ],
)
def test_the_units_choose_the_scaling(units, dtype, value_range, expected):
    scaling = choose_scaling(units, dtype, value_range)
    assert (scaling.kind, scaling.low, scaling.high, scaling.units) == (*expected, units)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (("log", 0, 1), "'log' is not one of"),
        (("linear", 1, 1), "1,1 is not increasing"),
        (("linear", 0, float("nan")), "0,nan is not increasing"),
        (("rain_rate", 0, 100), "floor above 0 mm/h, got 0"),
    ],
)
def test_impossible_scalings(fields, reason):
    with pytest.raises(ValueError, match=reason):
        Scaling(*fields)


def test_channels_may_have_ranges_of_their_own():
    scaling = Scaling("linear", (0.0, -20.0), (1.0, 20.0), "m")
    values = np.array([[0.5, -20.0], [1.0, np.nan]], np.float32)
    for array in (values, jnp.asarray(values)):
        scaled = scaling.scale(array)
        assert scaled.dtype == np.float32
        np.testing.assert_allclose(scaled, [[0.5, 0], [1, np.nan]])
        np.testing.assert_allclose(scaling.unscale(scaled), values)
    assert str(scaling) == "linear 0..1, -20..20 m"
    assert from_dict(Scaling, json.loads(json.dumps(to_dict(scaling)))) == scaling and hash(scaling)


@pytest.mark.parametrize(
    ("kind", "low", "high", "reason"),
    [
        ("linear", (0.0, 2.0), (1.0, 2.0), "scaling range 2,2 is not increasing"),
        ("linear", (0.0, 2.0), 1.0, "scaling needs as many ends as starts"),
        ("linear", (0.0, 2.0), (1.0,), "scaling needs as many ends as starts"),
        ("dBZ", (0.0, 2.0), (1.0, 3.0), "scaling dBZ has one range for all channels, not 2"),
    ],
)
def test_ranges_that_cannot_be(kind, low, high, reason):
    with pytest.raises(ValueError, match=reason):
        Scaling(kind, low, high)
