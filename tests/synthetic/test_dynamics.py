"""Chaotic systems: the series obey their equations."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from predjax.synthetic import dynamics
from predjax.synthetic.systems import SYSTEMS


@pytest.mark.parametrize(
    "rate, make, config",
    [
        (dynamics.lorenz63_rate, dynamics.make_lorenz63, dynamics.Lorenz63Config(300, dt=0.002, transient=5.0)),
        (dynamics.lorenz96_rate, dynamics.make_lorenz96, dynamics.Lorenz96Config(300, dt=0.002, transient=2.0)),
        (dynamics.rossler_rate, dynamics.make_rossler, dynamics.RosslerConfig(300, dt=0.01, transient=20.0)),
    ],
    ids=["lorenz63", "lorenz96", "rossler"],
)
def test_slopes_are_what_the_equations_say(rate, make, config, differentiate):
    values = make(config, 0, 0).values
    slopes = np.array([rate(state, config) for state in values[2:-2]])
    np.testing.assert_allclose(differentiate(values, config.dt), slopes, atol=2e-5 * np.abs(slopes).max())


def test_rates_at_states_worked_out_by_hand():
    np.testing.assert_allclose(
        dynamics.lorenz63_rate(np.array([1.0, 2.0, 3.0]), dynamics.Lorenz63Config()), [10, 28 - 3 - 2, 2 - 8]
    )
    np.testing.assert_allclose(
        dynamics.rossler_rate(np.array([1.0, 2.0, 3.0]), dynamics.RosslerConfig()), [-5, 1.4, 0.2 + 3 * (1 - 5.7)]
    )
    small = dynamics.Lorenz96Config(num_variables=4)
    np.testing.assert_allclose(
        dynamics.lorenz96_rate(np.array([1.0, 2.0, 3.0, 5.0]), small),
        [(2 - 3) * 5 - 1 + 8, (3 - 5) * 1 - 2 + 8, (5 - 1) * 2 - 3 + 8, (1 - 2) * 3 - 5 + 8],
    )
    outside = dynamics.double_scroll_rate(np.array([3.0, 0.0, 0.0]), dynamics.DoubleScrollConfig())
    np.testing.assert_allclose(outside, [-9 * (3 * 2 / 7 - 3 / 7), 3, 0])


def test_lorenz63_loses_what_is_known_at_the_published_rate():
    """The mean growth of 40 small differences is the largest Lyapunov exponent, 0.9056."""
    config = dynamics.Lorenz63Config(length=40, dt=1.0, transient=10.0)
    start = dynamics.make_lorenz63(config, 0, 0).values.T
    rng = np.random.default_rng(0)
    pairs = np.stack([start, start + 1e-9 * rng.standard_normal(start.shape)], 1)
    times = np.linspace(0, 18, 5)
    solution = solve_ivp(
        lambda _, state: dynamics.lorenz63_rate(state.reshape(pairs.shape), config).ravel(),
        (0, times[-1]),
        pairs.ravel(),
        method="DOP853",
        t_eval=times,
        rtol=1e-12,
        atol=1e-12,
    )
    ends = solution.y.T.reshape(len(times), *pairs.shape)
    distance = np.linalg.norm(ends[:, :, 0] - ends[:, :, 1], axis=1)
    growth = np.log(distance[-2] / distance[1]).mean() / (times[-2] - times[1])
    assert growth == pytest.approx(SYSTEMS["lorenz63"].lyapunov, rel=0.1)


def test_advection_of_lorenz96_conserves_energy():
    config = dynamics.Lorenz96Config()
    x = np.random.default_rng(0).standard_normal((40, 7))
    change = (x * dynamics.lorenz96_rate(x, config)).sum(0)
    np.testing.assert_allclose(change, (config.forcing * x - x**2).sum(0), rtol=1e-12)


def test_the_double_scroll_visits_both_scrolls():
    """The fixed points of the scrolls are at x = +-1.5; a series circles around each."""
    config = dynamics.DoubleScrollConfig(length=5000)  # shares of a shorter one depend on the rounding of the machine
    np.testing.assert_allclose(dynamics.double_scroll_rate(np.array([1.5, 0, -1.5]), config), 0, atol=1e-14)
    x = dynamics.make_double_scroll(config, 0, 0).values[:, 0]
    assert (x > 1).mean() > 0.2 and (x < -1).mean() > 0.2 and np.abs(x).max() < 4
    assert 10 < (np.diff(np.sign(x)) != 0).sum() < 500


def test_henon_follows_its_recursion_from_the_attractor():
    values = dynamics.make_henon(dynamics.HenonConfig(), 0, 0).values
    (x, y), (x_next, y_next) = values[:-1].T, values[1:].T
    np.testing.assert_array_equal(x_next, 1 - 1.4 * x * x + y)
    np.testing.assert_array_equal(y_next, 0.3 * x)


def test_henon_loses_what_is_known_at_the_published_rate():
    x = dynamics.make_henon(dynamics.HenonConfig(length=5000), 0, 0).values[:, 0]
    difference, exponent = np.array([1.0, 0.0]), 0.0
    for here in x:  # the tangent map, renormalised
        difference = np.array([-2.8 * here * difference[0] + difference[1], 0.3 * difference[0]])
        growth = np.linalg.norm(difference)
        difference, exponent = difference / growth, exponent + np.log(growth) / len(x)
    assert exponent == pytest.approx(SYSTEMS["henon"].lyapunov, rel=0.05)
