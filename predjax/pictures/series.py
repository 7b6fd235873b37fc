"""Nowcasts of a vector series: what was observed and what each method forecast, a panel a feature."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from predjax.pictures.figures import encode_png, new_figure, save_png
from predjax.pictures.lead_times import style_axes, style_methods
from predjax.pictures.panels import FAINT, INK, fit_size

DPI = 130
MOST_PANELS = 8
MOST_OBSERVED = 2  # observed steps before the init time that are shown, as a multiple of the forecast ones


def draw_series(path: str | os.PathLike, observed, rows: Mapping, *, overwrite: bool = False, **shown) -> None:
    """Draws a case to a PNG; the arguments are those of `plot_series`.

    Raises:
      FileExistsError: `path` exists and `overwrite` is not set.
    """
    save_png(plot_series(observed, rows, **shown), path, overwrite=overwrite)


def encode_series(observed, rows: Mapping, **shown) -> bytes:
    """The same picture as the bytes of a PNG."""
    return encode_png(plot_series(observed, rows, **shown))


def plot_series(
    observed: np.ndarray,
    rows: Mapping[str, np.ndarray],
    *,
    features: Sequence[str],
    lead_times: Sequence[float],
    lead_units: str = "1",
    units: str = "1",
    title: str = "",
) -> Figure:
    """Lines over lead time, at most eight features.

    Args:
      observed: `(T_in, F)`, up to the init time; `(0, F)` where everything follows from forcings.
      rows: `(T, F)` by name; "observed" is what happened, the others are methods.
      features: their F names.
      lead_times: of the T frames, in `lead_units`.
      units: of the values.
      title: a line above the panels.
    """
    leads = np.asarray(lead_times, float)
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
        axes.set_ylabel(features[number], fontsize=8, color=INK, parse_math=False)
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        if number < panels - 1:
            axes.tick_params(labelbottom=False)
    unit = {"1": "frames", "minutes": "min", "seconds": "s"}.get(lead_units, lead_units)
    along = "lead time ({}); the forecasts begin at 0" if len(observed) else "time ({})"
    axes.set_xlabel(along.format(unit), fontsize=7.5, color=INK, labelpad=2)
    left = len(features) - panels
    notes = [f"values in {units}"] * (units != "1") + [f"{left} more features not shown"] * (left > 0)
    figure.text(6.82 / 7, 0.08 / height, "; ".join(notes), size=7, ha="right", va="bottom", color=FAINT)
    legend = figure.legend(
        *figure.axes[0].get_legend_handles_labels(), loc="upper center", bbox_to_anchor=(0.5, 1 - 0.24 / height),
        ncols=6, frameon=False, fontsize=8, labelcolor=INK,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)  # names of files may have a $
    size = fit_size(title, 6.6 * DPI, DPI, 10)
    place: dict[str, Any] = {"ha": "center", "va": "top", "color": INK, "weight": "bold"}
    figure.text(0.5, 1 - 0.06 / height, title, size=size, parse_math=False, **place)
    return figure
