"""Curves: the losses of a training run, and skill against lead time."""

import math
import os
import pathlib
from collections.abc import Iterable, Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from predjax.files import refuse_existing
from predjax.pictures.figures import new_figure, save_png
from predjax.pictures.panels import FAINT, INK, fit_size

DPI = 130
# Okabe & Ito (2008) without its yellow: told apart by all kinds of colour vision; persistence is always grey.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P")
BASELINE_COLOUR = "#8a8a8a"
MOST_SMOOTHED = 200  # beyond so many training losses their running mean is drawn as well
TITLES = {
    "rmse": "RMSE",
    "mae": "MAE",
    "mean_error": "mean error",
    "ssim": "SSIM",
    "psnr": "PSNR (dB)",
}


def draw_losses(
    path: str | os.PathLike, records: Iterable[Mapping], *, title: str = "", overwrite: bool = False
) -> None:
    """Draw the training and validation loss of a run against the iteration (PNG).

    The loss axis is logarithmic when the losses span a decade. Many training losses are drawn faint with their running
    mean; the least validation loss is marked. Of records with the same iteration (a resumed run) the last counts.

    Args:
      path: the PNG to write, whole or not at all.
      records: the records of the log: {"iteration": 10, "loss": 0.2} and {"iteration": 500, "valid_loss": 0.3}; other
        keys are ignored, and so are losses that are not finite.
      title: a line above the curves.
      overwrite: replace an existing file.

    Raises:
      ValueError: where no record has a finite loss.
      FileExistsError: where `path` exists and `overwrite` is False.
    """
    refuse_existing(pathlib.Path(path), overwrite)  # before the work of drawing
    records = list(records)
    train, valid = (_collect(records, key) for key in ("loss", "valid_loss"))
    losses = np.concatenate([train[1], valid[1]])
    if not losses.size:
        raise ValueError(f"{path}: no finite loss to draw in {len(records)} records")

    figure = new_figure(6.4 * DPI, 3.9 * DPI, DPI)
    axes = figure.add_axes((0.115, 0.135, 0.855, 0.745 if title else 0.82))
    _style(axes)
    if train[0].size:
        many = train[0].size > MOST_SMOOTHED
        alone = {"marker": "o", "markersize": 3} if train[0].size < 3 else {}
        axes.plot(
            *train,
            color=COLOURS[0],
            linewidth=0.7 if many else 1.3,
            alpha=0.3 if many else 1.0,
            label=None if many else "training",
            **alone,
        )
        if many:
            axes.plot(*_running_mean(*train), color=COLOURS[0], linewidth=1.5, label="training (running mean)")
    if valid[0].size:
        axes.plot(*valid, color=COLOURS[1], linewidth=1.3, marker="o", markersize=3.5, label="validation")
        best = int(np.argmin(valid[1]))
        label = f"least validation: {valid[1][best]:.4g} at {valid[0][best]:,}"
        style = {"markersize": 9, "markerfacecolor": "none", "markeredgecolor": INK, "markeredgewidth": 1.0}
        axes.plot(valid[0][best], valid[1][best], linestyle="none", marker="o", label=label, **style)
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


