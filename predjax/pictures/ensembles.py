"""Pictures of the scores of ensembles: reliability diagrams, ROC curves and rank histograms."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from predjax.pictures.figures import new_figure
from predjax.pictures.lead_times import COLOURS, MARKERS, style_axes
from predjax.pictures.panels import FAINT, INK

LINES = ("-", "--", "-.", ":")  # of the lead times, with the colours and markers


def draw_reliability(
    ensemble: xr.Dataset, leads: Sequence[int], labels: Sequence[str], size: tuple[int, int], dpi: int
) -> Figure:
    """Draw the observed frequency against the forecast probability, and below it the share of each probability.

    Args:
      ensemble: observed_frequency and forecast_share over (lead_time, members_above), for one method and threshold.
      leads: positions of the lead times to draw.
      labels: the names of these lead times.
      size: width and height in pixels.
      dpi: pixels an inch.
    """
    figure = new_figure(size[0], size[1], dpi)
    upper, lower = figure.add_axes((0.125, 0.37, 0.845, 0.6)), figure.add_axes((0.125, 0.125, 0.845, 0.19))
    count = ensemble.sizes["members_above"] - 1
    probability = ensemble["members_above"].values / count
    upper.plot((0, 1), (0, 1), color=FAINT, linewidth=1.0, label="perfect")
    for number, (lead, label) in enumerate(zip(leads, labels)):
        style = {**_style_lead(number), "linewidth": 1.3, "markersize": 3.4, "label": label}
        now = ensemble.isel(lead_time=lead)
        upper.plot(probability, now["observed_frequency"].values, **style)
        share = now["forecast_share"].where(now["forecast_share"] > 0)
        lower.plot(probability, share.values, **style)
    for axes in (upper, lower):
        style_axes(axes)
        axes.set(xlim=(-0.02, 1.02), xticks=np.linspace(0, 1, 6))
    upper.set(ylim=(-0.02, 1.02), yticks=np.linspace(0, 1, 6))
    upper.tick_params(labelbottom=False)
    lower.set_yscale("log")
    lower.yaxis.set_major_locator(LogLocator(numticks=4))
    lower.yaxis.set_minor_formatter(NullFormatter())
    name_style: dict[str, Any] = {"fontsize": 7.5, "color": FAINT}
    upper.set_ylabel("observed frequency", **name_style)
    lower.set_ylabel("share", **name_style)
    lower.set_xlabel("forecast probability", **name_style, labelpad=1)
    figure.align_ylabels((upper, lower))
    upper.legend(loc="upper left", fontsize=7.5, frameon=False, labelcolor=INK)
    return figure


def draw_roc(
    ensemble: xr.Dataset, leads: Sequence[int], labels: Sequence[str], size: tuple[int, int], dpi: int
) -> Figure:
    """Draw ROC curves: detections against false detections, a point for each number of members that warns.

    Args:
      ensemble: roc_pod and roc_pofd over (lead_time, members_above) and roc_area (lead_time), for one method and
        threshold.
      leads, labels, size, dpi: as for `draw_reliability`.
    """
    figure = new_figure(size[0], size[1], dpi)
    axes = figure.add_axes((0.125, 0.125, 0.845, 0.845))
    style_axes(axes)
    axes.plot((0, 1), (0, 1), color=FAINT, linewidth=1.0, label="luck: area 0.5")
    for number, (lead, label) in enumerate(zip(leads, labels)):
        now = ensemble.isel(lead_time=lead)
        x, y = (np.append(now[name].values, 0.0) for name in ("roc_pofd", "roc_pod"))
        if not np.isfinite(x + y).all():
            continue
        style = {**_style_lead(number), "linewidth": 1.3, "markersize": 3.4}
        axes.plot(x, y, **style, label=f"{label}: area {now['roc_area'].item():.3f}")
    ticks = np.linspace(0, 1, 6)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xticks=ticks, yticks=ticks)
    name_style: dict[str, Any] = {"fontsize": 7.5, "color": FAINT}
    axes.set_xlabel("probability of false detection", **name_style, labelpad=1)
    axes.set_ylabel("probability of detection", **name_style)
    axes.legend(loc="lower right", fontsize=7.5, frameon=False, labelcolor=INK)
    return figure


def draw_ranks(
    ensemble: xr.Dataset, leads: Sequence[int], labels: Sequence[str], size: tuple[int, int], dpi: int
) -> Figure:
    """Draw the histogram of the rank of the observation among the members; of a reliable ensemble it is flat.

    Args:
      ensemble: rank_histogram over (lead_time, rank), for one method.
      leads, labels, size, dpi: as for `draw_reliability`.
    """
    figure = new_figure(size[0], size[1], dpi)
    axes = figure.add_axes((0.125, 0.135, 0.845, 0.835))
    style_axes(axes)
    ranks = ensemble["rank"].values
    flat = 1 / ranks.size
    axes.axhline(flat, color=FAINT, linewidth=1.0, label=f"flat: 1/{ranks.size}")
    top = 2 * flat
    for number, (lead, label) in enumerate(zip(leads, labels)):
        share = ensemble["rank_histogram"].isel(lead_time=lead).values
        if not np.isfinite(share).all():
            continue
        style = _style_lead(number)
        line = {"color": style["color"], "linestyle": style["linestyle"], "linewidth": 1.3}
        axes.stairs(share, np.arange(ranks.size + 1) - 0.5, baseline=None, **line)
        # The legend shows the line together with the marker of the steps.
        axes.plot(ranks, share, **{**style, "linestyle": "none"}, markersize=3.4)
        axes.plot([], [], **style, linewidth=1.3, markersize=3.4, label=label)
        top = max(top, 1.1 * share.max())
    axes.set(xlim=(-0.7, ranks.size - 0.3), ylim=(0, top))
    axes.set_xticks(ranks[:: -(-ranks.size // 12)])
    name_style: dict[str, Any] = {"fontsize": 7.5, "color": FAINT}
    axes.set_xlabel("rank of the observation among the members", **name_style, labelpad=1)
    axes.set_ylabel("share of the observations", **name_style)
    axes.legend(loc="upper center", ncols=2, fontsize=7.5, frameon=False, labelcolor=INK)
    return figure


def _style_lead(number: int) -> dict:
    colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
    return {"color": colour, "marker": marker, "linestyle": LINES[number % len(LINES)]}
