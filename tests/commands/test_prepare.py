"""`predjax prepare` as a user runs it: what it says, and what it does when it is killed, short of room or misled."""

import contextlib
import errno
import io
import json
import os
import signal
import subprocess
import sys
import time

import netCDF4
import numpy as np
import pytest
from tiny import ROOT, TINY

from predjax.commands.evaluate import main as evaluate
from predjax.commands.prepare import main as prepare
from predjax.commands.train import main as train
from predjax.locks import hold
from predjax.radar.formats.open_files import OPEN_FILES
from predjax.radar.readers import read_movies
from predjax.radar.store import convert
from predjax.radar.store import grids as store_grids
from predjax.radar.store import writing as store_writer


def write(path, frames, minutes):
    """A file of dBZ in hundredths (time, y, x), one chunk a frame, with checksums."""
    OPEN_FILES.close()
    with netCDF4.Dataset(path, "w") as file:
        for name, size in zip(("time", "y", "x"), frames.shape):
            file.createDimension(name, size)
        clock = file.createVariable("time", "i4", ("time",))
        clock.units, clock[:] = "minutes since 2020-01-01", minutes
        variable = file.createVariable(
            "dbz", "i2", ("time", "y", "x"), zlib=True, fletcher32=True, chunksizes=(1, *frames.shape[1:])
        )
        variable.set_auto_maskandscale(False)
        variable.units, variable.scale_factor = "dBZ", 0.01
        variable[:] = frames
    return path


@pytest.fixture
def frames():
    return np.random.default_rng(0).integers(-1000, 5000, (12, 40, 40)).astype("i2")


@pytest.fixture
def archive(tmp_path, frames, monkeypatch):
    """Six files of two frames; blocks of three frames."""
    monkeypatch.setattr(store_grids, "SLAB_BYTES", 3 * 4 * 40 * 40)
    folder = tmp_path / "archive"
    folder.mkdir()
    for number in range(6):
        write(folder / f"{number}.nc", frames[2 * number : 2 * number + 2], 5 * np.arange(2 * number, 2 * number + 2))
    return folder


def run(archive, store, *arguments):
    return prepare(["--data_path", f"{archive}/*.nc", "--output", str(store), *arguments])


def test_a_store_says_how_it_was_made(archive, tmp_path):
    store, again = tmp_path / "store", tmp_path / "again"
    assert run(archive, store, "--dtype", "uint16") == 0
    assert prepare(["--config", str(store / "run.json"), "--output", str(again)]) == 0
    (grid,) = store.glob("*/frames.npy")
    assert (again / grid.relative_to(store)).read_bytes() == grid.read_bytes()


