"""The lines under the rain of a map: coastlines, borders, meridians and parallels, and lines that a user gives.

Coastlines and borders are those of Natural Earth 4.1.0, 1:10m (public domain), thinned to about a kilometre by
`docs/build_coastlines.py`.
"""

import functools
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from predjax.radar.projection import find_crs, put_in_metres
from predjax.units import metre_factor

COASTLINES = pathlib.Path(__file__).with_name("coastlines.npz")
STEPS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 45.0)  # degrees between meridians, or parallels
MOST_LINES = 4  # about, of each kind
SAMPLES = 33  # places along each side of a frame, and along its diagonals, from which its limits are found
WIDE = 15.0  # degrees of latitude from which on lines are thin
SMALLEST = 0.01  # of the frame: an island that is smaller is no larger than a dot
MARGIN = 0.02  # of the frame; lines go on beyond its edge
STYLES: dict[str, dict[str, Any]] = {
    "coasts": {"colors": "#222222", "linewidths": 0.7},
    "borders": {"colors": "#222222", "linewidths": 0.6, "linestyles": (0, (3, 1.5))},
    "graticule": {"colors": "#666666", "linewidths": 0.35, "linestyles": (0, (1, 2))},
}
OUTLINES: dict[str, Any] = {"colors": "#c05a00", "linewidths": 1.0}  # far from the blues and reds of rain
CROSS = 0.015 * np.array([[-1.0, 0], [1, 0], [0, 0], [0, 1], [0, -1]])  # the mark of a point, in parts of the frame

Lines = Sequence[np.ndarray]  # each (n, 2): x and y in parts of the frame, from its south-west corner


class Ground(NamedTuple):
    """The lines to draw over a frame, and the degrees to write at its edges.

    Positions are fractions of the frame's sides: 0 at its south-west corner, 1 at the other end of the edge. A degree
    is a pair of its position on the edge and its text.
    """

    coasts: Lines
    borders: Lines
    graticule: Lines
    longitudes: Sequence[tuple[float, str]]  # along the southern edge
    latitudes: Sequence[tuple[float, str]]  # along the western edge
    weight: float = 1.0  # of the lines: thin ones on a continent, whose coasts would hide the rain


class Place(NamedTuple):
    """The map projection of a frame: functions from degrees to positions in the frame, and back."""

    to_parts: Callable[[np.ndarray, np.ndarray], np.ndarray]  # longitudes and latitudes (n): (n, 2)
    to_degrees: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]  # parts (n, 2): longitudes and latitudes (n)

    def lines(self, longitude: np.ndarray, latitude: np.ndarray, lengths: Sequence[int] | np.ndarray) -> Lines:
        """Return the pieces of lines that lie in the frame.

        `longitude` and `latitude` are in degrees and have the points of all lines, one line after another; `lengths`
        has the number of points of each line.
        """
        parts, ends = self.to_parts(longitude, latitude), np.cumsum(lengths)[:-1]
        low, high = np.minimum(parts[:-1], parts[1:]), np.maximum(parts[:-1], parts[1:])
        with np.errstate(invalid="ignore"):  # places beyond the edge of the projection are infinite
            inside = ((low < 1 + MARGIN) & (high > -MARGIN) & (high - low < 1)).all(axis=1)
        inside[ends - 1] = False  # from one line to the next
        edges = np.flatnonzero(np.diff(np.r_[False, inside, False]))
        return [parts[first : last + 1] for first, last in edges.reshape(-1, 2)]


