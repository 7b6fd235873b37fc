"""How long one nowcast of a composite takes from the command to the file, at the first start and at later ones.

    python benchmarks/nowcast_start.py
    python benchmarks/nowcast_start.py --data_path composites.nc --units mm/h --json start.json

Every start is a process of its own, `predjax forecast --checkpoint pretrained`. The first one finds no
compiled programs, and the later ones find those that it left. Without `--data_path` the frames are synthetic rain of
`--size` x `--size` pixels. For each start stand the seconds until the frames are found, when all is imported and the
network is loaded, the seconds until the forecast is written, the seconds of processor time of all its processes, and
the peak memory of the largest one.
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

FIGURES = {"frames found, s": "found", "file written, s": "wall", "processor time, s": "cpu", "memory, MB": "memory"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--data_path", metavar="PATH", help="what to forecast from (default: synthetic rain)")
    add("--units", metavar="UNIT", help="as in predjax forecast")
    add("--size", type=int, default=732, metavar="PIXELS", help="of synthetic frames (732: as many as 765x700)")
    add("--lead_time", default="120", metavar="MIN", help="(default 120)")
    add("--members", default="1", metavar="N", help="(default 1)")
    add("--starts", type=int, default=5, metavar="N", help="later starts, after the first one (default 5)")
    add("--warm", action="store_true", help="leave out the first start: take the cache folder of the user as it is")
    add("--json_line", action="store_true", help="print the figures as a line of JSON as well")
    add("--json", metavar="FILE", help="where to write the figures")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(options, pathlib.Path(folder))
    print(format_table(result))
    if options.json_line:
        print(json.dumps(result))
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(result, indent=1) + "\n")


def measure(options: argparse.Namespace, folder: pathlib.Path) -> dict:
    """Return the figures of the first start, of each later one, and the medians of the later ones."""
    environment = dict(os.environ)
    if not options.warm:
        environment.pop("JAX_COMPILATION_CACHE_DIR", None)
        environment["PREDJAX_COMPILATION_CACHE"] = str(folder / "programs")
        (folder / "programs").mkdir(mode=0o700)
    command = [sys.executable, "-m", "predjax", "forecast", "--checkpoint", "pretrained", "--members", options.members]
    command += ["--data_path", options.data_path or make_frames(folder, options.size)]
    command += ["--units", options.units] if options.units else []
    command += ["--lead_time", options.lead_time, "--output", str(folder / "nowcast.nc"), "--overwrite"]
    starts = [start(command, environment) for _ in range(options.starts + (not options.warm))]
    first = {} if options.warm else {"first": starts.pop(0)}
    medians = {name: statistics.median(one[name] for one in starts) for name in FIGURES.values()}
    machine = {"cores": len(os.sched_getaffinity(0)), "load": os.getloadavg()[0]}
    return machine | first | {"later": starts, "median": medians}


def make_frames(folder: pathlib.Path, size: int) -> str:
    """Return the path of a file of four synthetic frames with the pixels and the step of the packaged network."""
    path = folder / "frames.nc"
    command = [sys.executable, "-m", "predjax.synthetic", "radar", "--num_movies", "1", "--num_frames", "4"]
    command += ["--size", str(size), "--coverage_radius", "0", "--output", str(path)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return str(path)


def start(command: list[str], environment: dict) -> dict[str, float]:
    """Run the command once. A failure ends the benchmark with what the command said."""
    begin = time.perf_counter()
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        first_line = process.stdout.readline()
        found = time.perf_counter() - begin
        said = first_line + process.stdout.read()
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode or not re.search(r"\d+ frames.* after", said):
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}: {said}{errors}")
    return {"found": found, "wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "memory": usage.ru_maxrss / 1024}


def format_table(result: dict) -> str:
    rows = {"first start": result["first"]} if "first" in result else {}
    rows |= {f"later start {number}": one for number, one in enumerate(result["later"], 1)}
    rows["median of later starts"] = result["median"]
    lines = [f"{result['cores']} cores, load {result['load']:.1f} at the end"]
    lines += ["| | " + " | ".join(FIGURES) + " |", "|---|" + "---|" * len(FIGURES)]
    for name, one in rows.items():
        cells = [f"{one[key]:.0f}" if key == "memory" else f"{one[key]:.2f}" for key in FIGURES.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
