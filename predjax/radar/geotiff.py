"""Write forecasts as GeoTIFF files, which GIS programs read as maps (extra `geotiff`)."""

import os
import pathlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from predjax.files import appearing
from predjax.radar.projection import find_crs, put_in_metres
from predjax.radar.writers import FILL_VALUE, name_channels
from predjax.units import metre_factor

FILE_DIMENSIONS = (
    "realization",
    "percentile",
    "threshold",
    "accumulation_threshold",
)  # a file a value
FILE_ATTRIBUTES = ("title", "institution", "source", "comment", "references")
LABELS = ("long_name", "standard_name", "units", "cell_methods", "event_rule", "radius_of_vicinity")
COMPRESSION = {"compress": "DEFLATE", "predictor": "YES", "overview_resampling": "AVERAGE"}
UNEVEN = 0.01  # pixels by which the place of a pixel may differ from that of an even grid


class _Frame(NamedTuple):
    """Properties that all files of one forecast share."""

    crs: Any  # of rasterio
    corner: tuple[float, float]  # x of the western edge, y of the northern edge
    pixel: tuple[float, float]  # width and height
    flips: tuple[int, int]  # the steps along y and x to north up and west left
    tags: dict[str, str]


def write_geotiffs(path: str | os.PathLike, forecast: xr.Dataset, *, overwrite: bool = False) -> list[pathlib.Path]:
    """Write each variable of a Forecast as a cloud-optimised GeoTIFF beside `path`; return the paths of the files.

    A file `stem_variable.tif` has one band a lead time (of accumulations one a period), float32, north up, with the
    projection, and -9999 for no value. Members, percentiles and thresholds are files of their own: `_member01`, `_10`.
    A band is described by its valid time, such as `2016-09-28T16:05:00Z`, and has the tags `valid_time` and
    `lead_time`; the file has the tag `init_time`. Each file appears whole or not at all.

    Raises:
      FileExistsError: a file exists and `overwrite` is not set.
      ValueError: rasterio is not installed; frames without a projection that pyproj knows, or without an even grid.
    """
    require_rasterio()
    path = pathlib.Path(path)
    frame = _describe(path, forecast)
    written = []
    for key, variable in forecast.data_vars.items():
        for number, channel in enumerate(name_channels(str(key), forecast["channel"].values)):
            for suffix, bands in _split(variable.isel(channel=number)):
                file = path.with_name(f"{path.stem}_{channel}{suffix}.tif")
                with appearing(file, overwrite=overwrite) as temporary:
                    _write(temporary, bands, frame)
                written.append(file)
    return written


def require_rasterio() -> None:
    """Raise a ValueError, which names the extra, if rasterio is not installed."""
    try:
        import rasterio  # noqa: F401
    except ImportError as error:
        raise ValueError("--format geotiff needs the extra: pip install 'predjax[geotiff]'") from error


