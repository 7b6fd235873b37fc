"""Modes of a signal: found where they are, and scored as counting by hand says."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from predjax.analysis.switching import find_changes, find_switches, score_switches
from predjax.synthetic.switching_linear import SwitchingLinearConfig, build_switching_linear
from predjax.synthetic.systems import make_series

LEVELS = np.array([[0.0, 0.0, 3.0], [2.0, 0.0, 0.0], [0.0, 4.0, 0.0]])
MODES = np.repeat([1, 0, 2, 1, 2], [40, 25, 60, 30, 45])


def make_signal(noise=0.3, seed=0):
    return LEVELS[MODES] + noise * np.random.default_rng(seed).standard_normal((len(MODES), 3))


@pytest.mark.parametrize("count", [None, 3])
def test_modes_and_times_of_levels_in_noise(count):
    found = find_switches(make_signal(), count)
    np.testing.assert_array_equal(found.modes, np.array([1, 0, 2])[MODES])  # in the order of their appearance
    np.testing.assert_array_equal(found.times, [40, 65, 125, 155])
    np.testing.assert_array_equal(np.flatnonzero(found.switches), found.times)
    np.testing.assert_allclose(found.centres, LEVELS[[1, 0, 2]], atol=0.2)
    assert score_switches(found.modes, MODES, 0) == (1, 1, 1)


@pytest.mark.parametrize("count", [2, 4, 5])
def test_the_number_of_modes_is_found(count):
    modes = np.repeat(np.arange(2 * count) % count, 30)
    values = 5 * np.eye(count)[modes] + 0.3 * np.random.default_rng(1).standard_normal((len(modes), count))
    np.testing.assert_array_equal(find_switches(values).modes, modes)


def test_the_same_values_give_the_same_modes():
    one, two = (find_switches(make_signal(2.0), 3) for _ in range(2))
    np.testing.assert_array_equal(one.modes, two.modes)


def test_a_window_finds_modes_below_the_noise():
    values = make_signal(2.0)
    plain, smooth = (score_switches(find_switches(values, 3, window=w).modes, MODES, 8) for w in (1, 15))
    assert plain.accuracy < 0.75 and plain.precision < 0.2
    assert smooth.accuracy > 0.9 and smooth.recall == 1


def test_a_window_is_a_mean_of_the_steps_that_there_are():
    values = np.array([[0.0], [0.0], [0.0], [9.0], [9.0], [9.0], [9.0], [0.0]])
    # The means of three steps are 0 0 3 6 9 9 6 4.5, of which 6 is nearer to the upper and 3 to the lower centre.
    found = find_switches(values, 2, window=3)
    np.testing.assert_array_equal(found.modes, [0, 0, 0, 1, 1, 1, 1, 1])
    np.testing.assert_allclose(found.centres, [[0], [7.2]])


def test_short_modes_go_to_the_nearer_neighbour():
    values = np.repeat([0.0, 6.0, 10.0, 0.0, 10.0], [8, 2, 8, 1, 8])[:, None]
    whole = find_switches(values, 3)
    np.testing.assert_array_equal(whole.times, [8, 10, 18, 19])
    found = find_switches(values, 3, least_dwell=3)
    np.testing.assert_array_equal(found.modes, np.repeat([0, 1], [8, 19]))
    np.testing.assert_allclose(found.centres, [[0], [(2 * 6 + 16 * 10) / 19]])
    everything = find_switches(values, 3, least_dwell=100)
    assert (everything.modes == 0).all() and not everything.switches.any()


def test_several_series_have_their_modes_in_common():
    values, order = make_signal(), np.random.default_rng(3).permutation(3)
    pair = np.stack([values, values[::-1]])
    found = find_switches(pair)
    np.testing.assert_array_equal(found.modes[0], found.modes[1, ::-1])
    np.testing.assert_array_equal(found.times, [40, 65, 125, 155, 45, 75, 135, 160])
    np.testing.assert_array_equal(find_switches(values[:, order]).modes, found.modes[0])


def test_a_constant_has_one_mode():
    found = find_switches(np.ones((20, 2)))
    assert (found.modes == 0).all() and len(found.times) == 0
    np.testing.assert_array_equal(found.centres, [[1, 1]])


def test_perfect_and_renamed_modes_score_1():
    assert score_switches(MODES, MODES) == (1, 1, 1)
    assert score_switches(np.array([7, -2, 4])[MODES], MODES, 0) == (1, 1, 1)


@pytest.mark.parametrize("shift", [1, 4, 5])
def test_late_modes_miss_the_steps_of_their_delay(shift):
    late = np.concatenate([np.repeat(MODES[0], shift), MODES[:-shift]])
    score = score_switches(late, MODES, tolerance=4)
    assert score.accuracy == pytest.approx(1 - 4 * shift / len(MODES))
    assert score.recall == score.precision == (1 if shift <= 4 else 0)


def test_missed_and_false_switches_are_counted():
    merged = np.where(MODES == 0, 1, MODES)  # without the mode of steps 40 to 65
    assert score_switches(merged, MODES) == (1 - 25 / 200, 3 / 4, 1)
    flicker = MODES.copy()
    flicker[10] = 2
    assert score_switches(flicker, MODES) == (1 - 1 / 200, 1, 4 / 6)
    split = np.where(np.arange(200) < 20, 9, MODES)  # one mode under two labels, of which one is right
    assert score_switches(split, MODES) == (1 - 20 / 200, 1, 4 / 5)


def test_a_true_switch_makes_one_pair_and_pairs_are_as_many_as_possible():
    true = np.repeat([0, 1], [10, 10])
    flicker = np.repeat([0, 1, 0, 1], [8, 2, 2, 8])  # switches at 8, 10, 12
    assert score_switches(flicker, true, tolerance=2)[1:] == (1, pytest.approx(1 / 3))
    two, shifted = np.repeat([0, 1, 0], [10, 3, 7]), np.repeat([0, 1, 0], [12, 3, 5])
    assert score_switches(shifted, two, tolerance=2)[1:] == (1, 1)  # 12 goes to 10, not to 13, which 15 needs


def test_pairs_are_those_of_the_best_assignment():
    rng = np.random.default_rng(0)
    for _ in range(200):
        found, true = (np.cumsum(rng.random(60) < 0.15) for _ in range(2))
        a, b = (np.flatnonzero(find_changes(modes)) for modes in (found, true))
        near = np.abs(a[:, None] - b) <= 4
        pairs = near[linear_sum_assignment(near, maximize=True)].sum()
        assert score_switches(found, true, 4)[1:] == (pairs / len(b), pairs / len(a))


def test_a_step_of_each_matrix_tells_the_modes_of_a_switching_linear_system():
    config = SwitchingLinearConfig()
    system, series = build_switching_linear(config), make_series("switching_linear", config, 0, 0)
    states = series.values @ np.linalg.pinv(system.mixture).T
    misses = [((states[1:] - states[:-1] @ matrix.T) ** 2).sum(axis=1) for matrix in system.transitions]
    found = find_switches(np.log(np.stack(misses, axis=1)), 3, window=5, least_dwell=20)
    score = score_switches(found.modes, series.truths["mode"][1:], tolerance=2)
    assert score.accuracy > 0.99 and score.recall == score.precision == 1


def test_without_switches_there_is_nothing_to_recall():
    still = np.zeros(9, int)
    score = score_switches(still, still)
    assert score.accuracy == 1 and np.isnan(score.recall) and np.isnan(score.precision)
    score = score_switches(still, np.repeat([0, 1], [6, 3]))
    assert score.accuracy == 6 / 9 and score.recall == 0 and np.isnan(score.precision)


def test_switches_of_one_series_do_not_fit_those_of_another():
    modes = np.repeat([[0, 1]], [10, 10], axis=1)
    still = np.zeros_like(modes)
    score = score_switches(np.concatenate([modes, still]), np.concatenate([still, modes]))
    assert score.recall == score.precision == 0
    np.testing.assert_array_equal(find_changes(np.concatenate([modes, 1 - modes])).nonzero(), [[0, 1], [10, 10]])


@pytest.mark.parametrize("count", [2, 3, 5])
def test_random_modes_score_chance(count):
    rng = np.random.default_rng(count)
    found, true = rng.integers(count, size=(2, 40000))
    assert score_switches(found, true).accuracy == pytest.approx(1 / count, abs=0.01)


def test_random_switches_score_the_share_of_time_near_true_ones():
    rng = np.random.default_rng(0)
    true = np.arange(40000) // 100
    found = np.add.accumulate(rng.random(40000) < 1 / 400)
    score = score_switches(found, true, tolerance=5)
    assert score.precision == pytest.approx(11 / 100, abs=0.06)
    assert score.recall == pytest.approx(score.precision / 4, rel=0.3)


@pytest.mark.parametrize(
    "values, options, message",
    [
        (np.zeros(5), {}, r"values must be \(\.\.\., T, K\), found the shape \(5,\)"),
        (np.full((5, 1), np.nan), {}, "values must be finite, found 5 that are not"),
        (np.zeros((5, 1)), {"count": 2}, "count of modes must be within 1 to 1, the different values, found 2"),
        (np.zeros((5, 1)), {"window": 2}, "window 2 must be odd and at least 1"),
        (np.zeros((5, 1)), {"least_dwell": 0}, "least_dwell 0 must be at least 1"),
    ],
)
def test_signals_that_have_no_modes_are_refused(values, options, message):
    with pytest.raises(ValueError, match=message):
        find_switches(values, **options)


def test_modes_that_do_not_compare_are_refused():
    with pytest.raises(ValueError, match=r"alike, found shapes \(5,\), \(4,\)"):
        score_switches(np.zeros(5), np.zeros(4))
    with pytest.raises(ValueError, match="tolerance -1 must be at least 0"):
        score_switches(MODES, MODES, -1)
