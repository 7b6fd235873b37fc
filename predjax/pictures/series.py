"""Nowcasts of a vector series: the observation and the forecast of each method, with a panel for each feature."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from predjax.pictures.figures import new_figure
from predjax.pictures.lead_times import style_axes, style_methods
from predjax.pictures.panels import FAINT, INK, place_title

DPI = 130
MOST_PANELS = 8
MOST_OBSERVED = 2  # observed steps before the init time that are drawn, for each forecast step


@dataclass(frozen=True)
class SeriesLabels:
    """The texts of the pictures of a vector series, and its lead times."""

    features: Sequence[str]  # the names of the F features
    lead_times: Sequence[float]  # the lead times of the T frames, in `lead_units`
    lead_units: str = "1"  # "minutes", "seconds" or "1" (frames)
    units: str = "1"  # the unit of the values
    title: str = ""  # a line above the panels


def plot_series(observed: np.ndarray, rows: Mapping[str, np.ndarray], labels: SeriesLabels) -> Figure:
    """Draw lines over lead time, a panel for each feature, at most eight.

    `observed` is `(T_in, F)`, up to the init time, or `(0, F)` where everything follows from forcings; the rows are
    `(T, F)` by name: "observed", and one for each method.
    """
    features, units = labels.features, labels.units
    leads = np.asarray(labels.lead_times, float)
    observed = observed[-MOST_OBSERVED * len(leads) :]
    past = leads[0] * np.arange(1 - len(observed), 1)
    panels = min(len(features), MOST_PANELS)
    styles = style_methods(name for name in rows if name != "observed")
    head, panel, foot = 0.62, 1.15, 0.5
    height = head + panel * panels + foot
    figure = new_figure(7.0 * DPI, height * DPI, DPI)
    for number in range(panels):
        bottom = height - head - panel * (number + 1) + 0.12
        axes = figure.add_axes((0.62 / 7, bottom / height, 6.2 / 7, (panel - 0.12) / height))
        style_axes(axes)
        truth = np.concatenate([observed[:, number], rows["observed"][:, number]])
        axes.plot(np.concatenate([past, leads]), truth, color=INK, linewidth=1.3, label="observed")
        for name, style in styles.items():
            line = {"color": style["color"], "linestyle": style["linestyle"], "linewidth": 1.2}
            start = np.concatenate([observed[-1:, number], rows[name][:, number]])
            axes.plot(np.concatenate([past[-1:], leads]), start, label=name, **line)
        if len(observed):
            axes.axvline(0, color=FAINT, linewidth=0.8)
        axes.set_xlim(*np.concatenate([past, leads])[[0, -1]])
        axes.set_ylabel(features[number], fontsize=8, color=INK)
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        if number < panels - 1:
            axes.tick_params(labelbottom=False)
    unit = {"1": "frames", "minutes": "min", "seconds": "s"}.get(labels.lead_units, labels.lead_units)
    along = "lead time ({}); the forecasts begin at 0" if len(observed) else "time ({})"
    axes.set_xlabel(along.format(unit), fontsize=7.5, color=INK, labelpad=2)
    left = len(features) - panels
    notes = [f"values in {units}"] * (units != "1") + [f"{left} more features not shown"] * (left > 0)
    figure.text(6.82 / 7, 0.08 / height, "; ".join(notes), size=7, ha="right", va="bottom", color=FAINT)
    draw_legend(figure, 0.24 * DPI)
    place_title(figure, 0.06 * DPI, labels.title, margin=0.4)
    return figure


def draw_legend(figure: Figure, top: float) -> None:
    """Draw the legend of the first axes' lines across the figure, `top` pixels below the edge."""
    handles, names = figure.axes[0].get_legend_handles_labels()
    style: dict[str, Any] = {"ncols": 6, "frameon": False, "fontsize": 8, "labelcolor": INK}
    place = (0.5, 1 - top / figure.bbox.height)
    figure.legend(handles, names, loc="upper center", bbox_to_anchor=place, **style)