def _describe(path: pathlib.Path, forecast: xr.Dataset) -> _Frame:
    """Return the properties that all files share. Errors: ValueError for a forecast without a place on the ground."""
    from rasterio.crs import CRS

    name = next(iter(forecast.data_vars))
    mapping = forecast[name].attrs.get("grid_mapping")
    units = str(forecast["x"].attrs.get("units", "1"))
    factor = metre_factor(units)
    attrs = put_in_metres(forecast[mapping].attrs, factor or 1.0) if mapping in forecast.variables else {}
    crs = find_crs(attrs or {"crs_wkt": "EPSG:4326"}) if attrs or units.startswith("degrees") else None
    if crs is None or crs.is_geographic != units.startswith("degrees") or (factor is None and crs.is_projected):
        found = attrs.get("grid_mapping_name") or ("one that is not known" if attrs else "none")
        text = f"a GeoTIFF needs frames with a projection, found {found}, and coordinates in units of {units!r}"
        raise ValueError(f"{path}: {text}")
    size = 1.0 if factor is None else factor / (crs.axis_info[0].unit_conversion_factor or 1.0)
    (west, east), (south, north), flips = (0.0, 0.0), (0.0, 0.0), []
    for axis in ("y", "x"):
        values = forecast[axis].values.astype(float) * size
        if values.size < 2:
            raise ValueError(f"{path}: a GeoTIFF needs at least 2 pixels along {axis}, found {values.size}")
        step = (values[-1] - values[0]) / (values.size - 1)
        if np.abs(values - values[0] - step * np.arange(values.size)).max() > UNEVEN * abs(step):
            raise ValueError(f"{path}: a GeoTIFF needs pixels that are equally wide, those along {axis} are not")
        edges = sorted((values[0] - step / 2, values[-1] + step / 2))
        if axis == "y":
            south, north = edges
        else:
            west, east = edges
        flips.append(1 if (step < 0) == (axis == "y") else -1)
    shape = forecast.sizes["y"], forecast.sizes["x"]
    pixel = (east - west) / shape[1], (north - south) / shape[0]
    tags = {key: str(forecast.attrs[key]) for key in FILE_ATTRIBUTES if forecast.attrs.get(key)}
    tags["init_time"] = _show_time(forecast["init_time"].values)
    return _Frame(CRS.from_wkt(crs.to_wkt()), (west, north), pixel, (flips[0], flips[1]), tags)


def _split(variable: xr.DataArray) -> Iterator[tuple[str, xr.DataArray]]:
    """Yield the bands (band, y, x) of each file of a variable, with the file's addition to the variable's name."""
    own = [axis for axis in variable.dims if axis in FILE_DIMENSIONS]
    if not own:
        yield "", variable
        return
    (axis,) = own
    for number in range(variable.sizes[axis]):
        one = variable.isel({axis: number})
        value = one[axis].item()
        yield (f"_member{value:02d}" if axis == "realization" else f"_{value:g}"), one


def _write(path: pathlib.Path, bands: xr.DataArray, frame: _Frame) -> None:
    """Write bands (band, y, x) into a new file."""
    import rasterio

    count, height, width = bands.shape
    transform = rasterio.transform.from_origin(*frame.corner, *frame.pixel)
    place = {"crs": frame.crs, "transform": transform, "nodata": float(FILL_VALUE)}
    size: dict[str, Any] = {"count": count, "height": height, "width": width, "dtype": "float32"}
    labels = {key: str(bands.attrs[key]) for key in LABELS if key in bands.attrs}
    for axis in FILE_DIMENSIONS:
        if axis in bands.coords:
            labels[axis] = f"{bands[axis].item():g} {bands[axis].attrs.get('units', '1')}".removesuffix(" 1")
    with rasterio.open(path, "w", driver="COG", **size, **place, **COMPRESSION) as file:
        file.update_tags(**frame.tags, **labels)
        file.units = (bands.attrs["units"],) * count
        for number in range(count):
            values = bands[number].values[:: frame.flips[0], :: frame.flips[1]]
            file.write(np.where(np.isnan(values), FILL_VALUE, values).astype(np.float32), number + 1)
            description, tags = _label_band(bands[number])
            file.set_band_description(number + 1, description)
            file.update_tags(number + 1, **tags)


def _label_band(band: xr.DataArray) -> tuple[str, dict[str, str]]:
    """Return the description and the tags of a band: its times, or the period in which rain accumulates."""
    if "accumulation_period" in band.coords:
        period = f"{band['accumulation_period'].item():g} {band['accumulation_period'].attrs['units']}"
        return f"{period} from the init time on", {"accumulation_period": period}
    lead, valid = band["lead_time"], _show_time(band["valid_time"].values)
    return valid, {"valid_time": valid, "lead_time": f"{lead.item():g} {lead.attrs['units']}"}


def _show_time(time: Any) -> str:
    """Return a time as ISO 8601 text, UTC, or the number of a frame."""
    if np.issubdtype(time.dtype, np.datetime64):
        return f"{np.datetime_as_string(time, unit='s')}Z"
    return f"frame {int(time)}"
