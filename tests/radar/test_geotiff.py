"""Forecasts as GeoTIFF: what rasterio, which is GDAL, finds in them."""

import importlib.util
import sys

import numpy as np
import pytest
import xarray as xr

from predjax.jobs.once import forecast_once
from predjax.jobs.options import ForecastFiles, ForecastOptions
from predjax.jobs.watch_options import WatchOptions
from predjax.nowcasts.config import EnsembleOptions
from predjax.nowcasts.products import make_products
from predjax.radar.geotiff import write_geotiffs

needs_rasterio = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("rasterio", "pyproj")),
    reason="rasterio or pyproj is not installed (extra geotiff)",
)
# rasterio multiplies what affine 3 wants to be multiplied by another sign.
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
INIT = np.datetime64("2016-09-28T16:00", "ns")
SPHERE = {
    "grid_mapping_name": "polar_stereographic",
    "straight_vertical_longitude_from_pole": 25.0,
    "latitude_of_projection_origin": 90.0,
    "standard_parallel": 60.0,
    "false_easting": 380886.31,
    "false_northing": 3395677.92,
    "earth_radius": 6371288.0,
}
ALBERS = {
    "grid_mapping_name": "albers_conical_equal_area",
    "standard_parallel": [-26.2, -29.3],
    "latitude_of_projection_origin": -27.7178,
    "longitude_of_central_meridian": 153.24,
    "false_easting": 0.0,
    "false_northing": 0.0,
    "semi_major_axis": 6378137.0,
    "inverse_flattening": 298.257222101,
}
# Pixel centres of 5 x 4 pixels: rows that rise, in m; rows that fall, in km; degrees.
GRIDS = {
    "rising": (SPHERE, "m", 1000.0 * np.arange(5) + 700_500, 1000.0 * np.arange(4) + 300_500),
    "falling": (ALBERS, "km", 1.0 * np.arange(5)[::-1] - 127.5, 1.0 * np.arange(4) - 127.5),
    "degrees": (None, "degrees", 46.0 - 0.01 * np.arange(5), 8.5 + 0.02 * np.arange(4)),
}


def make_forecast(grid="rising", members=0):
    mapping, units, y, x = GRIDS[grid]
    shape = (members, 3, 5, 4, 1)[not members :]
    dims = ("realization", "lead_time", "y", "x", "channel")[not members :]
    values = np.random.default_rng(0).gamma(1.0, 2.0, shape).astype(np.float32)
    values[..., 0, 1, 0] = np.nan
    attrs = {"units": "mm/h", "long_name": "rain rate"} | ({"grid_mapping": "crs"} if mapping else {})
    lead = 5 * np.arange(1, 4)
    coords = {
        "lead_time": ("lead_time", lead, {"units": "minutes"}),
        "valid_time": ("lead_time", INIT + lead * np.timedelta64(1, "m")),
        "init_time": ((), INIT),
        "y": ("y", y, {"units": units}),
        "x": ("x", x, {"units": units}),
        "channel": [0],
        **({"realization": np.arange(1, members + 1)} if members else {}),
        **({"crs": ((), 0, mapping)} if mapping else {}),
    }
    return xr.Dataset({"rain": (dims, values, attrs)}, coords, {"title": "Nowcast by test"})


@needs_rasterio
@pytest.mark.parametrize(
    ("grid", "corner"), [("rising", (300_000, 705_000)), ("falling", (-128_000, -123_000)), ("degrees", (8.49, 46.005))]
)
def test_gdal_finds_values_places_and_times(tmp_path, grid, corner):
    import pyproj
    import rasterio

    forecast = make_forecast(grid)
    (path,) = write_geotiffs(tmp_path / "a.nc", forecast)
    assert path == tmp_path / "a_rain.tif" and [*tmp_path.iterdir()] == [path]
    north_up = forecast["rain"].values[:, :: -1 if grid == "rising" else 1, :, 0]
    with rasterio.open(path) as file:
        np.testing.assert_array_equal(file.read(masked=True).filled(np.nan), north_up)
        np.testing.assert_allclose(file.xy(-0.5, -0.5), corner, rtol=1e-9)
        tags, bands = file.tags(), [file.tags(number) for number in file.indexes]
        assert (file.nodata, file.units[0], tags["init_time"]) == (-9999, "mm/h", "2016-09-28T16:00:00Z")
        assert file.descriptions == ("2016-09-28T16:05:00Z", "2016-09-28T16:10:00Z", "2016-09-28T16:15:00Z")
        assert bands[2]["valid_time"] == "2016-09-28T16:15:00Z" and bands[2]["lead_time"] == "15 minutes"
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        found = pyproj.CRS.from_user_input(file.crs.to_wkt())
    stated = pyproj.CRS.from_cf(GRIDS[grid][0]) if GRIDS[grid][0] else pyproj.CRS("EPSG:4326")
    there = [pyproj.Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True).transform(*corner)
             for crs in (found, stated)]  # fmt: skip
    np.testing.assert_allclose(*there, atol=1e-9)


