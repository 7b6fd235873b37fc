"""Write forecasts to netCDF files that follow the CF conventions."""

import os
from typing import Any

import netCDF4
import numpy as np
import xarray as xr

from predjax.files import appearing
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.radar.projection import describe_by_proj4, locate_pixels, put_in_metres
from predjax.unit_names import VARIABLES
from predjax.units import metre_factor

CONVENTIONS = "CF-1.11"
FILL_VALUE = np.float32(-9999)
CF_UNITS = {"mm/h": "mm h-1"}  # UDUNITS reads both; the CF tables have the second
# Level 4 makes the file of a composite 4 % smaller and takes half as long again.
COMPRESSION: dict[str, Any] = {"compression": "zlib", "complevel": 1, "shuffle": True}
FORECAST_LAYOUTS = ("cf", "pysteps")
GLOBAL_ATTRIBUTES = ("title", "institution", "source", "history", "comment", "references")


def write_forecast(
    path: str | os.PathLike, forecast: xr.Dataset, *, overwrite: bool = False, layout: str = "cf"
) -> None:
    """Write one Forecast as CF netCDF with dimensions ([realization,] time, y, x); xarray, GDAL and others read it.

    - `time` is the valid time in seconds since the init time, which is in `forecast_reference_time`;
      `forecast_period` is the lead time. Without times, `time` holds frame numbers.
    - Projected coordinates in km become m. Rows are turned so that y falls (row 0 is north); row numbers of data
      without coordinates stay as they are. NaN becomes `_FillValue`.
    - `lat` and `lon` give the places of the pixels where pyproj is installed and knows the projection.
    - A single channel is one variable with its name in the data; several channels are one variable each. A vector
      series is one variable ([realization,] time, feature).
    - Further variables of a map, such as probabilities, may have dimensions of their own before those of the map. Each
      of these is written with its coordinate, and a variable without lead times has no time. A variable that is read
      when it is indexed is read map by map.
    - The layout "pysteps" has the names that pysteps' importer looks for: `precip_intensity` (mm/h) or `reflectivity`
      (dBZ), and `polar_stereographic` for this projection, the only one that it reads. It takes the earth for that of
      WGS 84, whatever the file says; the attribute `proj4` of the grid mapping is the whole projection, with its earth,
      where pyproj is installed.

    The file appears whole or not at all, and a missing folder is made.

    Raises:
      FileExistsError: the file exists and `overwrite` is not set.
      ValueError: an unknown layout, or a forecast that the layout cannot hold.
    """
    if layout not in FORECAST_LAYOUTS:
        raise ValueError(f"the layout of a forecast file must be one of {', '.join(FORECAST_LAYOUTS)}, not {layout!r}")
    if layout == "pysteps":
        forecast = rename_for_pysteps(path, forecast)
    with (
        NETCDF_LOCK,
        appearing(path, overwrite=overwrite) as temporary,
        netCDF4.Dataset(temporary, "w", format="NETCDF4") as file,
    ):
        _write(file, forecast)


def rename_for_pysteps(path: str | os.PathLike, forecast: xr.Dataset) -> xr.Dataset:
    """Return the forecast with the names of the pysteps layout. Errors: ValueError if the layout cannot hold it."""
    name, *others = forecast.data_vars
    units = forecast[name].attrs["units"]
    if units not in VARIABLES:
        raise ValueError(f"{path}: the pysteps layout holds {' or '.join(VARIABLES)}, not {units}")
    if forecast.sizes["y"] == forecast.sizes["x"] == 1:
        raise ValueError(f"{path}: the pysteps layout holds maps, not a series")
    if forecast.sizes["channel"] > 1:
        raise ValueError(f"{path}: the pysteps layout holds one channel, not {forecast.sizes['channel']}")
    if not np.issubdtype(forecast["valid_time"].dtype, np.datetime64):
        raise ValueError(f"{path}: the pysteps layout needs times, the forecast is counted in frames")
    forecast = forecast.rename({name: VARIABLES[units]})
    mapping = forecast[VARIABLES[units]].attrs.get("grid_mapping")
    if mapping in forecast.variables and forecast[mapping].attrs.get("grid_mapping_name") == "polar_stereographic":
        found = forecast[mapping].attrs
        attrs = {"false_easting": 0.0, "false_northing": 0.0} | found  # CF's defaults, pysteps' need
        attrs |= {"proj4": text} if (text := describe_by_proj4(found)) else {}
        forecast = forecast.rename({mapping: "polar_stereographic"}) if mapping != "polar_stereographic" else forecast
        forecast["polar_stereographic"].attrs = attrs
        for one in (VARIABLES[units], *others):
            forecast[one].attrs["grid_mapping"] = "polar_stereographic"
    return forecast


