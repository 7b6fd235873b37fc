"""A response against what drives it, such as stress against strain: a panel a component, each method a line."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from predjax.pictures.figures import new_figure, save_png
from predjax.pictures.lead_times import style_axes, style_methods
from predjax.pictures.panels import FAINT, INK, fit_size

DPI = 130
MOST_PANELS = 4
PANEL, GAP, LEFT, HEAD, FOOT = 2.3, 0.62, 0.68, 0.62, 0.52  # inches


def draw_responses(path: str | os.PathLike, forcings, rows: Mapping, *, overwrite: bool = False, **shown) -> None:
    """Draws a case to a PNG; the arguments are those of `plot_responses`.

    Raises:
      FileExistsError: `path` exists and `overwrite` is not set.
    """
    save_png(plot_responses(forcings, rows, **shown), path, overwrite=overwrite)


def plot_responses(
    forcings: np.ndarray,
    rows: Mapping[str, np.ndarray],
    *,
    forcing_names: Sequence[str],
    features: Sequence[str],
    units: str = "1",
    title: str = "",
) -> Figure:
    """Loops of each feature over the forcing of the same number, at most four of them.

    Args:
      forcings: `(T, F)`.
      rows: `(T, F)` by name; "observed" is what happened, the others are methods.
      forcing_names: of the F forcings.
      features: names of the F features.
      units: of the features.
      title: a line above the panels.
    """
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
        axes.set_xlabel(forcing_names[number], fontsize=8, color=INK, labelpad=2, parse_math=False)
        axes.set_title(features[number], fontsize=8, color=INK, pad=3, parse_math=False)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.yaxis.set_major_locator(MaxNLocator(5))
    left = len(features) - panels
    notes = [f"values in {units}"] * (units != "1") + ["the dot is the end"]
    notes += [f"{left} more features not shown"] * (left > 0)
    figure.text(1 - 0.1 / width, 0.06 / height, "; ".join(notes), size=7, ha="right", va="bottom", color=FAINT)
    legend = figure.legend(
        *figure.axes[0].get_legend_handles_labels(), loc="upper center", bbox_to_anchor=(0.5, 1 - 0.2 / height),
        ncols=6, frameon=False, fontsize=8, labelcolor=INK,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)  # names of files may have a $
    size = fit_size(title, (width - 0.4) * DPI, DPI, 10)
    place: dict[str, Any] = {"ha": "center", "va": "top", "color": INK, "weight": "bold"}
    figure.text(0.5, 1 - 0.05 / height, title, size=size, parse_math=False, **place)
    return figure
