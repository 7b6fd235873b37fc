"""How fast and how large a forward pass and a train step are, beside a plain PyTorch PredRNN-V2 doing the same work.

    python benchmarks/speed.py --size M --json speed.json
    python benchmarks/speed.py --size S --variants eager,channels_last,compile

The losses of the two sides (`speed_sides.py`) are compared. Calls alternate in one process, and what is printed are
medians, so that a busy machine slows both alike. PyTorch is the best of its variants. Peak memory is that of a
process of its own, less what it had after its imports and its data, with compiled programs from the cache. FLOP are
those of the direct convolutions.
Without PyTorch (`pip install -e '.[benchmark]'`) only predjax is timed.
"""

import argparse
import contextlib
import importlib.util
import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import jax
import jax.numpy as jnp
from gpu_jobs import READY
from speed_sides import (
    WORKS,
    Work,
    compile_predjax,
    compile_step,
    count_flop,
    describe_run,
    make_config,
    make_data,
    make_torch,
)

from predjax.kernels.execution import CONVOLUTIONS, REMATS, Execution
from predjax.models.interop.torch_weights import from_state_dict

# Of products and convolutions on a GPU: the name in jax, and by how much the losses of the sides may differ.
PRECISIONS = {"float32": ("highest", 1e-4), "tf32": ("tensorfloat32", 1e-3), "bfloat16": (None, 0.02)}
HAS_TORCH = importlib.util.find_spec("torch") is not None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--size", choices=WORKS, default="M", help="S 16 x 5, M 64 x 4, L 128 x 4 features; tiny to try (default M)")
    add("--json", metavar="FILE", help="where to write the figures")
    add("--rounds", type=int, default=5, metavar="N", help="calls of each (default 5)")
    add("--variants", default="eager,channels_last", metavar="NAMES", help="of PyTorch: eager, channels_last, compile")
    add("--compile_limit", type=float, metavar="S", help="leave out torch's compile where it takes more seconds")
    add("--precision", choices=PRECISIONS, default="float32")
    add("--remat", choices=REMATS, default="none")
    add("--convolution", choices=CONVOLUTIONS, default="auto")
    add("--no_memory", action="store_true", help="leave out the processes that measure memory")
    add("--wait", action="store_true", help="once PyTorch is ready, print that and wait for a line on stdin")
    add("--json_line", action="store_true", help="print the figures as a line of JSON as well")
    add("--measure", choices=("predjax", "torch"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    work, execution = WORKS[options.size], Execution(options.remat, options.precision, options.convolution)
    jax.config.update("jax_default_matmul_precision", PRECISIONS[options.precision][0])
    if options.measure:
        print(json.dumps({"peak_mb": measure_peak(options.measure, work, execution)}))
        return
    with tempfile.TemporaryDirectory() as cache:
        jax.config.update("jax_compilation_cache_dir", cache)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        result = describe_run(options.size, execution) | compare(work, execution, options)
        if not options.no_memory:
            result["peak_memory_mb"] = {
                f"predjax remat {remat}": run_peak(cache, options, "predjax", remat) for remat in REMATS
            }
            if HAS_TORCH and jax.default_backend() == "cpu":
                result["peak_memory_mb"]["torch"] = run_peak(cache, options, "torch", "none")
        print(format_table(result))
    if options.json_line:
        print(json.dumps(result))
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(result, indent=1) + "\n")


def compare(work: Work, execution: Execution, options) -> dict:
    """Medians of both, call by call in turn, and their ratios."""
    sides, losses, left_out, params = {}, {}, {}, None
    for variant in options.variants.split(",") if HAS_TORCH else ():
        name, seconds = f"torch {variant}", options.compile_limit if variant == "compile" else None
        try:
            with limit(seconds):
                calls, weights = make_torch(work, variant, options.precision)
                losses[name] = calls["loss"]()
                for warm in ("train_step", "forward"):
                    calls[warm]()
        except Exception as error:
            if variant != "compile":
                raise
            left_out[name] = f"{type(error).__name__}: {error}".splitlines()[0][:300]
            losses.pop(name, None)
            continue
        sides[name] = calls
        params = from_state_dict(weights, make_config(work))
    if options.wait:
        print(READY, flush=True)
        sys.stdin.readline()
    sides["predjax"], cost = compile_predjax(work, execution, params)
    losses["predjax"] = sides["predjax"]["loss"]()
    spread = max(losses.values()) - min(losses.values())
    if spread > PRECISIONS[options.precision][1] * max(losses.values()):
        raise SystemExit(f"the sides do not compute the same: losses {losses}")
    peak = measure_gemm()
    result = {"gemm_gflops": peak, "compile_seconds": cost, "losses": losses, "left_out": left_out}
    for name, factor in (("forward", 1), ("train_step", 3)):
        seconds = {side: [] for side in sides}
        for turn in range(options.rounds + 1):  # the first one warms up
            for side, calls in sides.items():
                start = time.perf_counter()
                calls[name]()
                if turn:
                    seconds[side].append(time.perf_counter() - start)
        medians = {side: statistics.median(values) for side, values in seconds.items()}
        speed = factor * count_flop(work) / medians["predjax"] / 1e9
        result[name] = {"seconds": medians, "gflops": speed, "of_gemm_peak": speed / peak}
        theirs = [value for side, value in medians.items() if side != "predjax"]
        if theirs:
            result[name]["ratio_to_best_pytorch"] = min(theirs) / medians["predjax"]
    return result


@contextlib.contextmanager
def limit(seconds: float | None):
    """Raise a TimeoutError in what takes longer than `seconds`; None: no limit."""

    def stop(*_):
        raise TimeoutError(f"more than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds or 0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def measure_gemm(size: int = 2048) -> float:
    """GFLOP/s of a large float32 matrix product, the best of ten."""
    a = jnp.ones((size, size), jnp.float32)
    product = jax.jit(jnp.matmul)
    seconds = []
    for _ in range(10):
        start = time.perf_counter()
        jax.block_until_ready(product(a, a))
        seconds.append(time.perf_counter() - start)
    return 2 * size**3 / min(seconds) / 1e9


def measure_peak(side: str, work: Work, execution: Execution) -> float:
    """MB that three train steps of one side add to the resident memory of this process, or take of a GPU's."""
    make_data(work)
    if side == "torch":
        make_torch(work._replace(num_hidden=(1,)), "eager")  # imports what its optimizer needs
        before = read_memory("VmRSS")
        train_step = make_torch(work, "eager")[0]["train_step"]
    else:
        jax.block_until_ready(jax.jit(jnp.sin)(jnp.ones(8)))
        before = read_memory("VmRSS")
        train_step, _ = compile_step(work, execution)
    for _ in range(3):
        train_step()
    if jax.default_backend() == "gpu":
        if side == "torch":
            import torch

            return torch.cuda.max_memory_allocated() / 2**20
        return jax.local_devices()[0].memory_stats()["peak_bytes_in_use"] / 2**20
    return read_memory("VmHWM") - before


def read_memory(name: str) -> float:
    """Resident memory of this process in MB, now (VmRSS) or at its peak (VmHWM; getrusage counts the parent's)."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(rf"{name}:\s+(\d+)", status)[1]) / 1024


def run_peak(cache: str, options, side: str, remat: str) -> float:
    """`measure_peak` in a process of its own; run twice, so that the second finds its programs compiled."""
    command = [sys.executable, __file__, "--measure", side, "--size", options.size, "--remat", remat]
    command += ["--precision", options.precision, "--convolution", options.convolution]
    environment = os.environ | {
        "JAX_COMPILATION_CACHE_DIR": cache,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    for _ in range(1 if side == "torch" else 2):
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return round(json.loads(done.stdout.splitlines()[-1])["peak_mb"], 1)


def format_table(result: dict) -> str:
    lines = [
        f"{result['size']}: {result['pixels']} x {result['pixels']} pixels, {result['length']} frames, "
        f"{','.join(map(str, result['num_hidden']))} features, batch {result['batch']}, {result['precision']}, "
        f"{result['device']}, {result['cores']} cores, GEMM peak {result['gemm_gflops']:.0f} GFLOP/s",
        "| | " + " | ".join(result["forward"]["seconds"]) + " | ratio to the best PyTorch | of the GEMM peak |",
        "|---|" + "---|" * (len(result["forward"]["seconds"]) + 2),
    ]
    for name in ("forward", "train_step"):
        row = result[name]
        cells = [f"{value:.3f} s" for value in row["seconds"].values()]
        ratio = f"{row['ratio_to_best_pytorch']:.2f}" if "ratio_to_best_pytorch" in row else "-"
        lines.append(f"| {name.replace('_', ' ')} | {' | '.join(cells)} | {ratio} | {row['of_gemm_peak']:.2f} |")
    compiled = ", ".join(f"{name.replace('_', ' ')} {value:.0f} s" for name, value in result["compile_seconds"].items())
    lines.append(f"compiling: {compiled}")
    lines += [f"left out: {name}: {reason}" for name, reason in result["left_out"].items()]
    if "peak_memory_mb" in result:
        memory = ", ".join(f"{name} {value:.0f} MB" for name, value in result["peak_memory_mb"].items())
        lines.append(f"peak memory of train steps: {memory}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
