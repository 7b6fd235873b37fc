"""Engines of xarray: those that predjax gives, and those that are named to read files."""

import configparser
import importlib

import netCDF4
import numpy as np
import pytest
import xarray as xr
from tiny import ROOT
from xarray.backends import BackendEntrypoint

from predjax.radar.feed import Feed
from predjax.radar.formats.lazy import find_codes
from predjax.radar.formats.open_files import OPEN_FILES
from predjax.radar.readers import read_movies

SAMPLE = ROOT / "data" / "radar_movies.nc"


def test_the_entry_points_are_backends():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = config["options.entry_points"]["xarray.backends"].split("\n")
    found = dict(line.replace(" ", "").split("=") for line in lines if line)
    assert found.keys() == {"predjax_odim", "predjax_knmi", "predjax_pgm"}
    for place in found.values():
        module, name = place.split(":")
        backend = getattr(importlib.import_module(module), name)
        assert issubclass(backend, BackendEntrypoint) and backend.description and backend.__doc__


def test_an_unknown_engine_is_one_line_with_those_installed():
    with pytest.raises(ValueError, match=r"engine must be one that xarray has .*netcdf4.*, not 'gribb'"):
        read_movies(SAMPLE, engine="gribb")


def test_a_named_engine_reads_what_predjax_reads():
    (file,), (movies,) = read_movies(SAMPLE), read_movies(SAMPLE, engine="netcdf4")
    assert movies.attrs == file.attrs and movies.frames.attrs == file.frames.attrs
    xr.testing.assert_identical(movies.isel(movie=slice(2)), file.isel(movie=slice(2)))
    codes, table = find_codes(movies.frames[0, :2])
    np.testing.assert_array_equal(table[codes.values], movies.frames[0, :2].values)


def test_any_file_of_a_folder_is_read_and_few_stay_open(tmp_path, monkeypatch):
    monkeypatch.setattr(OPEN_FILES, "_limit", 2)
    OPEN_FILES.close()
    for number in range(4):
        with netCDF4.Dataset(tmp_path / f"rain{number}.dat", "w", format="NETCDF3_CLASSIC") as file:
            file.createDimension("y", 3), file.createDimension("x", 4)
            time = file.createVariable("valid_time", "i4", ())
            time.units, time[:] = "minutes since 2020-01-01", 5 * number
            rain = file.createVariable("rain", "f4", ("y", "x"))
            rain.units, rain[:] = "mm/h", number
    (tmp_path / ".hidden").write_text("")
    (movies,) = read_movies(tmp_path, engine="scipy")
    assert movies.frames.shape == (1, 4, 3, 4, 1) and movies.attrs["step_seconds"] == 300
    np.testing.assert_array_equal(movies.frames.values[0, :, 0, 0, 0], range(4))
    assert len(OPEN_FILES) == 2
    feed = Feed(str(tmp_path), engine="scipy")
    feed.scan()
    assert len(feed.times()) == 4


def test_what_an_engine_cannot_open_is_one_line(tmp_path):
    (tmp_path / "a.grib").write_text("GRIB or not")
    with pytest.raises(ValueError, match=r"a\.grib: the engine netcdf4 cannot open it \(.*\)") as error:
        read_movies(tmp_path / "a.grib", engine="netcdf4")
    assert "\n" not in str(error.value)
