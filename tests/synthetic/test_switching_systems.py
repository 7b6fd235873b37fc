"""Systems with hidden modes and states: what is hidden is what made the series, and stands in the file beside it."""

import numpy as np
import pytest
import xarray as xr

from predjax import read_movies
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.synthetic.__main__ import main
from predjax.synthetic.dynamics import RosslerConfig, rossler_rate
from predjax.synthetic.series_files import write_series
from predjax.synthetic.switching_linear import (
    SwitchingLinearConfig,
    build_switching_linear,
    draw_modes,
    make_switching_linear,
)
from predjax.synthetic.systems import make_series, name_features
from predjax.synthetic.two_rossler import (
    DEVIATION,
    MEAN,
    TwoRosslerConfig,
    draw_mixture,
    list_sights,
    make_two_rossler,
)

SMALL = {
    "switching_linear": (SwitchingLinearConfig(length=200), "mode", ("movie", "time"), np.int32),
    "two_rossler": (TwoRosslerConfig(length=60, transient=5.0), "latent", ("movie", "time", "state"), np.float32),
}


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


@pytest.fixture(scope="module")
def rosslers():
    return make_two_rossler(TwoRosslerConfig(length=1500, transient=60.0, ratio=4.0), 1, 0)


def test_the_fast_rossler_is_faster_by_the_ratio(rosslers):
    states = rosslers.truths["latent"].reshape(-1, 2, 3) * DEVIATION + MEAN
    phase = np.unwrap(np.arctan2(states[..., 1], states[..., 0]), axis=0)
    slow, fast = phase[-1] - phase[0]
    assert fast / slow == pytest.approx(4, rel=0.02)
    assert slow / 150 == pytest.approx(1.07, rel=0.02)  # radians in model time


def test_slopes_of_both_rosslers_are_what_the_equations_say():
    config = TwoRosslerConfig(length=200, dt=0.002, transient=20.0, ratio=3.0)
    states = make_two_rossler(config, 0, 0).truths["latent"].reshape(-1, 2, 3) * DEVIATION + MEAN
    slopes = (8 * (states[3:-1] - states[1:-3]) - (states[4:] - states[:-4])) / (12 * config.dt)
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


@pytest.mark.parametrize("name", SMALL)
def test_what_is_hidden_stands_in_the_file_and_is_not_taken_for_the_series(tmp_path, name):
    config, truth, dims, dtype = SMALL[name]
    path = tmp_path / "a.nc"
    write_series(path, config, 2, 4)
    expected = [make_series(name, config, 4, movie) for movie in range(2)]
    with NETCDF_LOCK, xr.open_dataset(path) as data:
        assert data[truth].dims == dims and data[truth].dtype == dtype
        np.testing.assert_array_equal(data[truth], np.stack([series.truths[truth] for series in expected]))
        assert data[name].attrs["ancillary_variables"] == truth and data.attrs["system_seed"] == 0
    for variable in ("", name):
        (movies,) = read_movies(path, variable=variable)
        np.testing.assert_array_equal(movies.frames[:, :, 0, 0], np.stack([series.values for series in expected]))
        assert movies.channel.values.tolist() == list(name_features(name, config))


@pytest.mark.parametrize("name", SMALL)
def test_the_same_seed_gives_the_same_bytes_also_of_what_is_hidden(tmp_path, name):
    paths = [tmp_path / f"{number}.nc" for number in range(3)]
    for path, seed in zip(paths, (7, 7, 8)):
        write_series(path, SMALL[name][0], 2, seed)
    first, second, other = [path.read_bytes() for path in paths]
    assert first == second != other


def test_npy_holds_what_is_seen_alone(tmp_path):
    config = SMALL["switching_linear"][0]
    write_series(tmp_path / "a.npy", config, 1, 0)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy")[0], make_series("switching_linear", config, 0, 0).values)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("switching_linear --modes 1", "modes 1 must be at least 2"),
        ("switching_linear --latent 3", "latent 3 must be even and at least 2"),
        ("switching_linear --features 0", "features 0 must be at least 1"),
        ("switching_linear --contraction 1", "contraction 1.0 must be at least 0 and below 1"),
        ("switching_linear --shortest_period 2", "shortest_period 2.0 must be above 2"),
        ("switching_linear --longest_period 5", "longest_period 5.0 must be above shortest_period 6.0"),
        ("switching_linear --dwell_min 0", "dwell_min 0 must be at least 1"),
        ("switching_linear --dwell_max 9", "dwell_max 9 must be at least dwell_min 50"),
        ("switching_linear --system_seed -1", "system_seed -1 must be at least 0"),
        ("two_rossler --ratio 1", "ratio 1.0 must be above 1"),
        ("two_rossler --features 0", "features 0 must be at least 1"),
        ("two_rossler --superposed 9", "superposed 9 must be from 0 to features 8"),
        ("two_rossler --system_seed -1", "system_seed -1 must be at least 0"),
    ],
)
def test_parameters_outside_their_rule_are_one_line(tmp_path, capsys, arguments, message):
    name, *options = arguments.split()
    assert main([name, "--output", str(tmp_path / "a.nc"), *options]) == 2
    assert capsys.readouterr().err == f"predjax: {message}\n"
