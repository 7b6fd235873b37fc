"""Forecasts to netCDF files that follow the CF conventions, and files that appear whole or not at all."""

import os

import netCDF4
import numpy as np
import xarray as xr

from predjax.files import appearing
from predjax.radar.netcdf_lock import NETCDF_LOCK

CONVENTIONS = "CF-1.11"
FILL_VALUE = np.float32(-9999)
CF_UNITS = {"mm/h": "mm h-1"}  # UDUNITS reads both; the CF tables have the second
KILOMETRES = ("km", "kilometre", "kilometres", "kilometer", "kilometers")
METRES = ("m", "metre", "metres", "meter", "meters")
GLOBAL_ATTRIBUTES = ("title", "institution", "source", "history", "references")


def write_forecast(path: str | os.PathLike, forecast: xr.Dataset, *, overwrite: bool = False) -> None:
    """Writes one Forecast as CF netCDF: dimensions (time, y, x), readable by xarray, GDAL, ncview and others.

    `time` is the valid time, counted in seconds from the init time, which stands in `forecast_reference_time`;
    `forecast_period` is the lead time. Projected coordinates in km become m, rows are turned so that y falls
    (row 0 is north; row numbers of data without coordinates stay as they are), NaN becomes `_FillValue`. A single
    channel is one variable with the name it has in the data; several are one variable each. Without times the
    dimension `time` holds frame numbers.

    Raises:
      FileExistsError: the file exists and `overwrite` is not set.
    """
    with (
        NETCDF_LOCK,
        appearing(path, overwrite=overwrite) as temporary,
        netCDF4.Dataset(temporary, "w", format="NETCDF4") as file,
    ):
        _write(file, forecast)


def _write(file: netCDF4.Dataset, forecast: xr.Dataset) -> None:
    name = next(iter(forecast.data_vars))
    frames, attrs = forecast[name].values, dict(forecast[name].attrs)
    rising = _is_projected(forecast["y"]) and forecast["y"].values[-1] > forecast["y"].values[0]
    if rising:
        frames = frames[:, ::-1]
        forecast = forecast.isel(y=slice(None, None, -1))
    file.Conventions = CONVENTIONS
    file.setncatts({key: forecast.attrs[key] for key in GLOBAL_ATTRIBUTES if forecast.attrs.get(key)})
    for dimension, size in (("time", frames.shape[0]), ("y", frames.shape[1]), ("x", frames.shape[2])):
        file.createDimension(dimension, size)

    auxiliary = _write_times(file, forecast)
    factors = [_write_pixels(file, forecast[axis]) for axis in ("y", "x")]
    mapping = attrs.pop("grid_mapping", None)
    if mapping in forecast.variables:
        _write_grid_mapping(file, mapping, forecast[mapping].attrs, max(factors))
        attrs["grid_mapping"] = mapping
    attrs["units"] = CF_UNITS.get(attrs["units"], attrs["units"])
    attrs["coordinates"] = " ".join(auxiliary)
    for number, channel in enumerate(_channel_names(name, forecast["channel"].values)):
        variable = file.createVariable(
            channel,
            "f4",
            ("time", "y", "x"),
            compression="zlib",
            complevel=4,
            shuffle=True,
            chunksizes=(1, *frames.shape[1:3]),
            fill_value=FILL_VALUE,
        )
        variable.setncatts(attrs)
        values = frames[..., number]
        variable[:] = np.where(np.isnan(values), FILL_VALUE, values)


def _write_times(file: netCDF4.Dataset, forecast: xr.Dataset) -> list[str]:
    """The time variables; returns the names of the auxiliary ones."""
    lead_time, valid_time, init_time = (forecast[name] for name in ("lead_time", "valid_time", "init_time"))
    if np.issubdtype(valid_time.dtype, np.datetime64):
        base = init_time.values.astype("datetime64[s]")
        units = f"seconds since {str(base).replace('T', ' ')}"
        time = file.createVariable("time", "f8", ("time",))
        time.setncatts({"standard_name": "time", "long_name": "valid time", "axis": "T", "units": units})
        time.calendar = "standard"
        time[:] = (valid_time.values - base) / np.timedelta64(1, "s")
        reference = file.createVariable("forecast_reference_time", "i4", ())
        reference.setncatts({"standard_name": "forecast_reference_time", "long_name": "init time"})
        reference.setncatts({"units": units, "calendar": "standard"})
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
    """Whether a coordinate is a place, not the number of a pixel."""
    return coordinate.attrs.get("units", "1") != "1"


def _write_pixels(file: netCDF4.Dataset, coordinate: xr.DataArray) -> float:
    """One coordinate of the pixel centres; returns the factor that brought it to metres."""
    axis = coordinate.name
    units = coordinate.attrs.get("units", "1")
    factor = 1000.0 if units in KILOMETRES else 1.0
    if units in KILOMETRES + METRES:
        attrs = {"standard_name": f"projection_{axis}_coordinate", "units": "m"}
        attrs["long_name"] = f"{axis} coordinate of the pixel centre"
    elif units == "1":
        attrs = {"long_name": f"{'row' if axis == 'y' else 'column'} number", "units": "1"}
    else:  # degrees, or a unit that is not ours to judge
        attrs = {key: coordinate.attrs[key] for key in ("standard_name", "long_name") if key in coordinate.attrs}
        attrs["units"] = units
    variable = file.createVariable(axis, "f8", (axis,))
    variable.setncatts({**attrs, "axis": axis.upper()})
    variable[:] = coordinate.values.astype(np.float64) * factor
    return factor


def _write_grid_mapping(file: netCDF4.Dataset, name: str, found: dict, factor: float) -> None:
    """The grid mapping as found; with coordinates that were in km, what is in their unit goes with them."""
    attrs = dict(found)
    if factor != 1:
        for key in ("false_easting", "false_northing"):
            if key in attrs:
                attrs[key] = attrs[key] * factor
        for key in ("crs_wkt", "spatial_ref", "proj4"):
            if any(text in str(attrs.get(key, "")) for text in ("kilomet", '"km"', "units=km")):
                del attrs[key]  # would place the pixels, now in m, a thousand times too far
    variable = file.createVariable(name, "i4", ())
    variable.setncatts(attrs)
    variable[...] = 0


def _channel_names(name: str, channels: np.ndarray) -> list[str]:
    """Names of the variables: the channels' own names, or the variable's with the channel's number."""
    if len(channels) == 1:
        return [name]
    if channels.dtype.kind in "iuf":
        return [f"{name}_{channel:g}" for channel in channels]
    return [str(channel).replace("/", "_") for channel in channels]
