"""The phase portrait: the plane of the trajectories, its fixed points by kind, and their eigenvalues."""

from typing import NamedTuple

import numpy as np
import pytest
from matplotlib.collections import LineCollection

from predjax.pictures.figures import save_png
from predjax.pictures.phase_portrait import COLOUR_STABLE, COLOUR_UNSTABLE, plot_phase_portrait


class Fixed(NamedTuple):
    points: np.ndarray
    eigenvalues: np.ndarray
    stable: np.ndarray


def make_case(starts=5, steps=40):
    """A spiral into the origin, in a plane of three variables, and a saddle beside it."""
    rng = np.random.default_rng(0)
    turn = 0.9 * np.array([[np.cos(0.4), -np.sin(0.4), 0], [np.sin(0.4), np.cos(0.4), 0], [0, 0, 0]])
    states = [rng.normal(size=(starts, 3)) * [2, 1, 0]]
    for _ in range(steps):
        states.append(states[-1] @ turn.T)
    points = np.array([[0.0, 0, 0], [3, 1, 0]])
    eigenvalues = np.array([[0, 0.9 * np.exp(-0.4j), 0.9 * np.exp(0.4j)], [0.2, 0.5, 1.7]])
    return np.stack(states, axis=1), Fixed(points, eigenvalues, np.array([True, False]))


def circles_of(axes):
    """Points by kind: filled blue is stable, open orange is unstable."""
    lines = [line for line in axes.lines if line.get_marker() == "o"]
    faces = {COLOUR_STABLE: COLOUR_STABLE, COLOUR_UNSTABLE: "none"}
    assert all(line.get_markerfacecolor() == faces[line.get_color()] for line in lines)
    return {line.get_color(): line.get_xydata() for line in lines}


def test_trajectories_in_the_plane_keep_their_shape_and_speed(assert_readable):
    trajectories, fixed = make_case()
    figure = plot_phase_portrait(trajectories, fixed, title="a spiral of $3")
    assert_readable(figure)
    (lines,) = [artist for artist in figure.axes[0].collections if isinstance(artist, LineCollection)]
    lengths = np.array([np.linalg.norm(np.diff(piece, axis=0)) for piece in lines.get_segments()])
    np.testing.assert_allclose(lengths, lines.get_array(), rtol=1e-9)  # all motion is in the plane
    speeds = np.linalg.norm(np.diff(trajectories, axis=1), axis=-1)
    np.testing.assert_allclose(np.sort(lines.get_array()), np.sort(speeds.ravel()), rtol=1e-9)
    np.testing.assert_allclose([lines.norm.vmin, lines.norm.vmax], [speeds.min(), speeds.max()])
    assert "speed" in figure.axes[1].get_ylabel()
    labels = [axis.get_label_text() for axis in (figure.axes[0].xaxis, figure.axes[0].yaxis)]
    percents = [float(label.split("(")[1].split(" %")[0]) for label in labels]
    assert sum(percents) == pytest.approx(100, abs=1) and percents[0] >= percents[1]


def test_fixed_points_and_their_eigenvalues_are_told_apart():
    trajectories, fixed = make_case()
    plane, _, complex_plane = plot_phase_portrait(trajectories, fixed).axes
    places = circles_of(plane)
    apart = np.linalg.norm(places[COLOUR_STABLE][0] - places[COLOUR_UNSTABLE][0])
    assert apart == pytest.approx(np.sqrt(10))  # as the points are in all three variables
    values = circles_of(complex_plane)
    for colour, of_point in ((COLOUR_STABLE, fixed.eigenvalues[0]), (COLOUR_UNSTABLE, fixed.eigenvalues[1])):
        np.testing.assert_allclose(values[colour] @ [1, 1j], of_point)
    (circle,) = [line for line in complex_plane.lines if line.get_marker() != "o"]
    np.testing.assert_allclose(np.linalg.norm(circle.get_xydata(), axis=1), 1)
    assert complex_plane.get_xlim()[0] < -1 and complex_plane.get_xlim()[1] > 1.7
    assert np.ptp(complex_plane.get_xlim()) == pytest.approx(np.ptp(complex_plane.get_ylim()))
    (legend,) = plane.figure.legends
    labels = [text.get_text() for text in legend.get_texts()]
    assert {"stable fixed points (1)", "unstable fixed points (1)"} <= set(labels)


def test_fixed_points_far_from_the_trajectories_are_within_the_axes():
    trajectories, fixed = make_case()
    far = fixed._replace(points=fixed.points * np.array([[1], [40]]))
    axes = plot_phase_portrait(trajectories, far).axes[0]
    for x, y in np.concatenate(list(circles_of(axes).values())):
        assert axes.get_xlim()[0] < x < axes.get_xlim()[1] and axes.get_ylim()[0] < y < axes.get_ylim()[1]


def test_eigenvalues_near_one_are_seen_apart(assert_readable):
    """As of a continuous system in small steps: the part of the circle about 1, with all of them."""
    trajectories, fixed = make_case()
    near = fixed._replace(eigenvalues=1 + 0.05 * (fixed.eigenvalues - 1))
    figure = plot_phase_portrait(trajectories, near)
    assert_readable(figure)
    axes = figure.axes[2]
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    assert 0.9 < left < near.eigenvalues.real.min() and near.eigenvalues.real.max() < right
    assert low < near.eigenvalues.imag.min() and near.eigenvalues.imag.max() < high


@pytest.mark.parametrize("still", [False, True])
def test_no_fixed_point_and_no_motion_are_drawn_all_the_same(still, assert_readable):
    trajectories, fixed = make_case()
    none = Fixed(fixed.points[:0], fixed.eigenvalues[:0], fixed.stable[:0])
    figure = plot_phase_portrait(0 * trajectories if still else trajectories, none, title="nothing")
    assert_readable(figure)
    assert "stable fixed points (0)" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_speeds_below_four_decades_share_the_last_colour():
    trajectories, fixed = make_case(steps=300)  # down to 0.9^300
    axes = plot_phase_portrait(trajectories, fixed).axes[0]
    norm = axes.collections[0].norm
    assert norm.vmax / norm.vmin == pytest.approx(1e4) and float(norm(1e-13)) == 0


def test_stable_and_unstable_points_differ_in_colour(tmp_path, read_pixels):
    figure = plot_phase_portrait(*make_case(), title="a spiral")
    assert "a spiral" in [text.get_text() for text in figure.texts]
    save_png(figure, tmp_path / "portrait.png", overwrite=False)
    pixels = read_pixels(tmp_path / "portrait.png")
    assert (pixels == (0, 114, 178)).all(axis=-1).sum() > 50 and (pixels == (213, 94, 0)).all(axis=-1).sum() > 20


def test_what_does_not_fit_is_named():
    trajectories, fixed = make_case()
    with pytest.raises(ValueError, match=r"T, N of at least 2, found \(5, 41, 1\)"):
        plot_phase_portrait(trajectories[..., :1], fixed)
    with pytest.raises(ValueError, match=r"must be \(P, 3\) as the trajectories are, found \(2, 2\)"):
        plot_phase_portrait(trajectories, fixed._replace(points=fixed.points[:, :2]))
    with pytest.raises(ValueError, match="finite, found 615 values"):
        plot_phase_portrait(trajectories * np.nan, fixed)
