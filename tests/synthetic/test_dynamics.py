"""Chaotic and driven systems: what they make obeys their equations."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from predjax.synthetic import dynamics
from predjax.synthetic.driven_series import NarmaConfig, SineWaveConfig, follow_narma, make_narma, make_sine_wave
from predjax.synthetic.kuramoto_sivashinsky import (
    KuramotoSivashinskyConfig,
    make_kuramoto_sivashinsky,
    solve_kuramoto_sivashinsky,
    weigh_etdrk4,
)
from predjax.synthetic.mackey_glass import MackeyGlassConfig, make_mackey_glass, solve_mackey_glass
from predjax.synthetic.systems import SYSTEMS, has_default_parameters, make_series, name_features


def differentiate(values, dt):
    """Slopes at the third to the third last sample, by central differences of fourth order."""
    return (8 * (values[3:-1] - values[1:-3]) - (values[4:] - values[:-4])) / (12 * dt)


@pytest.mark.parametrize(
    "rate, make, config",
    [
        (dynamics.lorenz63_rate, dynamics.make_lorenz63, dynamics.Lorenz63Config(300, dt=0.002, transient=5.0)),
        (dynamics.lorenz96_rate, dynamics.make_lorenz96, dynamics.Lorenz96Config(300, dt=0.002, transient=2.0)),
        (dynamics.rossler_rate, dynamics.make_rossler, dynamics.RosslerConfig(300, dt=0.01, transient=20.0)),
    ],
    ids=["lorenz63", "lorenz96", "rossler"],
)
def test_slopes_are_what_the_equations_say(rate, make, config):
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


def test_mackey_glass_stays_at_its_fixed_point():
    """beta x / (1 + x^n) = gamma x at x = 1 for beta = 2 gamma."""
    np.testing.assert_allclose(solve_mackey_glass(MackeyGlassConfig(), 1.0, np.arange(200.0)), 1, atol=1e-12)


def test_mackey_glass_over_the_first_delay_is_an_exponential():
    """While the past is constant, x relaxes from p to g / gamma with rate gamma."""
    config, past, times = MackeyGlassConfig(), 0.7, np.linspace(0, 17, 30)
    level = config.beta * past / (1 + past**config.n) / config.gamma
    exact = level + (past - level) * np.exp(-config.gamma * times)
    np.testing.assert_allclose(solve_mackey_glass(config, past, times), exact, rtol=1e-10)


def test_slopes_of_mackey_glass_follow_the_delayed_value():
    config = MackeyGlassConfig(length=2000, dt=0.1)
    x = make_mackey_glass(config, 0, 0).values[:, 0]
    delayed, now = x[: -170 - 2][2:], x[172:-2]
    expected = config.beta * delayed / (1 + delayed**config.n) - config.gamma * now
    np.testing.assert_allclose(differentiate(x, config.dt)[170:], expected, atol=1e-5)


def test_kuramoto_sivashinsky_keeps_its_mean_and_agrees_with_finer_steps():
    config = KuramotoSivashinskyConfig(length=5, transient=20.0)
    start = 0.3 + np.cos(2 * np.pi * np.arange(64) / 64)
    values = solve_kuramoto_sivashinsky(config, start)
    np.testing.assert_allclose(values.mean(1), 0.3, rtol=1e-12)
    half, finest = (solve_kuramoto_sivashinsky(config, start, longest_step=step) for step in (1 / 32, 1 / 128))
    error, half_error = np.abs(values - finest).max(), np.abs(half - finest).max()
    assert error < 1e-3 and error / half_error == pytest.approx(16, rel=0.3)  # fourth order
    assert np.abs(make_kuramoto_sivashinsky(config, 0, 0).values.mean(1)).max() < 1e-12


def test_slopes_of_kuramoto_sivashinsky_are_those_of_the_equation():
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
