"""Composites in ODIM HDF5: labels, missing and dry pixels, where they lie, what is refused; and a run on them."""

import datetime
import importlib.util
import json
import sys
import warnings

import netCDF4
import numpy as np
import pytest
import xarray as xr
from tiny import QUICK

from predjax.radar.feed import Feed
from predjax.radar.forecasts import match_forecasts, read_forecasts
from predjax.radar.formats.backends import KnmiBackend, OdimBackend
from predjax.radar.formats.lazy import find_codes
from predjax.radar.movies import check_movies
from predjax.radar.readers import read_movies
from predjax.units import DRY_DBZ

h5py = pytest.importorskip("h5py", reason="h5py writes the test files (extra test)")

START = datetime.datetime(2024, 6, 1, 12)
OPERA = "+proj=laea +lat_0=55.0 +lon_0=10.0 +x_0=1950000.0 +y_0=-2100000.0 +units=m +ellps=WGS84"
# Of a 2000 m grid of 20 x 24 pixels whose upper left corner is at x = 2000000, y = -2400000 in that projection.
UPPER_LEFT, SCALE, SHAPE = (-2400000.0, 2000000.0), 2000.0, (20, 24)
GEOGRAPHIC = {
    "projdef": "+proj=longlat +ellps=WGS84",
    "UL_lon": 5.0, "UL_lat": 50.0, "UR_lon": 7.4, "UR_lat": 50.0,
    "LL_lon": 5.0, "LL_lat": 48.0, "LR_lon": 7.4, "LR_lat": 48.0,
}  # fmt: skip
DBZH = {"quantity": "DBZH", "gain": 0.5, "offset": -32.0, "nodata": 255.0, "undetect": 0.0}
RATE = {"quantity": "RATE", "gain": 0.1, "offset": 0.0, "nodata": 65535.0, "undetect": 0.0}


def put(group, attrs, fixed=True):
    """Attributes as files have them: text of fixed length (HDF5's default in C), or of variable length."""
    for key, value in attrs.items():
        if value is not None:
            group.attrs[key] = np.bytes_(value) if isinstance(value, str) and fixed else value


def write(path, *data, minutes=0, fixed=True, where=GEOGRAPHIC, what=(), how=(), period=5, **options):
    """A composite; every one of `data` is a pair of pixels and the attributes of its /datasetN/data1/what."""
    time = START + datetime.timedelta(minutes=minutes)
    begin = time - datetime.timedelta(minutes=period)
    root = {"object": "COMP", "version": "H5rad 2.2", "source": "ORG:247", "date": f"{time:%Y%m%d}"}
    with h5py.File(path, "w", **options) as file:
        file.attrs["Conventions"] = np.bytes_("ODIM_H5/V2_2")
        put(file.create_group("what"), root | {"time": f"{time:%H%M%S}"} | dict(what), fixed)
        put(file.create_group("how"), dict(how), fixed)
        ysize, xsize = data[0][0].shape
        put(file.create_group("where"), {"xsize": xsize, "ysize": ysize} | dict(where), fixed)
        for number, (pixels, attrs) in enumerate(data, 1):
            product = {"product": "COMP", "startdate": f"{begin:%Y%m%d}", "starttime": f"{begin:%H%M%S}"}
            product |= {"enddate": f"{time:%Y%m%d}", "endtime": f"{time:%H%M%S}"}
            put(file.create_group(f"dataset{number}/what"), product, fixed)
            group = file.create_group(f"dataset{number}/data1")
            put(group.create_group("what"), attrs, fixed)
            array = group.create_dataset("data", data=pixels, compression="gzip", chunks=(8, 8), shuffle=True)
            put(array, {"CLASS": "IMAGE", "IMAGE_VERSION": "1.2"})
    return path


pytestmark = pytest.mark.usefixtures("as_in_a_new_process")


@pytest.fixture
def pixels():
    image = np.random.default_rng(0).integers(1, 180, SHAPE).astype("u1")
    image[:2], image[2:4] = 255, 0
    return image


