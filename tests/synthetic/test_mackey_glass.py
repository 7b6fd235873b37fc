"""The Mackey-Glass equation: its solutions obey it."""

import numpy as np

from predjax.synthetic.mackey_glass import MackeyGlassConfig, make_mackey_glass, solve_mackey_glass


def test_mackey_glass_stays_at_its_fixed_point():
    """beta x / (1 + x^n) = gamma x at x = 1 for beta = 2 gamma."""
    np.testing.assert_allclose(solve_mackey_glass(MackeyGlassConfig(), 1.0, np.arange(200.0)), 1, atol=1e-12)


def test_mackey_glass_over_the_first_delay_is_an_exponential():
    """While the past is constant, x relaxes from p to g / gamma with rate gamma."""
    config, past, times = MackeyGlassConfig(), 0.7, np.linspace(0, 17, 30)
    level = config.beta * past / (1 + past**config.n) / config.gamma
    exact = level + (past - level) * np.exp(-config.gamma * times)
    np.testing.assert_allclose(solve_mackey_glass(config, past, times), exact, rtol=1e-10)


def test_slopes_of_mackey_glass_follow_the_delayed_value(differentiate):
    config = MackeyGlassConfig(length=2000, dt=0.1)
    x = make_mackey_glass(config, 0, 0).values[:, 0]
    delayed, now = x[: -170 - 2][2:], x[172:-2]
    expected = config.beta * delayed / (1 + delayed**config.n) - config.gamma * now
    np.testing.assert_allclose(differentiate(x, config.dt)[170:], expected, atol=1e-5)
