"""A process reads what this one reads, and ends alone of what a file does to it."""

import os
import signal

import numpy as np
import pytest
import xarray as xr

from predjax.radar.formats.open_files import OPEN_FILES
from predjax.radar.isolation import reader as module
from predjax.radar.isolation.reader import FileReader, Limits
from predjax.radar.readers import read_unsaid


def write(path, first=0, **variable):
    """Two frames, 5 minutes apart."""
    times = np.datetime64("2026-06-01T00:00", "ns") + np.timedelta64(5, "m") * np.arange(first, first + 2)
    attrs = {"units": "mm h-1", "standard_name": "rainfall_rate"}
    frames = np.arange(24, dtype=np.float32).reshape(2, 3, 4) + first
    xr.Dataset({"rain": (("time", "y", "x"), frames, attrs, variable)}, {"time": times}).to_netcdf(path)


@pytest.fixture(scope="module")
def reader():
    made = FileReader(Limits(seconds=20, memory=2**30))
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path):
    for number, name in enumerate(("a.nc", "b.nc")):
        write(tmp_path / name, 2 * number)
    return tmp_path


def refusal(file, reader):
    """The only line that there is about a file."""
    with pytest.raises((ValueError, OSError)) as caught:
        read_unsaid([file], reader=reader)
    assert str(file) in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


def test_the_same_movies_and_nothing_open_here(folder, reader):
    OPEN_FILES.close()
    (found,) = read_unsaid([folder], reader=reader)
    frames, size = found.frames.values, len(OPEN_FILES)
    (plain,) = read_unsaid([folder])
    xr.testing.assert_identical(found, plain.load())
    assert size == 0 and frames.shape == (1, 4, 3, 4, 1) and found.encoding["formats"] == ("netCDF",)


def test_a_crash_is_of_its_file_alone(folder, reader, monkeypatch):
    reader.start()
    os.kill(reader._process.pid, signal.SIGSEGV)  # of a file before: nobody is told
    assert read_unsaid([folder / "a.nc"], reader=reader)
    monkeypatch.setattr(module, "_CODE", "import os; os.abort()")
    reader.close()
    assert refusal(folder / "a.nc", reader).endswith("it ended with SIGABRT: is the file damaged?")
    monkeypatch.undo()
    assert read_unsaid([folder / "b.nc"], reader=reader)
