"""Rain on areas as CF netCDF: time series of discrete sampling geometries, with the outlines of the areas."""

import os
from typing import Any

import numpy as np
import xarray as xr

from predjax.files import appearing
from predjax.radar.areas.place import PlacedAreas
from predjax.radar.areas.shares import measure_ring, orient
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.radar.grid import Grid
from predjax.radar.projection import locate_places, put_in_metres
from predjax.units import metre_factor

CF_UNITS = {"mm/h": "mm h-1"}
OUTLINES = "outlines"  # the geometry container
LAT_LON = (("lat", "latitude", "degrees_north"), ("lon", "longitude", "degrees_east"))


def write_series(
    path: str | os.PathLike, rain: xr.Dataset, areas: PlacedAreas, grid: Grid, *, overwrite: bool = False
) -> None:
    """Write rain on areas (`nowcasts.areal_rain`) as CF netCDF with `featureType = timeSeries`.

    The dimensions are (area, time), and before them those of members, percentiles and thresholds. `area_name` is the
    identifier of a series; `x` and `y` are the centre of an area in the coordinates of the grid, `lat` and `lon` the
    same place where pyproj knows the projection. Where all areas are polygons, the geometry container `outlines` has
    their outlines (CF-1.8, section 7.5) in the coordinates of the grid.

    Errors: FileExistsError, the file exists and `overwrite` is not set.
    """
    assert grid.x is not None, "the grid of frames has coordinates"
    factor = metre_factor(grid.x.attrs.get("units"))
    mapping = put_in_metres(grid.mapping, factor or 1.0)
    polygons = [[[ring * (factor or 1.0) for ring in rings] for rings in one] for one in areas.polygons]
    whole = all(len(rings[0]) > 1 for one in polygons for rings in one)
    about = {"long_name": "name of the area", "cf_role": "timeseries_id"}
    coords = {"area_name": ("area", np.array(areas.names, object), about)} | _describe_centres(polygons, grid, mapping)
    file = xr.Dataset(_find_times(rain))
    extra = {"coordinates": " ".join(["forecast_reference_time", "forecast_period", *coords])}
    extra |= {"grid_mapping": grid.mapping_name} if grid.mapping_name else {}
    extra |= {"geometry": OUTLINES} if whole else {}
    for key, values in rain.data_vars.items():
        attrs = {**values.attrs, **extra, "units": CF_UNITS.get(values.attrs["units"], values.attrs["units"])}
        if "cell_methods" in attrs:
            attrs["cell_methods"] = attrs["cell_methods"].replace("lead_time", "time")
        dims = ["time" if dim == "lead_time" else dim for dim in values.dims]
        file[key] = dims, values.values.astype(np.float32), attrs
    for key in ("realization", "percentile", "threshold", "accumulation_threshold"):
        if key in rain.coords:
            attrs = rain[key].attrs
            file[key] = key, rain[key].values, attrs | {"units": CF_UNITS.get(attrs["units"], attrs["units"])}
    for key, variable in {**coords, **(_describe_outlines(polygons, coords, extra) if whole else {})}.items():
        file[key] = variable
    if grid.mapping_name:
        file[grid.mapping_name] = (), np.int32(0), mapping
    file.attrs = {**rain.attrs, "Conventions": "CF-1.11", "featureType": "timeSeries"}
    encoding: dict[str, Any] = {str(k): {"_FillValue": None} for k, v in file.variables.items() if v.dtype.kind == "f"}
    encoding |= {str(key): {"_FillValue": np.float32(-9999), "zlib": True} for key in rain.data_vars}
    with NETCDF_LOCK, appearing(path, overwrite=overwrite) as temporary:
        file.to_netcdf(temporary, engine="netcdf4", encoding=encoding)


