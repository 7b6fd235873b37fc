"""Two commands on one folder, in process namespaces of their own, so that both are process 1 as in two containers."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import netCDF4
import numpy as np
import pytest
from tiny import QUICK, ROOT

from predjax import checkpoint
from predjax.checkpoint_names import list_steps
from predjax.locks import LOCK
from predjax.radar.readers import read_movies

OWN_NUMBERS = ["unshare", "--pid", "--fork", "--mount-proc"]
SAVES, READS = 150, 300  # of each of two processes; of this one meanwhile
SAVE = f"""
import os, sys
import numpy as np
from predjax import checkpoint
assert os.getpid() == 1
for number in range({SAVES}):
    checkpoint.save(sys.argv[1], {{"weights": np.full((200, 500), number)}}, {{"number": number}})
"""
RAIN = str(ROOT / "data" / "radar_movies.nc")


def can_unshare():
    return shutil.which("unshare") and not subprocess.run([*OWN_NUMBERS, "true"], capture_output=True).returncode


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not can_unshare(), reason="process namespaces need unshare and the rights of root"),
]


@contextlib.contextmanager
def start(*arguments):
    """A command that is process 1 of a namespace of its own; gives the process that waits for it."""
    program = [*OWN_NUMBERS, "--kill-child", sys.executable, "-m", "predjax", *map(str, arguments)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def send(process, number):
    """Send a signal to the command itself, which has another number here."""
    (child,) = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(child), number)


def run_two(folder, *arguments, then=None):
    """Start a command, stop it as soon as it has its lock, start another one, and go on; a watch ends after `then`."""
    with start(*arguments) as first:
        end = time.monotonic() + 300
        while not (folder / LOCK).is_file() or not (folder / LOCK).read_bytes():
            assert first.poll() is None and time.monotonic() < end, first.stdout.read()
        send(first, signal.SIGSTOP)
        assert json.loads((folder / LOCK).read_text())["pid"] == 1
        with start(*arguments) as second:
            said, _ = second.communicate(timeout=300)
            assert second.returncode == 2
            assert f"{folder}: process 1 on " in said and "writes to this folder" in said
        assert json.loads((folder / LOCK).read_text())["pid"] == 1
        send(first, signal.SIGCONT)
        if then:
            then()
            send(first, signal.SIGTERM)
        said, _ = first.communicate(timeout=300)
        assert first.returncode == (143 if then else 0), said
    left = [path for path in folder.parent.rglob("*") if path.name == LOCK or path.suffix == ".tmp"]
    assert left == []  # neither locks nor files under construction


def test_two_savers_of_one_checkpoint(tmp_path):
    """Nothing refuses these: each file is whole, whoever wrote it."""
    path, reads = tmp_path / "best.npz", 0
    program = [*OWN_NUMBERS, "--kill-child", sys.executable, "-c", SAVE, str(path)]
    savers = [subprocess.Popen(program, env=os.environ | {"PYTHONPATH": str(ROOT)}) for _ in range(2)]
    try:
        while not path.exists():
            assert all(saver.poll() is None for saver in savers)
            time.sleep(0.01)
        while reads < READS or any(saver.poll() is None for saver in savers):
            arrays, config = checkpoint.load(path)
            assert (arrays["weights"] == config["number"]).all()
            reads += 1
    finally:
        for saver in savers:
            saver.kill()
            saver.wait()
    print(f"{2 * SAVES} saves, {reads} reads")
    assert [saver.returncode for saver in savers] == [0, 0] and config["number"] == SAVES - 1
    assert [one.name for one in tmp_path.iterdir()] == ["best.npz"]


def test_two_trainings(tmp_path):
    folder = tmp_path / "run"
    run_two(
        folder,
        "train",
        "--data_path",
        RAIN,
        *QUICK,
        "--max_iterations",
        4,
        "--display_interval",
        1,
        "--save_dir",
        folder,
    )
    records = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [record["iteration"] for record in records if "loss" in record] == [1, 2, 3, 4]
    for path in (*list_steps(folder), folder / "best.npz"):
        assert checkpoint.load(path)[1]["iteration"] <= 4


def test_two_makers_of_a_store(tmp_path):
    run_two(tmp_path / ".store.part", "prepare", "--data_path", RAIN, "--output", tmp_path / "store")
    (store,), (archive,) = read_movies(tmp_path / "store"), read_movies(RAIN)
    np.testing.assert_array_equal(store.frames.values, archive.frames.values)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_two_watchers(tmp_path):
    (tmp_path / "feed").mkdir()
    output = tmp_path / "out"

    def feed():
        shutil.copy(ROOT / "data" / "fmi_20160928.nc", tmp_path / "feed")
        end = time.monotonic() + 300
        while not list(output.glob("*.nc")):
            assert time.monotonic() < end
            time.sleep(0.1)

    flags = ["--checkpoint", "persistence", "--data_path", tmp_path / "feed", "--output", output, "--poll", 0.2]
    run_two(output, "forecast", *flags, "--watch", then=feed)
    (path,) = output.glob("*.nc")
    with netCDF4.Dataset(path) as file:
        assert np.isfinite(file[next(name for name in file.variables if file[name].ndim > 2)][:]).any()
