"""Scores against lead time: the panels of a comparison, and a panel drawn with its intervals."""

import itertools
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from predjax.pictures.panels import FAINT, INK

# Okabe & Ito (2008) without yellow: distinct to all kinds of colour vision. Persistence is always grey.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P")
BASELINE_COLOUR = "#8a8a8a"
BAND_ALPHA = 0.16
TITLES = {
    "rmse": "RMSE",
    "mae": "MAE",
    "mean_error": "mean error",
    "ssim": "SSIM",
    "psnr": "PSNR (dB)",
    "mean_ratio": "mean, forecast / observed",
    "variance_ratio": "variance, forecast / observed",
    "q99_ratio": "99 % quantile, forecast / observed",
    "crps": "CRPS",
    "crps_area": "CRPS of means over 16 × 16 pixels",
    "areal_crps": "CRPS of totals on areas",
    "areal_bias": "forecast / observed totals on areas",
    "areal_brier": "Brier score of totals on areas",
    "brier": "Brier score",
    "roc_area": "ROC area",
    "spread_ratio": "spread / error of the ensemble",
}
WITH_UNIT = ("rmse", "mae", "mean_error", "crps", "crps_area", "areal_crps")
FROM_ZERO = ("rmse", "mae", "csi", "crps", "crps_area", "areal_crps", "areal_bias", "brier", "areal_brier")


class LeadPanel(NamedTuple):
    """One score of several methods against lead time."""

    title: str
    scores: xr.DataArray  # (method, lead_time), with the name of the score
    low: xr.DataArray | None = None  # the ends of its interval
    high: xr.DataArray | None = None
    note: str = ""  # what the score rests on
    level: xr.DataArray | None = None  # (lead_time), a line to compare the scores with


def style_methods(methods: Iterable[str]) -> dict[str, dict]:
    """Choose colour, marker and line of each method; persistence is grey, the others differ by colour and marker."""
    looks = itertools.cycle(zip(COLOURS, MARKERS))
    styles: dict[str, dict] = {}
    for method in methods:
        grey = method == "persistence"
        colour, marker = (BASELINE_COLOUR, "x") if grey else next(looks)
        styles[method] = {"color": colour, "linestyle": "--" if grey else "-", "marker": marker}
    return styles


def choose_panels(comparison: xr.Dataset) -> list[LeadPanel]:
    """Make a panel for each error score that the comparison has, then one for the CSI of each threshold."""
    panels = [
        make_panel(comparison, name, name_score(name, comparison.attrs.get("units", "1")))
        for name in ("rmse", "mae", "mean_error", "ssim", "psnr")
        if name in comparison and (name not in ("ssim", "psnr") or comparison[name].notnull().any())
    ]
    if "csi" in comparison:
        for number, threshold in enumerate(comparison["threshold"].values):
            note = _count_events(comparison, number)
            title = f"CSI, {name_event(comparison, threshold)}"
            panels.append(make_panel(comparison.isel(threshold=number), "csi", title, note))
    return panels


def make_panel(
    comparison: xr.Dataset, name: str, title: str, note: str = "", level: xr.DataArray | None = None
) -> LeadPanel:
    """Make the panel of a score over (method, lead_time), with its interval where the comparison has `<name>_low`."""
    low, high = (comparison.get(f"{name}_{end}") for end in ("low", "high"))
    return LeadPanel(title, comparison[name], low, high, note, level)


def find_ensembles(comparison: xr.Dataset) -> list[str]:
    """Return the methods that have more than one member."""
    if "members" not in comparison:
        return []
    return [str(m) for m, n in zip(comparison["method"].values, comparison["members"].values) if n > 1]


def name_score(name: str, units: str) -> str:
    """Return the score in words, with the unit of the data where the score has that unit."""
    return f"{TITLES[name]} ({units})" if units != "1" and name in WITH_UNIT else TITLES[name]


def name_event(comparison: xr.Dataset, threshold: float) -> str:
    """Return the event in short: "≥ 1 mm/h"."""
    units = comparison.attrs.get("units", "1")
    return f"≥ {threshold:g}" + ("" if units == "1" else f" {units}")


