"""The parts that pictures share: labels of maps, panels of whole pixels, kilometre axes, the colour bar, titles."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Patch
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator
from PIL import Image

from predjax.pictures.colours import NO_COVERAGE, ColourScale
from predjax.pictures.ground import (
    OUTLINES,
    Ground,
    Lines,
    draw_ground,
    draw_lines,
    find_ground,
    mark_degrees,
    place_outlines,
)
from predjax.units import metre_factor

INK = "#222222"
FAINT = "#666666"


@dataclass(frozen=True)
class MapLabels:
    """The texts and the grid of strips and animations."""

    units: str  # the unit of the values, such as "mm/h", "dBZ" or "1"
    lead_labels: Sequence[str]  # the lead time of each of the T frames, such as "+5 min"
    input_labels: Sequence[str] = ()  # the time of each of the T_in input frames, such as "−10 min"
    valid_labels: Sequence[str] = ()  # the valid times of all frames, such as "2010-08-26 05:05 UTC"
    title: str = ""  # a line above the maps
    x: np.ndarray | None = None  # pixel centres (W) in `xy_units`
    y: np.ndarray | None = None  # pixel centres (H)
    xy_units: str = ""  # the unit of `x` and `y` ("m", "km"); "" or "1" for pixel numbers
    ground: Ground | None = None  # coastlines and degrees, where the projection is known
    outlines: Lines = ()  # of catchments, in parts of the frame


class MapGrid(NamedTuple):
    """The size of a frame in km where known, the flips that put north up and east right, and the lines to draw."""

    km: tuple[float, float] | None  # east-west, south-north, outer edges of the pixels
    flip_rows: bool
    flip_columns: bool
    ground: Ground | None = None
    outlines: Lines = ()

    @property
    def has_scale(self) -> bool:
        """Whether its sides can be marked, by degrees or km."""
        return bool(self.ground or self.km)


def label_forecast(
    forecast: xr.Dataset, units: str, input_length: int, outlines: Sequence[np.ndarray] = ()
) -> MapLabels:
    """Return the labels of a forecast in `units` that was made from `input_length` frames, one a lead time apart.

    `outlines` are lines (n, 2) to draw, or points (1, 2): x and y in the coordinates of the forecast.
    """
    leads, lead_units = forecast["lead_time"].values.tolist(), forecast["lead_time"].attrs["units"]
    init, valid = forecast["init_time"].values, forecast["valid_time"].values
    is_time = np.issubdtype(init.dtype, np.datetime64)
    times = [*(init + (valid[0] - init) * np.arange(1 - input_length, 1)), *valid]
    return MapLabels(
        units=units,
        lead_labels=label_lead_times(leads, lead_units),
        input_labels=label_lead_times([number * leads[0] for number in range(1 - input_length, 1)], lead_units),
        valid_labels=[f"{np.datetime_as_string(time, 'm').replace('T', ' ')} UTC" for time in times] if is_time else [],
        title=str(forecast.attrs.get("title", "")),
        x=forecast["x"].values,
        y=forecast["y"].values,
        xy_units=forecast["x"].attrs.get("units", "1"),
        ground=find_ground(forecast),
        outlines=place_outlines(forecast, outlines),
    )


def find_grid(labels: MapLabels) -> MapGrid:
    """Return the grid of the maps that have these labels."""
    return describe_grid(labels.x, labels.y, labels.xy_units)._replace(ground=labels.ground, outlines=labels.outlines)


def describe_grid(x: np.ndarray | None, y: np.ndarray | None, units: str) -> MapGrid:
    """Return the grid of pixel centres x (W), y (H); without a unit, row 0 is on top and there are no distances."""
    if x is None or y is None or units in ("", "1"):
        return MapGrid(None, False, False)
    x, y = np.asarray(x, float), np.asarray(y, float)
    km, factor = None, metre_factor(units)
    if factor and x.size > 1 and y.size > 1:
        steps = [abs(axis[-1] - axis[0]) / (axis.size - 1) * (factor / 1000) for axis in (x, y)]
        km = (steps[0] * x.size, steps[1] * y.size)
    return MapGrid(km, flip_rows=bool(y[-1] > y[0]), flip_columns=bool(x[-1] < x[0]))


def label_lead_times(lead_times: Sequence[float], units: str = "minutes") -> list[str]:
    """Return the heads of columns, times from the init time: "+5 min", "−10 min"; "frame +2" where units are "1".

    >>> label_lead_times([-5, 0, 5])
    ['−5 min', '0 min', '+5 min']
    """
    numbers = [f"{lead:+g}".replace("-", "−") if lead else "0" for lead in lead_times]
    if units == "1":
        return [f"frame {number}" for number in numbers]
    unit = {"minutes": "min", "seconds": "s"}.get(units, units)
    return [f"{number} {unit}" for number in numbers]


def head_columns(labels: MapLabels) -> tuple[list[str], list[str]]:
    """Return the heads of the columns of input frames and of the others: lead times with the valid times below them.

    The date is written at the newest input frame, and wherever it changes.
    """
    count, names = len(labels.input_labels), [*labels.input_labels, *labels.lead_labels]
    if len(labels.valid_labels) == len(names) and count:
        date = labels.valid_labels[count - 1].partition(" ")[0]
        times = [
            time if number == count - 1 else time.removeprefix(f"{date} ")
            for number, time in enumerate(labels.valid_labels)
        ]
        names = [f"{name}\n{time}" for name, time in zip(names, times)]
    return names[:count], names[count:]


def check_frames(name: str, frames: np.ndarray, like: tuple[int, ...]) -> np.ndarray:
    """Return the frames as an array (T, H, W). Errors: ValueError, another shape than `like`, where -1 is any size."""
    frames = np.asarray(frames)
    fits = frames.ndim == 3 and all(want in (-1, have) for want, have in zip(like, frames.shape))
    if not fits or 0 in frames.shape:
        want = ", ".join(letter if size < 0 else str(size) for letter, size in zip("THW", like))
        raise ValueError(f"the frames of {name!r} must have the shape ({want}), found {frames.shape}")
    return frames


def fit_panel(height: int, width: int, target: float) -> tuple[int, int]:
    """Return the height and width in pixels of a panel about `target` wide and at most 1.6 times as high.

    Small frames are magnified by a whole number, so that all their pixels are equal.
    """
    factor = min(target / width, 1.6 * target / height)
    factor = max(round(factor), 1) if factor > 0.75 else factor
    return max(round(height * factor), 1), max(round(width * factor), 1)


def place_axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Add axes at a place in pixels from the upper left corner of the figure."""
    across, down = figure.bbox.width, figure.bbox.height
    rect = (left / across, 1 - (top + height) / down, width / across, height / down)
    return figure.add_axes(rect)


