"""Runs of two processes that are killed or stopped at random moments end like one that was not, bit for bit."""

import contextlib
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from tiny import ROOT, have_devices

from predjax import checkpoint
from predjax.checkpoint_names import list_steps, step_path

ITERATIONS, EVERY = 200, 10
FLAGS = (
    f"--model_name conv_lstm --num_hidden 2 --filter_size 3 --total_length 6 --input_length 3 --batch_size 4 --crop 16 \
--coordinates fixed --residual 0 --device cpu --max_iterations {ITERATIONS} --snapshot_interval {EVERY} \
--keep_checkpoints 3 --valid_fraction 0 --test_fraction 0"
)
KINDS = ("worker killed", "coordinator killed", "killed during a save", "worker stopped", "coordinator stopped")


def launch(folder):
    """The launcher of a run of two processes of a device each."""
    command = [sys.executable, "-m", "predjax", "launch", "-n", "2", "--heartbeat_timeout", "4", "--"]
    environment = os.environ | {"XLA_FLAGS": have_devices(1), "PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    run = [*command, "train.py", *FLAGS.split(), "--save_dir", str(folder)]
    return subprocess.Popen(run, cwd=ROOT, env=environment, **pipes)


def find_children(parent: int) -> dict[int, int]:
    """The process of each place; none where the parent has ended."""
    found = {}
    with contextlib.suppress(FileNotFoundError):
        for number in pathlib.Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
            words = pathlib.Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
            if b"--process_id" in words:
                found[int(words[words.index(b"--process_id") + 1])] = int(number)
    return found


def find_newest(folder) -> int:
    steps = list_steps(folder)
    return int(re.search(r"\d+", steps[-1].name)[0]) if steps else 0


def wait_until(happens, process, seconds=200):
    deadline = time.monotonic() + seconds
    while not happens() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)


def disturb(process, folder, kind: str, seconds: float) -> int | None:
    """Does `kind` to the run `seconds` after its first checkpoint; the newest one that was there before.

    None, and nothing done, where the run was over by then.
    """
    wait_until(lambda: find_newest(folder), process)
    time.sleep(seconds)
    if kind == "killed during a save":
        wait_until(lambda: any(folder.glob(".predjax-*.tmp")), process, 20)
    before, children = find_newest(folder), find_children(process.pid)
    place = 1 if kind.startswith("worker") else 0
    if before == ITERATIONS or place not in children:
        return None
    os.kill(children[place], signal.SIGSTOP if kind.endswith("stopped") else signal.SIGKILL)
    return before


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The last checkpoint of a run that nothing happened to, and the seconds from its first to its last checkpoint."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    process = launch(folder)
    wait_until(lambda: find_newest(folder), process)
    begin = time.monotonic()
    wait_until(lambda: find_newest(folder) == ITERATIONS, process)
    seconds = time.monotonic() - begin
    _, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    return checkpoint.load(step_path(folder, ITERATIONS))[0], seconds


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize(
    "runs", [pytest.param(1, marks=pytest.mark.ci), pytest.param(30, marks=pytest.mark.slow)], ids=["one", "thirty"]
)
def test_every_run_ends_as_if_nothing_had_happened(runs, undisturbed, tmp_path):
    expected, seconds = undisturbed
    draw, counts = random.Random(runs), dict.fromkeys(KINDS, 0)
    for number in range(3 * runs):
        done = sum(counts.values())
        if done == runs:
            break
        kind, folder = KINDS[2 * done % len(KINDS)], tmp_path / str(number)
        process = launch(folder)
        before = disturb(process, folder, kind, draw.uniform(0, 0.9 * seconds))
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, f"{kind}: {errors}"
        if before is None:
            continue
        again = re.findall(r"launch: .*; all start again from iteration (\d+)", errors)
        assert len(again) == 1 and int(again[0]) >= before, f"{kind} after {before}: {errors}"
        counts[kind] += 1
        for path in list_steps(folder):
            checkpoint.load(path)
        arrays = checkpoint.load(step_path(folder, ITERATIONS))[0]
        assert set(arrays) == set(expected)
        for name in expected:
            np.testing.assert_array_equal(arrays[name], expected[name], err_msg=f"{kind}: {name}")
        print(f"{kind} after iteration {before}, went on from {again[0]}")
    print(counts)
    assert sum(counts.values()) == runs
