"""A process reads what this one reads, and ends alone of what a file does to it."""

import json
import os
import signal
import time

import h5py
import numpy as np
import pytest
import xarray as xr
from radar.elsewhere import frames_elsewhere

from predjax.radar.config import Trust
from predjax.radar.feed import Feed
from predjax.radar.formats.catalogue import Reading
from predjax.radar.formats.open_files import OPEN_FILES
from predjax.radar.isolation import process
from predjax.radar.isolation import reader as module
from predjax.radar.isolation.encoding import HEAD
from predjax.radar.isolation.reader import FileReader, Limits
from predjax.radar.readers import read_unsaid
from predjax.radar.survey import survey_files


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
    monkeypatch.setattr(process, "_CODE", "import os; os.abort()")
    reader.close()
    assert refusal(folder / "a.nc", reader).endswith("it ended with SIGABRT: is the file damaged?")
    monkeypatch.undo()
    assert read_unsaid([folder / "b.nc"], reader=reader)


def test_a_hang_ends_at_the_deadline_and_by_a_signal(folder):
    with h5py.File(folder / "circle.h5", "w") as file:
        file.create_group("g")["up"] = file["/"]
    begin = time.monotonic()
    quick = FileReader(Limits(seconds=1))
    assert refusal(folder / "circle.h5", quick).endswith("took more than 1 s to open")
    slow = FileReader(Limits(seconds=100, memory=2**36), lambda: time.monotonic() - begin > 4)
    with pytest.raises(module.Stopped):
        read_unsaid([folder / "circle.h5"], reader=slow)
    for one in (quick, slow):
        one.close()


def test_the_process_ends_with_its_parent_in_the_middle_of_a_file(folder):
    with h5py.File(folder / "circle.h5", "w") as file:
        file.create_group("g")["up"] = file["/"]
    reader = FileReader(Limits(seconds=100))
    reader.start()
    child, reading = reader._process, Reading()._replace(reader=None)._asdict()
    child.stdin.write(
        json.dumps({"folder": "/", "file": str(folder / "circle.h5"), "reading": reading}).encode() + b"\n"
    )
    assert reader._take(HEAD.size, time.monotonic() + 60)  # it is ready
    time.sleep(1)
    child.stdin.close()
    assert child.wait(20) == -signal.SIGIO
    reader.close()


def test_memory_is_limited(folder, reader):
    with h5py.File(folder / "long.h5", "w") as file:
        frames = file.create_dataset("rain", (9 * 10**7, 2, 2), "u1", chunks=(64, 2, 2))
        for axis, name in enumerate(("time", "y", "x")):
            scale = file.create_dataset(name, frames.shape[axis : axis + 1], "f8", chunks=(1,))
            scale.make_scale(name)
            frames.dims[axis].attach_scale(scale)
    assert refusal(folder / "long.h5", reader).endswith("asked for more than 1 GiB")
    assert read_unsaid([folder / "b.nc"], reader=reader)


def test_labels_are_read_ahead_whatever_comes_between(folder, reader):
    (folder / "cut.nc").write_bytes((folder / "a.nc").read_bytes()[:3000])
    names = [str(folder / name) for name in ("a.nc", "cut.nc", "b.nc")]
    reader.expect(names)
    header = reader.read_labels(names[0], Reading())
    assert reader._sent["file"] == names[1]
    assert header.fields[0].array.read((0, slice(None), slice(None))).shape == (3, 4)
    assert reader._sent is None and reader._kept[0]["file"] == names[1]
    with pytest.raises(ValueError, match="damaged"):
        reader.read_labels(names[1], Reading())
    child = reader._process
    assert reader._kept[0] is None and reader._sent["file"] == names[2]
    assert reader.read_labels(names[2], Reading()).file == names[2]
    assert reader._sent is None and reader._process is child


