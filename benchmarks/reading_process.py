"""The cost of reading files in a process of their own: the first nowcast of `predjax forecast`, with and without it.

    python benchmarks/reading_process.py --files 10,2000 --rounds 7

makes files of one frame of 256 x 256 pixels, forecasts from them with and without `--trust_files` in turn, and prints
the medians of the seconds and of the seconds of the processors. Measure on a machine that does nothing else.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import netCDF4
import numpy as np

ROOT = pathlib.Path(__file__).parents[1]
KINDS = {"--trust_files": "directly", "": "in a process of their own"}


def main() -> None:
    """Measure and print a line for each number of files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", default="10,2000", metavar="N", help="numbers of files (default 10,2000)")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="forecasts of each kind (default 7)")
    options = parser.parse_args()
    for count in map(int, options.files.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            write_files(pathlib.Path(folder), count)
            measured = {flag: [] for flag in KINDS}
            for turn in range(options.rounds + 1):
                for flag in KINDS:
                    found = forecast(folder, flag)
                    if turn:  # the first one warms up
                        measured[flag].append(found)
        print(describe(count, measured), flush=True)


def describe(count: int, measured: dict[str, list[tuple[float, float]]]) -> str:
    """Return the medians of (seconds, seconds of the processors) by flag in one line."""
    medians = {flag: [statistics.median(column) for column in zip(*rows)] for flag, rows in measured.items()}
    shown = [f"{KINDS[flag]} {wall:.2f} s (CPU {cpu:.2f} s)" for flag, (wall, cpu) in medians.items()]
    direct, apart = medians["--trust_files"][0], medians[""][0]
    return f"{count} files: {', '.join(shown)}: {apart - direct:+.2f} s, {apart / direct:.2f} times"


def write_files(folder: pathlib.Path, count: int) -> None:
    """Write files of one frame of rain that drifts, 5 minutes apart, as 16-bit numbers."""
    draw = np.random.default_rng(0)
    rain = np.round(draw.gamma(0.5, 200, (256, 256))).astype("u2")
    rain[draw.random(rain.shape) < 0.7] = 0
    for number in range(count):
        with netCDF4.Dataset(folder / f"rain_{number:05d}.nc", "w") as file:
            for name, size, units in (("time", 1, "minutes since 2026-06-01"), ("y", 256, "m"), ("x", 256, "m")):
                file.createDimension(name, size)
                file.createVariable(name, "f8", (name,)).units = units
                file[name][:] = 5 * number if name == "time" else 1000.0 * np.arange(size)
            frames = file.createVariable("rain", "u2", ("time", "y", "x"), compression="zlib", chunksizes=(1, 256, 256))
            frames.setncatts({"units": "mm/h", "standard_name": "rainfall_rate", "scale_factor": 0.01})
            frames.set_auto_scale(False)
            frames[0] = np.roll(rain, number, 1)


def forecast(folder: str, flag: str) -> tuple[float, float]:
    """Forecast from the files; return the seconds, and the seconds of the processors."""
    command = [sys.executable, "-m", "predjax", "forecast", "--checkpoint", "extrapolation", "--data_path"]
    command += [f"{folder}/*.nc", "--output", f"{folder}/out/nowcast.nc", "--overwrite", *filter(None, [flag])]
    before, begin = os.times(), time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    seconds, after = time.perf_counter() - begin, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return seconds, cpu


if __name__ == "__main__":
    main()
