"""The place of areas on the pixels of a grid: the share of each pixel that lies in each area."""

import logging
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.sparse

from predjax.radar.areas.files import LONGITUDES, Areas
from predjax.radar.areas.shares import LEAST, find_shares, measure_ring, orient
from predjax.radar.grid import Grid
from predjax.radar.projection import project_places, put_in_metres
from predjax.units import metre_factor

LOG = logging.getLogger("predjax")
MOST_NAMED = 20  # areas in a message

Move = Callable[[np.ndarray], np.ndarray]  # places (N, 2) to places (N, 2)


class PlacedAreas(NamedTuple):
    """Areas on a grid.

    Attributes:
      names: the names of the areas.
      pixels: (pixel,), the pixels that any area touches, by their numbers in the flat frame.
      shares: (area, pixel), sparse: the part of each of these pixels that lies in the area; 1 for the pixel of a point.
      sizes: (area,), the whole area in pixels, including the parts outside the grid; 1 for a point.
      polygons: of each area, as in `files.Area`, in the coordinates of the grid.
    """

    names: list[str]
    pixels: np.ndarray
    shares: scipy.sparse.csr_array
    sizes: np.ndarray
    polygons: list[list[list[np.ndarray]]]

    @property
    def in_grid(self) -> np.ndarray:
        """The share (area,) of each area that lies in the grid."""
        return self.shares.sum(axis=1) / self.sizes


def place_areas(areas: Areas, grid: Grid) -> PlacedAreas:
    """Return areas on a grid, with the exact share of every pixel in every area. Log areas that lie (partly) outside.

    Areas in another projection than that of the grid are projected point by point, after each side was divided into
    pieces of at most one pixel. Shares are measured in the coordinates of the grid.

    Raises:
      ValueError: one line: all areas lie outside the grid, the grid has no projection and the areas need one, outlines
        cross, or pyproj is missing.
    """
    to_grid, to_pixels = _find_projection(areas, grid), _find_pixels(areas.path, grid)
    polygons, found, sizes = [], [], []
    for area in areas.areas:
        label = f"{areas.path}: {area.name}"
        coarse = [[_check_finite(label, to_grid(ring)) for ring in rings] for rings in area.polygons]
        polygons.append(_turn_longitudes(coarse, grid, areas.crs))
        if area.is_point:
            found.append(_find_pixel(to_pixels(polygons[-1][0][0])[0], grid.shape))
            sizes.append(1.0)
            continue
        fine = [[to_grid(_divide(ring, to_pixels(to_grid(ring)))) for ring in rings] for rings in area.polygons]
        fine = _turn_longitudes(fine, grid, areas.crs)
        rings = [orient(to_pixels(ring), hole=i > 0) for one in fine for i, ring in enumerate(one)]
        sizes.append(sum(measure_ring(ring) for ring in rings))
        try:
            found.append(find_shares(rings, grid.shape))
        except ValueError as error:
            raise ValueError(f"{label}: {error}") from None
        if sizes[-1] < LEAST:
            raise ValueError(f"{label}: an area must be larger than {LEAST:g} pixels, found {sizes[-1]:g}")
    touched, shares = (np.concatenate(parts) for parts in zip(*found))
    pixels, columns = np.unique(touched, return_inverse=True)
    ends = np.cumsum([0, *(len(one) for one, _ in found)])
    matrix = scipy.sparse.csr_array((shares, columns, ends), (len(found), len(pixels)))
    placed = PlacedAreas([area.name for area in areas.areas], pixels, matrix, np.array(sizes), polygons)
    _tell_outside(areas.path, placed, grid)
    return placed


