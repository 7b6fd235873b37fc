"""Checkpoints: whole or not there, every damaged byte noticed, old ones read."""

import errno
import os
import pathlib
import random
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from tiny import QUICK, ROOT

from predjax import checkpoint
from predjax.checkpoint_names import list_steps, step_path
from predjax.commands.train import main

GOLDEN = pathlib.Path(__file__).parent / "golden"
sys.path.insert(0, str(GOLDEN))
from make_checkpoint import forecast  # noqa: E402

TREE = {"params": {"a/b": {"w": np.arange(600.0).reshape(20, 30)}}, "opt_state": (np.int32(3), [np.zeros(0)])}


@pytest.mark.parametrize("version", range(1, checkpoint.VERSION + 1))
def test_checkpoints_of_every_format_forecast_the_same(version):
    path = GOLDEN / f"checkpoint_{version}.npz"
    assert checkpoint.load(path)[1]["version"] == version
    expected = np.load(GOLDEN / f"checkpoint_{version}_forecast.npy")
    assert np.isfinite(expected).mean() > 0.5
    np.testing.assert_allclose(forecast(path), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("version", range(1, checkpoint.VERSION + 1))
def test_runs_go_on_from_checkpoints_of_every_format(version, unverified, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)  # the data are named as seen from there
    step_path(tmp_path, 4).write_bytes((GOLDEN / f"checkpoint_{version}.npz").read_bytes())
    assert main(["--resume", "--save_dir", str(tmp_path), "--max_iterations", "5"]) == 0
    arrays, record = checkpoint.load(step_path(tmp_path, 5))
    assert record["version"] == checkpoint.VERSION and record["iteration"] == int(arrays["step"]) == 5


def test_a_checkpoint_of_another_version_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "VERSION", 99)
    checkpoint.save(tmp_path / "x.npz", TREE, {})
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"x\.npz has format version 99, this predjax reads up to \d"):
        checkpoint.load(tmp_path / "x.npz")


def test_damage_is_noticed_wherever_it_is(tmp_path):
    """Two hundred places: half of them a flipped bit, half of them an end too early."""
    path = tmp_path / "x.npz"
    checkpoint.save(path, TREE, {"model": {"k": 1}})
    whole, draw = path.read_bytes(), random.Random(0)
    places = [*range(40), *range(len(whole) - 90, len(whole)), *(draw.randrange(len(whole)) for _ in range(170))]
    for number, place in enumerate(places):
        damaged = bytearray(whole)
        if number % 2:
            del damaged[place:]
        else:
            damaged[place] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"x\.npz") as caught:
            checkpoint.load(path)
        assert "\n" not in str(caught.value), place
    path.write_bytes(whole)
    assert checkpoint.load(path)[1]["model"] == {"k": 1}


def test_a_header_that_claims_more_than_there_is_takes_no_memory(tmp_path):
    path = tmp_path / "x.npz"
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000,), }"
    entry = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(80)
    import zipfile

    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("params/w.npy", entry)
    with pytest.raises(ValueError, match=r"x\.npz is not a predjax checkpoint.*80 bytes are no array of shape"):
        checkpoint.load(path)


def test_entries_that_share_their_bytes_take_no_memory(tmp_path):
    """A small file may list one entry a thousand times."""
    import zipfile

    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("params/w.npy", bytes(10**4))
        archive.filelist *= 1000
    with pytest.raises(ValueError, match=r"x\.npz is not a predjax checkpoint.*its entries are larger than the file"):
        checkpoint.load(tmp_path / "x.npz")


def test_where_nothing_can_be_written_the_old_one_stays(tmp_path):
    """A limit on the size of files, as a full disk or a quota: the write fails, the name and the old file are said."""
    path = tmp_path / "x.npz"
    checkpoint.save(path, TREE, {"number": 1})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        with pytest.raises(OSError, match=r"x\.npz") as caught:
            checkpoint.save(path, TREE, {"number": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.errno == errno.EFBIG and "the checkpoints before it are intact" in str(caught.value)
    assert checkpoint.load(path)[1]["number"] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["x.npz"]


@pytest.mark.ci
def test_a_run_whose_disk_is_full_stops_and_goes_on_later(unverified, tmp_path, monkeypatch, capsys):
    flags = [*QUICK, "--save_dir", str(tmp_path), "--max_iterations", "4", "--snapshot_interval", "2"]
    save = np.savez

    def fail(file, **arrays):
        if arrays["step"] == 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save(file, **arrays)

    monkeypatch.setattr(np, "savez", fail)
    assert main([*flags, "--test_interval", "4"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "No space left on device" in error and str(tmp_path) in error
    monkeypatch.undo()
    assert [path.name for path in list_steps(tmp_path)] == ["step_00000002.npz"]
    assert main(["--resume", "--save_dir", str(tmp_path)]) == 0
    assert checkpoint.load_latest(tmp_path)[2]["iteration"] == 4


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("not a folder")
    assert main([*QUICK, "--save_dir", str(tmp_path / "file" / "run"), "--max_iterations", "1"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "file/run" in error and "Traceback" not in error


SAVES = """
import sys
import numpy as np
from predjax import checkpoint
from predjax.checkpoint_names import step_path
number = 0
while True:
    number += 1
    tree = {"params": {"w": np.full((400, 400), number, np.float32)}, "step": np.int32(number)}
    checkpoint.save(step_path(sys.argv[1], number), tree, {"iteration": number})
    checkpoint.prune(sys.argv[1], 3)
    print(number, flush=True)
"""


@pytest.mark.parametrize("kills", [pytest.param(2, marks=pytest.mark.ci), pytest.param(100, marks=pytest.mark.slow)])
def test_killed_while_saving(kills, tmp_path):
    """A process that does nothing but save is killed at random moments: what it said it saved is there, and whole."""
    draw = random.Random(kills)
    for number in range(kills):
        folder = tmp_path / str(number)
        command = [sys.executable, "-c", SAVES, str(folder)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        process.stdout.readline()
        time.sleep(draw.uniform(0, 0.05))
        os.kill(process.pid, signal.SIGKILL)
        said = [1, *map(int, process.communicate()[0].split())]
        assert list_steps(folder)
        for path in list_steps(folder):
            checkpoint.load(path)
        path, arrays, record = checkpoint.load_latest(folder)
        assert record["iteration"] >= said[-1] and (arrays["params/w"] == record["iteration"]).all()
