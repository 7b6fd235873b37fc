"""Composites in KNMI's HDF5: calibration, missing codes, periods, where they lie, what is refused."""

import datetime
import importlib.util
import sys
import warnings

import numpy as np
import pytest
import xarray as xr

from predjax.radar.formats import placement
from predjax.radar.formats.backends import KnmiBackend
from predjax.radar.formats.lazy import find_codes
from predjax.radar.readers import read_movies

h5py = pytest.importorskip("h5py", reason="h5py writes the test files (extra test)")

START = datetime.datetime(2010, 8, 26, 0, 0)
SHAPE = (16, 20)
IN_KM = "+proj=stere +lat_0=90 +lon_0=0 +lat_ts=60 +a=6378.14 +b=6356.75 +x_0=0 y_0=0"  # as KNMI writes it
IN_M = "+proj=stere +lat_0=90 +lon_0=0 +lat_ts=60 +a=6378137 +b=6356752 +x_0=0 +y_0=0 +units=km"
GEOGRAPHIC = {
    "geo_column_offset": np.float32([0]), "geo_row_offset": np.float32([3649.982]), "geo_dim_pixel": "KM,KM",
    "geo_number_columns": np.int32([SHAPE[1]]), "geo_number_rows": np.int32([SHAPE[0]]), "geo_pixel_def": "LU",
    "geo_pixel_size_x": np.float32([1.0000035]), "geo_pixel_size_y": np.float32([-1.0000048]),
}  # fmt: skip
RAIN = {"image_geo_parameter": "PRECIP_[MM]", "image_product_name": "RAD_NL25_RAC_5M"}
RAIN_CODES = {
    "calibration_flag": "Y", "calibration_formulas": "GEO=0.010000*PV+0.000000",
    "calibration_missing_data": np.int32([65534]), "calibration_out_of_image": np.int32([65535]),
}  # fmt: skip
DBZ = {"image_geo_parameter": "REFLECTIVITY_[DBZ]"}
DBZ_CODES = {
    "calibration_formulas": "GEO = 0.500000 * PV + -32.000000",
    "calibration_missing_data": np.int32([0]), "calibration_out_of_image": np.int32([255]),
}  # fmt: skip


def put(group, attrs):
    for key, value in attrs.items():
        if value is not None:
            group.attrs[key] = np.bytes_(value) if isinstance(value, str) else value


def write(path, *images, minutes=5, period=5, proj4=IN_KM, geographic=(), overview=()):
    """A product; every one of `images` is pixels, the attributes of the image and those of its calibration."""
    end = START + datetime.timedelta(minutes=minutes)
    times = {"start": end - datetime.timedelta(minutes=period), "end": end}
    product = {f"product_datetime_{key}": f"{time:%d-%b-%Y;%H:%M:%S}.000".upper() for key, time in times.items()}
    product |= {"product_group_name": "RAD_NL25_RAC_5M", "number_image_groups": np.int32([len(images)])}
    with h5py.File(path, "w") as file:
        put(file.create_group("overview"), product | dict(overview))
        put(file.create_group("geographic"), GEOGRAPHIC | dict(geographic))
        put(file.create_group("geographic/map_projection"), {"projection_proj4_params": proj4})
        for number, (pixels, image, calibration) in enumerate(images, 1):
            group = file.create_group(f"image{number}")
            put(group, image)
            if calibration is not None:
                put(group.create_group("calibration"), calibration)
            array = group.create_dataset("image_data", data=pixels, compression="gzip", chunks=pixels.shape)
            put(array, {"CLASS": "IMAGE", "DISPLAY_ORIGIN": "UL"})
    return path


pytestmark = pytest.mark.usefixtures("as_in_a_new_process")


@pytest.fixture
def rain():
    image = np.random.default_rng(0).integers(0, 900, SHAPE).astype("u2")
    image[0], image[1, :3], image[2] = 65535, 65534, 0
    return image


@pytest.fixture
def dbz():
    image = np.random.default_rng(0).integers(1, 180, SHAPE).astype("u1")
    image[0], image[2] = 255, 0
    return image


def read(path, **options):
    (movies,) = read_movies(path, **options)
    return movies


@pytest.mark.parametrize("period", [5, 60])
def test_accumulations_become_rates_by_the_period(tmp_path, rain, period):
    movies = read(write(tmp_path / "a.h5", (rain, RAIN, RAIN_CODES), period=period))
    values = movies.frames.values[0, 0, ..., 0]
    assert np.isnan(values[0]).all() and np.isnan(values[1, :3]).all() and (values[2] == 0).all()
    np.testing.assert_allclose(values[3:], rain[3:] * 0.01 * 60 / period, rtol=1e-6)
    assert movies.time.values[0, 0] == np.datetime64("2010-08-26T00:05")
    attrs = movies.frames.attrs
    assert (attrs["units"], attrs["variable"], attrs["standard_name"]) == ("mm/h", "PRECIP", "rainfall_rate")
    assert movies.attrs["title"] == "RAD_NL25_RAC_5M" and "KNMI" in movies.attrs["institution"]
    codes, table = find_codes(movies.frames)
    np.testing.assert_array_equal(codes.values[0, 0, ..., 0], rain)
    assert np.isnan(table[65534:]).all() and table[1] == np.float32(0.01 * 60 / period)


