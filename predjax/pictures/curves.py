"""Curves: the losses of a training run, and the skill against lead time."""

import math
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.ticker import MaxNLocator

from predjax.files import refuse_existing
from predjax.pictures.figures import new_figure, save_png
from predjax.pictures.lead_times import (
    COLOURS,
    choose_panels,
    draw_lead_panel,
    name_lead_unit,
    spell_range,
    style_axes,
    style_methods,
)
from predjax.pictures.panels import FAINT, INK, fit_size, place_title

DPI = 130
MOST_SMOOTHED = 200  # beyond so many training losses their running mean is drawn as well


def draw_losses(
    path: str | os.PathLike, records: Iterable[Mapping], *, title: str = "", overwrite: bool = False
) -> None:
    """Draw the training and validation loss of a run against the iteration (PNG).

    The loss axis is logarithmic where the losses span a decade. Many training losses are drawn faint, with a running
    mean; the least validation loss is marked. The records are lines of the log, {"iteration": 10, "loss": 0.2} or
    {"iteration": 500, "valid_loss": 0.3}; losses that are not finite are ignored. Of several records of one iteration,
    as a resumed run has them, the last is drawn.

    Raises:
      ValueError: no record has a finite loss.
      FileExistsError: `path` exists and `overwrite` is False.
    """
    refuse_existing(pathlib.Path(path), overwrite)  # before the work of drawing
    records = list(records)
    train, valid = (_collect(records, key) for key in ("loss", "valid_loss"))
    losses = np.concatenate([train[1], valid[1]])
    if not losses.size:
        raise ValueError(f"{path}: no finite loss to draw in {len(records)} records")

    figure = new_figure(6.4 * DPI, 3.9 * DPI, DPI)
    axes = figure.add_axes((0.115, 0.135, 0.855, 0.745 if title else 0.82))
    style_axes(axes)
    if train[0].size:
        many = train[0].size > MOST_SMOOTHED
        alone: dict[str, Any] = {"marker": "o", "markersize": 3} if train[0].size < 3 else {}
        look = {"linewidth": 0.7, "alpha": 0.3} if many else {"linewidth": 1.3, "label": "training"}
        axes.plot(*train, color=COLOURS[0], **look, **alone)
        if many:
            axes.plot(*_running_mean(*train), color=COLOURS[0], linewidth=1.5, label="training (running mean)")
    if valid[0].size:
        axes.plot(*valid, color=COLOURS[1], linewidth=1.3, marker="o", markersize=3.5, label="validation")
        best = int(np.argmin(valid[1]))
        label = f"least validation: {valid[1][best]:.4g} at {valid[0][best]:,}"
        style: dict[str, Any] = {"marker": "o", "markersize": 9, "fillstyle": "none", "markeredgecolor": INK}
        axes.plot(valid[0][best], valid[1][best], linestyle="none", label=label, **style)
    if losses.min() > 0 and losses.max() >= 10 * losses.min():
        axes.set_yscale("log")
    axes.set_xlim(0, 1.03 * max(iterations[-1] for iterations, _ in (train, valid) if iterations.size) or 1)
    axes.set_xlabel("iteration", fontsize=8, color=INK)
    axes.set_ylabel("loss", fontsize=8, color=INK)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.legend(loc="best", fontsize=7.5, frameon=True, framealpha=0.9, edgecolor="none", labelcolor=INK)
    if title:
        figure.text(0.5, 0.965, title, size=fit_size(title, 6 * DPI, DPI, 10), weight="bold", ha="center", va="top")
    save_png(figure, path, overwrite=overwrite)


def holds_losses(records: Sequence[Mapping]) -> bool:
    """Return whether a record has a finite loss, which `draw_losses` needs."""
    return any(_collect(list(records), key)[1].size for key in ("loss", "valid_loss"))


def draw_skill(path: str | os.PathLike, comparison: xr.Dataset, *, title: str = "", overwrite: bool = False) -> None:
    """Draw the skill against lead time, a panel for each error score and for the CSI of each threshold (PNG).

    Intervals are shaded. A line below gives the number of cases, each CSI panel the number of observed events.

    Args:
      comparison: scores rmse, mae, mean_error [, ssim, psnr] over (method, lead_time) and csi over (method, lead_time,
        threshold); each may be absent. `<score>_low` and `<score>_high` are the ends of an interval.
        `lead_time.attrs["units"]` is "minutes" or "1" (frames), `attrs["units"]` the unit of the data; `cases`, `hits`
        and `misses` give the counts.

    Raises:
      ValueError: the comparison has none of the scores.
      FileExistsError: `path` exists and `overwrite` is False.
    """
    refuse_existing(pathlib.Path(path), overwrite)  # before the work of drawing
    panels = choose_panels(comparison)
    if not panels:
        raise ValueError(f"{path}: the comparison has no score to draw, found {sorted(map(str, comparison.data_vars))}")
    styles = style_methods(map(str, comparison["method"].values))

    columns = min(3, len(panels)) if len(panels) != 4 else 2
    lines = -(-len(panels) // columns)
    across, head, foot = max(3.1 * columns, 4.2), 0.66 if title else 0.4, 0.34
    down = head + 2.15 * lines + foot
    figure = new_figure(across * DPI, down * DPI, DPI)
    for position, panel in enumerate(panels):
        line, column = divmod(position, columns)
        left = column * across / columns + 0.56
        bottom = down - head - 2.15 * line - 1.72
        box = (left / across, bottom / down, (across / columns - 0.72) / across, 1.55 / down)
        axes = figure.add_axes(box)
        draw_lead_panel(axes, panel, styles)
        axes.set_title(panel.title, fontsize=8, color=INK, loc="left", pad=4)
        axes.set_title(panel.note, fontsize=6.5, color=FAINT, loc="right", pad=4)
        if position + columns >= len(panels):
            axes.set_xlabel(f"lead time ({name_lead_unit(comparison)})", fontsize=7.5, color=INK, labelpad=2)
    handles = [line for line in figure.axes[0].lines if line.get_label() in styles]
    place: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, 1 - (head - 0.4) / down)}
    look: dict[str, Any] = {"ncols": min(len(styles), 6), "frameon": False, "fontsize": 8, "labelcolor": INK}
    figure.legend(handles, list(styles), **look, **place)
    if title:
        place_title(figure, 0.1 * DPI, title)
    figure.text(0.5, 0.1 / down, _describe_cases(comparison), size=7, ha="center", va="bottom", color=FAINT)
    save_png(figure, path, overwrite=overwrite)


def _collect(records: list[Mapping], key: str) -> tuple[np.ndarray, np.ndarray]:
    """Return iterations and finite values of `key`, in order; the last record of an iteration counts."""
    found = {int(record["iteration"]): float(record[key]) for record in records if record.get(key) is not None}
    kept = sorted((iteration, value) for iteration, value in found.items() if math.isfinite(value))
    return np.array([iteration for iteration, _ in kept], int), np.array([value for _, value in kept], float)


def _running_mean(iterations: np.ndarray, losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Average losses over windows of a fiftieth of the run; return the windows' middle iterations and the means."""
    width = 2 * (losses.size // 100) + 1
    return iterations[width // 2 : losses.size - width // 2], np.convolve(losses, np.ones(width) / width, mode="valid")


def _describe_cases(comparison: xr.Dataset) -> str:
    if "cases" not in comparison:
        return ""
    counts = comparison["cases"].values
    text = f"{spell_range(counts)} case{'' if counts.max() == 1 else 's'} per lead time"
    has_events = "hits" in comparison and comparison["hits"].size
    return f"{text}; events are observed pixels per lead time" if has_events else text
