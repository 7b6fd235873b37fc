"""How fast movies are read and windows delivered, and what share of a training run is spent waiting for them.

    python benchmarks/pipeline.py --json pipeline.json
    python benchmarks/pipeline.py --train netcdf,glob --iterations 24

The files are synthetic radar movies, made for the run in a temporary folder and read from the page cache: what is
measured is decoding, decompressing and opening, not the disk. `frames/s`: opening, checking and reading every frame
once as float32, and opening alone beside it. `windows/s`: batches of the configuration M (64x64 pixels, 20 frames,
batch 4) through the training's own batches and prefetching, with nothing else to do; `in memory` as a data set below
the memory limit, `from files` as one above it. Last, training runs of the configuration M (PredRNN-V2, 64 x 4 features)
that read from files, by the training loop itself: the share of their time in which it had no batch to go on with.
"""

import argparse
import contextlib
import functools
import json
import os
import pathlib
import platform
import statistics
import tempfile
import time
from collections.abc import Iterator

import jax
import numpy as np
import xarray as xr

from predjax import parallel
from predjax.models.config import ModelConfig, SamplingConfig
from predjax.models.forecaster import make_forecaster
from predjax.models.scaling import Scaling
from predjax.radar.config import DataConfig
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.radar.readers import read_movies
from predjax.radar.windows import batches
from predjax.radar.windows.batches import BatchSource, read_windows
from predjax.radar.windows.codes import CodedFrames
from predjax.radar.windows.index import WindowIndex
from predjax.radar.windows.prefetch import prefetch
from predjax.radar.windows.runs import find_periods
from predjax.synthetic.radar import RadarConfig, make_radar_movie
from predjax.training import loop
from predjax.training.config import TrainConfig
from predjax.training.monitor import read_log

PIXELS, LENGTH, BATCH, NUM_HIDDEN, PATCH, FILTER = 64, 20, 4, (64,) * 4, 4, 5  # the configuration M
MOVIE = RadarConfig(size=PIXELS, num_frames=40, coverage_radius=36.0)
LAYOUT = "movie,time,y,x"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--json", metavar="FILE", help="where to write the figures")
    add("--movies", type=int, default=16, metavar="N", help=f"movies of {MOVIE.num_frames} frames (default 16)")
    add("--rounds", type=int, default=5, metavar="N", help="readings of each format (default 5)")
    add("--steps", type=int, default=100, metavar="N", help="batches of a delivery (default 100)")
    add("--train", default="netcdf,glob", metavar="NAMES", help="formats to train on (default netcdf,glob)")
    add("--iterations", type=int, default=12, metavar="N", help="of a training run (default 12; 0: none)")
    options = parser.parse_args()
    result = {
        "pixels": PIXELS,
        "length": LENGTH,
        "batch": BATCH,
        "num_hidden": NUM_HIDDEN,
        "movies": options.movies,
        "frames": options.movies * MOVIE.num_frames,
        "device": parallel.describe(parallel.choose_devices(1)),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "jax": jax.__version__,
    }
    with tempfile.TemporaryDirectory() as folder:
        paths = write_files(pathlib.Path(folder), options.movies)
        unknown = [name for name in options.train.split(",") if name and name not in paths]
        if unknown:
            raise SystemExit(f"--train {unknown[0]}: the formats are {', '.join(paths)}")
        result["reading"] = measure_reading(paths, options.rounds)
        result["delivery"] = {
            name: {"in memory": deliver(path, options.steps), "from files": deliver(path, options.steps, limit=0)}
            for name, path in paths.items()
        }
        if options.iterations:
            trained = [name for name in options.train.split(",") if name]
            result["training"] = {
                name: train(paths[name], options.iterations, pathlib.Path(folder) / "runs" / name) for name in trained
            }
    print(format_tables(result))
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(result, indent=1) + "\n")


def write_files(folder: pathlib.Path, num_movies: int) -> dict[str, pathlib.Path]:
    """The same movies in every format; {name: path}. dBZ, NaN outside the radar's range (uint8: 255 is a value)."""
    frames = np.stack([make_radar_movie(MOVIE, 0, movie).dbz for movie in range(num_movies)])
    np.save(folder / "float32.npy", frames)
    np.save(folder / "uint8.npy", np.nan_to_num(frames * 4, nan=0).round().astype(np.uint8))
    # One time line of all movies, a day apart: a movie with dates of its own would need a file of its own.
    starts = np.datetime64("2020-01-01", "ns") + np.arange(num_movies) * np.timedelta64(1, "D")
    steps = np.arange(MOVIE.num_frames) * np.timedelta64(MOVIE.step_minutes, "m")
    data = xr.Dataset(
        {"reflectivity": (("time", "y", "x"), frames.reshape(-1, PIXELS, PIXELS), {"units": "dBZ"})},
        {"time": (starts[:, None] + steps).ravel()},
    )
    packing = {"dtype": "int16", "scale_factor": 0.01, "_FillValue": np.int16(-32768), "zlib": True, "complevel": 4}
    encoding = {"reflectivity": packing | {"chunksizes": (1, PIXELS, PIXELS)}}
    (folder / "frames").mkdir()
    with NETCDF_LOCK:
        data.to_netcdf(folder / "movies.nc", encoding=encoding)
        for number in range(data.sizes["time"]):
            one = data.isel(time=slice(number, number + 1))
            one.to_netcdf(folder / "frames" / f"{number:05d}.nc", encoding=encoding)
    return {
        "npy float32": folder / "float32.npy",
        "npy uint8": folder / "uint8.npy",
        "netcdf": folder / "movies.nc",
        "glob": folder / "frames" / "*.nc",
    }


