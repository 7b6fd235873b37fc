"""The benchmark of stochastic digits: its perfect ensemble is calibrated, and has the smallest CRPS."""

import importlib
import sys

import numpy as np
import pytest
from tiny import ROOT

sys.path.append(str(ROOT / "benchmarks"))
benchmark = importlib.import_module("stochastic_digits")
DIGITS = np.full((1, 28, 28), 255, np.uint8)
CASES, MEMBERS = 40, 4


@pytest.fixture(scope="module")
def futures():
    return benchmark.make_futures(DIGITS, CASES, MEMBERS + 2)


def test_frames_are_means_of_squares():
    frames = np.random.default_rng(0).integers(0, 256, (3, 4, 6), np.uint8)
    expected = [[frame[y : y + 2, x : x + 2].mean() / 255 for x in (0, 2, 4)] for frame in frames for y in (0, 2)]
    np.testing.assert_allclose(benchmark.pool(frames).reshape(6, 3), expected, rtol=1e-6)


def test_members_of_the_truth_are_calibrated_and_those_of_a_wrong_spread_are_not(futures):
    members, observed = futures[:, :MEMBERS], futures[:, MEMBERS:]
    skill = benchmark.score(members, observed)
    assert (np.abs(skill["spread_ratio"] - 1) < 0.15).all(), skill["spread_ratio"]
    assert (np.abs(skill["rank_histogram"] * (MEMBERS + 1) - 1) < 0.3).all(), skill["rank_histogram"]
    # Halfway to their mean members are too close to each other; one of them alone knows nothing of the others.
    close = benchmark.score((members + members.mean(1, keepdims=True)) / 2, observed)
    alone = benchmark.score(members[:, :1], observed)
    assert (close["spread_ratio"] < 0.7).all()
    assert close["rank_histogram"][-1, [0, -1]].sum() > 1.5 * skill["rank_histogram"][-1, [0, -1]].sum()
    assert (skill["crps"] < close["crps"]).all() and (close["crps"] < alone["crps"]).all()
