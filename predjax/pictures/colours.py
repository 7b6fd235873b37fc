"""Colours of the maps: levels in physical units, and separate colours for dry and for no coverage."""

from collections.abc import Iterable
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.colors import BoundaryNorm, Colormap, LinearSegmentedColormap, ListedColormap, Normalize
from matplotlib.ticker import MaxNLocator

# Sky blue over violet to maroon in equal steps of CIELAB lightness, 92 to 16. Heavier rain is darker, so the order
# survives a grey print and each kind of colour blindness.
RAIN_ANCHORS = (
    *("#c3effd", "#91daff", "#6fc0ff", "#60a4ff", "#7883ec"),
    *("#925ccd", "#9e339c", "#950467", "#780038", "#580016"),
)
DRY = "#ffffff"
NO_COVERAGE = "#c9c9c9"

RAIN_RATE_LEVELS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)  # mm/h
REFLECTIVITY_LEVELS = tuple(float(level) for level in range(5, 65, 5))  # dBZ
PROBABILITY_LEVELS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
SEQUENTIAL_COLOURS = 128  # few enough for one palette of a GIF, too many to see a step


@dataclass(frozen=True)
class ColourScale:
    """The map from the values of frames to colours."""

    colours: Colormap  # the colour map; its `bad` colour is the shade of no coverage
    norm: Normalize  # the map from physical values to the colour map
    # The ticks of the colour bar; on a discrete scale a value has the colour of the highest level that it reaches.
    levels: tuple[float, ...]
    label: str  # the quantity and its unit, for the colour bar
    extend: str  # the open ends of the colour bar: "neither", "min", "max" or "both"
    dry_label: str  # the name of values under the first level; "" where the scale has no such class

    def paint(self, frame: np.ndarray) -> np.ndarray:
        """Return the 8-bit red, green, blue (..., 3) of each value of `frame` (...); NaN is the no-coverage shade."""
        return self.colours(self.norm(np.ma.masked_invalid(frame)), bytes=True)[..., :3]

    def palette(self) -> np.ndarray:
        """Return every colour that `paint` can return, as 8-bit (n, 3)."""
        missing_to_over = np.ma.masked_less(np.arange(-2, self.colours.N + 1), -1)  # -1 is under, N is over
        return np.unique(self.colours(missing_to_over, bytes=True)[:, :3], axis=0)


def choose_scale(units: str, frames: np.ndarray | Iterable[np.ndarray]) -> ColourScale:
    """Choose the colour scale for frames in `units` ("1" for none): an array of any shape, or several.

    Rain rates (mm/h) and reflectivity (dBZ) always get the same levels, so that pictures compare. Data without a unit
    in [0, 1] get a continuous scale from 0 to 1, other data a scale over their own range.
    """
    if units.lower() in ("mm/h", "mm h-1", "mm/hr", "mm hr-1"):
        return _rain_scale(RAIN_RATE_LEVELS, "rain rate", "mm/h")
    if units.lower() == "dbz":
        return _rain_scale(REFLECTIVITY_LEVELS, "reflectivity", "dBZ")
    low, high = _finite_range([frames] if isinstance(frames, np.ndarray) else frames)
    if units in ("1", "") and low >= -0.5 and high <= 1.5:  # a model may leave [0, 1] a little
        bottom, top = 0.0, 1.0
    else:
        bottom, top = (low, high) if high > low else (low - 0.5, high + 0.5)
    ticks = [float(tick) for tick in MaxNLocator(6).tick_values(bottom, top) if bottom <= tick <= top]
    ends = (low < bottom, high > top)
    return ColourScale(
        colours=matplotlib.colormaps["viridis"].resampled(SEQUENTIAL_COLOURS).with_extremes(bad=NO_COVERAGE),
        norm=Normalize(bottom, top),
        levels=tuple(ticks),
        label=f"value ({units})" if units not in ("1", "") else "value",
        extend={(False, False): "neither", (True, False): "min", (False, True): "max"}.get(ends, "both"),
        dry_label="",
    )


def probability_scale() -> ColourScale:
    """Return the scale of probabilities from 0 to 1, in greens, unlike rain; below 0.05 they are white."""
    count = len(PROBABILITY_LEVELS) - 1
    greens = matplotlib.colormaps["YlGn"](np.linspace(0.1, 1.0, count))
    return ColourScale(
        colours=ListedColormap(greens).with_extremes(bad=NO_COVERAGE, under=DRY, over=greens[-1]),
        norm=BoundaryNorm(PROBABILITY_LEVELS, count),
        levels=PROBABILITY_LEVELS,
        label="probability",
        extend="neither",
        dry_label=f"under {PROBABILITY_LEVELS[0]:g}",
    )


def rain_colours(count: int) -> list[tuple[float, float, float]]:
    """Return `count` colours from light rain to heavy, each darker than the last (red, green, blue in [0, 1])."""
    ramp = LinearSegmentedColormap.from_list("rain", RAIN_ANCHORS, N=1024)
    return [tuple(colour[:3]) for colour in ramp(np.linspace(0.0, 1.0, count)).tolist()]


def _rain_scale(levels: tuple[float, ...], quantity: str, units: str) -> ColourScale:
    *between, above = rain_colours(len(levels))
    return ColourScale(
        colours=ListedColormap(between).with_extremes(bad=NO_COVERAGE, under=DRY, over=above),
        norm=BoundaryNorm(levels, len(between)),
        levels=levels,
        label=f"{quantity} ({units})",
        extend="max",
        dry_label=f"dry (under {levels[0]:g} {units})",
    )


def _finite_range(arrays: Iterable[np.ndarray]) -> tuple[float, float]:
    """Return the least and the greatest finite value, or (0, 1) where there is none."""
    finite = [values[np.isfinite(values)] for values in map(np.asarray, arrays)]
    finite = [values for values in finite if values.size]
    if not finite:
        return 0.0, 1.0
    return float(min(values.min() for values in finite)), float(max(values.max() for values in finite))
