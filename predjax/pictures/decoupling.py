"""The effect of memory decoupling: ΔC against ΔM of a PredRNN in two dimensions, by layer and step."""

import os
import pathlib
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from predjax.analysis.decoupling import embed, measure_similarity, sample_points
from predjax.files import refuse_existing
from predjax.pictures.figures import new_figure, save_png
from predjax.pictures.maps import choose_columns
from predjax.pictures.panels import FAINT, INK, fit_size, place_axes, place_text

DPI = 130
MOST_COLUMNS = 4
MOST_POINTS = 120  # of each kind in a panel: t-SNE of both takes most of a second
COLOUR_C, COLOUR_M = "#0072b2", "#d55e00"  # Okabe & Ito (2008)


def draw_decoupling(
    path: str | os.PathLike,
    delta_c: np.ndarray,
    delta_m: np.ndarray,
    *,
    method: str = "auto",
    title: str = "",
    overwrite: bool = False,
) -> None:
    """Draw ΔC and ΔM, the increments of both memories in a step, embedded together in two dimensions (PNG).

    A row is a layer, the first one at the bottom as in the network. A column is a step; of more than four steps, four
    that are evenly spaced are drawn. Each panel has its own axes and states the similarity |cos(ΔC, ΔM)|, which the
    decoupling loss lowers. The picture names the method of the embedding: see `predjax.analysis.decoupling.embed`.

    Both increments are (steps, layers, points, features); the points are pixels, of which at most 120 are drawn.

    Raises:
      ValueError: shapes that differ or are not four-dimensional, values that are not finite.
      FileExistsError: `path` exists and `overwrite` is False.
    """
    refuse_existing(pathlib.Path(path), overwrite)  # before the work of drawing
    delta_c, delta_m = np.asarray(delta_c), np.asarray(delta_m)
    if delta_c.ndim != 4 or delta_c.shape != delta_m.shape or 0 in delta_c.shape:
        found = f"{delta_c.shape} and {delta_m.shape}"
        raise ValueError(f"ΔC and ΔM must have one shape (steps, layers, points, features), found {found}")
    steps, layers, points, _ = delta_c.shape
    columns = choose_columns(steps, MOST_COLUMNS)
    kept = sample_points(points, MOST_POINTS)
    similarity = measure_similarity(delta_c, delta_m)

    side, gap = 1.35 * DPI, 0.08 * DPI
    left, head, note = 0.4 * DPI, (0.78 if title else 0.5) * DPI, 0.17 * DPI
    across = max(left + len(columns) * (side + gap) + 0.08 * DPI, 4.2 * DPI)
    margin = left + (across - left - len(columns) * (side + gap) - 0.08 * DPI) / 2
    figure = new_figure(across, head + layers * (side + note + gap) + 0.3 * DPI, DPI)
    methods = []
    for line, layer in enumerate(reversed(range(layers))):
        top = head + line * (side + note + gap)
        style = {"size": 8.5, "rotation": 90, "ha": "center", "va": "center"}
        place_text(figure, margin - 0.16 * DPI, top + side / 2, f"layer {layer + 1}", **style)
        for column, step in enumerate(columns):
            place = margin + column * (side + gap)
            both = np.concatenate([delta_c[step, layer, kept], delta_m[step, layer, kept]])
            embedding = embed(both, method)
            methods.append(embedding.method)
            axes = place_axes(figure, place, top, side, side)
            _scatter(axes, embedding.points)
            if line == 0:
                text = f"step {step + 1}"
                size = fit_size(text, side, DPI, 8.5)
                place_text(figure, place + side / 2, top - 0.05 * DPI, text, size=size, ha="center", va="bottom")
            text = f"|cos| = {similarity[step, layer]:.2f}"
            style = {"size": 7, "ha": "center", "va": "top", "color": FAINT}
            place_text(figure, place + side / 2, top + side + 0.03 * DPI, text, **style)

    if title:
        size = fit_size(title, across - 0.3 * DPI, DPI, 10)
        place_text(figure, across / 2, 0.09 * DPI, title, size=size, weight="bold", ha="center", va="top")
    _add_legend(figure, 1 - (head - 0.5 * DPI) / figure.bbox.height)
    some = f"{points:,}" if len(kept) == points else f"{len(kept):,} of {points:,}"
    text = f"{' and '.join(sorted(set(methods)))} of {some} points of ΔC and of ΔM in each panel"
    style = {"size": fit_size(text, across - 0.2 * DPI, DPI, 7), "ha": "center", "va": "bottom", "color": FAINT}
    place_text(figure, across / 2, figure.bbox.height - 0.08 * DPI, text, **style)
    save_png(figure, path, overwrite=overwrite)


def _scatter(axes: Axes, points: np.ndarray) -> None:
    """Draw the first half of the points as ΔC and the others as ΔM, on equal scales, since distances count."""
    half = len(points) // 2
    style: dict[str, Any] = {"linestyle": "none", "markersize": 3.2, "markeredgewidth": 0.6, "fillstyle": "none"}
    axes.plot(*points[:half].T, marker="o", color=COLOUR_C, **style)
    axes.plot(*points[half:].T, marker="x", color=COLOUR_M, **style)
    middle = (points.max(axis=0) + points.min(axis=0)) / 2
    reach = 0.54 * np.ptp(points, axis=0).max() or 1.0
    axes.set(xlim=middle[0] + np.array([-reach, reach]), ylim=middle[1] + np.array([-reach, reach]))
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(linewidth=0.6, color=FAINT)


def _add_legend(figure: Figure, top: float) -> None:
    style: dict[str, Any] = {"linestyle": "none", "markersize": 5, "fillstyle": "none"}
    handles = [
        Line2D([], [], marker="o", color=COLOUR_C, label="ΔC (temporal memory)", **style),
        Line2D([], [], marker="x", color=COLOUR_M, label="ΔM (spatiotemporal memory)", **style),
    ]
    place: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, top), "borderaxespad": 0.2}
    figure.legend(handles=handles, ncols=2, frameon=False, fontsize=7.5, labelcolor=INK, handletextpad=0.2, **place)
