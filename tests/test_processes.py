"""Several processes train like one, stop together, and end when one of them does."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from tiny import ROOT, have_devices

from predjax import checkpoint, parallel
from predjax.checkpoint_names import list_steps, step_path

FLAGS = "--filter_size 3 --total_length 6 --input_length 3 --batch_size 4 --crop 16 --device cpu".split()
FLAGS += ["--coordinates", "fixed", "--residual", "0"]
ANY_NETWORK = ["--model_name", "conv_lstm", "--num_hidden", "2"]


@pytest.mark.parametrize(
    ("flags", "environment", "found"),
    [
        ((None, None, None), {}, None),
        ((None, 1, None), {"SLURM_NTASKS": "4", "SLURM_PROCID": "1", "SLURM_STEP_NODELIST": "a[1-2]"}, None),
        ((None, None, None), {"SLURM_NTASKS": "4", "SLURM_PROCID": "0"}, None),  # the batch script itself
        ((None, None, None), {"SLURM_NTASKS": "1", "SLURM_PROCID": "0", "SLURM_STEP_NODELIST": "a"}, None),
        ((None, None, None), {"SLURM_NTASKS": "4", "SLURM_PROCID": "1", "SLURM_STEP_NODELIST": "a[1-2]"}, {}),
        (
            (None, None, None),
            {"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "1", "OMPI_MCA_orte_hnp_uri": "1.0;tcp://10.0.0.1:9"},
            {},
        ),
        (
            ("a:1", None, None),
            {"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "1"},
            {"coordinator_address": "a:1", "num_processes": 2, "process_id": 1},
        ),
        (("a:1", 3, 2), {}, {"coordinator_address": "a:1", "num_processes": 3, "process_id": 2}),
        (("a:1", 1, 0), {}, {"coordinator_address": "a:1", "num_processes": 1, "process_id": 0}),
    ],
)
def test_processes_are_found_from_flags_and_launchers(flags, environment, found):
    assert parallel.find_processes(*flags, environment) == found


def test_the_chief_listens_on_the_interface_that_the_others_are_told(monkeypatch):
    given = {}
    monkeypatch.setattr(parallel.jax.distributed, "initialize", lambda **arguments: given.update(arguments))
    parallel.join_processes(parallel.find_processes("127.0.0.1:4711", 1, 0, {}))
    assert given["coordinator_bind_address"] == given["coordinator_address"] == "127.0.0.1:4711"


@pytest.mark.parametrize(
    ("flags", "environment", "message"),
    [
        (("a:1", None, None), {}, "give --num_processes N and --process_id"),
        (("a:1", 2, 2), {}, "process 2 of 2"),
        (("a:1", 2, -1), {}, "process -1 of 2"),
        ((None, 2, 0), {}, "needs --coordinator host:port"),
        (("nowhere", 2, 0), {}, "'nowhere' is not host:port"),
        (
            (None, None, None),
            {"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "1"},
            "give --coordinator host:port",
        ),
    ],
)
def test_what_is_missing_is_said(flags, environment, message):
    with pytest.raises(ValueError, match=message):
        parallel.find_processes(*flags, environment)


def start(folder, processes, devices, *flags, own=None, launched=None, program=("train.py",)):
    """Starts a run of `processes` with `devices` each; `own[i]` are flags of process i alone.

    `launched(i)` is the environment of a launcher that says what the flags would.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{free.getsockname()[1]}"
    environment = os.environ | {"XLA_FLAGS": have_devices(devices)}
    command = [sys.executable, *program, *FLAGS, "--save_dir", str(folder), *map(str, flags)]
    started = []
    for i in range(processes):
        joined = ["--coordinator", where, "--num_processes", str(processes), "--process_id", str(i)]
        arguments = command + (joined if processes > 1 and not launched else []) + (own or {}).get(i, [])
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        more = launched(i) if launched else {}
        started.append(subprocess.Popen(arguments, cwd=ROOT, env=environment | more, **pipes))
    return started


def end(processes):
    """(exit code, output, errors) of each."""
    outputs = [process.communicate(timeout=300) for process in processes]
    return [(process.returncode, *output) for process, output in zip(processes, outputs)]