def _write(file: netCDF4.Dataset, forecast: xr.Dataset) -> None:
    """Write a forecast into an empty file."""
    name = str(next(iter(forecast.data_vars)))
    if _is_projected(forecast["y"]) and forecast["y"].values[-1] > forecast["y"].values[0]:
        forecast = forecast.isel(y=slice(None, None, -1))
    file.Conventions = CONVENTIONS
    file.setncatts({key: forecast.attrs[key] for key in GLOBAL_ATTRIBUTES if forecast.attrs.get(key)})
    sizes = forecast.sizes
    series = sizes["y"] == sizes["x"] == 1 and not _is_projected(forecast["y"])
    own = [str(axis) for axis in sizes if axis not in ("lead_time", "y", "x", "channel")]
    maps = [("time", "lead_time")] if series else [("time", "lead_time"), ("y", "y"), ("x", "x")]
    for dimension, axis in (*[(axis, axis) for axis in own], *maps):
        file.createDimension(dimension, sizes[axis])
    for axis in own:
        _write_axis(file, forecast[axis])
    auxiliary = _write_times(file, forecast)
    mapping = str(forecast[name].attrs.get("grid_mapping", ""))
    if series:
        _write_series(file, forecast, auxiliary)
        return
    pixels = {axis: _write_pixels(file, forecast[axis]) for axis in ("y", "x")}
    if mapping in forecast.variables:
        found = put_in_metres(forecast[mapping].attrs, max(factor for _, factor in pixels.values()))
        if all(file[axis].units == "m" for axis in pixels):
            auxiliary = _write_places(file, found, *(values for values, _ in pixels.values())) + auxiliary
        variable = file.createVariable(mapping, "i4", ())
        variable.setncatts(found)
        variable[...] = 0
    else:
        mapping = ""
    for key, frames in forecast.data_vars.items():
        attrs = _find_attributes(frames, mapping, auxiliary)
        for number, channel in enumerate(name_channels(str(key), forecast["channel"].values)):
            _write_maps(file, channel, frames.isel(channel=number), attrs)


def _name_dimensions(frames: xr.DataArray) -> tuple[str, ...]:
    """Return the dimensions of a variable in a file, without the channels."""
    return tuple("time" if axis == "lead_time" else str(axis) for axis in frames.dims if axis != "channel")


def _find_attributes(frames: xr.DataArray, mapping: str, auxiliary: list[str]) -> dict[str, Any]:
    """Return the attributes of a variable in a file, with the names of its grid mapping and auxiliary coordinates."""
    attrs = {key: value for key, value in frames.attrs.items() if key != "grid_mapping"}
    attrs["units"] = CF_UNITS.get(attrs["units"], attrs["units"])
    known = [one for one in auxiliary if one != "forecast_period" or "lead_time" in frames.dims]
    return attrs | ({"grid_mapping": mapping} if mapping else {}) | {"coordinates": " ".join(known)}


def _write_maps(file: netCDF4.Dataset, name: str, frames: xr.DataArray, attrs: dict[str, Any]) -> None:
    """Write a variable (..., y, x), one map after another."""
    chunks = (*[1] * (frames.ndim - 2), *frames.shape[-2:])
    options = {**COMPRESSION, "chunksizes": chunks, "fill_value": FILL_VALUE}
    variable = file.createVariable(name, "f4", _name_dimensions(frames), **options)
    variable.setncatts(attrs)
    for place in np.ndindex(frames.shape[:-2]):
        values = frames[place].values
        variable[place] = np.where(np.isnan(values), FILL_VALUE, values)


def _write_series(file: netCDF4.Dataset, forecast: xr.Dataset, auxiliary: list[str]) -> None:
    """Write the variables (..., feature) of a series, with the features' names or numbers."""
    features = forecast["channel"].values
    file.createDimension("feature", len(features))
    kind = "i4" if features.dtype.kind in "iu" else "f8" if features.dtype.kind == "f" else str
    labels = file.createVariable("feature", kind, ("feature",))
    labels.long_name = "feature of the series"
    labels[:] = features.astype(object) if kind is str else features
    for name, frames in forecast.data_vars.items():
        dimensions = (*_name_dimensions(frames)[:-2], "feature")
        variable = file.createVariable(str(name), "f4", dimensions, **COMPRESSION, fill_value=FILL_VALUE)
        variable.setncatts(_find_attributes(frames, "", auxiliary))
        values = frames.values[..., 0, 0, :]
        variable[:] = np.where(np.isnan(values), FILL_VALUE, values)