def test_no_echo_is_dry_where_missing_data_are_zero(tmp_path, dbz, caplog):
    movies = read(write(tmp_path / "a.h5", (dbz, DBZ, DBZ_CODES), period=0))
    values = movies.frames.values[0, 0, ..., 0]
    assert np.isnan(values[0]).all() and (values[2] == -32).all()
    np.testing.assert_array_equal(values[3:], dbz[3:] * 0.5 - 32)
    assert movies.frames.attrs["units"] == "dBZ" and "without an echo" in caplog.text
    calibration = DBZ_CODES | {"calibration_missing_data": np.int32([2])}
    values = read(write(tmp_path / "b.h5", (dbz + (dbz == 0) * np.uint8(2), DBZ, calibration))).frames.values
    assert np.isnan(values[0, 0, 2]).all()


@pytest.mark.parametrize("proj4", [IN_KM, IN_M])
def test_pixels_lie_where_the_offsets_say(tmp_path, rain, proj4, monkeypatch):
    path = write(tmp_path / "a.h5", (rain, RAIN, RAIN_CODES), proj4=proj4)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "pyproj", None)
        bare = read(path)
    np.testing.assert_allclose(bare.y, -3650000.0 - 1000 * (np.arange(SHAPE[0]) + 0.5), atol=1)
    np.testing.assert_allclose(bare.x, 1000 * (np.arange(SHAPE[1]) + 0.5), atol=1)
    assert bare["crs"].attrs.keys() == {"proj4"} and "km" not in bare["crs"].attrs["proj4"]
    pyproj = pytest.importorskip("pyproj", reason="pyproj is not installed (extra projection)")
    placement._describe.cache_clear()
    mapping = read(path)["crs"].attrs
    assert mapping["grid_mapping_name"] == "polar_stereographic" and abs(mapping["semi_major_axis"] - 6378138) < 3
    # The corner of the Dutch composite, by KNMI's own description of it.
    lon, lat = pyproj.Proj(mapping["proj4"])(0.0, bare.y.values[0] + 500, inverse=True)
    np.testing.assert_allclose([lon, lat], [0.0, 55.973602], atol=5e-5)


def test_frames_are_joined_with_no_regard_to_their_projection_s_unit(tmp_path, rain):
    for minutes in (15, 5, 10):
        write(tmp_path / f"{20 - minutes}.h5", (rain, RAIN, RAIN_CODES), minutes=minutes)
    movies = read(tmp_path)
    assert movies.frames.shape == (1, 3, *SHAPE, 1) and movies.attrs["step_seconds"] == 300
    assert read(tmp_path, units="dBZ").frames.attrs["units"] == "dBZ"


def test_other_images_of_a_file_are_passed_over(tmp_path, rain, dbz):
    quality = {"image_geo_parameter": "QUALITY_[-]"}
    path = write(tmp_path / "a.h5", (rain, RAIN, RAIN_CODES), (dbz, quality, DBZ_CODES), (dbz, DBZ, DBZ_CODES))
    with pytest.raises(ValueError, match=r"image1 \(PRECIP_\[MM\]\), image2 .*choose one with --variable"):
        read(path)
    for wanted in ("image1", "PRECIP", "PRECIP_[MM]", "image1/image_data"):
        assert read(path, variable=wanted).frames.attrs["units"] == "mm/h"
    with pytest.raises(ValueError, match="there is no image 'image2' of rain or reflectivity"):
        read(path, variable="image2")
    assert read(write(tmp_path / "b.h5", (rain, RAIN, RAIN_CODES), (dbz, quality, None))).frames.shape[-1] == 1
    forecast = write(tmp_path / "c.h5", (rain, RAIN, RAIN_CODES), (rain, RAIN, None))
    for wanted in ("", "image2"):
        with pytest.raises(ValueError, match="several images of one kind need an image_datetime_valid each"):
            read(forecast, variable=wanted)