def read(path: pathlib.Path) -> list:
    return read_movies(path, layout=LAYOUT)


def measure_reading(paths: dict[str, pathlib.Path], rounds: int) -> dict:
    """Medians over readings in turn: frames a second, opening counted, and the seconds to open."""
    seconds, opening = ({name: [] for name in paths} for _ in range(2))
    for turn in range(rounds + 1):  # the first one warms up
        for name, path in paths.items():
            start = time.perf_counter()
            sources = read(path)
            opened = time.perf_counter()
            windows = WindowIndex(sources, find_periods(sources), LENGTH, DataConfig(window_stride=LENGTH))
            frames = sum(read_windows(sources, [window], LENGTH).frames.shape[1] for window in windows)
            if turn:
                seconds[name].append(time.perf_counter() - start)
                opening[name].append(opened - start)
    return {
        name: {
            "frames_per_second": frames / statistics.median(seconds[name]),
            "frames_per_second_opened": frames / statistics.median(s - o for s, o in zip(seconds[name], opening[name])),
            "opening_seconds": statistics.median(opening[name]),
        }
        for name in paths
    }


@contextlib.contextmanager
def memory_limit(limit: int) -> Iterator[None]:
    """Lets data sets of any size count as larger than memory."""
    usual, batches.MEMORY_LIMIT = batches.MEMORY_LIMIT, limit
    try:
        yield
    finally:
        batches.MEMORY_LIMIT = usual


def open_batches(path: pathlib.Path, limit: int) -> BatchSource:
    sources = read(path)
    with memory_limit(limit):
        return BatchSource(WindowIndex(sources, find_periods(sources), LENGTH, DataConfig()), BATCH, 0)


def deliver(path: pathlib.Path, steps: int, limit: int = batches.MEMORY_LIMIT) -> dict:
    """What the training's batches and prefetching deliver to a consumer that does nothing."""
    source = open_batches(path, limit)
    size, start = 0, time.perf_counter()
    for batch in prefetch(functools.partial(source.batch, as_codes=True), range(steps)):
        frames = batch.frames.codes if isinstance(batch.frames, CodedFrames) else batch.frames
        size += frames.nbytes
    seconds = time.perf_counter() - start
    return {
        "windows_per_second": steps * BATCH / seconds,
        "mb_per_second": size / seconds / 1e6,
        "bytes_per_batch": size // steps,
        "dtype": str(frames.dtype),
    }


def train(path: pathlib.Path, iterations: int, folder: pathlib.Path) -> dict:
    """A training run that reads from files: its iteration, and the share of its time spent waiting for data."""
    model = ModelConfig(
        "predrnn_v2",
        NUM_HIDDEN,
        filter_size=FILTER,
        patch_size=PATCH,
        input_length=LENGTH // 2,
        total_length=LENGTH,
        decouple_beta=0.1,
        scaling=Scaling("dBZ", 0.0, 60.0, "dBZ"),
    )
    # One record, at the end: of the whole run, the wait for the first batch included.
    config = TrainConfig(batch_size=BATCH, max_iterations=iterations, display_interval=iterations).resolve()
    sampling, devices = SamplingConfig().resolve(iterations), parallel.choose_devices(1)
    source = open_batches(path, limit=0)
    run = loop.Run(make_forecaster(model), source, [], config, sampling, folder, {}, devices)
    state = run.init()
    update, cost = loop.estimate(run, state)
    _, reason = loop.train(run, state, update, loop.Progress())
    if reason != "finished":
        raise SystemExit(f"the training run was stopped by {reason}")
    (record,) = read_log(folder / "log.jsonl")
    return {
        "iterations": iterations,
        "waited": record["waited"],
        "iteration_seconds": BATCH * LENGTH / record["frames_per_second"],
        "iteration_seconds_without_reading": cost.iteration_seconds,
        "loss": record["loss"],
    }


def format_tables(result: dict) -> str:
    lines = [
        f"{result['frames']} frames {PIXELS}x{PIXELS}, windows of {LENGTH}, batch {BATCH}; {result['device']}, "
        f"{result['cores']} cores",
        "| | frames/s | once open | opening | windows/s in memory | from files | a batch, from files |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in result["reading"].items():
        memory, files = (result["delivery"][name][where] for where in ("in memory", "from files"))
        lines.append(
            f"| {name} | {row['frames_per_second']:,.0f} | {row['frames_per_second_opened']:,.0f} | "
            f"{row['opening_seconds'] * 1000:.0f} ms | {format_delivery(memory)} | {format_delivery(files)} | "
            f"{files['bytes_per_batch'] / 1e6:.2f} MB {files['dtype']} |"
        )
    for name, row in result.get("training", {}).items():
        lines.append(
            f"training on {name}: {row['iterations']} iterations of {row['iteration_seconds']:.2f} s, "
            f"{row['waited']:.2%} of the time waiting for data"
        )
    return "\n".join(lines)


def format_delivery(row: dict) -> str:
    return f"{row['windows_per_second']:,.0f} ({row['mb_per_second']:,.0f} MB/s)"


if __name__ == "__main__":
    main()
