"""How fast `stochastic_scales` draws an ensemble, beside STEPS of pysteps on the same frames.

    python benchmarks/ensemble_speed.py
    python benchmarks/ensemble_speed.py --data_path events/knmi_20100826.nc --members 24 --num_steps 24

Both get the four newest frames of the data, in mm/h, and begin with the motion of the rain. STEPS has the settings of
the baseline `pysteps_steps`, and `--workers` workers, for which it needs dask. A first call of each, which compiles, is
not counted; then they alternate, and what is printed are medians. Seconds of a busy machine mean little; the seconds of
its processors (all threads together) are comparable. Without pysteps (extra `pysteps`) predjax alone is timed.
"""

import argparse
import functools
import importlib.util
import statistics
import time
from collections.abc import Callable

import numpy as np

from predjax import read_movies
from predjax.nowcasts.ensembles import make_ensemble_nowcast
from predjax.nowcasts.pysteps import CASCADE_LEVELS
from predjax.nowcasts.pysteps_cases import THRESHOLD, find_method, find_motion, find_order, silence, to_decibels

OBSERVED = 4
HAS_PYSTEPS = importlib.util.find_spec("pysteps") is not None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--data_path", default="data/fmi_20160928.nc", metavar="FILE", help="default: data/fmi_20160928.nc, 256 x 256")
    add("--members", type=int, default=24, metavar="N", help="default 24")
    add("--num_steps", type=int, default=12, metavar="N", help="frames to forecast (default 12)")
    add("--workers", type=int, default=2, metavar="N", help="of STEPS (default 2)")
    add("--rounds", type=int, default=5, metavar="N", help="calls of each (default 5)")
    options = parser.parse_args()
    frames = read_movies(options.data_path, units="mm/h")[0]["frames"].values[0, -OBSERVED:]
    nowcast = make_ensemble_nowcast("mm/h", options.members)
    methods: dict[str, Callable[[], object]] = {
        "stochastic_scales": lambda: nowcast(frames[None], options.num_steps),
    }
    if HAS_PYSTEPS:
        methods["STEPS"] = functools.partial(run_steps, frames[..., 0], options)
    found = time_in_turn(methods, options.rounds)
    height, width = frames.shape[1:3]
    print(f"{options.members} members of {options.num_steps} frames of {height} x {width}; medians of {options.rounds}")
    print("\n| | s | s of processors |\n|---|---|---|")
    for name, (seconds, processors) in found.items():
        print(f"| {name} | {seconds:.2f} | {processors:.2f} |")
    if HAS_PYSTEPS:
        ratios = [b / a for a, b in zip(found["stochastic_scales"], found["STEPS"])]
        print(f"| STEPS over stochastic_scales | {ratios[0]:.1f} | {ratios[1]:.1f} |")


def run_steps(frames: np.ndarray, options: argparse.Namespace) -> np.ndarray:
    """Return the members of STEPS for frames (T, H, W) in mm/h; pixels of 1 km and steps of 5 minutes."""
    order = find_order(frames)
    with silence():
        return find_method("nowcasts", "steps")(
            to_decibels(frames)[-order - 1 :],
            find_motion(frames),
            options.num_steps,
            n_ens_members=options.members,
            n_cascade_levels=CASCADE_LEVELS,
            precip_thr=THRESHOLD,
            kmperpixel=1.0,
            timestep=5.0,
            ar_order=order,
            noise_stddev_adj=None,
            seed=0,
            num_workers=options.workers,
        )


def time_in_turn(methods: dict[str, Callable[[], object]], rounds: int) -> dict[str, tuple[float, float]]:
    """Return the median seconds, and seconds of processors, of a call of each method after a first one."""
    for call in methods.values():
        call()
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in methods}
    for _ in range(rounds):
        for name, call in methods.items():
            start = time.perf_counter(), time.process_time()
            call()
            times[name].append((time.perf_counter() - start[0], time.process_time() - start[1]))
    return {name: tuple(map(statistics.median, zip(*each))) for name, each in times.items()}


if __name__ == "__main__":
    main()
