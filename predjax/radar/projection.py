"""Positions on the Earth and on projected grids, if pyproj is installed (extra `projection`)."""

import logging
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

LOG = logging.getLogger("predjax")
# In the order of trust. They are exact; CF attributes cannot describe every projection (the Swiss grid).
TEXTS = ("crs_wkt", "spatial_ref", "proj4")


def locate_pixels(mapping: dict, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return latitude and longitude (y, x) of pixels in degrees, on the datum of the projection, as CF asks.

    None without pyproj, without a projection that it knows, and where a pixel is beyond the edge of the projection.
    Of the attributes of the CF grid mapping `crs_wkt`, `spatial_ref` or `proj4` come before the parameters. `y` and `x`
    are in metres.
    """
    columns, rows = np.meshgrid(np.asarray(x), np.asarray(y))
    return locate_places(mapping, rows, columns)


def locate_places(mapping: dict, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return latitude and longitude of places with coordinates y and x of one shape, as `locate_pixels`."""
    try:
        import pyproj
    except ImportError:
        return None
    crs = find_crs(mapping)
    if crs is None or not crs.is_projected:
        LOG.info("the projection %s is not known: no lat and lon", mapping.get("grid_mapping_name", "without a name"))
        return None
    metres = crs.axis_info[0].unit_conversion_factor if crs.axis_info else 1.0
    to_degrees = pyproj.Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
    lon, lat = to_degrees.transform(x / metres, y / metres)
    if not (np.isfinite(lon).all() and np.isfinite(lat).all()):
        LOG.info("some pixels are beyond the edge of the projection: no lat and lon")
        return None
    return lat, lon


def describe_by_proj4(mapping: dict) -> str:
    """Return the projection of a CF grid mapping, in metres, as text for PROJ; "" without pyproj, or if unknown."""
    if mapping.get("proj4"):
        return str(mapping["proj4"])
    crs = find_crs(mapping)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names, such as that of the datum, which the text has no place for
        return "" if crs is None else crs.to_proj4()


def find_crs(mapping: dict) -> Any:
    """Return the CRS of pyproj for a CF grid mapping, on its datum; None without pyproj, or if it is unknown."""
    try:
        import pyproj
    except ImportError:
        return None
    crs = _read_crs(pyproj, mapping)
    # Without the step to another datum: CF's lat and lon are on the grid mapping's datum.
    return crs.source_crs if crs is not None and crs.is_bound else crs


def project_places(path: str, crs: str, mapping: dict) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function that projects places (N, 2) of a coordinate reference system, to metres or degrees.

    Args:
      path: the file with the places, for the errors.
      crs: a text that pyproj reads; longitude or x comes first.
      mapping: attributes of the CF grid mapping of the projection; empty for longitude and latitude.

    Raises:
      ValueError: pyproj is not installed, or does not know one of the two.
    """
    try:
        import pyproj
    except ImportError:
        raise ValueError(f"{path}: projecting areas needs pyproj: pip install 'predjax[projection]'") from None
    try:
        known = pyproj.CRS.from_user_input(crs)
    except pyproj.exceptions.CRSError:
        raise ValueError(f"{path}: pyproj does not know the coordinate reference system {crs[:80]!r}") from None
    target = _read_crs(pyproj, mapping) if mapping else pyproj.CRS.from_user_input("OGC:CRS84")
    if target is None:
        name = mapping.get("grid_mapping_name", "without a name")
        raise ValueError(f"{path}: pyproj does not know the projection of the frames, {name}")
    metres = target.axis_info[0].unit_conversion_factor if target.is_projected and target.axis_info else 1.0
    transformer = pyproj.Transformer.from_crs(known, target, always_xy=True)

    def project(places: np.ndarray) -> np.ndarray:
        return np.stack(transformer.transform(places[:, 0], places[:, 1]), axis=1) * metres

    return project


def put_in_metres(mapping: dict, factor: float) -> dict:
    """Return the grid mapping of coordinates that were multiplied by `factor` to be in metres; its lengths are, too."""
    attrs = dict(mapping)
    if factor != 1:
        for key in ("false_easting", "false_northing"):
            if key in attrs:
                attrs[key] = attrs[key] * factor
        for key in ("crs_wkt", "spatial_ref", "proj4"):
            if any(text in str(attrs.get(key, "")) for text in ("kilomet", '"km"', "units=km")):
                del attrs[key]  # it would place the pixels, now in m, a thousand times too far
    return attrs


def _read_crs(pyproj: ModuleType, mapping: dict) -> Any:
    """Return the pyproj CRS of a grid mapping, or None."""
    for text in (mapping[key] for key in TEXTS if mapping.get(key)):
        try:
            return pyproj.CRS.from_user_input(text)
        except pyproj.exceptions.CRSError:
            continue
    parameters = {key: _plain(value) for key, value in mapping.items() if key not in TEXTS}
    try:
        return pyproj.CRS.from_cf(parameters)
    except (pyproj.exceptions.CRSError, KeyError, TypeError, ValueError):
        return None


def _plain(value: Any) -> Any:
    """Return an attribute as plain numbers and lists, as pyproj needs them."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
