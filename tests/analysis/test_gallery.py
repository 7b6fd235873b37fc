"""The exhibits are what their titles say."""

import numpy as np
import pytest

from predjax.analysis.gallery import make_gallery
from predjax.pictures.phase_portrait import plot_gallery


class Nothing:
    points, eigenvalues, stable = np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0, bool)


@pytest.fixture(scope="module")
def exhibits():
    return make_gallery(num_steps=4000)


def test_a_fixed_point_a_limit_cycle_and_a_strange_attractor(exhibits):
    still, cycle, strange = exhibits
    assert [one.title for one in (still, cycle, strange)] == ["fixed point", "limit cycle", "strange attractor"]
    assert still.exponent < -0.1 and np.abs(still.trajectories[:, -1]).max() < 1e-6
    assert abs(cycle.exponent) < 0.01
    radii = np.linalg.norm(cycle.trajectories[:, -100:], axis=-1)
    assert radii.min() > 0.3 and np.ptp(np.linalg.norm(cycle.trajectories[:, -500:], axis=-1).max(1)) < 1e-3
    assert strange.exponent > 0.05 and np.abs(strange.trajectories).max() < 10
    for one in (still, cycle, strange):
        np.testing.assert_allclose(one.step(one.trajectories[0, 50]), one.trajectories[0, 51], rtol=1e-4, atol=1e-6)


def test_they_are_drawn_side_by_side(exhibits):
    figure = plot_gallery(exhibits[:2], [Nothing, Nothing])
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[0].startswith("fixed point: 2 neurons") and "Lyapunov exponent" in titles[1]
