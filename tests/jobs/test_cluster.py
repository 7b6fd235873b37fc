"""Verification and preparation on a dask cluster: the scores and the store of one process."""

import json
import os
import pathlib
import pickle
import subprocess
import sys

import netCDF4
import numpy as np
import pytest
from tiny import ROOT, have_devices, without_page

from predjax.commands.evaluate import main as evaluate
from predjax.commands.prepare import main as prepare
from predjax.jobs import cluster
from predjax.radar.formats.open_files import OPEN_FILES
from predjax.radar.store import archive as scanning
from predjax.radar.store import convert
from predjax.radar.store import grids as store_grids
from predjax.radar.store import writing as store_writer


def double(options, part):
    """What a worker does."""
    if part == options["bad"]:
        raise ValueError(f"part {part} is bad")
    return 2 * part


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """The address of a cluster of two worker processes."""
    path = tmp_path_factory.mktemp("cluster") / "scheduler.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": ROOT}
    quiet["env"] = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "XLA_FLAGS": have_devices(1)}
    place = ["--scheduler-file", str(path), "--no-dashboard"]
    commands = [["scheduler", "--port", "0"], *[["worker", "--nthreads", "1", "--no-nanny"]] * 2]
    processes = [
        subprocess.Popen([sys.executable, "-m", f"distributed.cli.dask_{name}", *place, *flags], **quiet)
        for name, *flags in commands
    ]
    from distributed import Client

    try:
        with Client(scheduler_file=str(path), timeout=60) as client:
            client.wait_for_workers(2, timeout=60)
            yield client.scheduler.address
    finally:
        # A worker that ends while its scheduler does may wait for it for ever.
        for process in reversed(processes):
            process.terminate()
            process.wait(timeout=30)


@pytest.mark.ci
def test_parts_come_in_their_order_and_errors_with_them(scheduler):
    parts = list(range(40))
    assert list(cluster.map_parts(scheduler, double, {"bad": None}, parts, "")) == [2 * part for part in parts]
    results = cluster.map_parts(scheduler, double, {"bad": 7}, parts, "")
    assert [next(results) for _ in range(7)] == [2 * part for part in range(7)]
    with pytest.raises(ValueError, match="part 7 is bad"):
        next(results)


