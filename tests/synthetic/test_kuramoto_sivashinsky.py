"""The Kuramoto-Sivashinsky equation: its solutions obey it."""

import numpy as np
import pytest

from predjax.synthetic.kuramoto_sivashinsky import (
    KuramotoSivashinskyConfig,
    make_kuramoto_sivashinsky,
    solve_kuramoto_sivashinsky,
    weigh_etdrk4,
)


def test_kuramoto_sivashinsky_keeps_its_mean_and_agrees_with_finer_steps():
    config = KuramotoSivashinskyConfig(length=5, transient=20.0)
    start = 0.3 + np.cos(2 * np.pi * np.arange(64) / 64)
    values = solve_kuramoto_sivashinsky(config, start)
    np.testing.assert_allclose(values.mean(1), 0.3, rtol=1e-12)
    half, finest = (solve_kuramoto_sivashinsky(config, start, longest_step=step) for step in (1 / 32, 1 / 128))
    error, half_error = np.abs(values - finest).max(), np.abs(half - finest).max()
    assert error < 1e-3 and error / half_error == pytest.approx(16, rel=0.3)  # fourth order
    assert np.abs(make_kuramoto_sivashinsky(config, 0, 0).values.mean(1)).max() < 1e-12


def test_slopes_of_kuramoto_sivashinsky_are_those_of_the_equation(differentiate):
    config = KuramotoSivashinskyConfig(length=30, dt=0.01, transient=50.0)
    values = make_kuramoto_sivashinsky(config, 0, 0).values
    wave = 2j * np.pi * np.fft.fftfreq(64, 22 / 64)

    def slope(order):
        return np.fft.ifft(wave**order * np.fft.fft(values)).real

    expected = -values * slope(1) - slope(2) - slope(4)
    np.testing.assert_allclose(differentiate(values, config.dt), expected[2:-2], atol=1e-4)


def test_weights_of_etdrk4_at_rate_0_are_those_of_runge_kutta():
    weights = weigh_etdrk4(np.array([0.0, -1e4]), 0.3)
    ends = [getattr(weights, name)[0] for name in ("first", "middle", "middle", "last")]
    np.testing.assert_allclose(ends, 0.3 * np.array([1, 2, 2, 1]) / 6, rtol=1e-12)
    assert weights.inner[0] == pytest.approx(0.15) and np.isfinite(weights).all()
