"""Labels of many files are read by several processes in turn, numbers by the first one."""

import numpy as np
import pytest
import xarray as xr

from predjax.radar.config import Trust
from predjax.radar.isolation import pool as module
from predjax.radar.isolation.process import Limits
from predjax.radar.isolation.reader import FileReader
from predjax.radar.survey import survey_files


@pytest.fixture
def names(tmp_path):
    times = np.datetime64("2026-06-01T00:00", "ns") + np.timedelta64(5, "m") * np.arange(7)
    for number, time in enumerate(times):
        frames = np.full((1, 3, 4), number, np.float32)
        labelled = xr.Dataset({"rain": (("time", "y", "x"), frames, {"units": "mm h-1"})}, {"time": [time]})
        labelled.to_netcdf(tmp_path / f"{number}.nc")
    return [str(tmp_path / f"{number}.nc") for number in range(7)]


@pytest.fixture
def pool(monkeypatch):
    monkeypatch.setattr(module, "_MANY", 3)
    monkeypatch.setattr(module, "count_cores", lambda: 2)
    monkeypatch.setattr(module, "FileReader", FileReader)  # two, and not the one that tests share
    made = module.ReaderPool(Limits())
    yield made
    made.close()


def test_trusted_files_need_no_process():
    assert module.open_reader(Trust(trust_files=True)) is None


class Noted:
    """In place of a `FileReader`: it notes what it is asked for."""

    def __init__(self, *options):
        self.expected, self.calls = [], []

    def expect(self, files):
        self.expected = list(files)

    def ask_ahead(self, file, reading):
        self.calls.append(("ahead", file))

    def read_labels(self, file, reading, numbers):
        self.calls.append((file, numbers))

    def close(self):
        self.calls.append("closed")


def test_files_are_dealt_in_turn(monkeypatch):
    monkeypatch.setattr(module, "FileReader", Noted)
    monkeypatch.setattr(module, "_MANY", 3)
    monkeypatch.setattr(module, "count_cores", lambda: 2)
    pool = module.ReaderPool(Limits())
    one, two = pool._readers
    pool.expect("abc")
    for file in "abc":
        pool.read_labels(file, None)
    assert (one.expected, two.expected) == (["a", "c"], ["b"])
    assert one.calls == [("a", one), ("c", one)]
    assert two.calls == [("ahead", "b"), ("b", one), "closed"]
    pool.expect("de")
    pool.read_labels("d", None)
    pool.read_labels("x", None)  # which nobody expected
    assert one.expected == ["d", "e"] and one.calls[2:] == [("d", one), ("x", one)] and len(two.calls) == 3


@pytest.mark.ci
def test_many_files_are_read_as_few_are(names, pool):
    with open(names[3], "r+b") as file:
        file.truncate(3000)
    found = survey_files(names, reader=pool)
    assert list(found.unreadable) == [names[3]] and "damaged" in found.unreadable[names[3]]
    (movies,) = found.movies
    assert movies.frames.values[0, :, 0, 0, 0].tolist() == [0, 1, 2, 4, 5, 6]
    assert pool._readers[0]._process and not pool._readers[1]._process


@pytest.mark.ci
def test_files_that_are_expected_anew_are_read_anew(names, pool):
    from predjax.radar.formats.catalogue import Reading

    pool.expect(names)
    pool.read_labels(names[0], Reading())  # the other process was asked, and has not even said that it is ready
    with xr.open_dataset(names[0]) as dataset:
        later = dataset.load().assign_coords(time=dataset.time + np.timedelta64(1, "h"))
    later.to_netcdf(names[1])
    pool.expect(names[1:])
    second, third = (pool.read_labels(name, Reading()) for name in names[1:3])
    assert second.time[0, 0] == np.datetime64("2026-06-01T01:00")
    assert third.time[0, 0] == np.datetime64("2026-06-01T00:10")
    assert isinstance(third.fields[0].array.reader, FileReader) and third.fields[0].array.reader is pool._readers[0]
