"""A run that was stopped ends like one that was not: bit for bit."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from tiny import QUICK, ROOT, TINY

from predjax import checkpoint
from predjax.checkpoint_names import best_path, list_steps, step_path
from predjax.commands.train import main


def assert_same(one, other):
    arrays, others = checkpoint.load(one)[0], checkpoint.load(other)[0]
    assert set(arrays) == set(others)
    for name in arrays:
        np.testing.assert_array_equal(arrays[name], others[name], err_msg=name)


def test_two_and_two_are_four(tiny_run, unverified, tmp_path):
    folder = str(tmp_path / "run")
    # The schedules of four iterations, which a run of two would make shorter.
    schedule = [
        "--lr_schedule",
        "constant",
        "--r_sampling_step_1",
        "1.25",
        "--r_sampling_step_2",
        "2.5",
        "--r_exp_alpha",
        "0.125",
    ]
    assert main([*TINY, *schedule, "--max_iterations", "2", "--save_dir", folder]) == 0
    assert main(["--resume", "--max_iterations", "4", "--save_dir", folder]) == 0
    assert_same(step_path(tiny_run, 4), step_path(folder, 4))


def test_a_resumed_run_keeps_what_it_was_made_with(tiny_run, capsys):
    assert main(["--resume", "--save_dir", str(tiny_run), "--lr", "0.5"]) == 2
    assert "lr 0.003" in capsys.readouterr().err


@pytest.mark.ci
def test_killed_and_resumed(tmp_path):
    command = [sys.executable, "train.py", *QUICK, "--max_iterations", "60", "--snapshot_interval", "5"]
    command += ["--device", "cpu"]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run([*command, "--save_dir", str(whole)], cwd=ROOT, check=True, capture_output=True)

    process = subprocess.Popen(
        [*command, "--save_dir", str(killed)], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 300
    while not step_path(killed, 5).is_file() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert list_steps(killed) and not step_path(killed, 60).is_file()

    subprocess.run(
        [sys.executable, "train.py", "--resume", "--save_dir", str(killed)] ,
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    assert_same(step_path(whole, 60), step_path(killed, 60))
    assert_same(best_path(whole), best_path(killed))
    assert (whole / "skill.json").read_text() == (killed / "skill.json").read_text()


@pytest.mark.ci
def test_terminated_run_leaves_a_checkpoint(tmp_path, monkeypatch, capsys):
    save = checkpoint.save

    def save_and_end(path, *what):
        save(path, *what)
        monkeypatch.setattr(checkpoint, "save", save)
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(checkpoint, "save", save_and_end)
    flags = ["--max_iterations", "100", "--test_interval", "100", "--snapshot_interval", "10"]
    assert main([*QUICK, *flags, "--save_dir", str(tmp_path / "run")]) == 143
    assert "--resume goes on" in capsys.readouterr().out
    assert 0 < checkpoint.load_latest(tmp_path / "run")[2]["iteration"] < 100
