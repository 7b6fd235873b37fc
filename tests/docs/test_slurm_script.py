"""The SLURM script of the documentation, with stand-ins for `srun` and `scontrol`: two tasks on this machine."""

import os
import subprocess
import sys
import time

import pytest
from tiny import QUICK, ROOT, have_devices

from predjax import checkpoint
from predjax.checkpoint_names import list_steps

SRUN = """#!{python}
import os, signal, subprocess, sys
arguments = [a for a in sys.argv[1:] if not a.startswith("--kill")]
arguments[0] = {python!r}
tasks = []
for i in range(2):
    step = {{"SLURM_NTASKS": "2", "SLURM_PROCID": str(i), "SLURM_LOCALID": str(i), "SLURM_STEP_NODELIST": "127.0.0.1"}}
    tasks.append(subprocess.Popen(arguments + {flags!r}, env=os.environ | step))
signal.signal(signal.SIGTERM, lambda number, frame: [task.send_signal(number) for task in tasks])
codes = [task.wait() for task in tasks]
sys.exit(max(codes))
"""
SCONTROL = """#!/bin/sh
echo "$@" >> {log}
"""


def read_script() -> str:
    text = (ROOT / "docs" / "scaling.md").read_text()
    return text.split("<!-- slurm -->")[1].split("```sh\n")[1].split("```")[0]


@pytest.fixture
def cluster(tmp_path):
    """What starts the script as SLURM would, and the log of requests to start it again."""
    tools, log, run = tmp_path / "bin", tmp_path / "requeued", tmp_path / "run"
    tools.mkdir()
    flags = [*QUICK, "--max_iterations", "3000", "--snapshot_interval", "20", "--test_interval", "3000"]
    flags[flags.index("--n_gpu") : flags.index("--n_gpu") + 2] = []
    for name, text in {
        "srun": SRUN.format(python=sys.executable, flags=flags),
        "scontrol": SCONTROL.format(log=log),
    }.items():
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    (tmp_path / "train.sh").write_text(read_script().replace("--batch_size 128", "--batch_size 4"))
    environment = os.environ | {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "SLURM_JOB_ID": "4711",
        "SLURM_NTASKS": "2",
        "SLURM_PROCID": "0",
        "RUN": str(run),
        "DATA": str(ROOT / "data" / "radar_movies.nc"),
        "XLA_FLAGS": have_devices(1),
    }

    def start():
        return subprocess.Popen(["bash", str(tmp_path / "train.sh")], cwd=ROOT, env=environment, start_new_session=True)

    return start, run, log


@pytest.mark.ci
def test_a_job_whose_time_is_over_goes_on_where_it_stopped(cluster):
    start, run, log = cluster
    job = start()
    deadline = time.monotonic() + 200
    while not list_steps(run) and job.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    subprocess.run(["pkill", "-TERM", "-P", str(job.pid)], check=True)
    assert job.wait(timeout=100) == 143
    assert log.read_text().split() == ["requeue", "4711"]
    stopped = checkpoint.load_latest(run)[2]["iteration"]
    assert 0 < stopped < 3000

    again, newest = start(), list_steps(run)[-1]
    while list_steps(run)[-1] == newest and again.poll() is None:
        time.sleep(0.05)
    subprocess.run(["pkill", "-TERM", "-P", str(again.pid)], check=True)
    assert again.wait(timeout=100) == 143
    assert checkpoint.load_latest(run)[2]["iteration"] > stopped
