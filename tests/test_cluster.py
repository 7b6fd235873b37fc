"""Verification on a dask cluster: the scores of one process."""

import json
import os
import subprocess
import sys

import pytest
from tiny import ROOT

from predjax.commands import cluster
from predjax.commands.evaluate import main as evaluate


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
    quiet["env"] = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "XLA_FLAGS": ""}
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
        for process in processes:
            process.terminate()
        for process in processes:
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
def test_the_scores_are_those_of_one_process(scheduler, tiny_run, tmp_path, capsys):
    found = {}
    for name, flags in {"alone": [], "cluster": ["--dask_scheduler", scheduler]}.items():
        command = ["--checkpoint", str(tiny_run), "--output", str(tmp_path / name), "--max_cases", "40"]
        assert evaluate([*command, "--window_stride", "1", *flags]) == 0
        found[name] = json.loads((tmp_path / name / "skill.json").read_text())
    assert found["alone"]["attributes"]["cases"] == 40
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
