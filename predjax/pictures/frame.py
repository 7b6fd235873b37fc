"""A map of one frame, with coastlines, and with its own coordinates along the axes."""

import os
import pathlib
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.ticker import MaxNLocator

from predjax.files import refuse_existing
from predjax.pictures.colours import choose_scale
from predjax.pictures.figures import new_figure, save_png
from predjax.pictures.ground import draw_ground, find_ground
from predjax.pictures.panels import (
    FAINT,
    INK,
    bar_inches,
    describe_grid,
    draw_colour_bar,
    draw_frame,
    fit_panel,
    place_axes,
    place_title,
)
from predjax.units import metre_factor

DPI = 140
MAP_INCHES = 5.0
LEFT, TOP, BOTTOM = 0.75, 0.35, 0.45  # inches around the map, for its numbers and the title


def draw_map(path: str | os.PathLike, frame: xr.DataArray, title: str, *, overwrite: bool = False) -> None:
    """Draw a frame `(y, x)` with its coordinates (PNG): north is up where they have a unit, else row 0 is.

    Coordinates in m are shown in km; rows and columns are numbered where there are no coordinates with a unit. Coasts
    and borders are drawn where the frame has a projection or is of longitudes and latitudes.

    Errors: FileExistsError, `path` exists and `overwrite` is False.
    """
    refuse_existing(pathlib.Path(path), overwrite)
    values = np.asarray(frame.values)
    units = frame["x"].attrs.get("units", "1")
    grid = describe_grid(frame["x"].values, frame["y"].values, units)
    scale, missing = choose_scale(frame.attrs.get("units", "1"), values), not np.isfinite(values).all()
    high, wide = fit_panel(values.shape[0], values.shape[1], MAP_INCHES * DPI)
    left, top, bottom = (inches * DPI for inches in (LEFT, TOP, BOTTOM))
    figure = new_figure(left + wide + 0.25 * DPI, top + high + bottom + bar_inches(scale, missing) * DPI, DPI)
    place_title(figure, 0.08 * DPI, title)
    axes = place_axes(figure, left, top, wide, high)
    image = draw_frame(axes, values, scale, grid._replace(km=None))

    factor = metre_factor(units)
    ends = {name: _find_edges(frame[name].values, factor) for name in ("x", "y")}
    west, east = sorted(ends["x"])
    below, above = sorted(ends["y"], reverse=units == "1")  # rows are counted from the top
    image.set_extent((west, east, below, above))
    if ground := find_ground(frame.to_dataset(name="frame")):
        draw_ground(axes, ground._replace(graticule=()))
    names = {"1": ("column", "row")}.get(units, tuple(f"{one} ({'km' if factor else units})" for one in "xy"))
    style: dict[str, Any] = {"fontsize": 7.5, "color": INK}
    axes.set_xlabel(names[0], **style)
    axes.set_ylabel(names[1], **style)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    axes.tick_params(labelsize=7, length=3, width=0.6, color=FAINT, labelcolor=INK)
    draw_colour_bar(figure, scale, top + high + bottom, missing)
    save_png(figure, path, overwrite=overwrite)


def _find_edges(centres: np.ndarray, factor: float | None) -> tuple[float, float]:
    """Return the outer edges of the first and the last pixel, in km where the unit is a length."""
    scaled = np.asarray(centres, float) * (factor / 1000 if factor else 1.0)
    half = (scaled[-1] - scaled[0]) / (2 * (scaled.size - 1)) if scaled.size > 1 else 0.5
    return float(scaled[0] - half), float(scaled[-1] + half)