def place_text(figure: Figure, left: float, top: float, text: str, **style: Any) -> Text:
    """Add text at a place in pixels from the upper left corner of the figure."""
    return figure.text(left / figure.bbox.width, 1 - top / figure.bbox.height, text, **{"color": INK, **style})


def place_title(figure: Figure, top: float, title: str, margin: float = 0.3) -> None:
    """Write the title in the middle, `top` pixels below the edge, as large as fits but for `margin` inches."""
    size = fit_size(title, figure.bbox.width - margin * figure.dpi, figure.dpi, 10)
    place_text(figure, figure.bbox.width / 2, top, title, size=size, weight="bold", ha="center", va="top")


def fit_size(text: str, pixels: float, dpi: float, largest: float) -> float:
    """Return the largest font size (points), up to `largest`, at which each line of `text` fits in `pixels`."""
    longest = max((len(line) for line in text.split("\n")), default=0)
    return min(largest, pixels * 72 / dpi / (0.62 * max(longest, 1)))  # 0.62 em: a wide mean of DejaVu Sans


def draw_frame(axes: Axes, frame: np.ndarray, scale: ColourScale, grid: MapGrid) -> AxesImage:
    """Draw a frame (H, W) into axes, north up; NaN is the no-coverage shade."""
    high, wide = round(axes.bbox.height), round(axes.bbox.width)
    image = axes.imshow(
        paint_panel(frame, scale, grid, high, wide),
        extent=(0, grid.km[0], 0, grid.km[1]) if grid.km else None,
        aspect="auto",  # the axes have the frame's own proportions
        interpolation="nearest",
    )
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(linewidth=0.6, color=FAINT)
    if grid.ground:
        draw_ground(axes, grid.ground)
    draw_lines(axes, grid.outlines, **OUTLINES)
    return image


