"""A response against its forcing, such as stress against strain: a panel for each component."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from predjax.pictures.figures import new_figure
from predjax.pictures.lead_times import style_axes, style_methods
from predjax.pictures.panels import FAINT, INK, place_title
from predjax.pictures.series import SeriesLabels, draw_legend

DPI = 130
MOST_PANELS = 4
PANEL, GAP, LEFT, HEAD, FOOT = 2.3, 0.62, 0.68, 0.62, 0.52  # inches


def plot_responses(
    forcings: np.ndarray, rows: Mapping[str, np.ndarray], forcing_names: Sequence[str], labels: SeriesLabels
) -> Figure:
    """Draw each feature over the forcing of the same number as a loop, at most four of them.

    The forcings are `(T, F)`; the rows are `(T, F)` by name: "observed", and one for each method.
    """
    features, units = labels.features, labels.units
    panels = min(len(features), MOST_PANELS)
    styles = style_methods(name for name in rows if name != "observed")
    width, height = LEFT + panels * (PANEL + GAP), HEAD + PANEL + FOOT
    figure = new_figure(width * DPI, height * DPI, DPI)
    for number in range(panels):
        left = LEFT + number * (PANEL + GAP)
        axes = figure.add_axes((left / width, FOOT / height, PANEL / width, PANEL / height))
        style_axes(axes)
        axes.plot(forcings[:, number], rows["observed"][:, number], color=INK, linewidth=1.6, label="observed")
        for name, style in styles.items():
            line = {"color": style["color"], "linestyle": style["linestyle"], "linewidth": 1.2}
            axes.plot(forcings[:, number], rows[name][:, number], label=name, **line)
        axes.plot(forcings[-1, number], rows["observed"][-1, number], "o", color=INK, markersize=3)
        axes.set_xlabel(forcing_names[number], fontsize=8, color=INK, labelpad=2)
        axes.set_title(features[number], fontsize=8, color=INK, pad=3)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.yaxis.set_major_locator(MaxNLocator(5))
    left = len(features) - panels
    notes = [f"values in {units}"] * (units != "1") + ["the dot is the end"]
    notes += [f"{left} more features not shown"] * (left > 0)
    figure.text(1 - 0.1 / width, 0.06 / height, "; ".join(notes), size=7, ha="right", va="bottom", color=FAINT)
    inch = figure.bbox.height / height  # in pixels; the figure has a whole number of pixels
    draw_legend(figure, 0.2 * inch)
    place_title(figure, 0.05 * inch, labels.title, margin=0.4)
    return figure
