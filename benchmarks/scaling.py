"""How the train step grows with the length of a window and with the batch, and what compiling it costs.

python benchmarks/scaling.py --size M --json scaling.json
"""

import argparse
import json
import pathlib
import statistics
import time

import numpy as np
from speed_sides import SIZES, Work, compile_step, describe_run

from predjax.kernels.execution import CONVOLUTIONS, PRECISIONS, REMATS, Execution


def main() -> None:
    def numbers(text: str) -> tuple[int, ...]:
        return tuple(int(number) for number in text.split(","))

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--size", choices=SIZES, default="M", help="as in speed.py, apart from what is varied (default M)")
    add("--json", metavar="FILE", help="where to write the figures")
    add("--rounds", type=int, default=5, metavar="N", help="calls of each (default 5)")
    add("--lengths", type=numbers, default=(5, 10, 20, 40, 80), metavar="T,T,...", help="(default %(default)s)")
    add("--batches", type=numbers, default=(1, 2, 4, 8, 16, 32), metavar="B,B,...", help="(default %(default)s)")
    add("--precision", choices=PRECISIONS, default="float32")
    add("--remat", choices=REMATS, default="none")
    add("--convolution", choices=CONVOLUTIONS, default="auto")
    options = parser.parse_args()
    if sum(length >= 10 for length in options.lengths) < 2:
        parser.error(f"--lengths needs two lengths of 10 or more for a slope, got {options.lengths}")
    execution = Execution(options.remat, options.precision, options.convolution)
    scaling = measure_scaling(SIZES[options.size], execution, options.rounds, options.lengths, options.batches)
    result = describe_run(options.size, execution) | scaling
    print(format_scaling(result))
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(result, indent=1) + "\n")


def measure_scaling(work: Work, execution: Execution, rounds: int, lengths, batches) -> dict:
    """Medians of the train step and CPU seconds to compile it, over the length of a window and over the batch."""
    works = {
        "length": {length: work._replace(length=length) for length in lengths},
        "batch": {batch: work._replace(batch=batch) for batch in batches},
    }
    result = {}
    for axis, scaled_works in works.items():
        result[axis] = {}
        for value, scaled in scaled_works.items():
            train_step, cost = compile_step(scaled, execution)
            train_step()
            seconds = []
            for _ in range(rounds):
                start = time.perf_counter()
                train_step()
                seconds.append(time.perf_counter() - start)
            result[axis][value] = {"seconds": statistics.median(seconds), "compile_cpu": cost["train_step_cpu"]}
    points = [(np.log(n), np.log(row["seconds"])) for n, row in result["length"].items() if n >= 10]
    result["slope_of_length"] = float(np.polyfit(*zip(*points), 1)[0])
    return result


def format_scaling(result: dict) -> str:
    lines = []
    for axis in ("length", "batch"):
        lines += [f"| {axis} | train step, s | compiling, CPU s |", "|---|---|---|"]
        lines += [f"| {n} | {row['seconds']:.3f} | {row['compile_cpu']:.1f} |" for n, row in result[axis].items()]
    lines.append(f"slope of log time against log length, from 10 frames on: {result['slope_of_length']:.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