@pytest.mark.ci
def test_the_scores_are_those_of_one_process(scheduler, tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr("predjax.verification.cases.PIXELS_A_BATCH", 4 * 40 * 40 * 6)  # parts of 4, 4 and 2 cases
    found = {}
    for name, flags in {"alone": [], "cluster": ["--dask_scheduler", scheduler]}.items():
        command = ["--checkpoint", str(tiny_run), "--output", str(tmp_path / name), "--max_cases", "10"]
        with without_page():
            assert evaluate([*command, "--window_stride", "1", "--baselines", "persistence", *flags]) == 0
        found[name] = json.loads((tmp_path / name / "skill.json").read_text())
    assert found["alone"]["attributes"]["cases"] == 10
    compare(found["alone"], found["cluster"], "")


def compare(one, other, where):
    """The same keys and words, and numbers but for the order of additions."""
    if isinstance(one, dict):
        assert list(one) == list(other), where
        for key in one:
            compare(one[key], other[key], f"{where}/{key}")
    elif isinstance(one, list):
        assert len(one) == len(other), where
        for number, pair in enumerate(zip(one, other)):
            compare(*pair, f"{where}/{number}")
    elif isinstance(one, float):
        assert one == pytest.approx(other, rel=1e-5, abs=1e-7), where
    else:
        assert one == other, where


def test_a_scheduler_that_is_not_there_is_one_line(tiny_run, monkeypatch, capsys):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    assert evaluate(["--checkpoint", str(tiny_run), "--dask_scheduler", "tcp://127.0.0.1:9"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "dask_scheduler tcp://127.0.0.1:9 does not answer" in error


def write(path, frames, minutes):
    """A file of dBZ in hundredths (time, y, x) with checksums."""
    with netCDF4.Dataset(path, "w") as file:
        for name, size in zip(("time", "y", "x"), frames.shape):
            file.createDimension(name, size)
        clock = file.createVariable("time", "i4", ("time",))
        clock.units, clock[:] = "minutes since 2020-01-01", minutes
        variable = file.createVariable("dbz", "i2", ("time", "y", "x"), zlib=True, fletcher32=True)
        variable.set_auto_maskandscale(False)
        variable.units, variable.scale_factor = "dBZ", 0.01
        variable[:] = frames


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """60 netCDF files of a frame, some of them there twice, and two arrays; blocks of seven frames of 32x32."""
    monkeypatch.setattr(store_grids, "SLAB_BYTES", 7 * 4 * 32 * 32)
    folder, rng = tmp_path / "archive", np.random.default_rng(0)
    folder.mkdir()
    frames = rng.integers(-1000, 5000, (60, 32, 32)).astype("i2")
    for number in range(60):
        write(folder / f"{number:02}.nc", frames[[number]], [5 * number])
    write(folder / "again.nc", frames[[20, 30]] + np.array([0, 1], "i2")[:, None, None], [100, 150])
    np.save(folder / "movies.npy", rng.uniform(0, 40, (3, 10, 24, 24)).astype("f4"))
    np.savez(folder / "more.npz", rng.uniform(0, 40, (3, 5, 40, 40)).astype("f4"))
    return folder


def run(archive, store, *flags):
    return prepare(["--data_path", str(archive), "--units", "dBZ", "--output", str(store), *flags])


def contents(folder):
    """The bytes of all files but the one that says by which flags they were made."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "run.json"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def damage(path):
    """Overwrites the pixels."""
    OPEN_FILES.close()
    with open(path, "r+b") as file:
        file.seek(path.stat().st_size * 3 // 4)
        file.write(bytes(200))


def alone(monkeypatch):
    """From now on nothing is read by this process but the labels of the arrays."""

    def refuse(*arguments):
        raise AssertionError("a worker should do this")

    monkeypatch.setattr(convert, "read_slab", refuse)
    monkeypatch.setattr(scanning, "read_labels", refuse)


@pytest.mark.ci
@pytest.mark.parametrize("dtype", ["auto", "float32"])
def test_the_store_is_that_of_one_process(dtype, scheduler, archive, tmp_path, capsys, monkeypatch):
    assert run(archive, tmp_path / "alone", "--dtype", dtype) == 0
    said = capsys.readouterr().out
    assert "grids       3: " in said and "duplicates  2 left out, 1 of them with other values" in said
    alone(monkeypatch)
    assert run(archive, tmp_path / "cluster", "--dtype", dtype, "--dask_scheduler", scheduler) == 0
    assert capsys.readouterr().out == said.replace(str(tmp_path / "alone"), str(tmp_path / "cluster"))
    assert contents(tmp_path / "cluster") == contents(tmp_path / "alone")


@pytest.mark.ci
def test_damaged_files_are_those_of_one_process(scheduler, archive, tmp_path, capsys):
    """Files that do not open, frames that cannot be read (one of them is in another file, too), arrays left out."""
    frames = np.ones((2, 20, 40, 40), "f4")
    frames[0, 3] = np.inf  # no look at the first and the last frames finds it
    np.savez(archive / "wrong.npz", frames)
    np.save(archive / "wrong.npy", frames)
    damage(archive / "30.nc")
    damage(archive / "45.nc")
    errors = []
    for flags in ([], ["--dask_scheduler", scheduler]):
        assert run(f"{archive}/*.nc", tmp_path / "store", *flags) == 2
        errors.append(capsys.readouterr().err)
    assert errors[0] == errors[1]
    assert "30.nc: dbz: frame 0 cannot be read" in errors[0] and errors[0].count("\n") == 1
    (archive / "07.nc").write_bytes(b"nothing")
    for flags in ([], ["--dask_scheduler", scheduler]):
        assert run(f"{archive}/*.nc", tmp_path / "other", *flags) == 2
        errors.append(capsys.readouterr().err)
    assert errors[2] == errors[3] and "07.nc: not a netCDF file" in errors[2]
    assert run(archive, tmp_path / "alone", "--on_bad_file", "skip") == 0
    assert run(archive, tmp_path / "cluster", "--on_bad_file", "skip", "--dask_scheduler", scheduler) == 0
    assert contents(tmp_path / "cluster") == contents(tmp_path / "alone")
    skipped = json.loads((tmp_path / "cluster" / "index.json").read_text())["skipped"]
    names = sorted(pathlib.Path(one["file"]).name for one in skipped)
    assert names == ["07.nc", "30.nc", "45.nc", "wrong.npy", "wrong.npz"]


class Stop(Exception):
    pass


@pytest.mark.ci
@pytest.mark.parametrize("first", [True, False], ids=["begun by the cluster", "ended by the cluster"])
def test_a_run_that_broke_off_goes_on_with_and_without_the_cluster(first, scheduler, archive, tmp_path, capsys):
    flags = ["--dask_scheduler", scheduler]
    add, done = store_writer.Journal.add, []

    def stop(journal, block):
        add(journal, block)
        done.append(block)
        if len(done) == 5:
            raise Stop

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_writer.Journal, "add", stop)
        with pytest.raises(Stop):
            run(archive, tmp_path / "store", *(flags if first else []))
    assert (tmp_path / ".store.part").exists() and not (tmp_path / "store").exists()
    capsys.readouterr()
    assert run(archive, tmp_path / "store", *([] if first else flags)) == 0
    assert "going on with" in capsys.readouterr().out
    assert run(archive, tmp_path / "whole") == 0
    assert contents(tmp_path / "store") == contents(tmp_path / "whole")


@pytest.mark.ci
def test_few_blocks_are_under_way(scheduler, archive, tmp_path, monkeypatch):
    """Not more than AHEAD a thread; a block travels with the names of its own files alone."""
    cut, add, counts, ahead = convert.cut_reader, store_writer.Journal.add, [0, 0], []
    names = []

    def count_cut(*arguments):
        counts[0] += 1
        ahead.append(counts[0] - counts[1])
        piece = cut(*arguments)
        names.append(pickle.dumps(piece).count(b".nc"))
        return piece

    def count_add(journal, block):
        counts[1] += 1
        add(journal, block)

    monkeypatch.setattr(convert, "cut_reader", count_cut)
    monkeypatch.setattr(store_writer.Journal, "add", count_add)
    assert run(archive, tmp_path / "store", "--dask_scheduler", scheduler) == 0
    assert counts[0] == counts[1] > 10
    assert max(ahead) <= 2 * cluster.AHEAD
    assert names[0] >= 7 and max(names) <= 2 * 9  # 60 without an end
