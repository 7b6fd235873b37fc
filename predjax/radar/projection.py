"""Latitude and longitude of projected pixels, where pyproj is installed (extra `projection`)."""

import logging
import warnings
from types import ModuleType
from typing import Any

import numpy as np

LOG = logging.getLogger("predjax")
# In the order of trust. They are exact; CF attributes cannot describe every projection (the Swiss grid).
TEXTS = ("crs_wkt", "spatial_ref", "proj4")


def locate_pixels(mapping: dict, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return latitude and longitude (y, x) in degrees, on the datum of the projection, as CF asks.

    None without pyproj, without a projection that it knows, and where a pixel is beyond the edge of the projection.
    Of the attributes of the CF grid mapping `crs_wkt`, `spatial_ref` or `proj4` come before the parameters. `y` and `x`
    are in metres.
    """
    try:
        import pyproj
    except ImportError:
        return None
    crs = find_crs(mapping)
    if crs is None or not crs.is_projected:
        LOG.info("the projection %s is not known: no lat and lon", mapping.get("grid_mapping_name", "without a name"))
        return None
    metres = crs.axis_info[0].unit_conversion_factor if crs.axis_info else 1.0
    columns, rows = np.meshgrid(np.asarray(x) / metres, np.asarray(y) / metres)
    to_degrees = pyproj.Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
    lon, lat = to_degrees.transform(columns, rows)
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
    """Return the CRS of pyproj of a CF grid mapping, on its datum; None without pyproj, or if it is unknown."""
    try:
        import pyproj
    except ImportError:
        return None
    crs = _read_crs(pyproj, mapping)
    # Without the step to another datum: CF's lat and lon are on the grid mapping's datum.
    return crs.source_crs if crs is not None and crs.is_bound else crs


def put_in_metres(found: dict, factor: float) -> dict:
    """Return the grid mapping for coordinates in metres, which were multiplied by `factor`, as are lengths in it."""
    attrs = dict(found)
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
    """Return an attribute as numbers and lists, which pyproj reads."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
