"""Composites in FMI's PGM files: greys, labels in comments, where they lie, what is refused."""

import gzip
import importlib.util
import sys
import tracemalloc
import warnings

import numpy as np
import pytest
import xarray as xr

from predjax.radar.formats import placement
from predjax.radar.formats.backends import PgmBackend
from predjax.radar.formats.lazy import find_codes
from predjax.radar.formats.pgm_image import IMAGE, read_image
from predjax.radar.movies import check_movies
from predjax.radar.readers import read_movies

SHAPE = (18, 12)
HEADER = {
    "composite_area": "FIN",
    "projection_name": "SUOMI1",
    "radar": "LUO 1 26.9008 67.1386",
    "obstime": "201609281600",
    "producttype": "CAPPI",
    "param": "CorrectedReflectivity",
    "projection": "radar {",
    "type": "stereographic",
    "centrallongitude": "25",
    "centrallatitude": "90",
    "truelatitude": "60",
    "bottomleft": "18.600000 57.930000",
    "topright": "34.903000 69.005000",
    "}": "",
}


def content(image, largest=255, **labels):
    lines = [f"# {key} {value}".rstrip() for key, value in (HEADER | labels).items() if value is not None]
    return f"P5\n{chr(10).join(lines)}\n{image.shape[1]} {image.shape[0]}\n{largest}\n".encode() + image.tobytes()


def write(path, image, largest=255, **labels):
    data = content(image, largest, **labels)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


pytestmark = pytest.mark.usefixtures("as_in_a_new_process")


@pytest.fixture
def image():
    pixels = np.random.default_rng(0).integers(1, 180, SHAPE).astype("u1")
    pixels[0], pixels[1] = 255, 0
    return pixels


def read(path, **options):
    (movies,) = read_movies(path, **options)
    return movies


@pytest.mark.parametrize("name", ["a.pgm", "a.pgm.gz", "A.PGM.GZ"])
def test_greys_are_reflectivities(tmp_path, image, name):
    path = write(tmp_path / name.lower(), image).rename(tmp_path / name)
    movies = read(path)
    values = movies.frames.values[0, 0, ..., 0]
    assert np.isnan(values[0]).all() and (values[1] == -32).all()
    np.testing.assert_array_equal(values[2:], image[2:] * 0.5 - 32)
    assert movies.time.values[0, 0] == np.datetime64("2016-09-28T16:00")
    attrs = movies.frames.attrs
    assert (attrs["units"], attrs["variable"], attrs["zr_a"]) == ("dBZ", "CorrectedReflectivity", 223)
    codes, table = find_codes(movies.frames)
    np.testing.assert_array_equal(codes.values[0, 0, ..., 0], image)
    assert np.isnan(table[255]) and table[254] == 95
    np.testing.assert_array_equal(movies.frames[0, 0, 5:1:-2, 3:9, 0].values, image[5:1:-2, 3:9] * 0.5 - 32)


def test_labels_change_the_scale_and_the_missing_grey(tmp_path, image):
    image[2] = 200
    values = read(write(tmp_path / "a.pgm", image, missing_val="200", multiplier="0.25", offset="-10")).frames.values
    assert np.isnan(values[0, 0, 2]).all() and (values[0, 0, 1] == -10).all() and (values[0, 0, 0] == 53.75).all()
    wide = (image.astype("u2") + 100).astype(">u2")
    values = read(write(tmp_path / "b.pgm", wide, 355, multiplier="0.1")).frames.values[0, 0, ..., 0]
    assert np.isnan(values[0]).all()
    np.testing.assert_allclose(values[1:], wide[1:] * 0.1 - 32, rtol=1e-6, atol=1e-6)


def test_a_folder_is_joined_and_converts_by_fmi_s_relation(tmp_path, image):
    for minute in (5, 0, 10):
        write(tmp_path / f"{50 - minute}.pgm.gz", image, obstime=f"2016092816{minute:02d}")
    (tmp_path / "other.gz").write_bytes(gzip.compress(b"hello"))
    movies = read(tmp_path, units="mm/h")
    assert movies.frames.shape == (1, 3, *SHAPE, 1) and movies.attrs["step_seconds"] == 300
    expected = (10 ** ((image[2:] * 0.5 - 32) / 10) / 223) ** (1 / 1.53)
    np.testing.assert_allclose(movies.frames.values[0, 2, 2:, :, 0], expected, rtol=1e-5)
    check_movies(movies)


def test_pixels_lie_between_the_corners(tmp_path, monkeypatch):
    pytest.importorskip("pyproj", reason="pyproj is not installed (extra projection)")
    # The grid of Finland: its own labels say how large the pixels are.
    finland = np.ones((1226, 760), "u1")
    sizes = {"metersperpixel_x": "999.674053", "metersperpixel_y": "999.62859"}
    movies = read(write(tmp_path / "a.pgm.gz", finland, **sizes))
    np.testing.assert_allclose(np.diff(movies.x), 999.674053, rtol=1e-8)
    np.testing.assert_allclose(np.diff(movies.y), -999.62859, rtol=1e-8)
    placement._place.cache_clear()
    without = read(write(tmp_path / "b.pgm.gz", finland))
    np.testing.assert_allclose(without.x, movies.x, atol=0.01)
    np.testing.assert_allclose(without.y, movies.y, atol=0.01)
    assert movies["crs"].attrs["grid_mapping_name"] == "polar_stereographic"
    placement._place.cache_clear()
    monkeypatch.setitem(sys.modules, "pyproj", None)
    bare = read(tmp_path / "a.pgm.gz")
    assert bare.frames.attrs["proj4"].startswith("+proj=stere +lat_0=90 +lat_ts=60 +lon_0=25 +R=6371288")
    np.testing.assert_allclose(np.diff(bare.y), -999.62859)
    with pytest.raises(ValueError, match=r"b\.pgm\.gz: nothing tells the size of a pixel.*predjax\[projection\]"):
        read(tmp_path / "b.pgm.gz")


