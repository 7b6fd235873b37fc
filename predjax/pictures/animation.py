"""An animated GIF: the input frames, then the observed frames beside the nowcasts."""

import os
import pathlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.text import Text
from PIL import Image

from predjax.files import appearing, refuse_existing
from predjax.pictures.colours import ColourScale, choose_scale
from predjax.pictures.figures import new_figure
from predjax.pictures.panels import (
    FAINT,
    INK,
    MapGrid,
    MapLabels,
    bar_inches,
    check_frames,
    draw_colour_bar,
    draw_frame,
    find_grid,
    fit_panel,
    fit_size,
    mark_sides,
    paint_panel,
    place_axes,
    place_text,
)

DPI = 100
MOST_COLUMNS = 4
INPUT_COLOUR = "#5a6b7b"
FORECAST_COLOUR = "#c05a00"  # far from the blues and reds of rain


class Phase(NamedTuple):
    """The parts of the picture that change from frame to frame, and the size of a panel."""

    figure: Figure
    header: Text
    valid: Text
    names: list[str]
    texts: list[Text]
    images: list[AxesImage]
    axes: list[Axes]
    timeline: Axes
    size: tuple[int, int]  # height and width of a panel


def write_gif(
    path: str | os.PathLike,
    observed_input: np.ndarray,
    rows: Mapping[str, np.ndarray],
    labels: MapLabels,
    *,
    seconds: tuple[float, float] = (0.4, 2.0),
    overwrite: bool = False,
) -> None:
    """Write a looping GIF of the input, then of every row side by side, with a colour bar in physical units.

    The header, the borders of the frames and a time line tell the phases apart: "input −5 min", when every panel shows
    the observation, and "forecast +25 min".

    Args:
      observed_input: the frames (T_in, H, W) that the nowcasts were made from, in `labels.units`; NaN = no coverage.
      rows: frames (T, H, W) by name, such as "observed" and each nowcast.
      seconds: how long a frame is shown, and how long the last frame.

    Errors: ValueError, frames differ in shape, or labels in number; FileExistsError, without `overwrite`.
    """
    refuse_existing(pathlib.Path(path), overwrite)  # before the work of drawing
    if not rows:
        raise ValueError("an animation needs at least one row of frames, found none")
    input_length = len(labels.input_labels)
    observed_input = check_frames("input", observed_input, (input_length, -1, -1))
    shape = (len(labels.lead_labels), *observed_input.shape[1:])
    movies = {
        name: np.concatenate([observed_input, check_frames(name, frames, shape)]) for name, frames in rows.items()
    }
    times = [f"input {time}" for time in labels.input_labels] + [f"forecast {time}" for time in labels.lead_labels]
    valid_times = labels.valid_labels or [""] * len(times)
    if len(valid_times) != len(times):
        raise ValueError(f"{len(times)} frames need as many valid times, found {len(valid_times)}")

    grid = find_grid(labels)
    scale = choose_scale(labels.units, list(movies.values()))
    phase = _lay_out(movies, scale, grid, labels.title, input_length)
    palette = _make_palette(scale)
    canvas, changing = phase.figure.canvas, [phase.header, phase.valid, phase.timeline, *phase.axes, *phase.texts]
    assert isinstance(canvas, FigureCanvasAgg), "which `new_figure` gives"
    for artist in changing:
        artist.set_animated(True)
    canvas.draw()  # the parts that stay
    background = canvas.copy_from_bbox(phase.figure.bbox)
    pictures = []
    for index, (time, valid) in enumerate(zip(times, valid_times)):
        painted = [paint_panel(frames[index], scale, grid, *phase.size) for frames in movies.values()]
        _show(phase, painted, index < input_length, time, valid, index)
        canvas.restore_region(background)
        for artist in changing:
            phase.figure.draw_artist(artist)
        pictures.append(_quantise(canvas, palette))
    durations = [round(1000 * seconds[0])] * (len(pictures) - 1) + [round(1000 * seconds[1])]
    with appearing(path, overwrite=overwrite) as partial:
        pictures[0].save(
            partial, format="GIF", save_all=True, append_images=pictures[1:], duration=durations, loop=0, optimize=False
        )


