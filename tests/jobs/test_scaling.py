"""The scaling of a new model: what is asked for, what the data suggest, what cannot be."""

import numpy as np
import pytest
from tiny import ROOT

from predjax.jobs.data import read_data, spread
from predjax.jobs.scaling import make_scaling, standardise
from predjax.models.scaling import Scaling
from predjax.radar.config import DataConfig


@pytest.fixture(scope="module")
def radar():
    return read_data(ROOT / "data" / "radar_movies.nc", None, DataConfig(crop=16), 6)


def test_standardised_features_have_mean_0_and_deviation_1():
    sample = np.random.default_rng(0).normal((3.0, -2.0), (0.5, 4.0), (1000, 2))
    sample[7, 0] = np.nan
    scaled = standardise(sample).scale(sample[np.isfinite(sample).all(1)])
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-9)
    np.testing.assert_allclose(scaled.std(0), 1, rtol=1e-9)
    assert standardise(np.full((5, 1), 2.0)) == Scaling("linear", (2.0,), (3.0,))  # a constant has no deviation


def test_the_unit_decides_unless_something_is_asked_for(radar):
    assert make_scaling("auto", (), radar, {}) == Scaling("dBZ", 0.0, 60.0, "dBZ")
    assert make_scaling("auto", (5.0, 50.0), radar, {}) == Scaling("dBZ", 5.0, 50.0, "dBZ")
    linear = make_scaling("linear", (), radar, {})
    finite = radar.sample[np.isfinite(radar.sample)]
    assert (linear.low, linear.high) == (float(finite.min()), float(finite.max()))


@pytest.mark.parametrize(
    ("kind", "value_range", "message"),
    [
        ("auto", (3.0,), "scaling_range needs two values, got 3.0"),
        ("dbz", (), "scaling 'dbz' is not one of auto, none"),
        ("none", (0.0, 2.0), "scaling_range 0,2 needs another scaling than none"),
        ("none", (), r"scaling none is for data in \[0, 1\], found"),
    ],
)
def test_what_cannot_be_is_refused(radar, kind, value_range, message):
    with pytest.raises(ValueError, match=message):
        make_scaling(kind, value_range, radar, {})


def test_chosen_windows_are_evenly_spread():
    assert spread(range(100), 4) == [0, 33, 66, 99] and spread(range(3), 5) == [0, 1, 2] and spread([], 2) == []