BAD = {
    "the unit of an image must be one of DBZ, MM, MM/H, MM/HR, found image1 (VIL_[KG])": {
        "image": {"image_geo_parameter": "VIL_[KG]"}
    },
    "image1: the attribute image_geo_parameter must be a text, found none": {"image": {"image_geo_parameter": None}},
    "calibration_formulas must be GEO=a*PV+b, found 'GEO=10^PV'": {"codes": {"calibration_formulas": "GEO=10^PV"}},
    "the attribute calibration_formulas must be a text, found none": {"codes": {"calibration_formulas": None}},
    "the attribute calibration_out_of_image must be a number": {"codes": {"calibration_out_of_image": None}},
    "= 17 x 20 pixels, found 16 x 20": {"geographic": {"geo_number_rows": np.int32([17])}},
    "the attribute geo_row_offset must be a number, found none": {"geographic": {"geo_row_offset": None}},
    "geo_dim_pixel must be one of KM, M, found 'DEGREE'": {"geographic": {"geo_dim_pixel": "DEGREE,DEGREE"}},
    "rows must go south": {"geographic": {"geo_pixel_size_y": np.float32([1.0])}},
    "must be a date like 12-AUG-2010;00:05:00.000, found '2010'": {"overview": {"product_datetime_end": "2010"}},
    "found '20100231000500'": {"overview": {"product_datetime_end": "31-FEB-2010;00:05:00.000"}},
    "the accumulation periods must be positive": {"overview": {"product_datetime_start": "26-AUG-2010;00:05:00.000"}},
    "map_projection: the attribute projection_proj4_params must be a text": {"proj4": None},
}


@pytest.mark.parametrize("message", BAD)
def test_what_is_wrong_is_said_in_one_line(tmp_path, rain, message):
    bad = BAD[message]
    image = (rain, RAIN | bad.get("image", {}), RAIN_CODES | bad.get("codes", {}))
    path = write(
        tmp_path / "a.h5",
        image,
        geographic=bad.get("geographic", {}),
        overview=bad.get("overview", {}),
        proj4=bad.get("proj4", IN_KM),
    )
    with pytest.raises(ValueError) as error:
        read(path)
    assert message in str(error.value) and str(path) in str(error.value) and "\n" not in str(error.value)


def test_a_missing_array_is_named(tmp_path, rain):
    path = write(tmp_path / "a.h5", (rain, RAIN, RAIN_CODES))
    with h5py.File(path, "a") as file:
        del file["image1/image_data"]
    with pytest.raises(ValueError, match=r"a\.h5: image1: there is no array 'image_data'"):
        read(path)


def test_pysteps_reads_the_same(tmp_path, rain):
    for package in ("pysteps", "pyproj"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed (extras pysteps and projection)")
    # Of the other text pysteps knows that Dutch files mean this one, and what grid they have.
    path = write(tmp_path / "a.h5", (rain, RAIN, RAIN_CODES), proj4=IN_M)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pysteps.io.importers import import_knmi_hdf5

        amount, _, metadata = import_knmi_hdf5(str(path), qty="ACRR")
    movies = read(path)
    other = rain != 65534  # pysteps takes it for 655 mm
    values = movies.frames.values[0, 0, ..., 0]
    np.testing.assert_allclose(values[other], 12 * amount[other], rtol=1e-6)
    ends = [movies.x.values[0], movies.x.values[-1], movies.y.values[-1], movies.y.values[0]]
    edges = np.array(ends) + 500 * np.array([-1, 1, -1, 1])
    np.testing.assert_allclose([metadata[key] * 1000 for key in ("x1", "x2", "y1", "y2")], edges, atol=1)


def test_xarray_opens_them_by_the_backend(tmp_path, rain):
    path = write(tmp_path / "a.h5", (rain, RAIN, RAIN_CODES | {"calibration_missing_data": np.int32([65535])}))
    assert KnmiBackend().guess_can_open(path)
    with xr.open_dataset(path, engine=KnmiBackend) as found:
        np.testing.assert_allclose(found["PRECIP"], np.where(rain == 65535, np.nan, rain * 0.01), rtol=1e-6)
        assert found["PRECIP"].attrs["units"] == "mm" and found.attrs["title"] == "RAD_NL25_RAC_5M"


def test_the_images_of_a_forecast_are_frames_of_their_own_times(tmp_path, rain):
    end = "01-JUN-2026;02:{:02d}:00.000".format
    images = [(np.roll(rain, n, axis=1), RAIN | {"image_datetime_valid": end(5 * n)}, RAIN_CODES) for n in range(11)]
    overview = {"product_datetime_start": end(0), "product_datetime_end": end(50)}
    movies = read(write(tmp_path / "a.h5", *images, overview=overview))
    assert movies.sizes["time"] == 11 and movies.attrs["step_seconds"] == 300
    assert str(movies.time.values[0, 10]) == "2026-06-01T02:50:00.000000000"  # image11, which is not after image1
    assert movies.attrs["remarks"][:2] == [
        "the init time is product_datetime_start",
        "forecast sums do not say their period: the step of 5 minutes is taken",
    ]
    single = read(write(tmp_path / "b.h5", images[10]))
    np.testing.assert_array_equal(movies.frames[0, 10].values, single.frames[0, 0].values)
    np.testing.assert_array_equal(movies.frames[0, 2:4, 5, 3:9, 0].values, movies.frames.values[0, 2:4, 5, 3:9, 0])
    other = RAIN_CODES | {"calibration_formulas": "GEO=0.02*PV+0.0"}
    images[4] = (*images[4][:2], other)
    with pytest.raises(ValueError, match="image5: its shape, type or calibration is not the one of image1"):
        read(write(tmp_path / "c.h5", *images, overview=overview))
