"""The suite for GPUs: a part that fails or takes too long does not stop the others, and turns do not overlap."""

import importlib
import pathlib
import subprocess
import sys
import time

import pytest
from tiny import ROOT

sys.path.append(str(ROOT / "benchmarks"))
jobs, tables = (importlib.import_module(name) for name in ("gpu_jobs", "gpu_tables"))


def job(code):
    return jobs.Job([sys.executable, "-I", "-S", "-c", code])


def states(found):
    return {name: one["state"] for name, one in found["jobs"].items()}


def test_jobs_that_fail_or_hang_leave_the_results_of_the_others(tmp_path):
    hang = "print('{\"n\": 1}', flush=True); import time; time.sleep(60)"
    part = jobs.Part(1.5, {"good": job("print('{\"n\": 2}')"), "bad": job("1 / 0"), "hang": job(hang)}, workers=3)
    start = time.monotonic()
    found = jobs.run_part(part, tmp_path, time.monotonic() + 60)
    assert time.monotonic() - start < 30
    assert states(found) == {"good": "done", "bad": "failed", "hang": "out of time"}
    assert [one["results"] for one in found["jobs"].values()] == [[{"n": 2}], [], [{"n": 1}]]
    assert "ZeroDivisionError" in found["jobs"]["bad"]["errors"]


def test_a_job_that_tells_an_error_has_failed(tmp_path):
    found = jobs.run_part(
        jobs.Part(30, {"one": job('print(\'{"error": "no GPU"}\')')}), tmp_path, time.monotonic() + 30
    )
    assert states(found) == {"one": "failed"}


def test_turns_come_one_after_another_and_only_to_those_that_are_ready(tmp_path):
    timed = "import sys, time; print('ready', flush=True); sys.stdin.readline(); a = time.time(); time.sleep(0.1)"
    timed += '; print(\'{"begin": %r, "end": %r}\' % (a, time.time()))'
    late = "import time; time.sleep(60)"
    part = jobs.Part(1.5, {"late": job(late), "a": job(timed), "b": job(timed)}, turns=True)
    found = jobs.run_part(part, tmp_path, time.monotonic() + 60, jobs.start_jobs(part.jobs, tmp_path))
    assert states(found) == {"late": "out of time", "a": "done", "b": "done"}
    first, second = sorted((found["jobs"][name]["results"][0] for name in "ab"), key=lambda one: one["begin"])
    assert first["end"] <= second["begin"]


def test_the_tables_say_what_is_not_done():
    speed = {"seconds": {"torch eager": 0.2, "predjax": 0.1}, "ratio_to_best_pytorch": 2.0}
    done = {"state": "done", "results": [{"forward": speed, "train_step": speed}]}
    hung = {"state": "out of time", "results": [], "errors": "Traceback\nValueError: too large\n"}
    parts = {"speed": {"seconds": 1, "jobs": {"M tf32": done, "L tf32": hung}}}
    text = tables.format_tables({"date": "2026-12-01", "rehearsal": False, "parts": parts})
    assert "| M tf32 | forward | 0.2000 | 0.1000 | 2.00 |" in text
    assert "- speed, L tf32: out of time; ValueError: too large" in text


@pytest.mark.slow
def test_the_rehearsal_ends_well(tmp_path):
    command = [str(ROOT / "benchmarks" / "gpu.sh"), "--rehearse", "--output", str(tmp_path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert not done.returncode, done.stdout[-3000:] + done.stderr[-1000:]
    assert {path.name for path in pathlib.Path(tmp_path).iterdir()} >= {"gpu.json", "gpu.md"}
