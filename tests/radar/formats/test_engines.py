"""Engines of xarray: which there are, what brings one, and files that each writes and reads where it is installed."""

import sys

import numpy as np
import pytest

from predjax.radar.formats import engines
from predjax.radar.readers import read_movies

pytestmark = [pytest.mark.usefixtures("as_in_a_new_process"), pytest.mark.filterwarnings("ignore")]
TIMES = np.datetime64("2026-06-01T12:00") + np.arange(3) * np.timedelta64(5, "m")
RAIN = np.random.default_rng(0).integers(0, 90, (3, 6, 8)) / 10
RAIN[:, 0] = np.nan


def test_an_engine_that_is_missing_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr(engines.xr.backends, "list_engines", lambda: {"netcdf4": None, "zarr": None})
    message = (
        r"engine must be one that xarray has installed \(netcdf4, zarr\), not 'cfgrib': pip install 'predjax\[grib\]'"
    )
    with pytest.raises(ValueError, match=message):
        engines.check_engine("cfgrib")
    with pytest.raises(ValueError, match=r"not 'mine'$"):
        engines.check_engine("mine")
    for name in ("", "zarr"):
        engines.check_engine(name)


def test_pyproj_is_loaded_before_the_engines(tmp_path, monkeypatch):
    (tmp_path / "pyproj.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "pyproj", None)
    monkeypatch.delitem(sys.modules, "pyproj")
    monkeypatch.setattr(engines.xr.backends, "list_engines", lambda: ["first"] if "pyproj" in sys.modules else ["last"])
    assert engines.list_engines() == ["first"]


@pytest.mark.parametrize(
    ("name", "engine"),
    [("a.GRIB2", "cfgrib"), ("a.tif", "rasterio"), ("raa01-ry_10000-1606010000-dwd---bin", "radolan"), ("a.md", "")],
)
def test_files_of_a_known_engine_are_refused_with_its_name(tmp_path, name, engine):
    (tmp_path / name).write_text("text")
    with pytest.raises(ValueError, match="is unknown; known are") as error:
        read_movies(tmp_path / name)
    assert (f"; --engine {engine} reads it (pip install 'predjax[" in str(error.value)) == bool(engine)


def write_grib(eccodes, path, values, **keys):
    """Messages of GRIB2 on longitudes and latitudes, as services write them; NaN is missing."""
    grid = {"Ni": 8, "Nj": 6, "iDirectionIncrementInDegrees": 0.5, "jDirectionIncrementInDegrees": 0.5}
    corners = {"latitude": (52.5, 50), "longitude": (6, 9.5)}
    for axis, (first, last) in corners.items():
        grid |= {f"{axis}OfFirstGridPointInDegrees": first, f"{axis}OfLastGridPointInDegrees": last}
    with open(path, "wb") as file:
        for time, frame in zip(TIMES, values):
            message = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib2")
            date, clock = str(time).replace("-", "").replace(":", "").split("T")
            labels = grid | keys | {"dataDate": int(date), "dataTime": int(clock), "bitmapPresent": 1}
            for key, value in labels.items():
                eccodes.codes_set(message, key, value)
            eccodes.codes_set(message, "missingValue", 9999)
            eccodes.codes_set_values(message, np.where(np.isnan(frame), 9999, frame).ravel())
            eccodes.codes_write(message, file)
            eccodes.codes_release(message)
    return path


def test_grib_of_a_known_parameter_has_its_unit(tmp_path):
    eccodes = pytest.importorskip("eccodes")
    pytest.importorskip("cfgrib")
    path = write_grib(
        eccodes, tmp_path / "dwd.grib2", RAIN / 3600, discipline=0, parameterCategory=1, parameterNumber=52
    )
    (movies,) = read_movies(path, engine="cfgrib")
    assert (movies.frames.attrs["units"], movies.frames.attrs["variable"]) == ("mm/h", "tprate")
    np.testing.assert_allclose(movies.frames.values[0, ..., 0], RAIN, atol=0.01, equal_nan=True)
    np.testing.assert_array_equal(movies.time.values[0], TIMES.astype("M8[ns]"))
    assert movies.y.values[[0, -1]].tolist() == [52.5, 50]
    assert [one.name for one in tmp_path.iterdir()] == ["dwd.grib2"]  # and no index beside it


def test_grib_of_mrms_needs_the_unit(tmp_path):
    eccodes = pytest.importorskip("eccodes")
    pytest.importorskip("cfgrib")
    local = {"discipline": 209, "centre": 161, "parameterCategory": 6, "parameterNumber": 1}
    path = write_grib(eccodes, tmp_path / "MRMS_PrecipRate.grib2", RAIN[:1], **local)
    (movies,) = read_movies(path, engine="cfgrib", source_units="mm/h")
    assert movies.frames.attrs["units"] == "mm/h"
    np.testing.assert_allclose(movies.frames.values[0, 0, ..., 0], RAIN[0], atol=0.01, equal_nan=True)


def write_tiff(rasterio, path, bands, driver="GTiff"):
    transform = rasterio.transform.from_origin(500_000, 5_600_000, 1000, 1000)
    stored = np.where(np.isnan(bands), -1, np.rint(bands * 10)).astype("i2")
    shape = dict(zip(("count", "height", "width"), bands.shape))
    more = {"dtype": "int16", "crs": "EPSG:25832", "transform": transform, "nodata": -1}
    with rasterio.open(path, "w", driver=driver, **shape, **more) as file:
        file.write(stored)
        file.scales, file.units = (0.1,) * len(bands), ("mm/h",) * len(bands)
    return path


@pytest.mark.parametrize("driver", ["GTiff", "COG"])
def test_geotiff_has_unit_and_grid_and_the_date_of_its_name(tmp_path, driver):
    rasterio = pytest.importorskip("rasterio")
    pytest.importorskip("rioxarray")
    for time, frame in zip(TIMES, RAIN):
        name = str(time).replace("-", "").replace(":", "")
        write_tiff(rasterio, tmp_path / f"rain_{name}.tif", frame[None], driver)
    (movies,) = read_movies(tmp_path, engine="rasterio")
    assert movies.frames.attrs["units"] == "mm/h"
    np.testing.assert_allclose(movies.frames.values[0, ..., 0], RAIN, atol=1e-5, equal_nan=True)
    np.testing.assert_array_equal(movies.time.values[0], TIMES.astype("M8[ns]"))
    assert (float(movies.x[0]), float(movies.y[0])) == (500_500, 5_599_500)
    assert "crs_wkt" in movies.spatial_ref.attrs
    assert "times from the names of the files, taken as UTC" in movies.attrs["remarks"]


def test_bands_of_geotiff_are_channels(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    pytest.importorskip("rioxarray")
    (movies,) = read_movies(write_tiff(rasterio, tmp_path / "202606011200.tif", RAIN), engine="rasterio")
    np.testing.assert_allclose(movies.frames.values[0, 0], np.moveaxis(RAIN, 0, 2), atol=1e-5, equal_nan=True)
    path = write_tiff(rasterio, tmp_path / "stack.tif", RAIN)
    with pytest.raises(ValueError, match="neither a time dimension nor a single time"):
        read_movies(path, engine="rasterio")


@pytest.mark.parametrize(("product", "interval", "step"), [("RY", 5, 0.12), ("RW", 60, 0.1)])
def test_radolan_has_its_unit_and_its_own_time(tmp_path, product, interval, step):
    pytest.importorskip("wradlib")
    values = np.zeros((900, 900), "<u2")
    values[100:200, 300:400], values[0] = 25, 0x2000 | 2500  # of which the second is no data
    precision = "E-02" if product == "RY" else "E-01"
    header = (
        f"{product}0100501000006{16}BY{{size:7d}}VS 3SW   2.13.1PR {precision}INT{interval:4d}GP 900x 900MS  5<asb>\x03"
    )
    size = len(header.format(size=0)) + values.nbytes
    path = tmp_path / f"raa01-{product.lower()}_10000-1606010050-dwd---bin"
    path.write_bytes(header.format(size=size).encode() + values.tobytes())
    (movies,) = read_movies(path, engine="radolan")
    assert movies.frames.attrs["units"] == "mm/h"
    assert movies.time.values[0, 0] == np.datetime64("2016-06-01T00:50")
    frame = movies.frames.values[0, 0, ..., 0]
    assert np.isnan(frame[0]).all() and frame[1:].max() == pytest.approx(25 * step) and frame[300:].max() == 0
