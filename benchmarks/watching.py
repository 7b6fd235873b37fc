"""A day of a radar service in minutes: 288 frames with all that happens to feeds, and what `forecast --watch` does.

    python benchmarks/watching.py --seconds 2
    python benchmarks/watching.py --seconds 2 --kills 10
    python benchmarks/watching.py --composite knmi_20100826.nc --seconds 30 --checkpoint pretrained

The first prints the latency from a whole file to a whole nowcast (median, worst), memory and descriptors at the
beginning and at the end, and whether every nowcast that could be made was made. Frames of 128x128 arrive every
`--seconds`. There are two outages; frames are late, twice, half written for a while, or damaged.

`--kills` runs two services with `--revise` on the same frames. One of them is ended (`kill -9`) at seeded moments and
started again; in the end its nowcasts and its status are compared with those of the other one.

`--composite` prints the latency of 12 whole frames of a file, one hour ahead; nothing happens to them.
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
from collections.abc import Callable

import netCDF4
import numpy as np
import xarray as xr

FRAMES, SIZE, STEP = 288, 128, np.timedelta64(300, "s")
START = np.datetime64("2026-06-01T00:00", "s")
OUTAGES = [*range(60, 72), *range(200, 203)]  # frames that never come
DAMAGED = 31  # every frame of this number is damaged for good
NEEDED = 4  # frames that a nowcast starts from
COMPOSITES = 12  # whole frames whose latency is measured
QUIET = 10.0  # seconds without a new nowcast, after which the day is over
PATIENCE = 900.0  # seconds after the last frame


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

    def __init__(self, feed: pathlib.Path, folder: pathlib.Path, *options: str) -> None:
        self.nowcasts, self._status, self._log = folder / "nowcasts", folder / "status.json", folder / "log"
        folder.mkdir()
        self._command = [sys.executable, "-m", "predjax", "forecast", "--data_path", str(feed), "--watch", "--log_json"]
        self._command += ["--output", str(self.nowcasts), "--status", str(self._status), "--poll", "0.2", *options]
        self.start()

    def start(self) -> None:
        """Start the process."""
        with self._log.open("a") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)

    def stop(self, number: int) -> int:
        """Send a signal; return the exit code."""
        self._process.send_signal(number)
        return self._process.wait()

    def status(self) -> dict:
        """Return the status, {} before there is one."""
        try:
            return json.loads(self._status.read_text())
        except FileNotFoundError:
            return {}

    def made(self) -> set[str]:
        """Return the names of the nowcasts that are there."""
        return {path.name for path in self.nowcasts.glob("*.nc")}

    def wait(self, ready: Callable[[], bool]) -> None:
        """Wait until something is so. Raises RuntimeError, with the end of the log, where the process has ended."""
        while not ready():
            if self._process.poll() is not None:
                raise RuntimeError(f"the service has ended:\n{self._log.read_text()[-2000:]}")
            time.sleep(0.1)

    def measure(self) -> tuple[float, int]:
        """Return the memory in MB and the number of open files."""
        text = pathlib.Path(f"/proc/{self._process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+)", text)
        return int(found[1]) / 1024 if found else 0, len(os.listdir(f"/proc/{self._process.pid}/fd"))


def main() -> None:
    """Run what is asked for and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="between two frames (default 2)")
    parser.add_argument("--kills", type=int, default=0, help="how often the service is killed (default 0)")
    parser.add_argument("--checkpoint", default="extrapolation", help="what forecasts (default extrapolation)")
    parser.add_argument("--composite", metavar="FILE", help="measure frames of this file instead of the day")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "feed").mkdir()
        if given.composite:
            measure_composites(folder, given)
        else:
            simulate_day(folder, given)


def measure_composites(folder: pathlib.Path, given: argparse.Namespace) -> None:
    """Let frames of a file arrive one after the other, and print the latency of their nowcasts."""
    feed = folder / "feed"
    with xr.open_dataset(given.composite, decode_cf=False) as frames:

        def arrive(number: int) -> None:
            frames.isel(time=slice(number, number + 1)).to_netcdf(feed / f".{number:03d}.nc")
            os.replace(feed / f".{number:03d}.nc", feed / f"{number:03d}.nc")

        for number in range(NEEDED):
            arrive(number)
        service = Service(feed, folder / "service", "--checkpoint", given.checkpoint, "--lead_time", "60")
        service.wait(lambda: service.status().get("last_nowcast"))
        for number in range(NEEDED, NEEDED + COMPOSITES):
            arrive(number)
            time.sleep(given.seconds)
        service.wait(lambda: service.status()["latency_seconds"]["count"] == COMPOSITES)
        memory, latency = service.measure()[0], service.status()["latency_seconds"]
        size = "x".join(str(frames.sizes[name]) for name in ("y", "x"))
    print(f"{given.checkpoint}, {COMPOSITES} frames of {size}, one in {given.seconds:g} s")
    print(f"latency in s: {latency}; {memory:.0f} MB; ended with {service.stop(signal.SIGTERM)}")