def draw_skill(path: str | os.PathLike, comparison: xr.Dataset, *, title: str = "", overwrite: bool = False) -> None:
    """Draw skill against lead time, a panel for each error score and one for the CSI of each threshold (PNG).

    The number of cases is given below, the number of observed events in each CSI panel.

    Args:
      path: the PNG to write, whole or not at all.
      comparison: scores over (method, lead_time) named rmse, mae, mean_error [, ssim, psnr] and csi over
        (method, lead_time, threshold); those that are absent are left out. `lead_time.attrs["units"]` is "minutes" or
        "1" (frames), `attrs["units"]` the unit of the data; `cases`, `hits` and `misses` give the counts.
      title: a line above the panels.
      overwrite: replace an existing file.

    Raises:
      ValueError: where the comparison has none of the scores.
      FileExistsError: where `path` exists and `overwrite` is False.
    """
    refuse_existing(pathlib.Path(path), overwrite)  # before the work of drawing
    plain = [name for name in TITLES if name in comparison]
    plain = [name for name in plain if name not in ("ssim", "psnr") or comparison[name].notnull().any()]
    thresholds = [float(value) for value in comparison["threshold"]] if "csi" in comparison else []
    if not plain and not thresholds:
        raise ValueError(f"{path}: the comparison has no score to draw, found {sorted(map(str, comparison.data_vars))}")
    units = comparison.attrs.get("units", "1")
    suffix = "" if units == "1" else f" {units}"
    panels = [(comparison[name], _name_score(name, units)) for name in plain]
    panels += [
        (comparison["csi"].isel(threshold=number), f"CSI, ≥ {value:g}{suffix}")
        for number, value in enumerate(thresholds)
    ]
    events = [""] * len(plain) + [_count_events(comparison, number) for number in range(len(thresholds))]

    lead_unit = comparison["lead_time"].attrs.get("units", "1")
    lead_unit = {"minutes": "min", "seconds": "s", "1": "frames"}.get(lead_unit, lead_unit)
    columns = min(3, len(panels)) if len(panels) != 4 else 2
    lines = -(-len(panels) // columns)
    across, head, foot = max(3.1 * columns, 4.2), 0.66 if title else 0.4, 0.34
    down = head + 2.15 * lines + foot
    figure = new_figure(across * DPI, down * DPI, DPI)
    for position, ((scores, name), count) in enumerate(zip(panels, events)):
        line, column = divmod(position, columns)
        left = column * across / columns + 0.56
        bottom = down - head - 2.15 * line - 1.72
        box = (left / across, bottom / down, (across / columns - 0.72) / across, 1.55 / down)
        axes = figure.add_axes(box)
        _draw_score(axes, scores, name, comparison, count)
        if position + columns >= len(panels):
            axes.set_xlabel(f"lead time ({lead_unit})", fontsize=7.5, color=INK, labelpad=2)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    place = {"loc": "upper center", "bbox_to_anchor": (0.5, 1 - (head - 0.4) / down)}
    figure.legend(handles, labels, ncols=min(len(labels), 6), frameon=False, fontsize=8, labelcolor=INK, **place)
    if title:
        size = fit_size(title, (across - 0.3) * DPI, DPI, 10)
        figure.text(0.5, 1 - 0.1 / down, title, size=size, weight="bold", ha="center", va="top", color=INK)
    figure.text(0.5, 0.1 / down, _describe_cases(comparison), size=7, ha="center", va="bottom", color=FAINT)
    save_png(figure, path, overwrite=overwrite)


def _draw_score(axes: Axes, scores: xr.DataArray, name: str, comparison: xr.Dataset, events: str) -> None:
    _style(axes)
    lead = np.asarray(comparison["lead_time"].values, float)
    others = 0
    for method in map(str, comparison["method"].values):
        style = {"color": BASELINE_COLOUR, "linestyle": "--", "marker": "x"}
        if method != "persistence":
            style = {"color": COLOURS[others % len(COLOURS)], "marker": MARKERS[others % len(MARKERS)]}
            others += 1
        values = np.asarray(scores.sel({"method": method}).values, float)
        axes.plot(lead, values, linewidth=1.3, markersize=3.2 if lead.size <= 12 else 2.2, label=method, **style)
    axes.set_title(name, fontsize=8, color=INK, loc="left", pad=4)
    axes.set_xlim(0, 1.03 * lead.max())
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 3, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    finite = scores.values[np.isfinite(scores.values)]
    if not finite.size:
        axes.set_yticks([])
        axes.text(0.5, 0.5, "undefined: no event", transform=axes.transAxes, fontsize=8, ha="center", color=FAINT)
    elif scores.name in ("rmse", "mae", "csi"):
        axes.set_ylim(0, 1.1 * finite.max() if finite.max() > 0 else 1)
    elif scores.name == "mean_error":
        reach = 1.15 * np.abs(finite).max() or 1.0
        axes.set_ylim(-reach, reach)
        axes.axhline(0, color=FAINT, linewidth=0.8)
    axes.set_title(events, fontsize=6.5, color=FAINT, loc="right", pad=4)


def _style(axes: Axes) -> None:
    """Light grid, no box, small ticks."""
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set(linewidth=0.7, color=FAINT)
    axes.tick_params(which="both", labelsize=7, width=0.6, length=2.5, pad=2, color=FAINT, labelcolor=INK)


def _collect(records: list[Mapping], key: str) -> tuple[np.ndarray, np.ndarray]:
    """Iterations and finite values of `key`, in order, the last record of an iteration."""
    found = {int(record["iteration"]): float(record[key]) for record in records if record.get(key) is not None}
    kept = sorted((iteration, value) for iteration, value in found.items() if math.isfinite(value))
    return np.array([iteration for iteration, _ in kept], int), np.array([value for _, value in kept], float)


def _running_mean(iterations: np.ndarray, losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centred means over a fiftieth of the run, only where the whole window lies inside it."""
    width = 2 * (losses.size // 100) + 1
    return iterations[width // 2 : losses.size - width // 2], np.convolve(losses, np.ones(width) / width, mode="valid")


def _name_score(name: str, units: str) -> str:
    return f"{TITLES[name]} ({units})" if units != "1" and name in ("rmse", "mae", "mean_error") else TITLES[name]


def _spell_range(counts: np.ndarray) -> str:
    low, high = int(counts.min()), int(counts.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _count_events(comparison: xr.Dataset, threshold: int) -> str:
    """How many observed events a lead time has, hits + misses, from the least to the most."""
    if not {"hits", "misses"} <= set(comparison.data_vars):
        return ""
    events = (comparison["hits"] + comparison["misses"]).isel(threshold=threshold).values
    return f"{_spell_range(events)} events"


def _describe_cases(comparison: xr.Dataset) -> str:
    if "cases" not in comparison:
        return ""
    counts = comparison["cases"].values
    text = f"{_spell_range(counts)} case{'' if counts.max() == 1 else 's'} per lead time"
    return f"{text}; events are observed pixels per lead time" if "hits" in comparison else text
