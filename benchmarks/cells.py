"""How long a step of every cell takes, forward and with the gradient, on vectors and on maps.

    python benchmarks/cells.py --json cells.json
    python benchmarks/cells.py --on vectors --cells elman,lstm,gru

The gradient is that of the mean square of the outputs with respect to the parameters. What is printed are medians of
whole sequences divided by their steps. Where PyTorch is installed (`pip install -e '.[benchmark]'`), its `nn.RNN`,
`nn.LSTM` and `nn.GRU` do the same on vectors, call by call in turn with ours, so that a busy machine slows both alike;
`nn.GRU` has the equation of "gru reset_after".
"""

import argparse
import importlib.util
import json
import os
import pathlib
import platform
import statistics
import time
from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from predjax import parallel, unroll
from predjax.cells import CELLS

VARIANTS = {"gru reset_after": {"reset_after": True}}
CASES = (*CELLS, *VARIANTS)
RIVALS = {"elman": "RNN", "lstm": "LSTM", "gru": "GRU", "gru reset_after": "GRU"}
CALLS = ("forward", "gradient")
HAS_TORCH = importlib.util.find_spec("torch") is not None


class Work(NamedTuple):
    """What is computed: sequences of `length` steps, as many inputs as features, vectors where `pixels` is 0."""

    batch: int
    length: int
    features: int
    pixels: int = 0
    kernel: int = 0


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--json", metavar="FILE", help="where to write the figures")
    add("--rounds", type=read_count, default=5, metavar="N", help="calls of each (default %(default)s)")
    add("--calls", choices=(*CALLS, "both"), default="both", help="(default %(default)s)")
    add("--on", choices=("vectors", "maps", "both"), default="both", help="(default %(default)s)")
    add("--cells", type=read_cells, default=CASES, metavar="NAME,NAME,...", help="(default all)")
    for kind, work in (("vectors", Work(32, 100, 64)), ("maps", Work(4, 20, 32, 16, 3))):
        for size in Work._fields if kind == "maps" else Work._fields[:3]:
            default = getattr(work, size)
            add(f"--{kind}_{size}", type=read_count, default=default, metavar="N", help="(default %(default)s)")
    options = vars(parser.parse_args(arguments))
    if options["maps_kernel"] % 2 == 0:
        parser.error(f"--maps_kernel must be odd, not {options['maps_kernel']}")
    calls = CALLS if options["calls"] == "both" else (options["calls"],)
    result = describe_machine()
    for kind in ("vectors", "maps") if options["on"] == "both" else (options["on"],):
        sizes = {name: options[f"{kind}_{name}"] for name in Work._fields if f"{kind}_{name}" in options}
        work = Work(**sizes)
        rows = {case: measure_cell(case, work, options["rounds"], calls) for case in options["cells"]}
        result[kind] = work._asdict() | {"cells": rows}
        print(format_table(kind, result), end="\n\n", flush=True)
    if options["json"]:
        pathlib.Path(options["json"]).write_text(json.dumps(result, indent=1) + "\n")


def read_count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text!r}")
    return int(text)


def read_cells(text: str) -> tuple[str, ...]:
    cases = tuple(text.split(","))
    unknown = [case for case in cases if case not in CASES]
    if unknown:
        raise argparse.ArgumentTypeError(f"must be some of {', '.join(CASES)}, not {unknown[0]!r}")
    return cases


def describe_machine() -> dict:
    result = {
        "device": parallel.describe(parallel.choose_devices(1)),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "jax": jax.__version__,
    }
    if HAS_TORCH:
        import torch

        result["torch"] = torch.__version__
    return result


def make_cell(case: str, work: Work) -> hk.RNNCore:
    """Inside a Haiku function."""
    grid, kernel = ((size, size) if size else () for size in (work.pixels, work.kernel))
    return CELLS[case.split()[0]](work.features, grid, kernel, **VARIANTS.get(case, {}), name="cell")


def draw_inputs(work: Work) -> np.ndarray:
    """`(B, T, *S, I)`."""
    grid = (work.pixels, work.pixels) if work.pixels else ()
    shape = (work.batch, work.length, *grid, work.features)
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def draw_params(case: str, work: Work, inputs) -> dict:
    """The initial parameters, for inputs `(B, *S, I)` of one step."""

    def begin(inputs):
        cell = make_cell(case, work)
        return cell(inputs, cell.initial_state(len(inputs)))

    start = jax.jit(hk.transform(begin).init, compiler_options={"xla_backend_optimization_level": 0})
    return start(jax.random.key(0), inputs)


