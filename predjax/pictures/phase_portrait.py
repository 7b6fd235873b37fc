"""Trajectories of a network in the plane of their first two principal components, with its fixed points."""

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator

from predjax.analysis.components import fit_components, project
from predjax.analysis.fixed_points import FixedPoints
from predjax.analysis.gallery import Exhibit
from predjax.pictures.figures import new_figure
from predjax.pictures.lead_times import style_axes
from predjax.pictures.panels import FAINT, INK, place_axes, place_title

DPI = 130
MOST_DECADES = 4  # of speed; slower steps, down to the rounding error, have the last colour
TICK_STEPS = [1, 2, 2.5, 5, 10]
COLOUR_STABLE, COLOUR_UNSTABLE = "#0072b2", "#d55e00"  # Okabe & Ito (2008)


def plot_phase_portrait(trajectories: np.ndarray, fixed: FixedPoints, *, title: str = "") -> Figure:
    """Draw trajectories `(B, T, N)` in their first two principal components, and the eigenvalues at fixed points.

    The lines are coloured by speed, |h(t+1) - h(t)| in all N variables, on a log scale of at most four decades. A
    stable fixed point is a filled circle, an unstable one an open circle, and so are the eigenvalues of the map at the
    point. A point is stable where all its eigenvalues lie inside the unit circle. There may be no fixed point.

    Raises:
      ValueError: trajectories that are not `(B, T, N)` with T and N of at least 2 or not finite, fixed points of
        another N.
    """
    trajectories = np.asarray(trajectories, np.float64)
    if trajectories.ndim != 3 or not trajectories.size or min(trajectories.shape[1:]) < 2:
        raise ValueError(f"trajectories must be (B, T, N) with T, N of at least 2, found {trajectories.shape}")
    points, eigenvalues = np.asarray(fixed.points), np.asarray(fixed.eigenvalues)
    stable = np.asarray(fixed.stable, bool)
    size = trajectories.shape[-1]
    if not points.shape == eigenvalues.shape == (len(stable), size):
        found = f"{points.shape} with eigenvalues {eigenvalues.shape}"
        raise ValueError(f"the fixed points must be (P, {size}) as the trajectories are, found {found}")
    speeds = np.linalg.norm(np.diff(trajectories, axis=1), axis=-1)

    side, left, head, gap, small = 3.7 * DPI, 0.62 * DPI, 0.62 * DPI, 1.5 * DPI, 2.6 * DPI
    figure = new_figure(left + side + gap + small + 0.2 * DPI, head + side + 0.5 * DPI, DPI)
    norm, extend = _scale_speeds(speeds)
    _draw_plane(place_axes(figure, left, head, side, side), trajectories, fixed, norm)

    bar = place_axes(figure, left + side + 0.14 * DPI, head + 0.25 * side, 0.11 * DPI, 0.5 * side)
    _draw_bar(figure, bar, norm, extend)
    top = head + (side - small) / 2
    beside = place_axes(figure, left + side + gap, top, small, small)
    _draw_eigenvalues(beside, eigenvalues, stable)

    _add_legend(figure, stable, 1 - (head - 0.36 * DPI) / figure.bbox.height)
    place_title(figure, 0.07 * DPI, title)
    return figure


def plot_gallery(exhibits: Sequence[Exhibit], fixed: Sequence[FixedPoints]) -> Figure:
    """Draw phase portraits side by side, coloured by speed on one scale, with their Lyapunov exponents."""
    side, left, head, gap = 2.7 * DPI, 0.62 * DPI, 0.82 * DPI, 0.62 * DPI
    figure = new_figure(left + len(exhibits) * (side + gap) + 0.4 * DPI, head + side + 0.5 * DPI, DPI)
    speeds = [np.linalg.norm(np.diff(exhibit.trajectories, axis=1), axis=-1).ravel() for exhibit in exhibits]
    norm, extend = _scale_speeds(np.concatenate(speeds))
    for number, (exhibit, points) in enumerate(zip(exhibits, fixed)):
        axes = place_axes(figure, left + number * (side + gap), head, side, side)
        _draw_plane(axes, exhibit.trajectories, points, norm)
        size = exhibit.trajectories.shape[-1]
        title = f"{exhibit.title}: {size} neurons\nLyapunov exponent {exhibit.exponent:+.3f}"
        axes.set_title(title, fontsize=9, color=INK, pad=5)
    across = left + len(exhibits) * (side + gap) - gap
    _draw_bar(figure, place_axes(figure, across + 0.14 * DPI, head + 0.2 * side, 0.11 * DPI, 0.6 * side), norm, extend)
    stable = np.concatenate([np.asarray(points.stable, bool) for points in fixed])
    _add_legend(figure, stable, 1 - 0.02 * DPI / figure.bbox.height, circle=False)
    return figure


def _draw_plane(axes: Axes, trajectories: np.ndarray, fixed: FixedPoints, norm: LogNorm) -> None:
    """Draw trajectories and fixed points in the first two principal components of the trajectories."""
    style_axes(axes)
    components = fit_components(trajectories, 2)
    speeds = np.linalg.norm(np.diff(trajectories, axis=1), axis=-1)
    _draw_lines(axes, project(components, trajectories), speeds, norm)
    _draw_circles(axes, project(components, np.asarray(fixed.points)), np.asarray(fixed.stable, bool))
    axes.margins(0.05)
    axes.autoscale_view()
    for axis, number in ((axes.xaxis, 1), (axes.yaxis, 2)):
        percent = 100 * components.explained[number - 1]
        some = "< 1" if 0 < percent < 1 else f"{percent:.0f}"
        axis.set_label_text(f"principal component {number} ({some} % of the variance)", fontsize=8, color=INK)
        axis.set_major_locator(MaxNLocator(6, steps=TICK_STEPS))