def read(path, **options):
    (movies,) = read_movies(path, **options)
    return movies


@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize("options", [{}, {"libver": "latest"}, {"track_order": True}])
def test_reflectivity_by_any_kind_of_hdf5(tmp_path, pixels, fixed, options):
    movies = read(write(tmp_path / "a.h5", (pixels, DBZH), fixed=fixed, **options))
    assert movies.frames.shape == (1, 1, *SHAPE, 1)
    values = movies.frames.values[0, 0, ..., 0]
    assert np.isnan(values[:2]).all() and (values[2:4] == -32).all()
    np.testing.assert_array_equal(values[4:], pixels[4:] * np.float32(0.5) - 32)
    assert movies.time.values[0, 0] == np.datetime64("2024-06-01T12:00")
    attrs = movies.frames.attrs
    assert (attrs["units"], attrs["variable"], attrs["dtype_on_disk"]) == ("dBZ", "DBZH", "uint8")
    assert attrs["standard_name"] == "equivalent_reflectivity_factor"
    assert movies.attrs["institution"] == "ORG:247"


def test_codes_are_left_in_the_file(tmp_path, pixels):
    movies = read(write(tmp_path / "a.h5", (pixels, DBZH)))
    codes, table = find_codes(movies.frames)
    np.testing.assert_array_equal(codes[0, 0, ..., 0].values, pixels)
    assert np.isnan(table[255]) and table[0] == -32 and table[64] == 0
    big = pixels.astype(">u2") * 3
    movies = read(write(tmp_path / "b.h5", (big, RATE)))
    codes, table = find_codes(movies.frames)
    np.testing.assert_array_equal(codes[0, 0, ..., 0].values, big)
    np.testing.assert_allclose(table[:20001], 0.1 * np.arange(20001), rtol=1e-6)


@pytest.mark.parametrize(("undetect", "offset"), [(0.0, 0.5), (7.0, 0.5), (179.0, 0.0)])
def test_undetect_is_dry_before_gain_and_offset(tmp_path, pixels, undetect, offset):
    pixels[5] = undetect
    movies = read(write(tmp_path / "a.h5", (pixels, RATE | {"undetect": undetect, "offset": offset, "nodata": 255})))
    values = movies.frames.values[0, 0, ..., 0]
    assert (values[pixels == undetect] == 0).all() and np.isnan(values[:2]).all()
    others = (pixels != undetect) & (pixels != 255)
    np.testing.assert_allclose(values[others], pixels[others] * 0.1 + offset, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["f4", "f8", "<i4"])
def test_real_numbers_and_long_integers(tmp_path, dtype):
    image = np.random.default_rng(1).integers(0, 60, SHAPE).astype(dtype)
    image[0], image[1] = -9999000, -8888000
    what = {"quantity": "DBZH", "gain": 1.0, "offset": 0.0, "nodata": -9999000.0, "undetect": -8888000.0}
    movies = read(write(tmp_path / "a.h5", (image, what)))
    values = movies.frames.values[0, 0, ..., 0]
    assert np.isnan(values[0]).all() and (values[1] == -32).all()
    np.testing.assert_array_equal(values[2:], image[2:])
    assert find_codes(movies.frames) is None


def test_nan_may_be_nodata_and_undetect_wins_over_nothing(tmp_path, caplog):
    image = np.ones(SHAPE, "f4")
    image[0], image[1] = np.nan, -1
    movies = read(write(tmp_path / "a.h5", (image, RATE | {"nodata": np.nan, "undetect": -1.0})))
    values = movies.frames.values[0, 0, ..., 0]
    assert np.isnan(values[0]).all() and (values[1] == 0).all() and "nodata" not in caplog.text
    movies = read(write(tmp_path / "b.h5", (image, RATE | {"nodata": -1.0, "undetect": -1.0})))
    assert np.isnan(movies.frames.values[0, 0, 1]).all() and "both -1" in caplog.text
    read(write(tmp_path / "c.h5", (np.ones(SHAPE, "u1"), RATE | {"nodata": None})))
    assert "without nodata" in caplog.text


