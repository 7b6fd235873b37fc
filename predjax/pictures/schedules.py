"""Schedules: the probability that a network sees the true frame, over the iterations of a training run."""

import os
import pathlib
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from predjax.files import refuse_existing
from predjax.pictures.figures import new_figure, save_png
from predjax.pictures.lead_times import COLOURS, style_axes
from predjax.pictures.panels import INK, place_axes

DPI = 130
LEFT, HEAD, WIDTH, HEIGHT, ACROSS, FOOT = 62, 74, 480, 230, 30, 56  # pixels


def draw_schedules(
    path: str | os.PathLike,
    iterations: np.ndarray,
    schedules: Mapping[str, np.ndarray],
    input_length: int,
    *,
    overwrite: bool = False,
) -> None:
    """Draw the probability that an input of the network is the true frame, against the iteration (PNG).

    A panel for each schedule has a line for the observed frames after the first, which is always true, and a line for
    the frames to forecast. A line is left out where windows have no such frame. For each title, `schedules` has the
    probabilities `(N, T-1)` of inputs 0 to T-2 (`models.sampling.truth_probabilities`) at the N `iterations`.

    Raises:
      ValueError: there is nothing to draw, or the probabilities do not have N rows.
      FileExistsError: `path` exists and `overwrite` is False.
    """
    refuse_existing(pathlib.Path(path), overwrite)  # before the work of drawing
    if not schedules or not len(iterations):
        raise ValueError(f"{path}: {len(schedules)} schedules of {len(iterations)} iterations are nothing to draw")
    for title, probabilities in schedules.items():
        if len(probabilities) != len(iterations):
            raise ValueError(f"{path}: {title} has {len(probabilities)} rows for {len(iterations)} iterations")
    count = len(schedules)
    figure = new_figure(LEFT + count * WIDTH + (count - 1) * ACROSS + 20, HEAD + HEIGHT + FOOT, DPI)
    for number, (title, probabilities) in enumerate(schedules.items()):
        axes = place_axes(figure, LEFT + number * (WIDTH + ACROSS), HEAD, WIDTH, HEIGHT)
        style_axes(axes)
        _draw_panel(axes, np.asarray(iterations), np.asarray(probabilities), input_length)
        axes.set_title(title, fontsize=8, color=INK, loc="left", pad=4)
        if number:
            axes.tick_params(labelleft=False)
        else:
            axes.set_ylabel("probability of the true frame", fontsize=7.5, color=INK)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    look = {"ncols": 2, "frameon": False, "fontsize": 8, "labelcolor": INK}
    figure.legend(handles, labels, loc="upper center", bbox_to_anchor=(0.5, 1.0), **look)
    save_png(figure, path, overwrite=overwrite)


def _draw_panel(axes: Axes, iterations: np.ndarray, probabilities: np.ndarray, input_length: int) -> None:
    last = probabilities.shape[1]  # inputs are frames 1 to T-1
    groups = [(1, min(input_length, last), "observed"), (input_length, last, "forecast")]
    for (start, stop, what), colour, dashes in zip(groups, COLOURS, ("-", "--")):
        if start < stop:
            frames = f"frame {stop}" if start + 1 == stop else f"frames {start + 1} to {stop}"
            label = f"{frames}, {what}"
            axes.plot(iterations, probabilities[:, start], color=colour, linestyle=dashes, linewidth=1.6, label=label)
    axes.set_ylim(-0.04, 1.04)
    axes.set_yticks(np.linspace(0, 1, 5))
    axes.set_xlim(0, iterations[-1])
    axes.set_xlabel("iteration", fontsize=7.5, color=INK, labelpad=2)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