def simulate_day(folder: pathlib.Path, given: argparse.Namespace) -> None:
    """Let the frames of a day arrive with all that happens to them, and print how the service did."""
    draw, feed = random.Random(30), folder / "feed"
    kills = set(draw.sample(range(20, FRAMES), given.kills))
    events, held, checks = plan(draw), [], [0, 0]
    for step in range(NEEDED):
        for _, number in events[step]:
            happen(feed, "whole", number)
    options = ["--checkpoint", given.checkpoint, "--num_steps", "6", *["--revise"] * bool(kills)]
    service = Service(feed, folder / "service", *options)
    spared = Service(feed, folder / "spared", *options) if kills else service
    for one in (service, spared):
        one.wait(lambda one=one: one.status().get("last_nowcast"))
    for step in range(NEEDED, FRAMES + 4):
        for kind, number in events[step]:
            happen(feed, kind, number)
        time.sleep(given.seconds * draw.uniform(0.8, 1.2))
        if not kills:
            found, files = service.status(), len(service.made())
            checks[0] += 1
            checks[1] += found["state"] == "running" and abs(files - found["frames"]["made"]) <= 1
            held.append(service.measure())
        if step in kills:
            service.stop(signal.SIGKILL)
            service.start()
    possible = find_possible(NEEDED - 1)
    wanted = {f"nowcast_{str(START + n * STEP).replace('-', '').replace(':', '')}Z.nc" for n in possible}
    for one in {service, spared}:
        wait_for_rest(one, wanted)
    status, made = service.status(), service.made()
    code = service.stop(signal.SIGTERM)
    print(f"{len(made & wanted)} of {len(wanted)} possible nowcasts, {len(made - wanted)} others, {given.kills} kills")
    print(f"latency in s: {status['latency_seconds']}; ended with {code}")
    print(f"status: {summarise(status)}")
    if held:
        print(f"status right at {checks[1]} of {checks[0]} checks")
        for part, label in ((held[5:35], "at the beginning"), (held[-30:], "at the end")):
            memory, opened = np.array(part).T
            print(f"{label}: {memory.mean():.0f} MB (at most {memory.max():.0f}), {opened.max():.0f} open files")
    if kills:
        other = summarise(spared.status())
        spared.stop(signal.SIGTERM)
        names = made | spared.made()
        equal = [name for name in names if are_equal(service.nowcasts / name, spared.nowcasts / name)]
        print(f"{len(equal)} of {len(names)} nowcasts are those of the service without kills")
        for name in sorted(names - set(equal)):
            print(f"  {name} differs")
        print(f"its status is {'the same' if other == summarise(status) else other}")


def wait_for_rest(service: Service, wanted: set[str]) -> None:
    """Wait until the nowcasts that are possible are there and none was made, or made again, for QUIET seconds."""
    deadline, last, since = time.monotonic() + PATIENCE, None, time.monotonic()
    while time.monotonic() < deadline and (time.monotonic() < since + QUIET or not wanted <= service.made()):
        newest = service.status().get("last_nowcast")
        if newest != last:
            last, since = newest, time.monotonic()
        time.sleep(0.2)


def summarise(status: dict) -> dict:
    """Return the parts of a status that do not depend on when the process began."""
    counts = collections.Counter(status["frames"])
    counts["made"] += counts.pop("made again")  # a late frame may have come before the first nowcast
    return {"frames": dict(counts)} | {name: status[name] for name in ("newest_frame", "stale", "files_left_out")}


def are_equal(one: pathlib.Path, other: pathlib.Path) -> bool:
    """Return whether two nowcasts are there and have the same values, labels and remarks."""
    if not (one.exists() and other.exists()):
        return False
    with xr.open_dataset(one, decode_cf=False) as a, xr.open_dataset(other, decode_cf=False) as b:
        return a.drop_attrs(deep=False).identical(b.drop_attrs(deep=False)) and find_attrs(a) == find_attrs(b)


def find_attrs(nowcast: xr.Dataset) -> dict:
    """Return the attributes but the one that says when the file was written."""
    return {name: value for name, value in nowcast.attrs.items() if name != "history"}


if __name__ == "__main__":
    main()
