"""Where the pixels of a projection lie on the globe."""

import sys

import netCDF4
import numpy as np
import pytest

from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.radar.projection import locate_pixels

ALBERS = {
    "grid_mapping_name": "albers_conical_equal_area",
    "standard_parallel": np.array([-26.2, -29.3]),
    "longitude_of_central_meridian": np.float64(153.24),
    "latitude_of_projection_origin": -27.7178,
    "false_easting": 0.0,
    "false_northing": 0.0,
    "semi_major_axis": 6378137.0,
    "semi_minor_axis": 6356752.31414,
}


@pytest.fixture
def pyproj():
    return pytest.importorskip("pyproj", reason="pyproj is not installed (extra projection)")


def test_the_origin_and_a_kilometre_north_and_east_of_it(pyproj):
    lat, lon = locate_pixels(ALBERS, np.array([1000.0, 0.0]), np.array([0.0, 1000.0, 2000.0]))
    assert lat.shape == lon.shape == (2, 3)
    np.testing.assert_allclose([lat[1, 0], lon[1, 0]], [-27.7178, 153.24], atol=1e-9)
    # a degree of latitude is 110.8 km there, one of longitude 98.6 km
    np.testing.assert_allclose(lat[0, 0] - lat[1, 0], 1 / 110.8, rtol=2e-3)
    np.testing.assert_allclose(lon[1, 1] - lon[1, 0], 1 / 98.6, rtol=2e-3)


def test_texts_come_before_cf_parameters_and_their_unit_counts(pyproj):
    y, x = np.array([5000.0, 0.0]), np.array([0.0, 7000.0])
    expected = locate_pixels(ALBERS, y, x)
    text = "+proj=aea +lat_0=-27.7178 +lon_0=153.24 +lat_1=-26.2 +lat_2=-29.3 +ellps=GRS80 +no_defs +units="
    for mapping in (
        {"proj4": text + "m"},
        {"proj4": text + "km"},  # counts in km, the pixels are in m all the same
        {"crs_wkt": pyproj.CRS(text + "m").to_wkt(), "grid_mapping_name": "what nobody knows"},
        {"crs_wkt": "damaged", "proj4": text + "m"},
    ):
        np.testing.assert_allclose(locate_pixels(mapping, y, x), expected, rtol=0, atol=1e-8)


def test_unknown_or_absurd_projections_have_no_places(pyproj):
    y = x = np.array([1000.0, 0.0])
    assert locate_pixels({}, y, x) is None
    assert locate_pixels({"grid_mapping_name": "what_nobody_knows"}, y, x) is None
    assert locate_pixels({"grid_mapping_name": "latitude_longitude"}, y, x) is None
    assert locate_pixels(ALBERS, y, x * 1e9) is None  # beyond the edge of the world


def test_corners_of_a_national_composite(pyproj, shared):
    """Outer corners as the Dutch weather service gives them for its composite."""
    with NETCDF_LOCK, netCDF4.Dataset(shared / "radar" / "knmi_20100826.nc") as file:
        mapping = {key: file["crs"].getncattr(key) for key in file["crs"].ncattrs()}
        y, x = (file[axis][:].data for axis in ("y", "x"))
    lat, lon = locate_pixels(mapping, [y[0] + 500, y[-1] - 500], [x[0] - 500, x[-1] + 500])
    np.testing.assert_allclose(lat, [[55.974, 55.389], [49.362, 48.895]], atol=2e-3)
    np.testing.assert_allclose(lon, [[0.0, 10.856], [0.0, 9.009]], atol=2e-3)


def test_without_pyproj_there_are_none(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyproj", None)
    assert locate_pixels(ALBERS, np.zeros(2), np.zeros(2)) is None
