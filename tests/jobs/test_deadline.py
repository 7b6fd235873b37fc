"""A signal ends the process in time, whatever it is doing."""

import signal
import subprocess
import sys
import time

import pytest
from tiny import ROOT

from predjax.jobs.deadline import end_within

HANGS = """
import re, sys
from predjax.files import appearing
from predjax.jobs.deadline import end_within
from predjax.messages import catch_signals
with catch_signals(), end_within(0.2), appearing(sys.argv[1]) as path:
    print("ready", flush=True)
    path.write_text("a part")
    while True:
        pass  # a handler of Python alone would change nothing
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_what_hangs_is_ended_and_leaves_nothing_half_written(tmp_path, number, code):
    command = [sys.executable, "-c", HANGS, str(tmp_path / "a.nc")]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    begin = time.monotonic()
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == code and time.monotonic() - begin < 3
    assert errors == "predjax: ended 0.2 s after the signal, in the middle of its work\n"
    assert list(tmp_path.iterdir()) == []


def test_what_ends_by_itself_is_left_alone():
    before = signal.set_wakeup_fd(-1)
    with end_within(0.0):
        pass
    assert signal.set_wakeup_fd(before) == -1