def name_lead_unit(comparison: xr.Dataset | xr.DataArray) -> str:
    """Return the unit of the lead times in short: "min", "s", "frames"."""
    unit = comparison["lead_time"].attrs.get("units", "1")
    return {"minutes": "min", "seconds": "s", "1": "frames"}.get(unit, unit)


def spell_range(counts: np.ndarray) -> str:
    """Spell the least and the greatest of some counts: "2,000 to 2,005", or one number."""
    low, high = int(counts.min()), int(counts.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def draw_lead_panel(axes: Axes, panel: LeadPanel, styles: Mapping[str, Mapping]) -> None:
    """Draw the curve of every method, with the interval as a band; a single lead time gets bars."""
    style_axes(axes)
    lead = np.asarray(panel.scores["lead_time"].values, float)
    for method in map(str, panel.scores["method"].values):
        style = styles[method]
        low, high = (_values_of(end, method) for end in (panel.low, panel.high))
        if low is not None and high is not None and np.isfinite(low).any():
            if lead.size > 1:
                axes.fill_between(lead, low, high, color=style["color"], alpha=BAND_ALPHA, linewidth=0)
            else:
                axes.vlines(lead, low, high, color=style["color"], linewidth=1.0)
        size = 3.2 if lead.size <= 12 else 2.2
        values = panel.scores.sel({"method": method}).values
        axes.plot(lead, values, linewidth=1.3, markersize=size, label=method, **style)
    if panel.level is not None:
        axes.plot(lead, panel.level.values, color=INK, linewidth=1.0, linestyle=":", label="level")
    axes.set_xlim(0, 1.03 * lead.max())
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 3, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    _limit_scores(axes, panel)


def style_axes(axes: Axes) -> None:
    """Give axes a light grid, small ticks and no box."""
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set(linewidth=0.7, color=FAINT)
    axes.tick_params(which="both", labelsize=7, width=0.6, length=2.5, pad=2, color=FAINT, labelcolor=INK)


def _limit_scores(axes: Axes, panel: LeadPanel) -> None:
    """Set the limits and guide lines of the score axis; a band may leave the panel, a curve may not."""
    name, scores = str(panel.scores.name), panel.scores.values
    finite = scores[np.isfinite(scores)]
    if not finite.size:
        axes.set_yticks([])
        text = "undefined: no event" if name in ("csi", "fss", "roc_area") else "undefined"
        axes.text(0.5, 0.5, text, transform=axes.transAxes, fontsize=8, ha="center", color=FAINT)
        return
    ends = np.concatenate([end.values.ravel() for end in (panel.low, panel.high) if end is not None] or [np.zeros(1)])
    reach, wide = np.abs(finite).max(), np.max(np.abs(ends), initial=0, where=np.isfinite(ends))
    reach = (1.1 * max(reach, min(wide, 1.5 * reach))) or 1.0
    if name in FROM_ZERO:
        axes.set_ylim(0, reach)
    elif name == "mean_error":
        axes.set_ylim(-reach, reach)
        axes.axhline(0, color=FAINT, linewidth=0.8)
    elif name.endswith("_ratio"):
        axes.set_ylim(0, max(1.2, reach))
        axes.axhline(1, color=FAINT, linewidth=0.8)
    elif name == "roc_area":
        axes.set_ylim(min(0.45, finite.min()), 1.02)
        axes.axhline(0.5, color=FAINT, linewidth=0.8)
    elif name in ("fss", "coverage"):
        axes.set_ylim(0, 104 if name == "coverage" else 1.04)


def _values_of(scores: xr.DataArray | None, method: str) -> np.ndarray | None:
    return None if scores is None else np.asarray(scores.sel({"method": method}).values, float)


def _count_events(comparison: xr.Dataset, threshold: int) -> str:
    """Spell the number of observed events (hits + misses) of a lead time, from the least to the most."""
    if not {"hits", "misses"} <= set(comparison.data_vars):
        return ""
    events = (comparison["hits"] + comparison["misses"]).isel(threshold=threshold).values
    return f"{spell_range(events)} events"