def compile_cell(case: str, work: Work, names=CALLS, go=unroll) -> tuple[dict, dict]:
    """The compiled calls by name, and the seconds that tracing and compiling them took.

    Args:
      names: of the calls.
      go: `(cell, inputs, state) -> (outputs, state)` of a whole sequence.
    """

    def run(inputs):
        cell = make_cell(case, work)
        return go(cell, inputs, cell.initial_state(len(inputs)))[0]

    pure = hk.without_apply_rng(hk.transform(run))
    inputs = jnp.asarray(draw_inputs(work))
    params = draw_params(case, work, inputs[:, 0])
    functions = {
        "forward": pure.apply,
        "gradient": jax.grad(lambda params, inputs: jnp.square(pure.apply(params, inputs)).mean()),
    }
    calls, seconds = {}, {}
    for name in names:
        begun = time.perf_counter()
        compiled = jax.jit(functions[name]).lower(params, inputs).compile()
        seconds[name] = time.perf_counter() - begun
        calls[name] = lambda compiled=compiled: jax.block_until_ready(compiled(params, inputs))
    return calls, seconds


def make_torch(case: str, work: Work) -> dict:
    """The same calls in PyTorch, on the device of jax."""
    import torch

    torch.set_num_threads(os.cpu_count())
    device = "cuda" if jax.default_backend() == "gpu" else "cpu"
    torch.manual_seed(0)
    model = getattr(torch.nn, RIVALS[case])(work.features, work.features, batch_first=True).to(device)
    inputs = torch.from_numpy(draw_inputs(work)).to(device)

    def finish():
        if device == "cuda":
            torch.cuda.synchronize()

    def forward():
        with torch.no_grad():
            model(inputs)
        finish()

    def gradient():
        model.zero_grad()
        model(inputs)[0].square().mean().backward()
        finish()

    return {"forward": forward, "gradient": gradient}


def time_in_turn(sides: dict, rounds: int, names=CALLS) -> dict:
    """Median seconds of the calls of every side, one side after the other, again and again."""
    medians = {}
    for name in names:
        seconds = {side: [] for side in sides}
        for turn in range(rounds + 1):  # the first one warms up
            for side, calls in sides.items():
                begun = time.perf_counter()
                calls[name]()
                if turn:
                    seconds[side].append(time.perf_counter() - begun)
        medians[name] = {side: statistics.median(values) for side, values in seconds.items()}
    return medians


def measure_cell(case: str, work: Work, rounds: int, names=CALLS) -> dict:
    """Seconds of a step by call and side, seconds to compile, and how many times as long PyTorch takes."""
    calls, compiling = compile_cell(case, work, names)
    sides = {"predjax": calls}
    if HAS_TORCH and case in RIVALS and not work.pixels:
        sides["torch"] = make_torch(case, work)
    result = {"compile_seconds": compiling}
    for name, medians in time_in_turn(sides, rounds, names).items():
        result[name] = {"seconds_per_step": {side: value / work.length for side, value in medians.items()}}
        if "torch" in medians:
            result[name]["ratio_to_pytorch"] = medians["torch"] / medians["predjax"]
    return result


def format_table(kind: str, result: dict) -> str:
    sizes, rows = result[kind], result[kind]["cells"]
    on = f"vectors of {sizes['features']} features"
    if sizes["pixels"]:
        on = "{pixels}x{pixels}x{features} maps, {kernel}x{kernel} convolutions".format(**sizes)
    first = next(iter(rows.values()))
    names = [name for name in CALLS if name in first]
    rivals = any("torch" in row[names[0]]["seconds_per_step"] for row in rows.values())
    heads = ["cell"]
    for name in names:
        heads += [f"{name}, us a step", f"compiling {name}, s"]
        heads += [f"PyTorch {name}, us a step", f"PyTorch / predjax, {name}"] if rivals else []
    device = f"{result['device']}, {result['cores']} cores"
    lines = [f"{on}, batch {sizes['batch']}, {sizes['length']} steps, {device}", ""]
    lines += [format_row(heads), "|---" * len(heads) + "|"]
    for case, row in rows.items():
        texts = [case]
        for name in names:
            seconds = row[name]["seconds_per_step"]
            texts += [f"{1e6 * seconds['predjax']:.1f}", f"{row['compile_seconds'][name]:.2f}"]
            if "torch" in seconds:
                texts += [f"{1e6 * seconds['torch']:.1f}", f"{row[name]['ratio_to_pytorch']:.2f}"]
            elif rivals:
                texts += ["-", "-"]
        lines.append(format_row(texts))
    return "\n".join(lines)


def format_row(texts) -> str:
    return f"| {' | '.join(texts)} |"


if __name__ == "__main__":
    main()
