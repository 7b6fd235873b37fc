"""Series that follow an input: NARMA and the sine-wave task."""

import numpy as np
import pytest

from predjax.synthetic.driven_series import NarmaConfig, SineWaveConfig, follow_narma, make_narma, make_sine_wave
from predjax.synthetic.systems import make_series


def test_narma_follows_its_recursion():
    series = make_narma(NarmaConfig(length=50), 3, 1)
    y, u = series.values[:, 0], series.inputs[:, 0]
    assert u.min() >= 0 and 0.4 < u.max() <= 0.5
    for t in range(10, 50):
        expected = 0.3 * y[t - 1] + 0.05 * y[t - 1] * y[t - 10 : t].sum() + 1.5 * u[t] * u[t - 9] + 0.1
        assert y[t] == pytest.approx(expected, rel=1e-13)


def test_narma_answers_the_first_input_at_once_and_again_after_its_order():
    """Without inputs y tends to the constant; one pair of inputs that meet, n - 1 apart, moves it."""
    inputs = np.zeros(8)
    inputs[[1, 3]] = 0.5
    moved = follow_narma(NarmaConfig(order=3), inputs) - follow_narma(NarmaConfig(order=3), 0 * inputs)
    np.testing.assert_array_equal(moved[:3], 0)
    assert moved[3] == pytest.approx(1.5 * 0.25)


def test_inputs_under_which_narma_grows_without_bound_are_drawn_anew():
    config = NarmaConfig(length=300, gamma=2.2)
    first = np.random.default_rng([0, 0]).uniform(0, 0.5, config.transient + config.length)
    with np.errstate(all="ignore"):
        assert not np.abs(follow_narma(config, first)).max() < 1e3
    assert np.abs(make_series("narma", config, 0, 0).values).max() < 1e3
    with pytest.raises(ValueError, match="narma of order 10 grows without bound"):
        make_series("narma", NarmaConfig(length=100, alpha=2.0), 0, 0)


def test_the_level_of_the_input_sets_the_frequency_of_the_sine():
    config = SineWaveConfig(length=400)
    levels = []
    for movie in range(51):
        series = make_sine_wave(config, 4, movie)
        level = series.inputs[0, 0]
        assert (series.inputs == level).all()
        frequency = 0.1 + 0.5 * (level - 0.25) * 51 / 50
        np.testing.assert_allclose(series.values[:, 0], np.sin(frequency * np.arange(400)), atol=1e-9)
        levels.append(level)
    np.testing.assert_allclose(np.sort(levels), np.arange(51) / 51 + 0.25)
    assert levels != sorted(levels)