def test_accumulations_become_rates_by_their_own_period(tmp_path, pixels):
    acrr = RATE | {"quantity": "ACRR", "gain": 0.01, "nodata": 255.0}
    movies = read(write(tmp_path / "a.h5", (pixels, acrr), period=60))
    values = movies.frames.values[0, 0, ..., 0]
    np.testing.assert_allclose(values[4:], pixels[4:] * 0.01, rtol=1e-6)
    assert movies.frames.attrs["units"] == "mm/h" and movies.frames.attrs["standard_name"] == "rainfall_rate"
    movies = read(write(tmp_path / "b.h5", (pixels, acrr), period=5))
    np.testing.assert_allclose(movies.frames.values[0, 0, 4:, :, 0], pixels[4:] * 0.12, rtol=1e-6)


def test_the_file_s_own_relation_converts(tmp_path, pixels):
    path = write(tmp_path / "a.h5", (pixels, DBZH), how={"zr_a": 316.0, "zr_b": 1.5})
    movies = read(path, units="mm/h")
    values = movies.frames.values[0, 0, ..., 0]
    dbz = pixels[4:] * 0.5 - 32
    np.testing.assert_allclose(values[4:], (10 ** (dbz / 10) / 316) ** (1 / 1.5), rtol=1e-5)
    assert 0 < values[2:4].max() < 1e-3 and movies.frames.attrs["zr_a"] == 316