def _find_times(rain: xr.Dataset) -> dict[str, Any]:
    """Return the valid times, the init time and the lead times, as in the files of forecasts."""
    base = rain["init_time"].values.astype("datetime64[s]")
    clock = {"units": f"seconds since {str(base).replace('T', ' ')}", "calendar": "standard"}
    seconds = (rain["valid_time"].values - base) / np.timedelta64(1, "s")
    lead = rain["lead_time"]
    return {
        "time": ("time", seconds, {"standard_name": "time", "long_name": "valid time", "axis": "T", **clock}),
        "forecast_reference_time": (
            (),
            np.int32(0),
            {"standard_name": "forecast_reference_time", "long_name": "init time", **clock},
        ),
        "forecast_period": (
            "time",
            lead.values.astype(np.int32),
            {"standard_name": "forecast_period", "long_name": "lead time", "units": lead.attrs["units"]},
        ),
    }


def _describe_centres(polygons: list[list[list[np.ndarray]]], grid: Grid, mapping: dict) -> dict[str, Any]:
    """Return the variables x, y and, where pyproj knows the projection, lat and lon of the centres of areas."""
    centres = np.array([_find_centre(one) for one in polygons])
    found: dict[str, Any] = {}
    for number, axis in enumerate((grid.x, grid.y)):
        assert axis is not None, "the grid of frames has coordinates"
        name = str(axis.dims[0])
        in_metres = metre_factor(axis.attrs.get("units"))
        attrs = {key: axis.attrs[key] for key in ("standard_name", "units") if key in axis.attrs}
        attrs = {"standard_name": f"projection_{name}_coordinate", "units": "m"} if in_metres else attrs
        found[name] = "area", centres[:, number], {"long_name": f"{name} of the centre of the area", **attrs}
    places = locate_places(mapping, centres[:, 1], centres[:, 0]) if mapping and in_metres else None
    for (name, standard, unit), values in zip(LAT_LON, places or ()):
        found[name] = "area", values, {"standard_name": standard, "long_name": standard, "units": unit}
    return found


def _describe_outlines(polygons: list[list[list[np.ndarray]]], coords: dict, extra: dict) -> dict[str, Any]:
    """Return the geometry container of polygons and the variables that it names."""
    # Outer rings run anticlockwise, holes clockwise.
    rings = [(orient(ring, hole > 0), hole > 0) for one in polygons for rings in one for hole, ring in enumerate(rings)]
    nodes = np.concatenate([ring for ring, _ in rings])
    counts = [sum(len(ring) for rings in one for ring in rings) for one in polygons]
    about: dict[str, Any] = {"geometry_type": "polygon", "node_coordinates": "node_x node_y"}
    about |= {name: name for name in ("node_count", "part_node_count", "interior_ring")}
    about |= {key: value for key, value in extra.items() if key == "grid_mapping"}
    return {
        OUTLINES: ((), np.int32(0), about),
        "node_count": ("area", np.array(counts, np.int32), {"long_name": "nodes of the area"}),
        "part_node_count": ("part", np.array([len(ring) for ring, _ in rings], np.int32)),
        "interior_ring": ("part", np.array([hole for _, hole in rings], np.int32)),
        "node_x": ("node", nodes[:, 0], {**coords["x"][2], "long_name": "x of the outline", "axis": "X"}),
        "node_y": ("node", nodes[:, 1], {**coords["y"][2], "long_name": "y of the outline", "axis": "Y"}),
    }


def _find_centre(polygons: list[list[np.ndarray]]) -> np.ndarray:
    """Return the centre of gravity of the outer rings, or the point."""
    total, moment = 0.0, np.zeros(2)
    for ring, *_ in polygons:
        if len(ring) == 1:
            return ring[0]
        area = measure_ring(ring)
        origin = ring[0]
        x, y = (ring - origin).T
        cross = x[:-1] * y[1:] - x[1:] * y[:-1]
        centre = origin + np.array([((p[:-1] + p[1:]) * cross).sum() for p in (x, y)]) / (6 * area)
        total, moment = total + abs(area), moment + abs(area) * centre
    return moment / total
