"""The slow and the fast Rössler oscillator: their equations, speeds and mixtures."""

import numpy as np
import pytest

from predjax.synthetic.dynamics import RosslerConfig, rossler_rate
from predjax.synthetic.systems import name_features
from predjax.synthetic.two_rossler import (
    DEVIATION,
    MEAN,
    TwoRosslerConfig,
    draw_mixture,
    list_sights,
    make_two_rossler,
)


@pytest.fixture(scope="module")
def rosslers():
    return make_two_rossler(TwoRosslerConfig(length=1500, transient=60.0, ratio=4.0), 1, 0)


def test_the_fast_rossler_is_faster_by_the_ratio(rosslers):
    states = rosslers.truths["latent"].reshape(-1, 2, 3) * DEVIATION + MEAN
    phase = np.unwrap(np.arctan2(states[..., 1], states[..., 0]), axis=0)
    slow, fast = phase[-1] - phase[0]
    assert fast / slow == pytest.approx(4, rel=0.02)
    assert slow / 150 == pytest.approx(1.07, rel=0.02)  # radians in model time


def test_slopes_of_both_rosslers_are_what_the_equations_say(differentiate):
    config = TwoRosslerConfig(length=200, dt=0.002, transient=20.0, ratio=3.0)
    states = make_two_rossler(config, 0, 0).truths["latent"].reshape(-1, 2, 3) * DEVIATION + MEAN
    slopes = differentiate(states, config.dt)
    for number, speed in enumerate((1, 3)):
        expected = speed * np.array([rossler_rate(state, RosslerConfig()) for state in states[2:-2, number]])
        np.testing.assert_allclose(slopes[:, number], expected, atol=1e-4 * np.abs(expected).max())


def test_the_hidden_rosslers_are_standardised(rosslers):
    latent = rosslers.truths["latent"]
    np.testing.assert_allclose(latent.mean(axis=0), 0, atol=0.12)
    np.testing.assert_allclose(latent.std(axis=0), 1, atol=0.12)


def test_a_feature_sees_the_slow_the_fast_or_both(rosslers):
    config = TwoRosslerConfig(features=7, superposed=4)
    assert list_sights(config) == ["both"] * 4 + ["slow", "fast", "slow"]
    assert name_features("two_rossler", config)[3:5] == ("both_3", "slow_4")
    mixture = draw_mixture(config)
    np.testing.assert_allclose(np.linalg.norm(mixture, axis=1), 1)
    assert (mixture[:4] != 0).all()
    np.testing.assert_array_equal(
        (mixture[4:] != 0).reshape(3, 2, 3).all(-1), [[True, False], [False, True], [True, False]]
    )
    np.testing.assert_allclose(
        rosslers.values, rosslers.truths["latent"] @ draw_mixture(TwoRosslerConfig()).T, atol=1e-12
    )
