"""Damaged files of five formats through the process that reads them: read or refused on one line, within its limits.

The damage follows from the format and a number, which an error names.
"""

import gzip
import os
import resource
import shutil
import time
import zlib

import h5py
import numpy as np
import pytest
import xarray as xr
from bad_input.test_random_damage import damage, draw_changes, netcdf, npz

from predjax.radar.isolation.reader import FileReader, Limits
from predjax.radar.readers import read_movies

LIMITS = Limits(seconds=10)
STARTING = 60  # seconds, at most, until another process is there
PGM = b"""P5
# composite_area FIN
# projection_name SUOMI1
# radar LUO 1 26.9008 67.1386
# obstime 201609281600
# producttype CAPPI
# param CorrectedReflectivity
# projection radar {
# type stereographic
# centrallongitude 25
# centrallatitude 90
# truelatitude 60
# bottomleft 18.600000 57.930000
# topright 34.903000 69.005000
# }
6 4
255
"""


def odim(folder):
    """A composite of reflectivity."""
    with h5py.File(folder / "a.h5", "w", track_order=False) as file:
        file["dataset1/data1/data"] = np.arange(24, dtype="u1").reshape(4, 6)
        what = {"quantity": "DBZH", "gain": 0.5, "offset": -32.0, "nodata": 255.0, "undetect": 0.0}
        where = {"xsize": 6, "ysize": 4, "xscale": 1000.0, "yscale": 1000.0, "projdef": "+proj=longlat"}
        where |= {
            f"{corner}_{axis}": 10.0 + (corner[1] == "R" if axis == "lon" else corner[0] == "U")
            for corner in ("LL", "LR", "UL", "UR")
            for axis in ("lon", "lat")
        }
        groups = {"what": {"object": "COMP", "date": "20260601", "time": "120000", "source": "ORG:1"}}
        for name, attrs in (groups | {"where": where, "dataset1/data1/what": what}).items():
            for key, value in attrs.items():
                file.require_group(name).attrs[key] = np.bytes_(value) if isinstance(value, str) else value
    return folder / "a.h5"


def zarr(folder):
    """A store of one frame a chunk."""
    pytest.importorskip("zarr")
    frames = xr.Variable(("time", "y", "x"), np.ones((2, 4, 6), "f4"), {"units": "mm h-1"})
    times = np.datetime64("2026-06-01", "ns") + np.timedelta64(5, "m") * np.arange(2)
    xr.Dataset({"rain": frames}, {"time": times}).to_zarr(
        folder / "a.zarr", consolidated=False, encoding={"rain": {"chunks": (1, 4, 6)}}
    )
    return folder / "a.zarr"


def pgm(folder):
    """An image of FMI."""
    (folder / "a.pgm.gz").write_bytes(gzip.compress(PGM + bytes(range(60, 84)), mtime=0))
    return folder / "a.pgm.gz"


def change(path, draw):
    """Damage a file, or one file of a store; of compressed ones every second time what is in it."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        path = files[draw.integers(len(files))]
    content, changes = path.read_bytes(), list(draw_changes(draw))
    if path.suffix == ".gz" and draw.integers(2):
        content = gzip.compress(damage(gzip.decompress(content), changes, 400), mtime=0)
    else:
        content = damage(content, changes, 4000)
    path.write_bytes(content)


def measure_peaks():
    """The most memory in KiB that this process, and one that it waited for, ever had, also in tests before this one."""
    return [resource.getrusage(which).ru_maxrss for which in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]


@pytest.fixture(scope="module")
def reader():
    made = FileReader(LIMITS)
    yield made
    made.close()


@pytest.mark.parametrize("count", [pytest.param(60, marks=pytest.mark.ci), pytest.param(2000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("make", [netcdf, odim, zarr, npz, pgm], ids=lambda make: make.__name__)
def test_damaged_files_stop_nothing(make, count, tmp_path, reader):
    before = measure_peaks()
    (tmp_path / "whole").mkdir()
    whole, found = make(tmp_path / "whole"), {"read": 0, "refused": 0}
    assert read_movies([whole], reader=reader)
    for number in range(count):
        path, draw = tmp_path / whole.name, np.random.default_rng([zlib.crc32(whole.name.encode()), number])
        (shutil.copytree if whole.is_dir() else shutil.copyfile)(whole, path)
        change(path, draw)
        begin = time.monotonic()
        try:
            for movies in read_movies([path], reader=reader):
                movies.load()
            found["read"] += 1
        except (ValueError, OSError) as error:
            message = str(error)
            assert message.isprintable() and path.name in message and len(message) < 3000, (number, message[:500])
            found["refused"] += 1
        assert time.monotonic() - begin < 2 * LIMITS.seconds + STARTING, number
        (shutil.rmtree if whole.is_dir() else os.remove)(path)
    assert found["refused"] > count / 10, found
    assert all(after - peak < 2 * 2**20 for after, peak in zip(measure_peaks(), before))
    print(make.__name__, count, found)