def test_a_process_that_was_started_early_is_taken(folder):
    trust = Trust()
    process.start_early(trust, ["movies.npy"])
    assert not process._EARLY
    process.start_early(trust, [str(folder)])
    ((early,),) = process._EARLY.values()
    reader = FileReader(process.find_limits(trust))
    assert read_unsaid([folder / "a.nc"], reader=reader) and reader._process is early and not process._EARLY
    reader.close()


def test_the_memory_of_the_parent_does_not_count(folder):
    """Linux adds it to the peak of a process that it starts."""
    (folder / "cut.nc").write_bytes((folder / "a.nc").read_bytes()[:3000])
    own = np.ones(2**26)  # 512 MiB
    small = FileReader(Limits(memory=2**29))
    assert "damaged" in refusal(folder / "cut.nc", small) and own.any()
    small.close()


def test_any_exception_leaves_a_file_out(folder, reader, caplog):
    (folder / "deep.zarr").mkdir()
    (folder / "deep.zarr" / "zarr.json").write_text("[" * 100_000)
    (folder / "cut.nc").write_bytes((folder / "a.nc").read_bytes()[:3000])
    assert "maximum recursion depth exceeded" in refusal(folder / "deep.zarr", reader)
    feed = Feed(str(folder), reader=reader)
    feed.scan()
    assert len(feed.times()) == 4 and sorted(map(os.path.basename, feed.errors)) == ["cut.nc", "deep.zarr"]
    assert len([record for record in caplog.records if record.message.endswith("left out")]) == 2
    found = survey_files(str(folder), reader=reader)
    assert sorted(map(os.path.basename, found.unreadable)) == ["cut.nc", "deep.zarr"] and len(found.movies) == 1


def test_a_file_that_is_replaced_is_named(folder, reader):
    (movies,) = read_unsaid([folder / "a.nc"], reader=reader)
    xr.Dataset({"snow": (("time", "y", "x"), np.ones((2, 3, 4)))}).to_netcdf(folder / "new.nc")
    os.replace(folder / "new.nc", folder / "a.nc")
    with pytest.raises(ValueError, match=r"a\.nc.*cannot be read"):
        movies.frames.load()


@pytest.mark.parametrize("how", ["link", "virtual", "external"])
@pytest.mark.parametrize("width", [2, 400])  # an array that would fit into its file, and one that would not
def test_other_files_are_not_read(tmp_path, reader, how, width):
    frames_elsewhere(tmp_path / "a.h5", how, width)
    assert "refers to other files, which --follow_links allows" in refusal(tmp_path / "a.h5", reader)


@pytest.mark.parametrize("how", ["link", "virtual", "external"])
def test_archives_of_data_sets_read_no_other_files(tmp_path, reader, how):
    frames_elsewhere(tmp_path / "a.h5", how, 400, "202606011200")
    assert "202606011200" in refusal(tmp_path / "a.h5", reader)


def test_links_are_followed_on_demand(tmp_path):
    for how in ("virtual", "external"):
        frames_elsewhere(tmp_path / f"{how}.h5", how, 40)
    reader = FileReader(Limits(follow_links=True))
    for how in ("virtual", "external"):
        (movies,) = read_unsaid([tmp_path / f"{how}.h5"], reader=reader)
        assert (movies.frames == 1).all()
    reader.close()


def test_compressions_of_netcdf_are_there(folder, reader):
    encoding = {"rain": {"compression": "zstd"}}
    with xr.open_dataset(folder / "a.nc") as dataset:
        dataset.to_netcdf(folder / "z.nc", encoding=encoding)
    (movies,) = read_unsaid([folder / "z.nc"], reader=reader)
    assert movies.frames.sum() == 276


def test_a_named_file_is_the_error_of_a_command(folder, capsys):
    from predjax.commands.inspect import main

    (folder / "cut.nc").write_bytes((folder / "a.nc").read_bytes()[:3000])
    assert main([str(folder / "cut.nc")]) == 2
    assert "truncated or damaged" in capsys.readouterr().out