@needs_rasterio
def test_members_and_products_are_files_of_their_own(tmp_path):
    import rasterio

    forecast = make_forecast(members=2)
    forecast = forecast.isel(lead_time=slice(2, 3))
    options = EnsembleOptions(
        statistic=("members", "mean"), percentiles=(10,), probability=(1, 2.5), accumulation=(0.2,)
    )
    write_geotiffs(tmp_path / "a.nc", make_products(forecast, options))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [
        "a_probability_of_accumulation_above_threshold_0.2.tif",
        "a_probability_of_rain_above_threshold_1.tif",
        "a_probability_of_rain_above_threshold_2.5.tif",
        "a_rain_mean.tif",
        "a_rain_member01.tif",
        "a_rain_member02.tif",
        "a_rain_percentile_10.tif",
    ]
    with rasterio.open(tmp_path / names[4]) as file, rasterio.open(tmp_path / names[0]) as sums:
        np.testing.assert_array_equal(file.read(1, masked=True).filled(np.nan), forecast["rain"][0, 0, ::-1, :, 0])
        assert file.tags()["realization"] == "1"
        assert sums.descriptions == ("15 minutes from the init time on",)
        assert sums.tags()["accumulation_threshold"] == "0.2 mm" and sums.units == ("1",)
    with pytest.raises(FileExistsError, match=r"a_rain_member01\.tif exists"):
        write_geotiffs(tmp_path / "a.nc", forecast)


@needs_rasterio
def test_frames_that_have_no_place_are_refused_in_one_line(tmp_path):
    forecast = make_forecast()
    numbered = forecast.assign_coords(y=np.arange(5.0), x=np.arange(4.0))
    uneven = forecast.assign_coords(y=("y", np.array([0.0, 1, 2, 3, 5]), {"units": "m"}))
    for frames, reason in (
        (forecast.drop_vars("crs"), "a projection, found none, and coordinates in units of 'm'"),
        (numbered, "a projection, found polar_stereographic, and coordinates in units of '1'"),
        (uneven, "pixels that are equally wide, those along y are not"),
        (forecast.isel(x=[0]), "at least 2 pixels along x, found 1"),
    ):
        with pytest.raises(ValueError, match=reason) as error:
            write_geotiffs(tmp_path / "a.nc", frames)
        assert str(error.value).startswith(f"{tmp_path}/a.nc: a GeoTIFF needs") and "\n" not in str(error.value)
    assert not [*tmp_path.iterdir()]


def test_without_rasterio_the_extra_is_named_before_any_work(monkeypatch):
    monkeypatch.setitem(sys.modules, "rasterio", None)
    with pytest.raises(ValueError, match=r"--format geotiff needs the extra: pip install 'predjax\[geotiff\]'"):
        forecast_once(
            ForecastOptions("extrapolation", "nowhere"), ForecastFiles("a.nc", format="geotiff"), WatchOptions()
        )


@needs_rasterio
def test_the_command_writes_them_beside_the_netcdf(tmp_path):
    import rasterio

    rain = make_forecast("falling").isel(channel=0, drop=True)["rain"].fillna(0).rename(lead_time="time")
    rain = rain.assign_coords(time=rain["valid_time"]).drop_vars(("valid_time", "init_time"))
    rain = xr.concat([rain.assign_coords(time=rain["time"] - np.timedelta64(15, "m")), rain], "time")
    rain.to_netcdf(tmp_path / "rain.nc")
    options = ForecastOptions("persistence", str(tmp_path / "rain.nc"), num_steps=2)
    forecast_once(options, ForecastFiles(str(tmp_path / "out" / "a.nc"), format="geotiff"), WatchOptions())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.nc", "a_rain.tif"]
    with rasterio.open(tmp_path / "out" / "a_rain.tif") as file:
        np.testing.assert_array_equal(file.read(2), rain[-1])