@pytest.mark.ci
def test_two_processes_of_two_devices_train_like_four_devices_and_like_one(tmp_path):
    flags = ["--num_hidden", "4", "--max_iterations", 6, "--lr_schedule", "constant", "--max_valid_cases", 6]
    layouts = {"2 x 2": (2, 2), "1 x 4": (1, 4), "1 x 1": (1, 1)}
    started = {name: start(tmp_path / name, *layout, *flags) for name, layout in layouts.items()}
    for name, processes in started.items():
        for number, (code, output, errors) in enumerate(end(processes)):
            assert code == 0, errors
            assert ("verified on the" in output) == (number == 0)  # the chief alone speaks
            assert name != "2 x 2" or number or "4 x cpu in 2 processes" in output
    records = {
        name: [json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        for name in layouts
    }
    for name in ("2 x 2", "1 x 4"):
        for kind in ("loss", "valid_loss"):
            losses, expected = ([r[kind] for r in records[n] if kind in r] for n in (name, "1 x 1"))
            assert len(losses) == 6
            np.testing.assert_allclose(losses, expected, rtol=5e-6, err_msg=f"{name} {kind}")
        one, other = (checkpoint.load(step_path(tmp_path / n, 6))[0] for n in (name, "1 x 1"))
        for key in one:
            np.testing.assert_allclose(one[key], other[key], atol=2e-5, err_msg=key)


def wait_for_checkpoint(folder, processes):
    deadline = time.monotonic() + 200
    while not list_steps(folder) and time.monotonic() < deadline:
        assert all(process.poll() is None for process in processes)
        time.sleep(0.05)


@pytest.mark.ci
def test_a_signal_to_one_process_stops_all_after_the_same_iteration(tmp_path):
    """Open MPI says here who is who."""
    job = (os.getpid() % 4000 + 1) * 2**12  # jax chooses the port by it

    def launched(i):
        place = {"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": str(i), "OMPI_COMM_WORLD_LOCAL_RANK": str(i)}
        return place | {"OMPI_MCA_orte_hnp_uri": f"{job}.0;tcp://127.0.0.1:34911"}

    flags = [*ANY_NETWORK, "--max_iterations", 100000, "--snapshot_interval", 10, "--test_interval", 100000]
    processes = start(tmp_path, 2, 1, *flags, launched=launched)
    wait_for_checkpoint(tmp_path, processes)
    processes[1].send_signal(signal.SIGTERM)
    (code, output, _), (other, *_) = end(processes)
    assert code == other == 143 and "2 x cpu in 2 processes" in output and "stopped by SIGTERM" in output
    last = checkpoint.load_latest(tmp_path)[2]["iteration"]
    assert f"iteration {last};" in output


# The command without scores at its end, with a callback that asks for the end after the validation of iteration 3.
WITH_CALLBACK = """
import sys
from predjax.commands.train import main
from predjax.jobs import train
run = train.run_training
stop = lambda event: event.kind == "validation" and event.iteration == 3
train.verify_held_out = lambda plan, options, model: None
train.run_training = lambda request, listener: run(request._replace(callbacks=[stop]), listener)
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.ci
def test_a_callback_of_the_chief_stops_all_after_the_same_iteration(tmp_path):
    """The callback is called by the chief alone; a process that went on would wait for the other and fail."""
    flags = [*ANY_NETWORK, "--max_iterations", 50, "--test_interval", 3, "--max_valid_cases", 2]
    (code, output, errors), (other, *_) = end(start(tmp_path, 2, 1, *flags, program=("-c", WITH_CALLBACK)))
    assert code == other == 0, errors
    last = checkpoint.load_latest(tmp_path)[2]["iteration"]
    assert 3 < last <= 6 and "a callback asked" in output


@pytest.mark.ci
def test_an_error_in_one_process_ends_all(tmp_path):
    """No process waits for one that will never come; the line says what was wrong, and where."""
    own = {1: ["--data_path", str(tmp_path / "missing.nc")]}
    processes = start(tmp_path / "run", 2, 1, *ANY_NETWORK, "--max_iterations", 5, own=own)
    begin = time.monotonic()
    (code, *_), (other, _, errors) = end(processes)
    assert other == 2 and errors.count("\n") == 1 and "missing.nc" in errors
    assert code != 0 and time.monotonic() - begin < parallel.HEARTBEAT_SECONDS + 60


@pytest.mark.ci
def test_processes_with_different_data_are_refused(tmp_path):
    own = {1: ["--seed", "1"]}
    (code, _, errors), (other, _, others) = end(
        start(tmp_path / "run", 2, 1, *ANY_NETWORK, "--max_iterations", 5, own=own)
    )
    assert 2 in (code, other) and "do not start from the same" in errors + others