BAD = {
    "obstime: a date must be YYYYmmddHHMM, found '20160928'": {"obstime": "20160928"},
    "obstime: a date must be YYYYmmddHHMM, found '201613281600'": {"obstime": "201613281600"},
    "the attribute obstime must be a text, found none": {"obstime": None},
    "param must be one of CorrectedReflectivity, found 'EchoTop'": {"param": "EchoTop"},
    "the type of the projection must be stereographic, found 'latlon'": {"type": "latlon"},
    "the attribute truelatitude must be a number, found 'north'": {"truelatitude": "north"},
    "topright must be a longitude and a latitude, found '34.9'": {"topright": "34.9"},
    "the attribute bottomleft must be a text, found none": {"bottomleft": None},
    "the attribute missing_val must be a number, found '-'": {"missing_val": "-"},
}


@pytest.mark.parametrize("message", BAD)
def test_what_is_wrong_is_said_in_one_line(tmp_path, image, message):
    path = write(tmp_path / "a.pgm", image, **BAD[message])
    with pytest.raises(ValueError) as error:
        read(path)
    assert message in str(error.value) and str(path) in str(error.value) and "\n" not in str(error.value)


def test_damaged_files_are_named(tmp_path, image):
    whole = content(image)
    for name, data, rule in (
        ("a.pgm", whole[:-1], "the file is truncated: it has"),
        ("b.pgm.gz", gzip.compress(whole)[:-20], "the gzip file is truncated or damaged"),
        ("c.pgm", b"P2\n1 1\n255\n0", r"a PGM file must start with P5.*found b'P2"),
        ("d.pgm.gz", gzip.compress(b"hello"), "a PGM file must start with P5"),
        ("e.pgm", b"", "a PGM file must start with P5"),
        ("f.pgm", b"P5\n0 4\n255\n", "found 0 x 4"),
        ("g.pgm", b"P5\n" + b"\n" * 10**5, "a PGM file must start with P5"),
        ("h.pgm.gz", gzip.compress(b"P5\n70000 70000\n255\n"), "at most 178956970 pixels, found 70000 x 70000"),
        ("i.pgm.gz", gzip.compress(whole)[:-8] + bytes(8), "the gzip file is truncated or damaged .*CRC"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ValueError, match=rf"{name}: .*{rule}"):
            read(tmp_path / name)
    with pytest.raises(ValueError, match="there is no variable 'DBZH', only CorrectedReflectivity"):
        read(write(tmp_path / "z.pgm", image), variable="DBZH")
    (tmp_path / "x.gz").write_bytes(gzip.compress(whole))
    with pytest.raises(ValueError, match=r"x\.gz: the format '\.gz' is unknown"):
        read(tmp_path / "x.gz")


def test_a_gzip_file_is_unpacked_as_far_as_its_image_goes(tmp_path, image):
    """A small file may unpack to any size: here 300 MB follow the image, packed in 0.3 MB."""
    (bomb := tmp_path / "a.pgm.gz").write_bytes(gzip.compress(content(image)) + gzip.compress(bytes(10**7)) * 30)
    (plain := tmp_path / "b.pgm").write_bytes(content(image))
    tracemalloc.start()
    found = read_image(str(bomb)).variables[IMAGE]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(found, read_image(str(plain)).variables[IMAGE])
    assert peak < 10**6


def test_pysteps_reads_the_same(tmp_path, image):
    for package in ("pysteps", "pyproj"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed (extras pysteps and projection)")
    sizes = {"metersperpixel_x": "63312.690024", "metersperpixel_y": "68085.813842"}
    path = write(tmp_path / "a.pgm.gz", image, **sizes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pysteps.io.importers import import_fmi_pgm

        dbz, _, metadata = import_fmi_pgm(str(path), gzipped=True)
    movies = read(path)
    np.testing.assert_array_equal(movies.frames.values[0, 0, ..., 0], dbz)
    # Its grid begins in the lower left corner; ours counts from the pole.
    width = (metadata["x2"] - metadata["x1"]) / SHAPE[1]
    np.testing.assert_allclose(movies.x + 380886.310, metadata["x1"] + width * (np.arange(SHAPE[1]) + 0.5), atol=1)
    height = (metadata["y2"] - metadata["y1"]) / SHAPE[0]
    np.testing.assert_allclose(movies.y + 3395677.920, metadata["y2"] - height * (np.arange(SHAPE[0]) + 0.5), atol=1)


def test_xarray_opens_them_by_the_backend(tmp_path, image):
    path = write(tmp_path / "a.pgm.gz", image)
    assert PgmBackend().guess_can_open(path)
    (tmp_path / "photo.pgm").write_bytes(b"P5\n12 18\n255\n" + image.tobytes())
    assert not PgmBackend().guess_can_open(tmp_path / "photo.pgm")
    with xr.open_dataset(path, engine=PgmBackend) as found:
        expected = np.where(image == 255, np.nan, image * 0.5 - 32)
        np.testing.assert_array_equal(found["CorrectedReflectivity"], expected)
        assert found["time"].values == np.datetime64("2016-09-28T16:00")