def _find_projection(areas: Areas, grid: Grid) -> Move:
    """Return the function from the coordinates of the areas to those of the grid, in the unit of the grid."""
    assert grid.x is not None, "the grid of frames has coordinates"
    units = str(grid.x.attrs.get("units", "1"))
    lonlat = units.startswith(("degree_e", "degrees_e"))
    if not areas.crs or (lonlat and areas.crs == LONGITUDES):
        return lambda places: places
    if not grid.mapping and not lonlat:
        raise ValueError(
            f"{areas.path}: the frames have no projection, so areas must be a CSV of x and y in their coordinates"
        )
    factor = metre_factor(units) or 1.0
    project = project_places(areas.path, areas.crs, {} if lonlat else put_in_metres(grid.mapping, factor))
    return lambda places: project(places) / factor


def _find_pixels(path: str, grid: Grid) -> Move:
    """Return the function from coordinates of the grid to pixels, see `shares.find_shares`."""
    assert grid.y is not None and grid.x is not None, "the grid of frames has coordinates"
    first, step = [], []
    for axis in (grid.x, grid.y):
        values = axis.values.astype(float)
        if values.size < 2:
            raise ValueError(f"{path}: areas need frames of at least 2 x 2 pixels, found {grid.shape}")
        step.append((values[-1] - values[0]) / (values.size - 1))
        even = values[0] + step[-1] * np.arange(values.size)
        if np.abs(values - even).max() > 0.01 * abs(step[-1]):
            raise ValueError(f"{path}: areas need evenly spaced pixels, the {axis.dims[0]} of the frames are not")
        first.append(values[0])
    return lambda places: (places - first) / step + 0.5


def _turn_longitudes(polygons: list[list[np.ndarray]], grid: Grid, crs: str) -> list[list[np.ndarray]]:
    """Return polygons whose longitudes are moved by a multiple of 360 degrees into the range of the grid."""
    assert grid.x is not None
    if not crs or not str(grid.x.attrs.get("units", "")).startswith(("degree_e", "degrees_e")):
        return polygons
    middle = float(np.mean([ring[:, 0].mean() for rings in polygons for ring in rings[:1]]))
    turns = 360.0 * np.round((float(grid.x.values.mean()) - middle) / 360.0)
    return [[ring + np.array([turns, 0.0]) for ring in rings] for rings in polygons]


def _divide(ring: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Return a ring whose sides are divided into pieces of at most one pixel; `pixels` is the same ring in pixels."""
    counts = np.ceil(np.hypot(*np.diff(pixels, axis=0).T)).astype(int).clip(1)
    piece = np.repeat(np.arange(len(counts)), counts)
    share = (np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)) / counts[piece]
    return np.concatenate([ring[piece] + share[:, None] * np.diff(ring, axis=0)[piece], ring[-1:]])


def _find_pixel(place: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of the pixel that holds a point and its share, 1; empty arrays for a point outside."""
    column, row = np.floor(place).astype(int)
    inside = int(0 <= row < shape[0] and 0 <= column < shape[1])
    return np.array([row * shape[1] + column][:inside], int), np.ones(inside)


def _check_finite(label: str, places: np.ndarray) -> np.ndarray:
    if not np.isfinite(places).all():
        raise ValueError(f"{label}: its outline is beyond the edge of the projection of the frames")
    return places


def _tell_outside(path: str, placed: PlacedAreas, grid: Grid) -> None:
    """Log which areas lie outside the grid or partly outside. Errors: ValueError where all of them lie outside."""
    inside = placed.in_grid
    outside = [name for name, share in zip(placed.names, inside) if share == 0]
    partly = [f"{n} ({100 * s:.0f} % in it)" for n, s in zip(placed.names, inside) if 0 < s < 1 - 1e-6]
    if len(outside) == len(placed.names):
        raise ValueError(f"{path}: no area is in the grid ({grid}): {_list(outside)} {_are(outside)} outside")
    if outside:
        LOG.warning("%s: outside the grid, so without rain amounts: %s", path, _list(outside))
    if partly:
        LOG.warning("%s: partly outside the grid: %s", path, _list(partly))


def _list(names: list[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"
