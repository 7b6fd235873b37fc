"""A day of a radar service in minutes: 288 frames with all that happens to feeds, and what `forecast --watch` does.

    python benchmarks/watching.py --seconds 2 --kills 10

prints the latency from a whole file to a whole nowcast (median, worst), memory and descriptors at the beginning and at
the end, and whether every nowcast that could be made was made. Frames of 128x128 arrive every `--seconds`. There are
two outages; frames are late, twice, half written for a while, or damaged. `--kills` ends the service (`kill -9`) at
seeded moments and starts it again.
"""

import argparse
import collections
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import netCDF4
import numpy as np

FRAMES, SIZE, STEP = 288, 128, np.timedelta64(300, "s")
START = np.datetime64("2026-06-01T00:00", "s")
OUTAGES = [*range(60, 72), *range(200, 203)]  # frames that never come
DAMAGED = 31  # every frame of this number is damaged for good
NEEDED = 4  # frames that a nowcast starts from


def write(path: pathlib.Path, number: int) -> None:
    """Write a whole file of one frame of rain that drifts."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    frame = 8 * np.exp(-((rows - 64) ** 2 + (columns - number % SIZE) ** 2) / 200)
    temporary = path.with_name(f".{path.name}")
    with netCDF4.Dataset(temporary, "w") as file:
        for name, values in (("time", [0]), ("y", 1000 * np.arange(SIZE)), ("x", 1000 * np.arange(SIZE))):
            file.createDimension(name, len(values))
            file.createVariable(name, "f8", (name,))[:] = values
            file[name].units = f"seconds since {START + number * STEP}".replace("T", " ") if name == "time" else "m"
        rain = file.createVariable("rain", "f4", ("time", "y", "x"), compression="zlib", fletcher32=True)
        rain.units, rain[0] = "mm h-1", frame
    os.replace(temporary, path)


def plan(draw: random.Random) -> dict[int, list]:
    """Return what happens at each step: pairs of what is done and the number of a frame."""
    events = collections.defaultdict(list)
    for number in range(FRAMES):
        if number in OUTAGES:
            continue
        kind = "damaged" if number % DAMAGED == DAMAGED - 1 else draw.choice(["whole"] * 8 + ["late", "twice", "half"])
        if kind == "late":
            events[number + draw.randint(1, 3)].append(("whole", number))
        else:
            events[number].append((kind, number))
        if kind == "half":
            events[number + 1].append(("whole", number))
    return events


def happen(folder: pathlib.Path, kind: str, number: int) -> None:
    """Do one thing of the plan."""
    path = folder / f"rain_{number:03d}.nc"
    write(path, number)
    if kind == "twice":
        shutil.copy(path, folder / f"rain_{number:03d}_again.nc")
    if kind in ("half", "damaged"):
        os.truncate(path, path.stat().st_size // 2)


def find_possible(first: int) -> set[int]:
    """Return the numbers of the frames from which there is a nowcast in the end."""
    there = {n for n in range(FRAMES) if n not in OUTAGES and n % DAMAGED != DAMAGED - 1}
    found = set()
    for number in range(first, FRAMES):
        missing = [n for n in range(number - NEEDED + 1, number + 1) if n not in there]
        if not missing or (len(missing) == 1 and missing[0] != number and missing[0] - 1 in there):
            found.add(number)
    return found


class Service:
    """The command at work, and its status."""

    def __init__(self, folder: pathlib.Path, checkpoint: str) -> None:
        self.folder, self._checkpoint = folder, checkpoint
        self.latencies: dict[str, float] = {}
        self.start()

    def start(self) -> None:
        """Start the process."""
        command = [sys.executable, "-m", "predjax", "forecast", "--checkpoint", self._checkpoint, "--num_steps", "6"]
        command += ["--data_path", str(self.folder / "feed"), "--output", str(self.folder / "nowcasts"), "--watch"]
        command += ["--poll", "0.2", "--log_json", "--status", str(self.folder / "status.json")]
        with (self.folder / "log").open("a") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    def stop(self, number: int) -> int:
        """Send a signal; return the exit code."""
        self._process.send_signal(number)
        return self._process.wait()

    def status(self) -> dict:
        """Return the status, {} before there is one."""
        try:
            return json.loads((self.folder / "status.json").read_text())
        except FileNotFoundError:
            return {}

    def measure(self) -> tuple[float, int]:
        """Return the memory in MB and the number of open files."""
        text = pathlib.Path(f"/proc/{self._process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+)", text)
        return int(found[1]) / 1024 if found else 0, len(os.listdir(f"/proc/{self._process.pid}/fd"))


def main() -> None:
    """Simulate the day and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="between two frames (default 2)")
    parser.add_argument("--kills", type=int, default=0, help="how often the service is killed (default 0)")
    parser.add_argument("--checkpoint", default="extrapolation", help="what forecasts (default extrapolation)")
    given = parser.parse_args()
    draw = random.Random(30)
    kills = set(draw.sample(range(20, FRAMES), given.kills))
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "feed").mkdir()
        events, held, checks = plan(draw), [], [0, 0]
        for step in range(NEEDED):
            for _, number in events[step]:
                happen(folder / "feed", "whole", number)
        service = Service(folder, given.checkpoint)
        while not service.status().get("last_nowcast"):
            time.sleep(0.1)
        for step in range(NEEDED, FRAMES + 4):
            for kind, number in events[step]:
                happen(folder / "feed", kind, number)
            time.sleep(given.seconds * draw.uniform(0.8, 1.2))
            found = service.status()
            files = len(list((folder / "nowcasts").glob("*.nc")))
            if not kills:
                checks[0] += 1
                checks[1] += found["state"] == "running" and abs(files - found["frames"]["made"]) <= 1
                held.append(service.measure())
            if step in kills:
                service.stop(signal.SIGKILL)
                service.start()
        possible = find_possible(NEEDED - 1)
        deadline = time.monotonic() + 120
        while len(list((folder / "nowcasts").glob("*.nc"))) < len(possible) and time.monotonic() < deadline:
            time.sleep(0.5)
        time.sleep(1)
        status = service.status()
        code = service.stop(signal.SIGTERM)
        made = {path.name for path in (folder / "nowcasts").glob("*.nc")}
        wanted = {f"nowcast_{str(START + n * STEP).replace('-', '').replace(':', '')}Z.nc" for n in possible}
        print(
            f"{len(made & wanted)} of {len(wanted)} possible nowcasts, {len(made - wanted)} others, {given.kills} kills"
        )
        print(f"latency in s: {status['latency_seconds']}; ended with {code}")
        print(f"status: newest {status['newest_frame']}, {status['frames']}, {status['files_left_out']} left out")
        if held:
            print(f"status right at {checks[1]} of {checks[0]} checks")
            for part, label in ((held[5:35], "at the beginning"), (held[-30:], "at the end")):
                memory, opened = np.array(part).T
                print(f"{label}: {memory.mean():.0f} MB (at most {memory.max():.0f}), {opened.max():.0f} open files")


if __name__ == "__main__":
    main()
