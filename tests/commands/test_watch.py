"""A long watch of a folder in which everything happens at once: what is made, what it holds, and how it ends."""

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
from chaos_feed import CYCLE, HANGING, LOST, ChaosFeed
from tiny import ROOT

FRAMES, STOPS = 300, 12
APPENDER = """
import sys, netCDF4
from chaos_feed import append_frame
for line in sys.stdin:
    path, number = line.rsplit(maxsplit=1)
    try:
        with netCDF4.Dataset(path, "a") as file:
            append_frame(file, int(number))
        print("appended", flush=True)
    except Exception as error:
        print(repr(error), flush=True)
"""


class Appender:
    """Another process, which appends frames to a file; HDF5 locks the file for it."""

    def __init__(self):
        environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "HDF5_USE_FILE_LOCKING": "TRUE"}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = subprocess.Popen([sys.executable, "-c", APPENDER], env=environment, **pipes)
        self.answers = []

    def __call__(self, path, number):
        self._process.stdin.write(f"{path} {number}\n")
        self._process.stdin.flush()
        self.answers.append(self._process.stdout.readline().strip())

    def stop(self):
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()


class Watcher:
    """The command at work in another process; what it says is in a file."""

    def __init__(self, feed, output, log):
        command = [sys.executable, "-m", "predjax", "forecast", "--checkpoint", "persistence", "--num_steps", "2"]
        command += ["--data_path", str(feed), "--watch", "--poll", "0.1", "--output", str(output)]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        self._log = log.open("a")
        self._process = subprocess.Popen(command, env=environment, stdout=self._log, stderr=subprocess.STDOUT)

    @property
    def holds(self) -> tuple[float, int]:
        """The memory in MB, and the number of open files."""
        status = pathlib.Path(f"/proc/{self._process.pid}/status").read_text()
        memory = int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024
        return memory, len(os.listdir(f"/proc/{self._process.pid}/fd"))

    def stop(self) -> float:
        """Seconds until a signal has ended it."""
        begin = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(timeout=60)
        self._log.close()
        assert code in (143, -signal.SIGTERM), code  # the second before its own handlers are there
        return time.monotonic() - begin


@contextlib.contextmanager
def small_disk(folder):
    """A disk of 24 MB, which only root can make."""
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], capture_output=True)
    try:
        yield made.returncode == 0
    finally:
        if made.returncode == 0:
            subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_three_hundred_frames_of_everything(shared, tmp_path):
    """Every nowcast that could be made was made, late ones too, whenever the process was stopped and started again."""
    draw, append, log = random.Random(29), Appender(), tmp_path / "log"
    hanging = shared / "cases" / "damaged" / "c11.nc"
    feed = ChaosFeed(tmp_path / "feed", FRAMES, append, hanging if hanging.exists() else None)
    stops = sorted(draw.sample(range(150, FRAMES - 10), STOPS))
    for _ in range(5):
        feed.step()
    with small_disk(tmp_path / "disk") as limited:
        output = tmp_path / "disk" / "nowcasts"
        watcher, held, ends = Watcher(tmp_path / "feed", output, log), [], []
        wait_for(lambda: any(output.glob("*.nc")))
        for number in range(5, FRAMES + 3):
            feed.step()
            time.sleep(draw.uniform(0.1, 0.4))
            if number < stops[0] and number % 10 == 0:
                held.append(watcher.holds)
            if number == 80 and limited:
                fill = tmp_path / "disk" / "filler"
                with contextlib.suppress(OSError), fill.open("wb", buffering=0) as file:
                    while file.write(bytes(4096)):
                        pass
                wait_for(lambda: "No space left" in log.read_text())  # it may be reading a file that hangs
            if number == 100 and limited:
                fill.unlink()
            if number in stops:
                time.sleep(draw.uniform(0, 12))  # also while it starts
                ends.append(watcher.stop())
                watcher = Watcher(tmp_path / "feed", output, log)
        assert feed.over
        expected = feed.expect(4, 4)
        before, now = -1, 0
        while before < now < len(expected):
            before, now = now, count_after(output, now)
        ends.append(watcher.stop())
        append.stop()
        made = {path.name for path in output.glob("*.nc")}
        left = [path.name for path in output.iterdir() if path.suffix == ".tmp"]
    said = log.read_text()
    memory, files = np.array(held).T
    print(f"{len(made & expected)} of {len(expected)} nowcasts; ended within {max(ends):.2f} s, {len(ends)} times")
    print(f"memory {memory.min():.0f} to {memory.max():.0f} MB: {memory.round()}; descriptors {sorted(set(files))}")
    print(f"disk full: {said.count('No space left')} lines; {len(append.answers)} frames appended; left: {left}")
    assert made == expected, (expected - made, made - expected)
    assert max(ends) < 3 and not left and "Traceback" not in said
    assert not limited or "No space left on device" in said
    assert set(append.answers) == {"appended"} and len(append.answers) == FRAMES // CYCLE
    third = len(memory) // 3
    assert memory[-third:].mean() < memory[third:-third].mean() + 15 and len(set(files[1:])) <= 2
    left_out = set(re.findall(r"zz_\w+\.\w+(?=[:;].* left out)", said))
    print(f"{len(left_out)} files left out")
    for number in HANGING if hanging.exists() else list(HANGING)[:2]:
        assert f"zz_{number:04d}.nc" in left_out, number
    elsewhere = {f"zz_{number:04d}.h5" for number in range(CYCLE - 1, FRAMES, CYCLE)}
    assert elsewhere <= left_out, elsewhere - left_out
    for number in range(LOST, 150, CYCLE):
        assert said.count(f"rain_{number:04d}.nc: rain: frame 0 cannot be read") >= 1, number


def count_after(output, count):
    """The number of nowcasts when there are more, or after five minutes."""
    wait_for(lambda: len(list(output.glob("*.nc"))) > count)
    return len(list(output.glob("*.nc")))


def wait_for(happens, seconds=300):
    deadline = time.monotonic() + seconds
    while not happens() and time.monotonic() < deadline:
        time.sleep(0.1)
