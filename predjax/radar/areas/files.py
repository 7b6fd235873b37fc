"""Areas from files: outlines and points with their names, in the coordinates of the file."""

import csv
import json
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

LONGITUDES = "OGC:CRS84"  # longitude and latitude in degrees, what GeoJSON has (RFC 7946)
BY_LIBRARY = (".shp", ".gpkg")
COLUMNS = {  # of CSV files: the columns of a place, and its coordinate reference system
    ("lon", "lat"): LONGITUDES,
    ("x", "y"): "",
    ("lon_min", "lat_min", "lon_max", "lat_max"): LONGITUDES,
    ("x_min", "y_min", "x_max", "y_max"): "",
}


class Area(NamedTuple):
    """An area: polygons, each an outer ring (N, 2) and its holes (N, 2). A point is one ring with one place."""

    name: str
    polygons: list[list[np.ndarray]]

    @property
    def is_point(self) -> bool:
        return len(self.polygons[0][0]) == 1


class Areas(NamedTuple):
    """The areas of a file. `crs` is their coordinate reference system as pyproj reads it; "" is that of the grid."""

    path: str
    areas: list[Area]
    crs: str


def read_areas(path: str, name: str = "") -> Areas:
    """Read the areas of a file.

    Args:
      path: one of
        `.geojson` or `.json`: longitude and latitude, unless an old `crs` member names another reference system;
        `.csv`: a column `name`, and points (lon, lat or x, y) or boxes (lon_min, lat_min, lon_max, lat_max or x_min,
        y_min, x_max, y_max); x and y are those of the grid, in its unit;
        `.shp` or `.gpkg`: with the extra `areas`.
      name: the property that holds the names of the areas. By default it is `name`, else `id`, in upper or lower case;
        without either, areas are numbered.

    Raises:
      ValueError, OSError: one line with the file, the rule and what was found.
    """
    suffix = pathlib.Path(path).suffix.lower()
    if suffix == ".csv":
        properties, geometries, crs = _read_csv(path)
    elif suffix in (".geojson", ".json"):
        properties, geometries, crs = _read_geojson(path)
    elif suffix in BY_LIBRARY:
        properties, geometries, crs = _read_by_library(path)
    else:
        raise ValueError(f"{path}: areas must be .geojson, .json, .csv, .shp or .gpkg")
    if not geometries:
        raise ValueError(f"{path}: there is no area in it")
    names = _find_names(path, properties, name)
    return Areas(path, [Area(n, _read_geometry(f"{path}: {n}", g)) for n, g in zip(names, geometries)], crs)


def _read_csv(path: str) -> tuple[Sequence[Mapping], Sequence[Mapping], str]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            reader.fieldnames = [column.strip().lower() for column in reader.fieldnames or ()]
            rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} must be a table of text in UTF-8: {error}") from None
    columns = next((one for one in COLUMNS if set(one) <= set(reader.fieldnames)), None)
    if columns is None:
        rule = "; or ".join(", ".join(one) for one in COLUMNS)
        raise ValueError(f"{path}: the columns must be name and {rule}, found {', '.join(reader.fieldnames)}")
    geometries: list[Mapping] = []
    for number, row in enumerate(rows, 2):
        try:
            values = [float(row[column]) for column in columns]
        except ValueError:
            found = ", ".join(row[column] for column in columns)
            raise ValueError(f"{path}: line {number}: {', '.join(columns)} must be numbers, found {found}") from None
        if len(values) == 2:
            geometries.append({"type": "Point", "coordinates": values})
            continue
        left, low, right, high = values
        if not (left < right and low < high):
            text = f"{columns[0]} < {columns[2]} and {columns[1]} < {columns[3]}"
            raise ValueError(f"{path}: line {number}: a box must have {text}, found {', '.join(map(str, values))}")
        corners = [(left, low), (right, low), (right, high), (left, high), (left, low)]
        geometries.append({"type": "Polygon", "coordinates": [corners]})
    return rows, geometries, COLUMNS[columns]


