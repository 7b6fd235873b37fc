"""The rain on an area against lead time: totals and rates, with the members of an ensemble as a fan."""

import os
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from predjax.pictures.figures import new_figure, save_png
from predjax.pictures.lead_times import COLOURS, name_lead_unit, style_axes
from predjax.pictures.panels import FAINT, INK, place_title

DPI = 130
FANS = ((0.05, 0.95, 0.2), (0.25, 0.75, 0.35))  # levels of the quantiles of the members, and how dark they are


def draw_area(path: str | os.PathLike, rain: xr.Dataset, *, overwrite: bool = False) -> None:
    """Draw the accumulation and the rate of rain on one area against lead time (PNG).

    Args:
      rain: `accumulation` and `rain_rate` over (lead_time), and with an ensemble the members of both.

    Errors: FileExistsError, the file exists and `overwrite` is not set.
    """
    save_png(plot_area(rain), path, overwrite=overwrite)


def plot_area(rain: xr.Dataset) -> Figure:
    """Return the figure of `draw_area`."""
    figure = new_figure(6.4 * DPI, 4.2 * DPI, DPI)
    leads = rain["lead_time"].values.astype(float)
    panels: dict[str, Any] = {"accumulation": (0.1, 0.44, 0.87, 0.43), "rain_rate": (0.1, 0.11, 0.87, 0.25)}
    for key, box in panels.items():
        axes = figure.add_axes(box)
        style_axes(axes)
        start = np.zeros(1) if key == "accumulation" else np.zeros(0)
        _draw_fan(axes, rain, key, np.concatenate([0 * start, leads]), start)
        axes.set_xlim(0, leads[-1])
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=[1, 2, 3, 5, 10]))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.set_ylim(0, max(axes.get_ylim()[1], 0.1))
        unit = rain[key].attrs["units"]
        text = "rain since the init time" if key == "accumulation" else "mean rain rate"
        if rain[key].isnull().all():
            axes.text(0.5, 0.5, "too little of the area has data", size=8, ha="center", transform=axes.transAxes)
        axes.set_title(f"{text} ({unit})", fontsize=8, color=INK, loc="left", pad=4)
    figure.axes[0].tick_params(labelbottom=False)
    figure.axes[1].set_xlabel(f"lead time ({name_lead_unit(rain)})", fontsize=7.5, color=INK, labelpad=2)
    figure.axes[0].legend(loc="upper left", fontsize=7.5, frameon=False, labelcolor=INK)
    covered = 100 * rain["coverage"].values
    low, high = f"{covered.min():.0f}", f"{covered.max():.0f}"
    note = f"{low if low == high else f'{low} to {high}'} % of the area have data"
    figure.axes[0].set_title(note, fontsize=7, color=FAINT, loc="right", pad=4)
    init = str(rain["init_time"].values.astype("datetime64[m]")).replace("T", " ")
    place_title(figure, 0.1 * DPI, f"{rain['area'].item()}, forecast from {init} UTC")
    return figure


def _draw_fan(axes: Axes, rain: xr.Dataset, key: str, leads: np.ndarray, start: np.ndarray) -> None:
    """Draw a quantity: the median in the fan of the members, or the line of a single forecast."""
    if f"{key}_members" not in rain:
        values = np.concatenate([start, rain[key].values])
        axes.plot(leads, values, color=COLOURS[0], linewidth=1.5, marker="o", markersize=3, label="forecast")
        return
    members = rain[f"{key}_members"].transpose("realization", "lead_time").values
    members = np.concatenate([np.tile(start, (len(members), 1)), members], axis=1)
    for low, high, alpha in FANS:
        ends = np.quantile(members, (low, high), axis=0)
        label = f"{100 * low:g} to {100 * high:g} % of {len(members)} members"
        axes.fill_between(leads, *ends, color=COLOURS[0], alpha=alpha, linewidth=0, label=label)
    axes.plot(leads, np.median(members, axis=0), color=COLOURS[0], linewidth=1.5, label="median")
    mean = np.concatenate([start, rain[key].values])
    axes.plot(leads, mean, color=INK, linewidth=1.0, linestyle="--", label="mean")