def refusal(capsys, archive, store, *arguments):
    capsys.readouterr()
    assert run(archive, store, *arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    return error


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def damage(path):
    """Overwrites bytes in the middle of the pixels, the most of a file."""
    OPEN_FILES.close()
    with open(path, "r+b") as file:
        file.seek(path.stat().st_size * 3 // 4)
        file.write(bytes(200))


def values(store):
    return np.rint(read_movies(store)[0].frames.values[0, ..., 0] * 100).astype(int)


def test_the_summary_counts(archive, frames, tmp_path, capsys):
    (archive / "2.nc").unlink()  # a gap
    write(archive / "0again.nc", frames[:2], [0, 5])
    other = frames[6:8].copy()
    other[1, 0, 0] += 1
    write(archive / "9late.nc", other, [30, 35])
    assert run(archive, tmp_path / "store") == 0
    out = capsys.readouterr().out
    assert "grids       1: 40x40\n" in out
    assert "frames      10 in 2 segments, 1 gaps\n" in out
    assert "values      uint16 (source codes), in dBZ\n" in out
    assert "duplicates  4 left out, 1 of them with other values\n" in out
    wet = (frames[[0, 1, 2, 3, *range(6, 12)]] >= 1000).mean()
    assert f"wet         {wet:.2%} of the pixels, from 10 dBZ on\n" in out
    np.testing.assert_array_equal(values(tmp_path / "store"), frames[[0, 1, 2, 3, *range(6, 12)]])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive", "store"]


def test_files_come_in_order_of_time(archive, frames, tmp_path):
    os.rename(archive / "0.nc", archive / "9.nc")
    assert run(archive, tmp_path / "store") == 0
    np.testing.assert_array_equal(values(tmp_path / "store"), frames)


class Stop(Exception):
    pass


@contextlib.contextmanager
def breaking_off(blocks, moment="after"):
    """The command stops at so many blocks, before or after the journal has the last of them."""
    add, seen = store_writer.Journal.add, []

    def stop(journal, block):
        seen.append(block)
        if len(seen) < blocks or moment == "after":
            add(journal, block)
        if len(seen) == blocks:
            raise Stop

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_writer.Journal, "add", stop)
        with pytest.raises(Stop):
            yield


@pytest.mark.parametrize("blocks", [1, 2, 4])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_run_that_broke_off_goes_on(blocks, moment, archive, tmp_path, capsys, monkeypatch):
    """From the first block that is not in the journal; to the same bytes as without a break."""
    assert run(archive, tmp_path / "whole") == 0
    with breaking_off(blocks, moment):
        run(archive, tmp_path / "store")
    done = blocks - (moment == "before")
    assert not (tmp_path / "store").exists() and (tmp_path / ".store.part").exists() == (done > 0)

    reads = []
    read_slab = convert.read_slab
    monkeypatch.setattr(convert, "read_slab", lambda *a: reads.append(a[1]) or read_slab(*a))
    capsys.readouterr()
    assert run(archive, tmp_path / "store") == 0
    assert ("going on with" in capsys.readouterr().out) == (done > 0)
    assert reads == [3 * block for block in range(done, 4)]
    assert contents(tmp_path / "store") == contents(tmp_path / "whole")
    assert not (tmp_path / ".store.part").exists()


@pytest.mark.parametrize("call", [0, 1])
def test_a_store_is_never_half_there(call, archive, tmp_path, monkeypatch):
    """Stopped at either of the renames that replace a store: the same command finishes it."""
    assert run(archive, tmp_path / "whole", "--dtype", "uint8") == 0
    assert run(archive, tmp_path / "store") == 0
    rename, calls = os.rename, []

    def stop(*names):
        calls.append(names)
        if len(calls) == call + 1:
            raise Stop
        rename(*names)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", stop)
        with pytest.raises(Stop):
            run(archive, tmp_path / "store", "--dtype", "uint8", "--overwrite")
    assert run(archive, tmp_path / "store", "--dtype", "uint8", "--overwrite") == 0
    assert contents(tmp_path / "store") == contents(tmp_path / "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive", "store", "whole"]


def test_damage_is_remembered_over_a_break(archive, broken, frames, tmp_path):
    """Frames that were left out before the break and after it."""
    skip = ("--on_bad_file", "skip")
    write(archive / "5.nc", frames[8:10], [40, 45])
    for number in (0, 4):
        damage(archive / f"{number}.nc")
    assert run(archive, tmp_path / "whole", *skip) == 0
    with breaking_off(2):
        run(archive, broken, *skip, "--overwrite")
    assert run(archive, broken, *skip) == 0
    assert contents(broken) == contents(tmp_path / "whole")
    assert len(json.loads((broken / "index.json").read_text())["skipped"]) == 2


def test_a_run_that_was_killed_goes_on(tmp_path, capsys):
    """SIGKILL in the middle of a block of a process of its own; a line that was cut off does no harm."""
    np.save(tmp_path / "a.npy", np.random.default_rng(0).integers(0, 256, (40, 30, 64, 64), np.uint8))
    arguments = ["--data_path", str(tmp_path / "a.npy"), "--output"]
    code = (
        "import sys, time; from predjax.commands import prepare; from predjax.radar.store import grids, writing\n"
        "grids.SLAB_BYTES = 2**20; append = writing.GrowingArray.append\n"
        "def slowly(array, rows): append(array, rows); time.sleep(0.02)\n"
        "writing.GrowingArray.append = slowly; prepare.main(sys.argv[1:])"
    )
    process = subprocess.Popen([sys.executable, "-c", code, *arguments, str(tmp_path / "store")], cwd=ROOT)
    journal = tmp_path / ".store.part" / "journal.jsonl"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (journal.exists() and journal.read_bytes().count(b"\n") > 3):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL and not (tmp_path / "store").exists()
    with open(journal, "ab") as file:
        file.write(b'{"grid": 0, "rea')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_grids, "SLAB_BYTES", 2**20)
        assert prepare([*arguments, str(tmp_path / "store")]) == 0
        assert "going on with" in capsys.readouterr().out
        assert prepare([*arguments, str(tmp_path / "whole")]) == 0
    assert contents(tmp_path / "store") == contents(tmp_path / "whole")


@pytest.fixture
def broken(archive, tmp_path):
    """An output that was broken off after its first block."""
    with breaking_off(1):
        run(archive, tmp_path / "store")
    return tmp_path / "store"