def _read_geojson(path: str) -> tuple[Sequence[Mapping], Sequence[Mapping], str]:
    try:
        content = json.loads(pathlib.Path(path).read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} must be GeoJSON: {error}") from None
    kind = content.get("type") if isinstance(content, dict) else None
    found = content.get("features") if kind == "FeatureCollection" else [content] if kind == "Feature" else None
    if not isinstance(found, list) or not all(isinstance(f, dict) for f in found):
        raise ValueError(f"{path} must be a GeoJSON FeatureCollection or Feature, found {kind!r}")
    # RFC 7946 knows no other coordinates than these; older files name theirs.
    crs = content.get("crs")
    named = crs.get("properties", {}).get("name") if isinstance(crs, dict) else None
    properties: list[Mapping] = [{**{k: f[k] for k in ("id",) if k in f}, **(f.get("properties") or {})} for f in found]
    return properties, [f.get("geometry") or {} for f in found], str(named or LONGITUDES)


def _read_by_library(path: str) -> tuple[Sequence[Mapping], Sequence[Mapping], str]:
    """Read a shapefile or a GeoPackage with pyogrio and shapely, from the extra `areas`."""
    try:
        import pyogrio
        import shapely
    except ImportError:
        kinds = " and ".join(BY_LIBRARY)
        raise ValueError(f"{path}: {kinds} need pyogrio and shapely: pip install 'predjax[areas]'") from None
    if not pathlib.Path(path).is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    try:
        layers = [str(layer) for layer, _ in pyogrio.list_layers(path)]
        if len(layers) != 1:
            raise ValueError(f"{path} must have one layer, found {', '.join(layers) or 'none'}")
        meta, _, outlines, columns = pyogrio.raw.read(path)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    if not meta["crs"]:
        raise ValueError(f"{path} must name its coordinate reference system (a .prj file beside a .shp)")
    geometries = [{} if one is None else shapely.geometry.mapping(shapely.from_wkb(one)) for one in outlines]
    fields = [str(field) for field in meta["fields"]]
    return [dict(zip(fields, row)) for row in zip(*columns)] or [{}] * len(outlines), geometries, str(meta["crs"])


def _find_names(path: str, properties: Sequence[Mapping], name: str) -> list[str]:
    """Return a name for each area. Errors: ValueError where no area has the property, or two have the same name."""
    known = list(dict.fromkeys(str(key) for one in properties for key in one))
    wanted = [name] if name else [key for low in ("name", "id") for key in known if key.lower() == low]
    key = next((key for key in wanted if key in known), None)
    if name and key is None:
        raise ValueError(f"{path}: no area has the property {name!r}, there are {', '.join(known) or 'none'}")
    names = [str(i) if key is None else str(one.get(key, "")).strip() for i, one in enumerate(properties, 1)]
    doubled = next((one for i, one in enumerate(names) if one in names[:i]), None)
    if doubled is not None:
        raise ValueError(
            f"{path}: two areas have the {key} {doubled!r}: name them by another property with --area_name "
            f"(there are {', '.join(known)})"
        )
    return names


def _read_geometry(label: str, geometry: Mapping) -> list[list[np.ndarray]]:
    """Return the polygons of a GeoJSON geometry. Errors: ValueError for other kinds and open rings."""
    kind, found = geometry.get("type"), geometry.get("coordinates")
    if kind == "Point":
        return [[_read_places(label, [found])]]
    polygons = {"Polygon": [found], "MultiPolygon": found}.get(str(kind))
    if not isinstance(polygons, Iterable) or not polygons:
        raise ValueError(f"{label}: an area must be a Polygon, a MultiPolygon or a Point, found {kind}")
    result = []
    for rings in polygons:
        if not isinstance(rings, list | tuple) or not rings:
            raise ValueError(f"{label}: a polygon must have an outer ring, found none")
        result.append([_read_places(label, ring) for ring in rings])
        for ring in result[-1]:
            if len(ring) < 4 or (ring[0] != ring[-1]).any():
                raise ValueError(f"{label}: a ring must have four places or more and end where it begins")
    return result


def _read_places(label: str, places: Any) -> np.ndarray:
    try:
        values = np.array([[float(x), float(y)] for x, y, *_ in places])
    except (TypeError, ValueError):
        raise ValueError(f"{label}: a place must be two numbers or three") from None
    if not values.size or not np.isfinite(values).all():
        raise ValueError(f"{label}: a place must be finite numbers")
    return values