def test_frames_are_joined_in_time_over_a_folder(tmp_path, pixels, caplog):
    for name, minute in (("d.h5", 0), ("c.hdf", 10), ("b.hdf5", 5), ("a.h5", 20)):
        write(tmp_path / name, (pixels // 2 + minute, DBZH), minutes=minute)
    movies = read(tmp_path)
    minutes = (movies.time.values[0] - np.datetime64("2024-06-01T12:00")) // np.timedelta64(1, "m")
    assert minutes.tolist() == [0, 5, 10, 20] and movies.attrs["step_seconds"] == 300
    np.testing.assert_array_equal(
        movies.frames.values[0, :, 7, 3, 0], [(pixels[7, 3] // 2 + minute) * 0.5 - 32 for minute in (0, 5, 10, 20)]
    )
    np.testing.assert_array_equal(movies.frames[0, 1:3, 5:9, 3:7, 0].values[1], movies.frames.values[0, 2, 5:9, 3:7, 0])
    write(tmp_path / "again.h5", (pixels, DBZH), minutes=5)
    read(tmp_path)
    assert "both hold a frame of 2024-06-01T12:05:00" in caplog.text


def test_several_quantities_are_chosen_among(tmp_path, pixels):
    quality = {"quantity": "QIND", "gain": 0.01, "offset": 0.0, "nodata": 255.0, "undetect": 0.0}
    path = write(tmp_path / "a.h5", (pixels, DBZH), (pixels, RATE), (pixels, quality))
    with pytest.raises(ValueError, match=r"dataset1/data1 \(DBZH\), dataset2/data1 \(RATE\), .*choose one with --var"):
        read(path)
    for wanted in ("RATE", "dataset2", "dataset2/data1", "/dataset2/data1/data"):
        assert read(path, variable=wanted).frames.attrs["units"] == "mm/h"
    with pytest.raises(ValueError, match="there is no 'TH' among"):
        read(path, variable="TH")
    assert read(write(tmp_path / "b.h5", (pixels, RATE), (pixels, quality))).frames.attrs["variable"] == "RATE"


def test_attributes_come_from_the_groups_above(tmp_path, pixels):
    path = write(tmp_path / "a.h5", (pixels, {"quantity": "TH"}))
    with h5py.File(path, "a") as file:
        put(file["dataset1/what"], {key: value for key, value in DBZH.items() if key != "quantity"})
        file.move("where", "dataset1/where")
    movies = read(path)
    assert movies.frames.attrs["variable"] == "TH" and movies.frames.values[0, 0, 2, 0, 0] == -32


def corners(pyproj, scale=SCALE):
    project = pyproj.Proj(OPERA)
    (top, left), (rows, columns) = UPPER_LEFT, SHAPE
    ends = {"UL": (left, top), "UR": (left + columns * SCALE, top)}
    ends |= {key.replace("U", "L", 1): (x, y - rows * SCALE) for key, (x, y) in ends.items()}
    places = {key: project(*place, inverse=True) for key, place in ends.items()}
    where = {f"{key}_{axis}": places[key][number] for key in places for number, axis in enumerate(("lon", "lat"))}
    return {"projdef": OPERA, "xscale": scale, "yscale": scale} | where


@pytest.fixture
def pyproj():
    return pytest.importorskip("pyproj", reason="pyproj is not installed (extra projection)")


@pytest.mark.parametrize("scale", [SCALE, SCALE / 1000, None])
@pytest.mark.parametrize("left_out", ["", "UL", "LL"])
def test_pixels_lie_where_the_corners_say(tmp_path, pixels, pyproj, scale, left_out):
    where = {key: value for key, value in corners(pyproj, scale).items() if not left_out or left_out not in key}
    movies = read(write(tmp_path / "a.h5", (pixels, DBZH), where=where))
    np.testing.assert_allclose(movies.y, UPPER_LEFT[0] - SCALE * (np.arange(SHAPE[0]) + 0.5), atol=0.01)
    np.testing.assert_allclose(movies.x, UPPER_LEFT[1] + SCALE * (np.arange(SHAPE[1]) + 0.5), atol=0.01)
    assert movies.y.attrs["units"] == "m" and movies.x.attrs["standard_name"] == "projection_x_coordinate"
    mapping = movies[movies.frames.attrs["grid_mapping"]].attrs
    assert mapping["grid_mapping_name"] == "lambert_azimuthal_equal_area" and mapping["proj4"] == OPERA
    assert pyproj.CRS.from_cf(mapping).to_cf()["latitude_of_projection_origin"] == 55


def test_without_pyproj_they_count_from_the_corner_and_this_is_said_once(tmp_path, pixels, pyproj, monkeypatch, caplog):
    where = corners(pyproj)
    monkeypatch.setitem(sys.modules, "pyproj", None)
    for minute in (0, 5):
        write(tmp_path / f"{minute}.h5", (pixels, DBZH), minutes=minute, where=where)
    movies = read(tmp_path)
    np.testing.assert_array_equal(movies.y, -SCALE * (np.arange(SHAPE[0]) + 0.5))
    np.testing.assert_array_equal(movies.x, SCALE * (np.arange(SHAPE[1]) + 0.5))
    assert "grid_mapping" not in movies.frames.attrs and movies.frames.attrs["proj4"] == OPERA
    assert caplog.text.count("without pyproj") == 1
    with pytest.raises(ValueError, match=r"where: nothing tells the size of a pixel.*predjax\[projection\]"):
        read(write(tmp_path / "b.h5", (pixels, DBZH), where=where | {"xscale": None, "yscale": None}))


def test_longitudes_and_latitudes_need_no_projection(tmp_path, pixels, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyproj", None)
    movies = read(write(tmp_path / "a.h5", (pixels, DBZH), where=GEOGRAPHIC | {"xscale": 1000.0, "yscale": 1000.0}))
    np.testing.assert_allclose(movies.y, 49.95 - 0.1 * np.arange(20))
    np.testing.assert_allclose(movies.x, 5.05 + 0.1 * np.arange(24))
    assert movies.y.attrs["units"] == "degrees_north" and movies.x.attrs["units"] == "degrees_east"


BAD = {
    "the object must be a composite (COMP, IMAGE), found PVOL": {"what": {"object": "PVOL"}},
    "what: the attribute gain must be a number, found none": {"data": {"gain": None}},
    "what: the attribute gain must be a number, found 'half'": {"data": {"gain": "half"}},
    "what: the attribute offset must be a number, found": {"data": {"offset": np.nan}},
    "the quantity must be one of DBZH, DBZV, TH, TV, RATE, ACRR, found dataset1/data1 (VRADH)": {
        "data": {"quantity": "VRADH"}
    },
    "must have ysize x xsize = 20 x 25 pixels, found 20 x 24": {"where": {"xsize": 25}},
    "where: the attribute ysize must be a number, found none": {"where": {"ysize": None}},
    "where: the attribute projdef must be a text, found none": {"where": {"projdef": None}},
    "a date must be YYYYmmddHHMMSS, found '20241301120000'": {"what": {"date": "20241301"}},
    "a date must be YYYYmmddHHMMSS, found 'yesterday120000'": {"what": {"date": "yesterday"}},
    "what: the attribute time must be a text, found none": {"what": {"time": None}},
    "a corner of the image must be given": {"where": {"UL_lon": None, "LL_lon": None}},
    "where: the attribute UL_lat must be a number, found none": {"where": {"UL_lat": None}},
    "by them a pixel is -0.1 m wide": {"where": {"UL_lat": 46.0, "UR_lat": 46.0}},
}


@pytest.mark.parametrize("message", BAD)
def test_what_is_wrong_is_said_in_one_line(tmp_path, pixels, message):
    bad = BAD[message]
    path = write(tmp_path / "a.h5", (pixels, DBZH | bad.get("data", {})), what=bad.get("what", {}),
                 where=GEOGRAPHIC | bad.get("where", {}))  # fmt: skip
    with pytest.raises(ValueError) as error:
        read(path)
    assert message in str(error.value) and str(path) in str(error.value) and "\n" not in str(error.value)


def change(path, do):
    with h5py.File(path, "a") as file:
        do(file)
    return path


def test_missing_groups_and_arrays_are_named(tmp_path, pixels, pyproj):
    path = change(write(tmp_path / "a.h5", (pixels, DBZH)), lambda file: file.pop("dataset1"))
    with pytest.raises(ValueError, match="a composite needs a group dataset1/data1, found how, what, where"):
        read(path)
    path = change(write(tmp_path / "b.h5", (pixels, DBZH)), lambda file: file.pop("dataset1/data1/data"))
    with pytest.raises(ValueError, match="dataset1/data1: there is no array 'data'"):
        read(path)
    acrr = RATE | {"quantity": "ACRR"}
    path = change(write(tmp_path / "c.h5", (pixels, acrr)), lambda file: file["dataset1/what"].attrs.pop("startdate"))
    with pytest.raises(ValueError, match="dataset1/data1: what: the attribute startdate must be a text, found none"):
        read(path)
    with pytest.raises(ValueError, match="the accumulation periods must be positive"):
        read(write(tmp_path / "d.h5", (pixels, acrr), period=0))
    with pytest.raises(ValueError, match=r"where: the projection '.proj=nonsense' is not one that pyproj knows"):
        read(write(tmp_path / "e.h5", (pixels, DBZH), where=GEOGRAPHIC | {"projdef": "+proj=nonsense"}))
    with pytest.raises(ValueError, match="its format has no variable 'strain'; forcings need netCDF files"):
        read(write(tmp_path / "f.h5", (pixels, DBZH)), forcings=("strain",))


def test_attributes_that_the_library_cannot_read_are_passed_over_or_said(tmp_path, pixels):
    table = {"table": np.ones((2, 2))}
    path = change(write(tmp_path / "a.h5", (pixels, DBZH)), lambda file: file["how"].attrs.update(table))
    assert read(path).frames.attrs["units"] == "dBZ"
    path = change(write(tmp_path / "b.h5", (pixels, DBZH)), lambda file: file["what"].attrs.update(table))
    with pytest.raises(ValueError, match=r"b\.h5: the netCDF library cannot read an attribute"):
        read(path)


def test_names_that_are_no_text_are_said(tmp_path, pixels):
    path = write(tmp_path / "a.h5", (pixels, DBZH))
    data = path.read_bytes()
    assert b"dataset1" in data
    path.write_bytes(data.replace(b"dataset1", b"data\xe7et1"))
    with pytest.raises(ValueError, match=r"a\.h5: the netCDF file is truncated or damaged .*codec"):
        read(path)


def test_unknown_compression_and_truncation_are_named(tmp_path, pixels):
    def compress(file):
        del file["dataset1/data1/data"]
        file["dataset1/data1"].create_dataset("data", data=pixels, compression="lzf")

    path = change(write(tmp_path / "a.h5", (pixels, DBZH)), compress)
    with pytest.raises(ValueError, match=r"a\.h5: dataset1/data1/data: .*a compression that the netCDF library"):
        read(path)
    whole = write(tmp_path / "b.h5", (pixels, DBZH)).read_bytes()
    (tmp_path / "b.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"b\.h5: .*truncated or damaged"):
        read(tmp_path / "b.h5")
    (tmp_path / "c.h5").write_text("hello, radar")
    with pytest.raises(ValueError, match=r"c\.h5: not a netCDF file"):
        read(tmp_path / "c.h5")


def test_netcdf_files_may_be_called_h5(tmp_path):
    with netCDF4.Dataset(tmp_path / "a.h5", "w") as file:
        for name, size in (("time", 2), ("y", 4), ("x", 4)):
            file.createDimension(name, size)
        time = file.createVariable("time", "i4", ("time",))
        time.units, time[:] = "minutes since 2020-01-01", [0, 5]
        rain = file.createVariable("rain", "f4", ("time", "y", "x"))
        rain.units, rain[:] = "mm/h", 1
    assert read(tmp_path / "a.h5").frames.shape == (1, 2, 4, 4, 1)


def test_pysteps_reads_the_same(tmp_path, pixels, pyproj):
    if importlib.util.find_spec("pysteps") is None:
        pytest.skip("pysteps is not installed (extra pysteps)")
    path = write(tmp_path / "a.h5", (pixels.astype("u2"), RATE | {"nodata": 255.0}), where=corners(pyproj))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pysteps.io.importers import import_odim_hdf5

        rain, _, metadata = import_odim_hdf5(str(path), qty="RATE")
    movies = read(path)
    np.testing.assert_allclose(movies.frames.values[0, 0, ..., 0], rain, rtol=1e-6)
    np.testing.assert_allclose([metadata["x1"], metadata["x2"]], movies.x.values[[0, -1]] + [-1000, 1000], atol=0.01)
    np.testing.assert_allclose([metadata["y2"], metadata["y1"]], movies.y.values[[0, -1]] + [1000, -1000], atol=0.01)


@pytest.mark.ci
def test_training_and_evaluation_on_composites(unverified, tmp_path, pyproj):
    from predjax.commands.evaluate import main as evaluate
    from predjax.commands.prepare import main as prepare
    from predjax.commands.train import main as train

    moving = np.random.default_rng(2).integers(64, 160, (SHAPE[0], 80)).astype("u1")
    moving[:, 30:40], moving[0] = 0, 255
    (tmp_path / "archive").mkdir()
    for number in range(40):
        image = moving[:, number : number + SHAPE[1]]
        write(tmp_path / "archive" / f"{number:02d}.h5", (image, DBZH), minutes=5 * number, where=corners(pyproj))
    archive = str(tmp_path / "archive")
    flags = [*QUICK, "--max_iterations", "2", "--lr_schedule", "constant"]
    assert train([*flags, "--data_path", archive, "--save_dir", str(tmp_path / "run")]) == 0
    arguments = ["--checkpoint", str(tmp_path / "run"), "--data_path", archive, "--output", str(tmp_path / "skill")]
    arguments += ["--max_cases", "2", "--num_save_samples", "1", "--baselines", "persistence"]
    assert evaluate([*arguments, "--export", str(tmp_path / "frames")]) == 0
    assert json.loads((tmp_path / "skill" / "skill.json").read_text())
    exported = sorted((tmp_path / "frames").rglob("*.nc"))
    with netCDF4.Dataset(exported[0]) as file:
        forecast = file["DBZH"]
        assert forecast.units == "dBZ" and file[forecast.grid_mapping].proj4 == OPERA
        assert file[forecast.grid_mapping].grid_mapping_name == "lambert_azimuthal_equal_area"
        assert {"lat", "lon"} <= file.variables.keys() and file["y"].units == "m"
    store = tmp_path / "store"
    assert prepare(["--data_path", archive, "--output", str(store)]) == 0
    (prepared,), movies = read_movies(store), read(archive)
    np.testing.assert_array_equal(check_movies(prepared).frames.values, movies.frames.values)
    np.testing.assert_array_equal(find_codes(prepared.frames)[0].values, find_codes(movies.frames)[0].values)
    assert prepared["crs"].attrs["proj4"] == OPERA


def test_xarray_opens_them_by_the_backend(tmp_path, pixels, pyproj):
    other = pixels[::-1].copy()
    path = write(tmp_path / "a.h5", (pixels, DBZH), (other, RATE | {"nodata": 200.0}), where=corners(pyproj))
    assert not OdimBackend().guess_can_open(path)  # two quantities
    with xr.open_dataset(path, engine=OdimBackend, variable="DBZH") as found:
        expected = np.where(pixels == 255, np.nan, pixels * 0.5 - 32)
        np.testing.assert_array_equal(found["DBZH"].values, expected.astype(found["DBZH"].dtype))
        assert found["DBZH"].dims == ("y", "x") and found["DBZH"].attrs["units"] == "dBZ"
        assert (found["DBZH"].attrs["dry_codes"], found["DBZH"].attrs["dry_value"]) == (0, DRY_DBZ)
        assert found["time"].values == np.datetime64(START, "ns") and found["crs"].attrs["proj4"] == OPERA
        assert found["DBZH"].encoding["_FillValue"] == 255 and set(found.coords) >= {"time", "y", "x"}
    with xr.open_dataset(path, engine=OdimBackend, variable="RATE", mask_and_scale=False) as raw:
        np.testing.assert_array_equal(raw["RATE"][2:5].values, other[2:5])


def test_only_composites_are_guessed(tmp_path, pixels):
    path = write(tmp_path / "a.h5", (pixels, DBZH))
    assert OdimBackend().guess_can_open(path) and not KnmiBackend().guess_can_open(path)
    assert not OdimBackend().guess_can_open(write(tmp_path / "volume.h5", (pixels, DBZH), what={"object": "PVOL"}))
    (tmp_path / "text.h5").write_text("no file of this kind")
    for other in (tmp_path / "text.h5", tmp_path / "nothing.h5", tmp_path, b"\x89HDF", None):
        assert not OdimBackend().guess_can_open(other)


def test_accumulations_tell_xarray_their_period(tmp_path, pixels):
    path = write(tmp_path / "a.h5", (pixels, RATE | {"quantity": "ACRR"}), period=15)
    with xr.open_dataset(path, engine=OdimBackend) as found:
        bounds = (
            found[found["time"].attrs["bounds"]].values if "bounds" in found["time"].attrs else found["time_bounds"]
        )
        start, end = np.asarray(bounds).astype("datetime64[ns]")
    assert end - start == np.timedelta64(15, "m")


# RV and WN of the German weather service: an analysis and its forecasts, a file each, at 0, 5 ... 120 minutes.
DE1200 = "+proj=stere +lat_ts=60 +lat_0=90 +lon_0=10 +x_0=543196.83521776402 +y_0=3622588.8619310022 +units=m "
DE1200 = {"projdef": DE1200 + "+a=6378137 +b=6356752.3142451802 +no_defs", "xscale": 1000.0, "yscale": 1000.0}
DE1200 |= {"UL_lon": 1.463301, "UL_lat": 55.86209}
RV = {"quantity": "ACRR", "gain": 0.0009999999317806213, "offset": -0.0009999999317806213, "nodata": 4294967295.0}
WN = {"quantity": "DBZH", "gain": 0.002929821616590115, "offset": -64.00292982161659, "nodata": 65535.0}


def write_dwd(folder, name, packing, dtype, init, leads=(0, 5, 10)):
    """The files of one init time, in minutes after START: frames of `init + lead`; the last row is not covered."""
    for lead in leads:
        time = START + datetime.timedelta(minutes=init)
        path = folder / f"composite_{name}_{time:%Y%m%d_%H%M}_{lead:03d}-hd5"
        pixels = np.full(SHAPE, 1 + 10 * (init + lead), dtype)
        pixels[0], pixels[-1] = 0, packing["nodata"]
        how = {"simulated": str(lead > 0)}
        write(path, (pixels, packing | {"undetect": 0.0}), minutes=init, how=how, where=DE1200)
        end = time + datetime.timedelta(minutes=lead)
        begin = end - datetime.timedelta(minutes=5)
        if name == "wn":  # the seconds of the scan
            begin, end = end + datetime.timedelta(seconds=3), end + datetime.timedelta(seconds=34)
        with h5py.File(path, "a") as file:
            labels = {"startdate": f"{begin:%Y%m%d}", "starttime": f"{begin:%H%M%S}"}
            put(file["dataset1/what"], labels | {"enddate": f"{end:%Y%m%d}", "endtime": f"{end:%H%M%S}"})


@pytest.mark.parametrize(("name", "packing", "dtype"), [("rv", RV, "u4"), ("wn", WN, "u2")])
def test_forecasts_of_the_german_weather_service(tmp_path, name, packing, dtype):
    for init in range(0, 45, 5):
        write_dwd(tmp_path, name, packing, dtype, init)
    observed, *apart = read_movies(tmp_path)
    assert [one.attrs.get("init_time") for one in apart] == [
        f"2024-06-01T12:{init:02d}:00.000000000" for init in range(0, 45, 5)
    ]
    assert "frames of a forecast (how/simulated), no observations" in apart[0].attrs["remarks"]
    assert "init_time" not in observed.attrs and observed.attrs["step_seconds"] == 300
    expected = (packing["gain"] * (1 + 10 * 5 * np.arange(9)) + packing["offset"]) * (12 if name == "rv" else 1)
    np.testing.assert_allclose(observed.frames.values[0, :, 5, 5, 0], expected, rtol=1e-5)
    values = observed.frames.values[0, 1, ..., 0]
    assert (values[0] == (0 if name == "rv" else DRY_DBZ)).all() and np.isnan(values[-1]).all()
    forecasts = read_forecasts(tmp_path)
    assert [str(one.init_time)[11:16] for one in forecasts] == [f"12:{init:02d}" for init in range(0, 45, 5)]
    matches = match_forecasts(forecasts[2:7], [observed], 3)  # of the others frames before or after are missing
    assert [match.window.start for match in matches] == list(range(5))
    frames = matches[0].read(2, SHAPE)
    np.testing.assert_allclose(frames, observed.frames.values[:, 3:5], rtol=1e-6)


def test_forecasts_are_not_taken_as_the_newest_observations(tmp_path):
    write_dwd(tmp_path, "rv", RV, "u4", 5)
    feed = Feed(tmp_path)
    feed.scan()
    assert feed.times() == [np.datetime64("2024-06-01T12:05", "ns")] and len(feed.errors) == 2
    assert all(error.endswith("a forecast, no observation") for error in feed.errors.values())