def _scale_speeds(speeds: np.ndarray) -> tuple[LogNorm, str]:
    """Return the log scale of the speeds, of at most `MOST_DECADES`, and its open end ("min" or "neither")."""
    fastest = speeds.max()
    if not fastest:
        return LogNorm(0.1, 1, clip=True), "min"
    slowest = max(speeds.min(), fastest * 10.0**-MOST_DECADES)
    slowest = min(slowest, 0.5 * fastest)  # a scale needs a length
    return LogNorm(slowest, fastest, clip=True), "min" if speeds.min() < slowest else "neither"


def _choose_colours() -> ListedColormap:
    """Return colours from dark (slow) to light (fast), without the yellow that is lost on white."""
    return ListedColormap(matplotlib.colormaps["viridis"](np.linspace(0, 0.88, 256)))


def _draw_lines(axes: Axes, places: np.ndarray, speeds: np.ndarray, norm: LogNorm) -> None:
    """Draw each step as a piece of line in the colour of its speed, the slowest on top."""
    pieces = np.stack([places[:, :-1], places[:, 1:]], axis=2).reshape(-1, 2, 2)
    values = speeds.ravel()
    order = np.argsort(-values, kind="stable")
    lines = LineCollection(
        list(pieces[order]), cmap=_choose_colours(), norm=norm, linewidths=0.9, capstyle="round", zorder=2
    )
    lines.set_array(values[order])
    axes.add_collection(lines)
    axes.plot(*places[:, 0].T, marker=".", linestyle="none", markersize=3, color=FAINT, zorder=2.5)


def _style_circle(stable: bool) -> dict:
    colour = COLOUR_STABLE if stable else COLOUR_UNSTABLE
    face = colour if stable else "none"
    return {"marker": "o", "linestyle": "none", "color": colour, "markerfacecolor": face, "markeredgewidth": 1.3}


def _draw_circles(axes: Axes, places: np.ndarray, stable: np.ndarray) -> None:
    for kind in (False, True):
        axes.plot(*places[stable == kind].T, markersize=6.5, zorder=4, **_style_circle(kind))


def _draw_bar(figure: Figure, axes: Axes, norm: LogNorm, extend: str) -> None:
    bar = figure.colorbar(ScalarMappable(norm, _choose_colours()), cax=axes, extend=extend, extendfrac=0.05)
    bar.outline.set(linewidth=0.6, edgecolor=FAINT)
    axes.yaxis.set_major_locator(LogLocator(numticks=8))
    axes.tick_params(which="both", labelsize=7, length=2.5, width=0.6, pad=1.5, color=FAINT, labelcolor=INK)
    bar.set_label("speed |h(t+1) − h(t)|", fontsize=8, color=INK, labelpad=3)


def _draw_eigenvalues(axes: Axes, eigenvalues: np.ndarray, stable: np.ndarray) -> None:
    """Draw all eigenvalues in the complex plane with equal scales, and the unit circle or its part around 1."""
    style_axes(axes)
    angles = np.linspace(0, 2 * np.pi, 361)
    axes.plot(np.cos(angles), np.sin(angles), color=FAINT, linewidth=1.0, zorder=1.5)
    for kind in (False, True):
        values = eigenvalues[stable == kind].ravel()
        axes.plot(values.real, values.imag, markersize=3.8, zorder=3, **_style_circle(kind))
    middle, reach = _frame_eigenvalues(eigenvalues)
    axes.set(xlim=(middle - reach, middle + reach), ylim=(-reach, reach))
    axes.set_title("eigenvalues of the map at the fixed points", fontsize=8, color=INK, pad=4)
    for axis, text in ((axes.xaxis, "real part"), (axes.yaxis, "imaginary part")):
        axis.set_label_text(text, fontsize=8, color=INK)
        axis.set_major_locator(MaxNLocator(5, steps=TICK_STEPS))


def _frame_eigenvalues(eigenvalues: np.ndarray) -> tuple[float, float]:
    """Return a square around all eigenvalues and the unit circle: its middle on the real axis, and half its side.

    Small steps of a continuous system have all eigenvalues near 1: the square then holds only that part of the circle.
    """
    near = np.abs(eigenvalues - 1).max(initial=0)
    least = 1 - 1.2 * near if 0 < near < 0.5 else -1
    right, left = np.max(eigenvalues.real, initial=1), np.min(eigenvalues.real, initial=least)
    high = np.abs(eigenvalues.imag).max(initial=0)
    return (right + left) / 2, 1.1 * max((right - left) / 2, high)


def _add_legend(figure: Figure, stable: np.ndarray, top: float, circle: bool = True) -> None:
    handles = [
        Line2D([], [], markersize=6.5, label=f"stable fixed points ({stable.sum()})", **_style_circle(True)),
        Line2D([], [], markersize=6.5, label=f"unstable fixed points ({(~stable).sum()})", **_style_circle(False)),
        Line2D([], [], marker=".", linestyle="none", color=FAINT, label="starts of trajectories"),
    ]
    if circle:
        handles.append(Line2D([], [], color=FAINT, linewidth=1.0, label="unit circle"))
    place: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, top), "borderaxespad": 0.2}
    figure.legend(handles=handles, ncols=4, frameon=False, fontsize=8, labelcolor=INK, handletextpad=0.4, **place)
