"""The grid of a composite, from its projection and the longitudes and latitudes of its corners.

The coordinates of a grid are those of its pixel centres, in metres, or in degrees for a grid of longitudes and
latitudes. Row 0 is the northernmost, and y falls from row to row. Corners are projected where pyproj is installed
(extra `projection`).
"""

import functools
import re
import warnings
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import xarray as xr

from predjax.messages import warn_once
from predjax.radar.grid import Grid

MAPPING_NAME = "crs"
_LENGTHS = ("a", "b", "R", "x_0", "y_0")
_KILOMETRES = 10_000.0  # an earth of a smaller radius is one in kilometres
_TOLERANCE = 0.01  # of pixel sizes
# Corners that are apart along y and along x, the best pair first.
_OPPOSITE = (
    (("UL", "LL"), ("UR", "LR"), ("UR", "LL"), ("UL", "LR")),
    (("UR", "UL"), ("LR", "LL"), ("UR", "LL"), ("LR", "UL")),
)


def place_corners(
    proj4: str,
    shape: tuple[int, ...],
    pixel: tuple[float, ...] | None,
    corners: Mapping[str, tuple[float, ...]],
    name: str,
) -> Grid:
    """Return the grid of a composite from its corners, with its CF grid mapping.

    Without pyproj, coordinates of a projection count from the upper left corner and there is no grid mapping; this is
    logged once. `name` is the name of the file, for messages.

    Args:
      pixel: height and width of a pixel in metres where the file says so; they are not used for longitudes and
        latitudes, nor where they differ from the distance of the corners by more than 1 %.
      corners: longitude and latitude in degrees of outer corners of the image: of "UL" or "LL", and of others.

    Errors: ValueError, one line: a projection that is not known, corners or pixel sizes that are missing or impossible.
    """
    if not {"UL", "LL"} & corners.keys():
        raise ValueError(f"{name}: a corner of the image must be given: UL_lon and UL_lat, or LL_lon and LL_lat")
    try:
        return _place(proj4, shape, pixel, tuple(sorted(corners.items())))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def place_offset(
    proj4: str, shape: tuple[int, ...], pixel: tuple[float, float], upper_left: tuple[float, float], name: str
) -> Grid:
    """Return the grid with a known upper left corner (y, x) and pixel size, both in metres; see `place_corners`."""
    try:
        return _grid(shape, pixel, upper_left, _describe(in_metres(proj4)), False)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def in_metres(proj4: str) -> str:
    """Return a projection with its coordinates changed to metres.

    >>> in_metres("+proj=stere +lat_0=90 +a=6378.14 +b=6356.75 +x_0=0")
    '+proj=stere +lat_0=90 +a=6378140.0 +b=6356750.0 +x_0=0.0'
    >>> in_metres("+proj=stere +lat_0=90 +a=6378140 +units=km")
    '+proj=stere +lat_0=90 +a=6378140 +units=m'
    """
    radius = re.search(r"\+(?:a|R)=([-+0-9.eE]+)", proj4)
    if radius and float(radius[1]) < _KILOMETRES:
        # Some write the earth in kilometres, so that what comes out is, too.
        names = "|".join(_LENGTHS)
        proj4 = re.sub(rf"\+({names})=([-+0-9.eE]+)", lambda m: f"+{m[1]}={float(m[2]) * 1000!r}", proj4)
    return re.sub(r"\+units=km\b", "+units=m", proj4)


# Cached: the files of an archive have the same few grids, and a projection takes milliseconds to make.
@functools.lru_cache(maxsize=64)
def _describe(proj4: str) -> dict:
    """Return the CF grid mapping attributes of a projection in metres; `proj4` alone where pyproj is not installed."""
    pyproj = _import_pyproj()
    if pyproj is None:
        return {"proj4": proj4}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of parameters that CF has no name for: WKT and proj4 have them
        return {**_crs(pyproj, proj4).to_cf(), "proj4": proj4}


