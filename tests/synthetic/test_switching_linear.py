"""The switching linear system: its modes, their dwell times, and the state that they turn."""

import numpy as np

from predjax.synthetic.switching_linear import (
    SwitchingLinearConfig,
    build_switching_linear,
    draw_modes,
    make_switching_linear,
)


def test_each_mode_is_a_contraction_times_rotations_of_its_own_speeds():
    config = SwitchingLinearConfig(modes=3, latent=4, longest_period=64, shortest_period=2**1.0001, contraction=0.01)
    periods = []
    for matrix in build_switching_linear(config).transitions:
        np.testing.assert_allclose(matrix @ matrix.T, 0.99**2 * np.eye(4), atol=1e-13)
        values = np.linalg.eigvals(matrix)
        np.testing.assert_allclose(np.abs(values), 0.99, rtol=1e-12)
        periods += sorted(2 * np.pi / np.angle(values[values.imag > 0]), reverse=True)
    np.testing.assert_allclose(periods, [64, 32, 16, 8, 4, 2], rtol=1e-3)  # from the slowest to the fastest mode


def test_the_planes_of_the_modes_differ_and_hang_on_the_seed_of_the_system():
    config = SwitchingLinearConfig()
    system, again = build_switching_linear(config), build_switching_linear(SwitchingLinearConfig(length=5, dwell_min=9))
    np.testing.assert_array_equal(system.transitions, again.transitions)
    np.testing.assert_array_equal(system.mixture, again.mixture)
    np.testing.assert_allclose(np.linalg.norm(system.mixture, axis=1), 1)
    first, second, _ = system.transitions
    assert np.abs(first @ second - second @ first).max() > 0.01  # what shares its planes commutes
    other = build_switching_linear(SwitchingLinearConfig(system_seed=1))
    assert not np.allclose(system.mixture, other.mixture) and not np.allclose(first, other.transitions[0])


def test_without_contraction_the_hidden_state_turns_in_the_mode_of_each_step():
    config = SwitchingLinearConfig(length=600, contraction=0.0, latent=4, features=6)
    system = build_switching_linear(config)
    series = make_switching_linear(config, 3, 1)
    states = series.values @ np.linalg.pinv(system.mixture).T
    np.testing.assert_allclose(series.values, states @ system.mixture.T, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(states, axis=1), np.linalg.norm(states[0]), rtol=1e-9)
    misses = np.stack([np.linalg.norm(states[1:] - states[:-1] @ matrix.T, axis=1) for matrix in system.transitions])
    modes = series.truths["mode"]
    np.testing.assert_array_equal(misses.argmin(axis=0), modes[1:])
    assert misses.min(axis=0).max() < 1e-10 and len(np.unique(modes)) == 3


def test_where_the_state_is_says_nothing_of_the_mode():
    """In every mode each feature has the mean 0, the variance 1, and the covariance C C^T."""
    config = SwitchingLinearConfig(length=60000, contraction=0.2, features=3, dwell_min=5, dwell_max=30)
    series, mixture = make_switching_linear(config, 0, 0), build_switching_linear(config).mixture
    for mode in range(3):
        values = series.values[series.truths["mode"] == mode]
        np.testing.assert_allclose(values.mean(axis=0), 0, atol=0.05)
        np.testing.assert_allclose(np.cov(values.T), mixture @ mixture.T, atol=0.06)
    # Correlations from step to step are those of the mode.
    after = np.flatnonzero(series.truths["mode"][1:] == 2)
    lagged = series.values[after + 1].T @ series.values[after] / len(after)
    expected = mixture @ build_switching_linear(config).transitions[2] @ mixture.T
    np.testing.assert_allclose(lagged, expected, atol=0.06)


def test_dwell_times_are_uniform_and_the_next_mode_is_any_other():
    config = SwitchingLinearConfig(length=60000, modes=3, dwell_min=4, dwell_max=9)
    modes = draw_modes(config, np.random.default_rng(0))
    assert modes.shape == (60000,) and set(modes) == {0, 1, 2}
    switches = np.flatnonzero(np.diff(modes)) + 1
    dwells, counts = np.unique(np.diff(np.append(0, switches)), return_counts=True)
    np.testing.assert_array_equal(dwells, np.arange(4, 10))
    np.testing.assert_allclose(counts / counts.sum(), 1 / 6, atol=0.02)
    pairs = np.zeros((3, 3))
    np.add.at(pairs, (modes[switches - 1], modes[switches]), 1)
    np.testing.assert_allclose(pairs / pairs.sum(), (1 - np.eye(3)) / 6, atol=0.02)