def _write_axis(file: netCDF4.Dataset, coordinate: xr.DataArray) -> None:
    """Write the coordinate of a dimension that is neither time nor place: the numbers of the members, or thresholds."""
    name = str(coordinate.name)
    whole = coordinate.dtype.kind in "iu"
    variable = file.createVariable(name, "i4" if whole else "f8", (name,))
    attrs = dict(coordinate.attrs)
    if name == "realization":
        attrs = {"standard_name": name, "long_name": "member", "units": "1"}
    variable.setncatts(attrs | {"units": CF_UNITS.get(attrs["units"], attrs["units"])})
    variable[:] = coordinate.values


def _write_times(file: netCDF4.Dataset, forecast: xr.Dataset) -> list[str]:
    """Write the time variables; return the names of the auxiliary ones."""
    lead_time, valid_time, init_time = (forecast[name] for name in ("lead_time", "valid_time", "init_time"))
    if np.issubdtype(valid_time.dtype, np.datetime64):
        base = init_time.values.astype("datetime64[s]")
        clock = {"units": f"seconds since {str(base).replace('T', ' ')}", "calendar": "standard"}
        clock["units_metadata"] = "leap_seconds: unknown"  # CF-1.11 wants it said
        time = file.createVariable("time", "f8", ("time",))
        time.setncatts({"standard_name": "time", "long_name": "valid time", "axis": "T", **clock})
        time[:] = (valid_time.values - base) / np.timedelta64(1, "s")
        reference = file.createVariable("forecast_reference_time", "i4", ())
        reference.setncatts({"standard_name": "forecast_reference_time", "long_name": "init time", **clock})
        reference[...] = 0
        period_attrs = {"standard_name": "forecast_period", "long_name": "lead time"}
        auxiliary = ["forecast_reference_time", "forecast_period"]
    else:
        time = file.createVariable("time", "i4", ("time",))
        time.setncatts({"long_name": "frame number", "axis": "T", "units": "1"})
        time[:] = valid_time.values
        period_attrs = {"long_name": "lead time in frames"}
        auxiliary = ["forecast_period"]
    period = file.createVariable("forecast_period", "i4", ("time",))
    period.setncatts({**period_attrs, "units": lead_time.attrs["units"]})
    period[:] = lead_time.values
    return auxiliary


def _is_projected(coordinate: xr.DataArray) -> bool:
    """Return whether a coordinate has positions, not the numbers of pixels."""
    return coordinate.attrs.get("units", "1") != "1"


def _write_pixels(file: netCDF4.Dataset, coordinate: xr.DataArray) -> tuple[np.ndarray, float]:
    """Write one coordinate of the pixel centres; return its values, and the factor that turned them into metres."""
    axis = str(coordinate.name)
    units = coordinate.attrs.get("units", "1")
    factor = metre_factor(units)
    if factor is not None:
        attrs = {"standard_name": f"projection_{axis}_coordinate", "units": "m"}
        attrs["long_name"] = f"{axis} coordinate of the pixel centre"
    elif units == "1":
        attrs = {"long_name": f"{'row' if axis == 'y' else 'column'} number", "units": "1"}
    else:  # degrees, or a unit that is not ours to judge
        attrs = {key: coordinate.attrs[key] for key in ("standard_name", "long_name") if key in coordinate.attrs}
        attrs["units"] = units
    variable = file.createVariable(axis, "f8", (axis,))
    variable.setncatts({**attrs, "axis": axis.upper()})
    factor = 1.0 if factor is None else factor
    values = coordinate.values.astype(np.float64) * factor
    variable[:] = values
    return values, factor


def _write_places(file: netCDF4.Dataset, mapping: dict, y: np.ndarray, x: np.ndarray) -> list[str]:
    """Write latitude and longitude if they can be computed; return the names of the variables."""
    places = locate_pixels(mapping, y, x)
    if places is None:
        return []
    described = {"lat": ("latitude", "degrees_north"), "lon": ("longitude", "degrees_east")}
    for values, (name, (standard_name, units)) in zip(places, described.items()):
        variable = file.createVariable(name, "f8", ("y", "x"), **COMPRESSION)
        variable.setncatts({"standard_name": standard_name, "long_name": f"{standard_name} of the pixel centre"})
        variable.units = units
        variable[:] = values
    return list(described)


def name_channels(name: str, channels: np.ndarray) -> list[str]:
    """Return the names of the variables: the channels' own names, or the variable's with the channel's number."""
    if len(channels) == 1:
        return [name]
    if channels.dtype.kind in "iuf":
        return [f"{name}_{channel:g}" for channel in channels]
    return [str(channel).replace("/", "_") for channel in channels]
