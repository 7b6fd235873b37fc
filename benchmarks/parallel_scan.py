"""LRU and S5 over a sequence: by associative scan (`cell.unroll`) beside one step after the other (`predjax.unroll`).

python benchmarks/parallel_scan.py --json parallel_scan.json

Medians of whole sequences, forward and with the gradient of `benchmarks/cells.py`; calls of both take turns.
"""

import argparse
import json
import pathlib

from cells import CALLS, Work, compile_cell, describe_machine, format_row, read_count, time_in_turn

from predjax import unroll

NAMES = ("lru", "s5")
WAYS = {"scan": lambda cell, inputs, state: cell.unroll(inputs, state), "steps": unroll}


def main(arguments: list[str] | None = None) -> None:
    def read_counts(text: str) -> tuple[int, ...]:
        return tuple(read_count(number) for number in text.split(","))

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--json", metavar="FILE", help="where to write the figures")
    add("--rounds", type=read_count, default=5, metavar="N", help="calls of each (default %(default)s)")
    add("--calls", choices=(*CALLS, "both"), default="both", help="(default %(default)s)")
    add("--lengths", type=read_counts, default=(100, 1000, 10000), metavar="T,T,...", help="(default %(default)s)")
    add("--batch", type=read_count, default=4, metavar="N", help="(default %(default)s)")
    add("--features", type=read_count, default=64, metavar="N", help="and inputs and states (default %(default)s)")
    options = parser.parse_args(arguments)
    calls = CALLS if options.calls == "both" else (options.calls,)
    result = describe_machine() | {"batch": options.batch, "features": options.features, "cells": {}}
    for name in NAMES:
        works = [Work(options.batch, length, options.features) for length in options.lengths]
        result["cells"][name] = {work.length: compare_ways(name, work, options.rounds, calls) for work in works}
    print(format_table(result))
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(result, indent=1) + "\n")


def compare_ways(name: str, work: Work, rounds: int, calls=CALLS) -> dict:
    """Seconds of a sequence and to compile, by way, of these calls."""
    compiled = {way: compile_cell(name, work, calls, go) for way, go in WAYS.items()}
    medians = time_in_turn({way: functions for way, (functions, _) in compiled.items()}, rounds, calls)
    return {
        call: {"seconds": medians[call], "compile_seconds": {way: cost[call] for way, (_, cost) in compiled.items()}}
        for call in calls
    }


def format_table(result: dict) -> str:
    heads = ["cell", "steps", "call", "scan, ms", "steps, ms", "steps / scan"]
    heads += ["compiling scan, s", "compiling steps, s"]
    lines = [
        f"batch {result['batch']}, {result['features']} features, {result['device']}, {result['cores']} cores",
        "",
        format_row(heads),
        "|---" * len(heads) + "|",
    ]
    for name, lengths in result["cells"].items():
        for length, calls in lengths.items():
            for call, row in calls.items():
                scan, steps = (row["seconds"][way] for way in WAYS)
                texts = [name, str(length), call, f"{1e3 * scan:.2f}", f"{1e3 * steps:.2f}", f"{steps / scan:.2f}"]
                lines.append(format_row([*texts, *(f"{row['compile_seconds'][way]:.2f}" for way in WAYS)]))
    return "\n".join(lines)


if __name__ == "__main__":
    main()