def find_ground(frames: xr.Dataset) -> Ground | None:
    """Return the lines and degrees to draw over frames (y, x), or None.

    The frames need a grid mapping, or longitudes and latitudes. The result is None where they have neither, where their
    pole is rotated, where pyproj does not know the projection or is not installed, and where a frame reaches beyond the
    edge of its projection.
    """
    place = find_place(frames)
    if place is None:
        return None
    along = np.linspace(0, 1, SAMPLES)
    inner = np.stack(np.meshgrid(along, along), axis=-1).reshape(-1, 2)
    longitude, latitude = place.to_degrees(inner)
    if not (np.isfinite(longitude).all() and np.isfinite(latitude).all()):
        return None
    middle = float(longitude[len(longitude) // 2])
    longitude = _near(longitude, middle)
    limits = (longitude.min(), longitude.max()), (latitude.min(), latitude.max())
    coasts, borders = (
        [line for line in place.lines(*_near_lines(one, middle, limits)) if np.ptp(line, axis=0).max() > SMALLEST]
        for one in _read_coastlines()
    )
    graticule: list[np.ndarray] = []
    marks: list[list[tuple[float, str]]] = []
    for axis in (0, 1):
        marks.append([])
        for value in _choose_degrees(*limits[axis]):
            low, high = limits[1 - axis]
            other = np.linspace(low - MARGIN * (high - low), high + MARGIN * (high - low), 200)  # to meet the edges
            fixed = np.full_like(other, value)
            drawn = place.lines(*((fixed, other) if axis == 0 else (other, fixed)), [len(other)])
            graticule += drawn
            # A meridian meets the southern edge, where y is 0; a parallel meets the western edge, where x is 0.
            text = f"{abs((value + 180) % 360 - 180) if axis == 0 else abs(value):g}°{_name_half(value, axis)}"
            marks[axis] += [(where, text) for line in drawn for where in _cross(line[:, 1 - axis], line[:, axis])]
    weight = 1.0 if limits[1][1] - limits[1][0] < WIDE else 0.5
    return Ground(coasts, borders, graticule, marks[0], marks[1], weight)


def find_place(frames: xr.Dataset) -> Place | None:
    """Return the map projection of frames (y, x), or None in the cases that `find_ground` names."""
    if "x" not in frames.coords or "y" not in frames.coords or min(frames.sizes["x"], frames.sizes["y"]) < 2:
        return None
    units = str(frames["x"].attrs.get("units", "1"))
    factor, degrees = metre_factor(units), units.startswith("degrees")
    if factor is None and not degrees:
        return None
    mapping = next((one.attrs.get("grid_mapping") for one in frames.data_vars.values()), None)
    attrs = frames[mapping].attrs if mapping in frames.variables else {}
    if degrees and attrs.get("grid_mapping_name") == "rotated_latitude_longitude":
        return None
    to_map = to_degrees = _same
    scale = 1.0
    if not degrees:
        crs = find_crs(put_in_metres(attrs, factor or 1.0)) if attrs else None
        if crs is None or not crs.is_projected:
            return None
        import pyproj

        to_map = pyproj.Transformer.from_crs(crs.geodetic_crs, crs, always_xy=True).transform
        to_degrees = pyproj.Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True).transform
        scale = (factor or 1.0) / (crs.axis_info[0].unit_conversion_factor or 1.0)
    corner, size = (edge * scale for edge in _find_edges(frames))

    def to_parts(longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
        return (np.stack(to_map(longitude, latitude), axis=-1) - corner) / size

    return Place(to_parts, lambda parts: to_degrees(*(corner + size * parts).T))


def place_outlines(frames: xr.Dataset, outlines: Sequence[np.ndarray]) -> Lines:
    """Return outlines (n, 2), x and y in the coordinates of frames, in parts of the frame; a point becomes a cross."""
    if not outlines:
        return ()
    corner, size = _find_edges(frames)
    parts = [(outline - corner) / size for outline in outlines]
    return [one if len(one) > 1 else one + CROSS for one in parts]


def draw_ground(axes: Axes, ground: Ground) -> None:
    """Draw the lines of the ground over the frame that fills the axes."""
    for name, style in STYLES.items():
        draw_lines(axes, getattr(ground, name), **style | {"linewidths": style["linewidths"] * ground.weight})


def draw_lines(axes: Axes, lines: Lines, **style: Any) -> None:
    """Draw lines, given in fractions of the frame, over the frame that fills the axes.

    `style` is that of a LineCollection.
    """
    if len(lines):
        axes.add_collection(LineCollection(list(lines), transform=axes.transAxes, **style), autolim=False)


def mark_degrees(axes: Axes, ground: Ground) -> None:
    """Write longitudes along the southern edge of axes and latitudes along the western edge, at most two an inch."""
    across = axes.xaxis, axes.get_xlim(), axes.bbox.width, ground.longitudes
    upwards = axes.yaxis, axes.get_ylim(), axes.bbox.height, ground.latitudes
    for axis, (first, last), pixels, marks in (across, upwards):
        most = max(round(2 * pixels / axes.figure.dpi), 1)
        shown = marks[:: -(-len(marks) // most) or 1]
        axis.set_ticks([first + (last - first) * where for where, _ in shown], [text for _, text in shown])


def _find_edges(frames: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return the south-west corner (2) of frames of at least 2 x 2 pixels, and their size (2), both along x and y."""
    values = [frames[axis].values.astype(float) for axis in ("x", "y")]
    pixel = np.array([abs(one[-1] - one[0]) / (one.size - 1) for one in values])
    return np.array([one.min() for one in values]) - pixel / 2, pixel * [one.size for one in values]


def _same(longitude: np.ndarray, latitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return longitude, latitude


def _near(longitude: np.ndarray, middle: float) -> np.ndarray:
    """Return longitudes shifted by multiples of 360 degrees to within 180 degrees of the middle."""
    return (longitude - middle + 180) % 360 - 180 + middle


@functools.cache
def _read_coastlines() -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...]:
    """Return the coasts, then the borders: longitudes and latitudes of all points, and each line's number of points."""
    with np.load(COASTLINES) as file:
        lengths, borders = file["lengths"].astype(int), file["borders"]
        starts, found = np.cumsum(lengths) - lengths, []
        for name in ("longitude", "latitude"):
            total = np.cumsum(file[name].astype(np.int64))  # of all lines, each of which begins at its own place
            before = np.where(starts > 0, total[starts - 1], 0)
            found.append((total - np.repeat(before, lengths)) * file["grain"])
    chosen = [np.repeat(borders == kind, lengths) for kind in (False, True)]
    return tuple((found[0][one], found[1][one], lengths[borders == kind]) for kind, one in enumerate(chosen))


def _near_lines(
    lines: tuple[np.ndarray, np.ndarray, np.ndarray], middle: float, limits: tuple[tuple[float, float], ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the parts of lines that are within the limits in longitude and latitude, and a little beyond."""
    longitude, latitude, lengths = _near(lines[0], middle), lines[1], lines[2]
    near = np.ones(longitude.size, bool)
    for values, (low, high) in zip((longitude, latitude), limits):
        margin = 0.1 * (high - low) + 0.1
        near &= (values > low - margin) & (values < high + margin)
    numbers = np.flatnonzero(near)
    # A line ends where its next point is not near, or is of another line.
    line = np.repeat(np.arange(lengths.size), lengths)[numbers]
    breaks = np.flatnonzero((np.diff(numbers) > 1) | (np.diff(line) > 0)) + 1
    return longitude[numbers], latitude[numbers], np.diff(np.r_[0, breaks, numbers.size])


def _choose_degrees(low: float, high: float) -> np.ndarray:
    """Return about four round numbers of degrees between two limits."""
    step = next((step for step in STEPS if (high - low) / step <= MOST_LINES), STEPS[-1])
    return np.round(np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step, 6)


def _name_half(value: float, axis: int) -> str:
    """Return the letter E, W, N or S for a degree; "" on the equator and on the meridians 0 and 180."""
    value = (value + 180) % 360 - 180 if axis == 0 else value
    return "" if value in (0, -180) else ("EW", "NS")[axis][int(value < 0)]


def _cross(height: np.ndarray, along: np.ndarray) -> Iterator[float]:
    """Return the places where a line crosses an edge, as fractions of the edge.

    `height` is the distance of the points of the line from the edge, `along` their position along it.
    """
    for number in np.flatnonzero((height[:-1] < 0) != (height[1:] < 0)):
        share = height[number] / (height[number] - height[number + 1])
        where = float(along[number] + share * (along[number + 1] - along[number]))
        if 0 <= where <= 1:
            yield where