def test_other_arguments_or_files_start_anew_only_when_asked(archive, broken, frames, capsys):
    error = refusal(capsys, archive, broken, "--dtype", "float32")
    assert ".store.part was begun with dtype 'auto', now it is 'float32': --overwrite starts anew" in error
    write(archive / "7.nc", frames[:1], [90])
    assert "was begun without" in (error := refusal(capsys, archive, broken)) and "7.nc: --overwrite" in error
    (archive / "7.nc").unlink()
    os.utime(archive / "3.nc", ns=(1, 1))
    assert "3.nc changed: --overwrite" in refusal(capsys, archive, broken)
    os.rename(archive / "3.nc", archive / "8.nc")
    assert "8.nc" in refusal(capsys, archive, broken)
    assert run(archive, broken, "--dtype", "float32", "--overwrite") == 0
    assert "going on" not in capsys.readouterr().out
    (movies,) = read_movies(broken)
    assert json.loads((broken / "index.json").read_text())["grids"][0]["dtype"] == "<f4"
    np.testing.assert_allclose(movies.frames.values[0, ..., 0], frames * 0.01, rtol=1e-6)


def test_overwriting_goes_on_with_what_it_began(archive, broken, capsys):
    assert run(archive, broken, "--overwrite") == 0
    assert "going on with" in capsys.readouterr().out


def test_only_a_store_is_replaced(archive, tmp_path, capsys):
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.txt").write_text("mine")
    for flags in ((), ("--overwrite",)):
        assert "other exists and is no store of predjax" in refusal(capsys, archive, other, *flags)
    assert run(archive, tmp_path / "store") == 0
    before = contents(tmp_path / "store")
    assert "store exists; --overwrite replaces it" in refusal(capsys, archive, tmp_path / "store")
    assert contents(tmp_path / "store") == before
    assert run(archive, tmp_path / "store", "--dtype", "uint8", "--overwrite") == 0
    assert json.loads((tmp_path / "store" / "index.json").read_text())["grids"][0]["dtype"] == "|u1"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive", "other", "store"]


def test_a_full_disk_is_one_line_and_no_loss(archive, tmp_path, capsys, monkeypatch):
    assert run(archive, tmp_path / "whole") == 0
    writes, write = [], store_writer._write

    def full(file, data):
        writes.append(data)
        if len(writes) == 7:
            file.write(memoryview(data).cast("B")[:10])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(file, data)

    with monkeypatch.context() as patch:
        patch.setattr(store_writer, "_write", full)
        error = refusal(capsys, archive, tmp_path / "store")
    assert "No space left on device; the same command goes on from here" in error and ".npy" in error
    assert run(archive, tmp_path / "store") == 0
    assert contents(tmp_path / "store") == contents(tmp_path / "whole")


def test_a_store_in_the_making_belongs_to_one_process(archive, broken, capsys):
    with hold(broken.parent / ".store.part"):
        assert f".store.part: process {os.getpid()} on " in refusal(capsys, archive, broken)
    assert run(archive, broken) == 0


def test_files_that_no_store_wrote_are_never_removed(archive, broken, capsys):
    own, inside = broken.parent / ".store.part" / "notes.txt", broken / "grid_0" / "notes.txt"
    own.write_text("mine")
    for flags in ((), ("--overwrite",)):
        assert "notes.txt is no part of a store in the making" in refusal(capsys, archive, broken, *flags)
    own.unlink()
    assert run(archive, broken) == 0
    inside.write_text("mine")
    assert "notes.txt is no part of the store: move it" in refusal(capsys, archive, broken, "--overwrite")
    assert inside.read_text() == "mine"
    inside.unlink()
    assert run(archive, broken, "--overwrite") == 0


def test_damaged_files_stop_the_run_or_are_skipped(archive, frames, tmp_path, capsys):
    (archive / "1.nc").write_bytes(b"nothing")
    error = refusal(capsys, archive, tmp_path / "store")
    assert "1.nc: not a netCDF file" in error and not (tmp_path / ".store.part").exists()
    damage(archive / "4.nc")  # opens well; one of its frames is damaged
    assert run(archive, tmp_path / "store", "--on_bad_file", "skip") == 0
    out = capsys.readouterr().out
    assert "skipped     2 files\n" in out and "frames      9 in 3 segments, 2 gaps" in out
    (first, second) = json.loads((tmp_path / "store" / "index.json").read_text())["skipped"]
    assert first["file"].endswith("1.nc") and second["file"].endswith("4.nc")
    assert "is the file damaged?" in second["reason"]
    np.testing.assert_array_equal(values(tmp_path / "store"), frames[[0, 1, 4, 5, 6, 7, 9, 10, 11]])
    (archive / "1.nc").unlink()
    error = refusal(capsys, archive, tmp_path / "other")
    assert "4.nc: dbz" in error and "cannot be read" in error


def test_a_damaged_frame_comes_from_another_file_of_its_time(archive, frames, tmp_path):
    write(archive / "9.nc", frames[8:10], [40, 45])
    damage(archive / "4.nc")
    assert run(archive, tmp_path / "store", "--on_bad_file", "skip") == 0
    np.testing.assert_array_equal(values(tmp_path / "store"), frames)
    (grid,) = json.loads((tmp_path / "store" / "index.json").read_text())["grids"]
    assert (grid["duplicates"], grid["differing"]) == (2, 0)


