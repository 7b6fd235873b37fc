"""The table of systems: seeds, noise, and names."""

import numpy as np
import pytest

from predjax.synthetic import dynamics
from predjax.synthetic.systems import SYSTEMS, has_default_parameters, make_series, name_features

SHORT = {
    name: system.config(length=20, **({"transient": 2} if hasattr(system.config, "transient") else {}))
    for name, system in SYSTEMS.items()
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_series_depends_on_seed_and_number_alone(name):
    values = make_series(name, SHORT[name], 5, 2).values
    assert values.dtype == np.float32 and values.shape == (20, len(name_features(name, SHORT[name])))
    np.testing.assert_array_equal(values, make_series(name, SHORT[name], 5, 2).values)
    assert not np.array_equal(values, make_series(name, SHORT[name], 5, 3).values)
    assert not np.array_equal(values, make_series(name, SHORT[name], 6, 2).values)


def test_noise_is_a_fraction_of_the_standard_deviation():
    clean = make_series("henon", dynamics.HenonConfig(length=4000), 0, 0).values
    noisy = make_series("henon", dynamics.HenonConfig(length=4000, observation_noise=0.2), 0, 0).values
    np.testing.assert_allclose((noisy - clean).std(0), 0.2 * clean.std(0), rtol=0.05)


def test_sampling_does_not_change_the_system():
    assert has_default_parameters(dynamics.Lorenz63Config(length=5, dt=0.1, transient=1.0, observation_noise=0.1))
    assert not has_default_parameters(dynamics.Lorenz63Config(rho=20.0))
