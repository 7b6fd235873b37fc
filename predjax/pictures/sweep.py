"""The picture of a sweep: the objective by trial, and by each flag that was searched."""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogFormatter, MaxNLocator

from predjax.files import refuse_existing
from predjax.pictures.figures import new_figure, save_png
from predjax.pictures.lead_times import BASELINE_COLOUR, COLOURS, style_axes
from predjax.pictures.panels import INK

DPI, COLUMNS = 130, 3
WIDTH, HEIGHT = 3.1, 2.5  # of a panel, in inches
WIDE_RANGE = 5  # from this ratio of the worst to the best score on, the axis of scores is logarithmic


class ScoredTrial(NamedTuple):
    """A trial with a score."""

    number: int
    score: float
    finished: bool  # False for one that ended early: it was pruned, or failed
    chosen: Mapping[str, Any]  # by the name of the flag: a number, or the text of a choice


class SearchedAxis(NamedTuple):
    """A flag that was searched, as an axis of a panel."""

    name: str
    choices: Sequence[str] = ()  # in their order; none for a range of numbers
    log: bool = False


def draw_sweep(
    path: str | os.PathLike,
    trials: Sequence[ScoredTrial],
    searched: Sequence[SearchedAxis],
    objective: str,
    more_is_better: bool,
    *,
    overwrite: bool = False,
) -> None:
    """Draw the scores of trials, in the order of their numbers: a panel by trial, then a panel by each flag (PNG).

    The first panel has a line of the best score so far, of finished trials. Trials that ended early are grey crosses,
    the best finished trial has a ring.

    Errors: FileExistsError, `path` exists and `overwrite` is False.
    """
    refuse_existing(pathlib.Path(path), overwrite)
    count = 1 + len(searched)
    columns, rows = min(COLUMNS, count), -(-count // COLUMNS)
    figure = new_figure(columns * WIDTH * DPI, rows * HEIGHT * DPI, DPI)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    numbers = np.array([one.number for one in trials])
    _draw_scores(panels[0], numbers, trials, more_is_better)
    finished = [one for one in trials if one.finished]
    accumulate = np.maximum.accumulate if more_is_better else np.minimum.accumulate
    best_so_far = accumulate([one.score for one in finished])
    panels[0].step([one.number for one in finished], best_so_far, where="post", color=COLOURS[0], linewidth=1.0)
    panels[0].xaxis.set_major_locator(MaxNLocator(6, integer=True))
    if len(finished) < len(trials):
        panels[0].legend(handles=panels[0].collections[:1], loc="best", fontsize=7, frameon=True, edgecolor="none")
    panels[0].set_xlabel("trial", fontsize=8, color=INK)
    for axes, one in zip(panels[1:], searched):
        chosen = [trial.chosen[one.name] for trial in trials]
        places = [one.choices.index(value) for value in chosen] if one.choices else chosen
        _draw_scores(axes, np.array(places, float), trials, more_is_better)
        if one.choices:
            axes.set_xticks(range(len(one.choices)), [_shorten(text) for text in one.choices])
            axes.set_xlim(-0.5, len(one.choices) - 0.5)
        elif one.log:
            axes.set_xscale("log")
        axes.set_xlabel(one.name, fontsize=8, color=INK)
    for axes in panels[::columns]:
        axes.set_ylabel(f"best validation {objective}", fontsize=8, color=INK)
    for axes in panels[count:]:
        axes.set_visible(False)
    figure.tight_layout()
    save_png(figure, path, overwrite=overwrite)


def _draw_scores(axes: Axes, places: np.ndarray, trials: Sequence[ScoredTrial], more_is_better: bool) -> None:
    style_axes(axes)
    scores, finished = np.array([one.score for one in trials]), np.array([one.finished for one in trials])
    axes.scatter(
        places[~finished],
        scores[~finished],
        s=16,
        marker="x",
        linewidths=0.9,
        color=BASELINE_COLOUR,
        label="ended early",
    )
    axes.scatter(places[finished], scores[finished], s=16, color=COLOURS[0])
    if finished.any():
        best = np.where(finished, scores if more_is_better else -scores, -np.inf).argmax()
        axes.scatter(places[best], scores[best], s=70, facecolors="none", edgecolors=COLOURS[1], linewidths=1.3)
    if scores.min() > 0 and scores.max() > WIDE_RANGE * scores.min():
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(LogFormatter())
        axes.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(2, 0.5)))


def _shorten(text: str, longest: int = 14) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