def paint_panel(frame: np.ndarray, scale: ColourScale, grid: MapGrid, high: int, wide: int) -> np.ndarray:
    """Return the colours of a frame as an image of at most `high` x `wide` pixels: north is row 0, west column 0."""
    frame = frame[::-1] if grid.flip_rows else frame
    frame = frame[:, ::-1] if grid.flip_columns else frame
    colours = scale.paint(frame)
    if wide >= frame.shape[1]:
        return colours
    # Averages of colours keep thin lines in sight; averages of values would be false for dB and gaps.
    return np.asarray(Image.fromarray(colours).resize((wide, high), Image.Resampling.BOX))


def mark_sides(axes: Axes, grid: MapGrid) -> None:
    """Mark longitudes and latitudes along the sides of a panel; without a projection, km from its south-west corner.

    There are about two marks an inch.
    """
    axes.tick_params(labelsize=6.5, length=2.5, width=0.6, pad=1.5, color=FAINT, labelcolor=FAINT)
    if grid.ground:
        mark_degrees(axes, grid.ground)
        return
    assert grid.km is not None, "only a grid with a scale has distances"
    sides = (axes.xaxis, axes.bbox.width, grid.km[0]), (axes.yaxis, axes.bbox.height, grid.km[1])
    for axis, pixels, length in sides:
        most = max(round(2 * pixels / axes.figure.dpi), 1)
        ticks = MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]).tick_values(0, length)
        axis.set_ticks([tick for tick in ticks if 0 <= tick <= length])
    axes.set_xlabel("km", fontsize=6.5, labelpad=1, color=FAINT)


def bar_inches(scale: ColourScale, missing: bool) -> float:
    """Return the height of the colour bar with its ticks, label and legend."""
    return 0.82 if scale.dry_label or missing else 0.62


def draw_colour_bar(figure: Figure, scale: ColourScale, top: float, missing: bool) -> None:
    """Draw the colour bar with its legend across the figure, from `top` (pixels) down; it takes `bar_inches`."""
    inch = figure.dpi
    width = min(4.6 * inch, figure.bbox.width - 0.5 * inch)
    left = (figure.bbox.width - width) / 2
    axes = place_axes(figure, left, top + 0.1 * inch, width, 0.13 * inch)
    bar = figure.colorbar(
        ScalarMappable(scale.norm, scale.colours),
        cax=axes,
        orientation="horizontal",
        extend=scale.extend,
        extendfrac=0.06,
        spacing="uniform",
        ticks=scale.levels,
        format="%g",
    )
    bar.outline.set(linewidth=0.6, edgecolor=FAINT)
    axes.tick_params(labelsize=7, length=2.5, width=0.6, pad=1.5, color=FAINT, labelcolor=INK)
    axes.minorticks_off()
    middle = figure.bbox.width / 2
    place_text(figure, middle, top + 0.41 * inch, scale.label, size=7.5, ha="center", va="top")
    entries: list[tuple[Any, str]] = [(scale.colours.get_under(), scale.dry_label)] if scale.dry_label else []
    entries += [(NO_COVERAGE, "no coverage")] if missing else []
    if entries:
        figure.legend(
            handles=[Patch(facecolor=colour, edgecolor=FAINT, linewidth=0.6, label=text) for colour, text in entries],
            loc="upper center",
            bbox_to_anchor=(0.5, 1 - (top + 0.53 * inch) / figure.bbox.height),
            ncols=len(entries),
            frameon=False,
            fontsize=7,
            labelcolor=INK,
            handlelength=1.4,
            borderaxespad=0.3,
        )