@functools.lru_cache(maxsize=64)
def _place(proj4: str, shape: tuple, pixel: tuple | None, corners: tuple) -> Grid:
    proj4, degrees = in_metres(proj4), re.search(r"\+proj=(longlat|latlong|lonlat|latlon)\b", proj4) is not None
    places = {key: place[::-1] for key, place in corners} if degrees else _project(proj4, corners)
    if places is None:
        if pixel is None:
            raise ValueError(
                "nothing tells the size of a pixel: pyproj can, by the corners (pip install 'predjax[projection]')"
            )
        warn_once(
            "without pyproj the corners of composites cannot be projected: y and x count from the upper left corner "
            "(pip install 'predjax[projection]')"
        )
        return _grid(shape, pixel, None, {}, False)
    height, width = _pixel_size(places, shape, None if degrees else pixel)
    y, x = places["UL"] if "UL" in places else (places["LL"][0] + shape[0] * height, places["LL"][1])
    return _grid(shape, (height, width), (y, x), _describe(proj4), degrees)


def _pixel_size(places: dict, shape: tuple, pixel: tuple | None) -> tuple[float, float]:
    """Return the height and width of a pixel, from the file if they agree with the corners, else from the corners."""
    sizes: list[float] = []
    for axis in (0, 1):
        given, found = None if pixel is None else pixel[axis], None
        for one, other in _OPPOSITE[axis]:
            if found is None and {one, other} <= places.keys():
                found = (places[one][axis] - places[other][axis]) / shape[axis]
        if given is None and found is None:
            raise ValueError("nothing tells the size of a pixel: no scale, and too few corners")
        if found is not None and not found > 0:
            raise ValueError(f"the corners of the image must lie around it, but by them a pixel is {found:g} m wide")
        if given is not None and found is not None and abs(given - found) > _TOLERANCE * found:
            warn_once(f"{shape[axis]} pixels of {given:g} do not lead from corner to corner: {found:g} m are used")
            given = None
        sizes.append(cast(float, found if given is None else given))
    return sizes[0], sizes[1]


def _grid(shape: tuple, pixel: tuple, upper_left: tuple | None, mapping: dict, degrees: bool) -> Grid:
    coordinates = []
    for axis, (name, label) in enumerate((("y", "latitude"), ("x", "longitude"))):
        step = pixel[axis] * (-1, 1)[axis]
        values = (np.arange(shape[axis]) + 0.5) * step + (0.0 if upper_left is None else upper_left[axis])
        attrs = {"units": "m", "standard_name": f"projection_{name}_coordinate", "axis": name.upper()}
        if degrees:
            attrs |= {"units": f"degrees_{('north', 'east')[axis]}", "standard_name": label}
        elif upper_left is None:
            attrs = {"units": "m", "long_name": "distance from the upper left corner", "axis": name.upper()}
        coordinates.append(xr.Variable((name,), values, attrs))
    y, x = coordinates
    return Grid(shape, y, x, MAPPING_NAME if mapping else "", mapping)


def _project(proj4: str, corners: tuple) -> dict[str, tuple[float, float]] | None:
    """Return (y, x) of the corners in metres, on the datum of the projection; None without pyproj."""
    pyproj = _import_pyproj()
    if pyproj is None:
        return None
    _crs(pyproj, proj4)
    project = pyproj.Proj(proj4)
    places = {key: project(*place)[::-1] for key, place in corners}
    for key, place in corners:
        if not np.isfinite(places[key]).all():
            raise ValueError(f"the corner {key} at {place} (lon, lat) cannot be projected by {proj4!r}")
    return places


def _crs(pyproj: Any, proj4: str) -> Any:
    try:
        return pyproj.CRS.from_user_input(proj4)
    except pyproj.exceptions.CRSError:
        raise ValueError(f"the projection {proj4!r} is not one that pyproj knows") from None


def _import_pyproj() -> Any:
    try:
        import pyproj
    except ImportError:
        return None
    return pyproj
