"""Processes that have a time limit, several at once or each in its turn, and what they found."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time
from collections.abc import Mapping
from typing import NamedTuple

READY = "ready"  # the line by which a process says that it waits for its turn


class Job(NamedTuple):
    """A command, whose lines of JSON objects are its results, and what its environment has besides."""

    command: list[str]
    environment: Mapping[str, str] = {}


class Part(NamedTuple):
    """Jobs that have `seconds` together: `workers` of them at once, or with `turns` one after another once ready."""

    seconds: float
    jobs: dict[str, Job]
    workers: int = 1
    turns: bool = False


class Running(NamedTuple):
    """A process of a job and the files that its output goes to."""

    process: subprocess.Popen
    said: pathlib.Path
    errors: pathlib.Path

    def is_ready(self) -> bool:
        """Return whether the process waits for its turn."""
        return READY in self.said.read_text().splitlines()


def start_jobs(jobs: Mapping[str, Job], folder: pathlib.Path) -> dict[str, Running]:
    """Start the processes of all jobs."""
    return {name: start_job(job, folder) for name, job in jobs.items()}


def start_job(job: Job, folder: pathlib.Path) -> Running:
    """Start the process of a job, the first of a group of its own."""
    number = len(list(folder.iterdir()))
    said, errors = folder / f"{number}.out", folder / f"{number}.err"
    with said.open("w") as out, errors.open("w") as err:
        process = subprocess.Popen(
            job.command,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=err,
            env=os.environ | job.environment,
            start_new_session=True,
        )
    return Running(process, said, errors)


def stop_jobs(running: Mapping[str, Running]) -> None:
    """End the processes that are still there, with those that they started."""
    for one in running.values():
        if one.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(one.process.pid, signal.SIGKILL)
            one.process.wait()
        with contextlib.suppress(OSError):
            one.process.stdin.close()


def run_part(part: Part, folder: pathlib.Path, end: float, running: dict[str, Running] | None = None) -> dict:
    """Run the jobs of a part, some of which may be running; return their results, none later than `end`.

    The result has the seconds that the part took and, for each job, its state (done, failed, out of time), the lines of
    JSON that it wrote, and the end of what it wrote to stderr where it is not done.
    """
    start = time.monotonic()
    end, running = min(end, start + part.seconds), dict(running or {})
    waiting, late = [name for name in part.jobs if name not in running], set()
    if part.turns:
        running |= start_jobs({name: part.jobs[name] for name in waiting}, folder)
        late = _take_turns(running, end)
    else:
        while waiting or any(one.process.poll() is None for one in running.values()):
            busy = sum(one.process.poll() is None for one in running.values())
            for name in waiting[: part.workers - busy]:
                running[name] = start_job(part.jobs[name], folder)
            waiting = [name for name in part.jobs if name not in running]
            if time.monotonic() > end:
                break
            time.sleep(0.05)
        late = {name for name, one in running.items() if one.process.poll() is None}
    stop_jobs(running)
    jobs = {name: _collect(running.get(name), name in late) for name in part.jobs}
    return {"seconds": round(time.monotonic() - start, 1), "jobs": jobs}


def _take_turns(running: Mapping[str, Running], end: float) -> set[str]:
    """Give each process its turn, those that are ready first; return the names of those that were too late."""
    left = dict(running)
    while left and time.monotonic() < end:
        name = next((name for name, one in left.items() if one.process.poll() is not None or one.is_ready()), None)
        if name is None:
            time.sleep(0.05)
            continue
        process = left.pop(name).process
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            process.stdin.write(b"\n")
            process.stdin.flush()
            process.wait(max(0.1, end - time.monotonic()))
        if process.poll() is None:
            left[name] = running[name]
            break
    return set(left)


def _collect(one: Running | None, late: bool) -> dict:
    """Return the state and the results of a job."""
    if one is None:
        return {"state": "out of time", "results": [], "errors": "not started"}
    lines = [line for line in one.said.read_text().splitlines() if line.startswith("{")]
    results = [json.loads(line) for line in lines if line.endswith("}")]
    failed = one.process.returncode != 0 or any("error" in found for found in results)
    state = "out of time" if late else "failed" if failed else "done"
    errors = {} if state == "done" else {"errors": one.errors.read_text()[-2000:]}
    return {"state": state, "results": results, **errors}