def test_arrays_are_skipped_whole(tmp_path, capsys):
    good = np.random.default_rng(0).random((3, 8, 8), np.float32)
    np.save(tmp_path / "a.npy", good)
    np.save(tmp_path / "b.npy", np.where(np.arange(20)[:, None, None] == 3, np.inf, np.ones((20, 8, 8))))
    (tmp_path / "c.npz").write_bytes(b"PK")
    (tmp_path / "d.npy").write_bytes(b"")
    arguments = ["--data_path", f"{tmp_path}/*.np?", "--output", f"{tmp_path}/store", "--on_bad_file", "skip"]
    assert prepare(arguments) == 0
    out = capsys.readouterr().out
    assert "skipped     3 files" in out and "b.npy: holds an infinite value (inf)" in out
    (movies,) = read_movies(tmp_path / "store")
    np.testing.assert_array_equal(movies.frames.values[0, ..., 0], good)


def test_nothing_to_read_is_said(tmp_path, capsys):
    (tmp_path / "a.nc").write_bytes(b"x")
    error = refusal(capsys, tmp_path, tmp_path / "store", "--on_bad_file", "skip")
    assert "none of 1 files can be read" in error and "a.nc: not a netCDF file" in error


@pytest.mark.parametrize(
    ("name", "flags", "error"),
    [
        ("archive/*.nc", ["--forcings", "wind"], "a store keeps frames only"),
        ("archive/*.nc", ["--output", "archive"], "archive exists and is no store of predjax"),
        ("paths.txt", [], "a store is made of .nc, "),
        ("archive/*.nc", ["--variable", "rain"], "rain"),
        ("none/*.nc", [], "no file matches"),
    ],
)
def test_what_is_no_archive_is_refused(name, flags, error, archive, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "paths.txt").write_text("1 2 3")
    capsys.readouterr()
    assert prepare(["--data_path", name, "--output", "store", *flags]) == 2
    found = capsys.readouterr().err
    assert error in found and found.count("\n") == 1
    assert not (tmp_path / "store").exists() and not (tmp_path / ".store.part").exists()


def test_stores_are_not_prepared_again(archive, tmp_path, capsys):
    assert run(archive, tmp_path / "store") == 0
    assert prepare(["--data_path", str(tmp_path / "store"), "--output", str(tmp_path / "more")]) == 2
    assert "store is a store already" in capsys.readouterr().err
    inside = ["--data_path", f"{tmp_path}/**/*.npy", "--output", str(tmp_path / "store"), "--overwrite"]
    assert prepare(inside) == 2
    assert "is a part of --output" in capsys.readouterr().err


@pytest.mark.ci
def test_a_model_trains_on_a_store_as_on_the_archive(tmp_path, tiny_run, capsys):
    """The same windows, the same losses, the same table; and the export lies on the same map."""
    store = tmp_path / "store"
    assert prepare(["--data_path", str(ROOT / "data" / "radar_movies.nc"), "--output", str(store)]) == 0
    run = tmp_path / "run"
    arguments = [*TINY, "--max_iterations", "4", "--lr_schedule", "constant", "--save_dir", str(run)]
    assert train([*arguments, "--data_path", str(store)]) == 0

    def losses(folder):
        lines = map(json.loads, (folder / "log.jsonl").read_text().splitlines())
        return [line["loss"] for line in lines if "loss" in line]

    assert losses(run) == losses(tiny_run)
    assert json.loads((run / "skill.json").read_text()) == json.loads((tiny_run / "skill.json").read_text())
    for path, folder in ((store, "one"), (ROOT / "data" / "radar_movies.nc", "other")):
        flags = ["--checkpoint", str(run), "--data_path", str(path), "--baselines", "persistence", "--max_cases", "4"]
        assert evaluate([*flags, "--export", str(tmp_path / folder), "--num_save_samples", "1"]) == 0
    (one,), (other,) = (sorted((tmp_path / folder).rglob("*.nc")) for folder in ("one", "other"))
    with netCDF4.Dataset(one) as a, netCDF4.Dataset(other) as b:
        assert a.variables.keys() == b.variables.keys()
        for name in a.variables:
            np.testing.assert_array_equal(a[name][:], b[name][:])
            assert repr(a[name].__dict__) == repr(b[name].__dict__)


def test_progress_is_for_terminals(archive, tmp_path):
    with contextlib.redirect_stderr(io.StringIO()) as error:
        assert run(archive, tmp_path / "store") == 0
    assert error.getvalue() == ""
