"""A strip of maps: the observation and each nowcast as a row, over lead time."""

import os
import pathlib
import textwrap
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from predjax.files import refuse_existing
from predjax.pictures.colours import choose_scale, probability_scale
from predjax.pictures.figures import new_figure, save_png
from predjax.pictures.panels import (
    MapLabels,
    bar_inches,
    check_frames,
    draw_colour_bar,
    draw_frame,
    find_grid,
    fit_panel,
    fit_size,
    head_columns,
    label_lead_times,
    mark_sides,
    place_axes,
    place_text,
    place_title,
)

DPI = 140
MOST_COLUMNS = 10
STRIP_INCHES = 10.0  # about the width of all maps of a row together
GAP = round(0.06 * DPI)  # between maps


class Layout(NamedTuple):
    """The places of all parts of a strip, in pixels from the upper left corner."""

    across: int
    high: int  # height and width of a map
    wide: int
    left: int  # of the first map
    tops: list[int]  # of each row
    names: list[str]  # of each row, wrapped
    name_middle: float
    bar_top: float


class Row(NamedTuple):
    """A row of the strip: its name, the frames (T, H, W) to draw and their heads ("" = none)."""

    name: str
    frames: np.ndarray
    heads: list[str]
    is_probability: bool = False


def draw_strip(
    path: str | os.PathLike,
    rows: Mapping[str, np.ndarray],
    labels: MapLabels,
    *,
    observed_input: np.ndarray | None = None,
    probabilities: Sequence[Row] = (),
    overwrite: bool = False,
) -> None:
    """Draw frames as a strip of maps (PNG): a row for each movie, a column for each lead time.

    Of more than ten lead times every second (third …) is drawn, the last always. One colour bar in physical units
    serves all maps of frames, another one from 0 to 1 all maps of probabilities. Where the coordinates have a unit of
    length, north is up and a map shows distances in km from its south-west corner, or with a ground its longitudes and
    latitudes. A column has the valid time below its lead time, where it is known. Without input labels, input frames
    are counted from the init time.

    Args:
      rows: frames (T, H, W) by name, such as "observed" and each nowcast, in `labels.units`; NaN = no coverage.
      observed_input: the frames (T_in, H, W) that the nowcasts were made from, drawn as a row above the others.
      probabilities: rows to draw below the others. A row with heads is drawn with them, whole; a row without heads has
        the lead times of the frames.

    Raises:
      ValueError: frames differ in shape, or labels in number.
      FileExistsError: `path` exists and `overwrite` is False.
    """
    refuse_existing(pathlib.Path(path), overwrite)  # before the work of drawing
    strip = _arrange_rows(rows, labels, observed_input)
    bars = [choose_scale(labels.units, [row.frames for row in strip])]
    strip += [_arrange_probability(row, labels) for row in probabilities]
    bars += [probability_scale()] if probabilities else []
    grid = find_grid(labels)
    missing = any(not np.isfinite(row.frames).all() for row in strip)
    layout = _lay_out(strip, grid.has_scale, bool(labels.title))
    bars_height = sum(bar_inches(scale, missing) for scale in bars) * DPI
    figure = new_figure(layout.across, layout.bar_top + bars_height, DPI)

    if labels.title:
        place_title(figure, 0.08 * DPI, labels.title)
    for row, name, top in zip(strip, layout.names, layout.tops):
        style = {"size": 8.5, "rotation": 90, "ha": "center", "va": "center", "linespacing": 1.1}
        place_text(figure, layout.name_middle, top + layout.high / 2, name, **style)
        for column, (frame, head) in enumerate(zip(row.frames, row.heads)):
            left = layout.left + column * (layout.wide + GAP)
            axes = place_axes(figure, left, top, layout.wide, layout.high)
            draw_frame(axes, frame, bars[row.is_probability], grid)
            if head:
                style = {"size": fit_size(head, layout.wide, DPI, 8), "ha": "center", "va": "bottom"}
                place_text(figure, left + layout.wide / 2, top - 0.04 * DPI, head, **style)
            if grid.has_scale and row is strip[-1] and column == 0:
                mark_sides(axes, grid)  # once is enough: all maps have one size
    top = layout.bar_top
    for scale in bars:
        draw_colour_bar(figure, scale, top, missing)
        top += bar_inches(scale, missing) * DPI
    save_png(figure, path, overwrite=overwrite)