def _lay_out(
    movies: Mapping[str, np.ndarray], scale: ColourScale, grid: MapGrid, title: str, input_length: int
) -> Phase:
    """Draw the parts that stay, and return the parts that change."""
    first = next(iter(movies.values()))
    missing = any(not np.isfinite(frames).all() for frames in movies.values())
    lines = -(-len(movies) // MOST_COLUMNS)
    columns = -(-len(movies) // lines)
    high, wide = fit_panel(first.shape[1], first.shape[2], target=DPI * (4.0, 3.2, 2.7, 2.3)[columns - 1])
    gap, name_height = 0.12 * DPI, 0.24 * DPI
    margin = (0.4 if grid.has_scale else 0.15) * DPI
    maps_width = columns * (wide + gap) - gap
    across = max(margin + maps_width + 0.15 * DPI, 4.2 * DPI)
    left = round(margin + (across - margin - maps_width - 0.15 * DPI) / 2)
    header_top = (0.36 if title else 0.12) * DPI
    top = round(header_top + 0.44 * DPI)
    bar_top = top + lines * (name_height + high + gap) + (0.22 if grid.has_scale else 0.0) * DPI
    figure = new_figure(across, bar_top + bar_inches(scale, missing) * DPI, DPI)

    edge = 0.15 * DPI
    if title:
        size = fit_size(title, across - 2 * edge, DPI, 9)
        place_text(figure, edge, 0.1 * DPI, title, size=size, va="top")
    header = place_text(figure, edge, header_top, "", size=12, weight="bold", va="top")
    valid = place_text(figure, across - edge, header_top + 0.03 * DPI, "", size=9, va="top", ha="right")
    timeline = place_axes(figure, edge, header_top + 0.27 * DPI, across - 2 * edge, 0.07 * DPI)
    timeline.set(xlim=(0, len(first)), ylim=(0, 1))
    timeline.axis("off")
    for step in range(len(first)):
        colour = INPUT_COLOUR if step < input_length else FORECAST_COLOUR
        timeline.broken_barh([(step + 0.04, 0.92)], (0, 1), facecolor=colour)

    texts, images, axes = [], [], []
    for position, (name, frames) in enumerate(movies.items()):
        line, column = divmod(position, columns)
        panel_left = left + column * (wide + gap)
        panel_top = round(top + line * (name_height + high + gap) + name_height)
        panel = place_axes(figure, panel_left, panel_top, wide, high)
        axes.append(panel)
        images.append(draw_frame(panel, frames[0], scale, grid))
        middle, size = panel_left + wide / 2, fit_size(f"{name} (input)", wide, DPI, 9)
        texts.append(place_text(figure, middle, panel_top - 0.06 * DPI, name, size=size, ha="center"))
        if grid.has_scale and column == 0 and line == lines - 1:
            mark_sides(panel, grid)
    draw_colour_bar(figure, scale, bar_top, missing)
    return Phase(figure, header, valid, list(movies), texts, images, axes, timeline, (high, wide))


def _show(phase: Phase, painted: list[np.ndarray], is_input: bool, header: str, valid: str, index: int) -> None:
    """Set the parts that change to one frame of the movie."""
    colour = INPUT_COLOUR if is_input else FORECAST_COLOUR
    phase.header.set(text=header, color=colour)
    phase.valid.set_text(f"valid {valid}" if valid else "")
    for step, bar in enumerate(phase.timeline.collections):
        bar.set_alpha(1.0 if step == index else 0.25 if step > index else 0.6)
    for text, name, image, axes, colours in zip(phase.texts, phase.names, phase.images, phase.axes, painted):
        image.set_data(colours)
        text.set(text=f"{name} (input)" if is_input else name, color=FAINT if is_input else INK)
        for spine in axes.spines.values():
            spine.set(color=colour, linewidth=1.4)


def _make_palette(scale: ColourScale) -> Image.Image:
    """Return a paletted picture with the colours of the scale, greys for text, and the tints of both phases."""
    shades = np.linspace(0, 1, 16)[:, None]
    tints = [(1 - shades) * to_rgb(colour) + shades for colour in (INPUT_COLOUR, FORECAST_COLOUR, INK, FAINT)]
    extra = np.round(255 * np.concatenate([shades.repeat(3, axis=1), *tints])).astype(np.uint8)
    colours = np.concatenate([scale.palette(), extra])
    picture = Image.new("P", (1, 1))
    picture.putpalette(colours.tobytes())
    return picture


def _quantise(canvas: FigureCanvasAgg, palette: Image.Image) -> Image.Image:
    pixels = np.asarray(canvas.buffer_rgba())[..., :3]
    return Image.fromarray(np.ascontiguousarray(pixels)).quantize(palette=palette, dither=Image.Dither.NONE)
