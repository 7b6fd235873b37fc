"""What latent states tell of series: modes, eigenmodes, timescales and readouts of dynamics that are known."""

from typing import NamedTuple

import numpy as np
import pytest

from predjax.analysis.latents import SETTLING, drop_settling, explain_series, score_states

PERIODS = (8.0, 20.0)  # of the two rotations between which the weights switch
LENGTH, DWELL = 400, 50


class Latents(NamedTuple):
    r: np.ndarray
    r2: np.ndarray
    w: np.ndarray


def infer(params, observed):
    """What is given: r are the frames, w says which rotation goes on."""
    weights = observed[..., 2:].reshape(1, -1, 2)
    return Latents(observed[..., :2].reshape(1, -1, 2), weights[..., :1], weights)


def turn(period):
    angle = 2 * np.pi / period
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


@pytest.fixture(scope="module")
def known():
    """Parameters, frames `(T, 1, 1, 4)` of two series, and their true modes."""
    params = {"tidhy": {"temporal": np.stack([turn(period).ravel() for period in PERIODS])}}
    modes = [(np.arange(LENGTH) // DWELL + first) % 2 for first in (0, 1)]
    frames = []
    for one in modes:
        state, states = np.array([1.0, 0.0]), []
        for mode in one:
            states.append(state)
            state = turn(PERIODS[mode]) @ state
        frames.append(np.concatenate([states, np.eye(2)[one]], 1).astype(np.float32)[:, None, None])
    return params, frames, modes


def test_modes_are_those_of_the_weights_with_the_labels_of_the_truth(known):
    params, frames, modes = known
    for true in (None, modes):
        found = explain_series(infer, params, frames, true)
        assert found.num_modes == 2 and [one.shape for one in found.modes] == [(LENGTH,)] * 2
    wrong = np.concatenate(found.modes) != np.concatenate(modes)
    assert wrong.mean() < 0.02  # of the average over a window, at the switches


def test_periods_and_eigenmodes_are_those_of_the_rotations(known):
    params, frames, _ = known
    found = explain_series(infer, params, frames)
    np.testing.assert_allclose(np.unique(found.periods.round(4)), PERIODS, rtol=1e-3)
    share = np.concatenate([drop_settling(one["w"]) for one in found.series]).mean(0)
    mean = sum(weight * turn(period) for weight, period in zip(share, PERIODS))
    values = np.linalg.eigvals(mean)
    np.testing.assert_allclose(found.eigenmodes.periods, 2 * np.pi / np.abs(np.angle(values[:1])), rtol=1e-5)
    np.testing.assert_allclose(found.eigenmodes.moduli, np.abs(values[:1]), rtol=1e-5)
    for one in found.series:
        np.testing.assert_allclose(one["z"], one["r"] @ found.eigenmodes.project.T, rtol=1e-4, atol=1e-5)
    assert set(found.spectra) == {"x", "r", "z", "r2", "w"}


def test_states_are_read_off_the_codes_that_have_them(known):
    params, frames, _ = known
    found = explain_series(infer, params, frames)
    states = [np.stack([one["r"][:, 0], np.random.default_rng(0).normal(size=LENGTH)], 1) for one in found.series]
    scores = score_states(found, states)
    assert list(scores)[:2] == ["r", "r2"] and len(scores) == 3
    np.testing.assert_allclose(scores["r"][0], 1, atol=1e-6)
    assert all(row[1] < 0.1 for row in scores.values()) and scores["r2"][0] < 0.2


def test_the_first_steps_settle():
    assert len(drop_settling(np.zeros((100, 2)))) == 100 - SETTLING
    assert len(drop_settling(np.zeros((10, 2)))) == 4