def choose_columns(count: int, most: int = MOST_COLUMNS) -> list[int]:
    """Choose at most `most` evenly spaced positions of 0..count-1, the last always among them.

    >>> choose_columns(24)
    [2, 5, 8, 11, 14, 17, 20, 23]
    """
    stride = -(-count // most)
    return list(range((count - 1) % stride, count, stride))


def _arrange_rows(rows: Mapping[str, np.ndarray], labels: MapLabels, observed_input: np.ndarray | None) -> list[Row]:
    """Return the rows in their order, input first, with the chosen columns only."""
    if not rows:
        raise ValueError("a strip needs at least one row of frames, found none")
    shape = (len(labels.lead_labels), *np.asarray(next(iter(rows.values()))).shape[1:])
    strip = []
    if observed_input is not None:
        before = check_frames("input", observed_input, (-1, *shape[1:]))
        input_labels = head_columns(labels)[0] or label_lead_times(range(1 - len(before), 1), "1")
        if len(input_labels) != len(before):
            raise ValueError(f"{len(before)} input frames need as many labels, found {len(input_labels)}")
        chosen = choose_columns(len(before))
        strip.append(Row("input", before[chosen], [input_labels[index] for index in chosen]))
    chosen = choose_columns(len(labels.lead_labels))
    heads = [head_columns(labels)[1][index] for index in chosen]
    for number, (name, frames) in enumerate(rows.items()):
        frames = check_frames(name, frames, shape)
        strip.append(Row(name, frames[chosen], [""] * len(chosen) if number else heads))
    return strip


def _arrange_probability(row: Row, labels: MapLabels) -> Row:
    """Return a row of probabilities with the chosen columns only."""
    if any(row.heads):
        return row._replace(is_probability=True)
    chosen = choose_columns(len(labels.lead_labels))
    return Row(row.name, row.frames[chosen], [""] * len(chosen), True)


def _lay_out(strip: list[Row], distances: bool, title: bool) -> Layout:
    columns = max(len(row.frames) for row in strip)
    target = DPI * float(np.clip(STRIP_INCHES / columns, 1.05, 2.3))
    high, wide = fit_panel(strip[0].frames.shape[1], strip[0].frames.shape[2], target)
    pitch = max(high, round(0.55 * DPI)) + GAP  # low maps still leave room for their row's name
    names = [_wrap_name(row.name, pitch) for row in strip]

    name_width = (0.14 * max(name.count("\n") + 1 for name in names) + 0.1) * DPI
    ticks_width = (0.34 if distances else 0.04) * DPI
    maps_width = columns * (wide + GAP) - GAP
    content = name_width + ticks_width + maps_width + 0.15 * DPI
    across = round(max(content, 3.5 * DPI))
    left = round((across - content) / 2 + name_width + ticks_width)

    head_height = round(0.15 * DPI * (max(head.count("\n") for row in strip for head in row.heads) + 1) + 0.05 * DPI)
    top = round((0.3 if title else 0.08) * DPI)
    tops = []
    for row in strip:
        top += head_height if any(row.heads) else 0
        tops.append(top)
        top += pitch
    bar_top = top + (0.26 if distances else 0.0) * DPI
    return Layout(across, high, wide, left, tops, names, left - ticks_width - name_width / 2, bar_top)


def _wrap_name(name: str, pixels: float) -> str:
    """Break a name into lines that fit the height of its row, after blanks, hyphens and underscores."""
    fits = max(int(pixels * 72 / DPI / (0.62 * 8.5)), 4)
    return "\n".join(textwrap.wrap(name.replace("_", "_ "), fits)).replace("_ ", "_") if len(name) > fits else name
