"""How fast and how large a forward pass and a train step are, beside a plain PyTorch PredRNN-V2 doing the same work.

    python benchmarks/speed.py --size M --json speed.json
    python benchmarks/speed.py --size S --variants eager,channels_last,compile

Both sides start from the same weights and see the same frames and masks; their losses are compared. Calls alternate in
one process, and what is printed are medians, so that a busy machine slows both alike. PyTorch is the best of its
variants. Peak memory is that of a process of its own, less what it had after its imports and its data, with compiled
programs from the cache. FLOP are those of the direct convolutions.
Without PyTorch (`pip install -e '.[benchmark]'`) only predjax is timed.
"""

import argparse
import importlib.util
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from predjax import parallel
from predjax.models.config import ModelConfig, SamplingConfig
from predjax.models.execution import CONVOLUTIONS, PRECISIONS, REMATS, Execution
from predjax.models.forecaster import make_forecaster
from predjax.models.torch_weights import from_state_dict
from predjax.training.config import TrainConfig
from predjax.training.step import init_state, make_optimizer, make_update

PATCH, FILTER, BETA = 4, 5, 0.1
HAS_TORCH = importlib.util.find_spec("torch") is not None


class Work(NamedTuple):
    """What is computed: square frames of `pixels`, `length` of them a window."""

    pixels: int
    length: int
    num_hidden: tuple[int, ...]
    batch: int


SIZES = {"S": Work(40, 5, (16,) * 5, 16), "M": Work(64, 20, (64,) * 4, 4), "L": Work(64, 20, (128,) * 4, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--size", choices=SIZES, default="M", help="S 16 x 5, M 64 x 4, L 128 x 4 features (default M)")
    add("--json", metavar="FILE", help="where to write the figures")
    add("--rounds", type=int, default=5, metavar="N", help="calls of each (default 5)")
    add("--variants", default="eager,channels_last", metavar="NAMES", help="of PyTorch: eager, channels_last, compile")
    add("--precision", choices=PRECISIONS, default="float32")
    add("--remat", choices=REMATS, default="none")
    add("--convolution", choices=CONVOLUTIONS, default="auto")
    add("--no_memory", action="store_true", help="leave out the processes that measure memory")
    add("--measure", choices=("predjax", "torch"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    work, execution = SIZES[options.size], Execution(options.remat, options.precision, options.convolution)
    if options.measure:
        print(measure_peak(options.measure, work, execution))
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
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(result, indent=1) + "\n")


def describe_run(size: str, execution: Execution) -> dict:
    """What is computed, how, and on what machine."""
    return {
        "size": size,
        **SIZES[size]._asdict(),
        "precision": execution.precision,
        "remat": execution.remat,
        "device": parallel.describe(parallel.choose_devices(1)),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "jax": jax.__version__,
    }


def make_data(work: Work) -> tuple[np.ndarray, np.ndarray]:
    """Frames `(B, T, H, W, 1)` in [0, 1] and a mask `(B, T-1)`, true first, then half of the time."""
    rng = np.random.default_rng(0)
    frames = rng.uniform(size=(work.batch, work.length, work.pixels, work.pixels, 1)).astype(np.float32)
    use_truth = rng.uniform(size=(work.batch, work.length - 1)) < 0.5
    use_truth[:, 0] = True
    return frames, use_truth


def make_config(work: Work) -> ModelConfig:
    half = work.length // 2
    return ModelConfig(
        "predrnn_v2",
        work.num_hidden,
        filter_size=FILTER,
        patch_size=PATCH,
        input_length=half,
        total_length=work.length,
        decouple_beta=BETA,
    )


def count_flop(work: Work) -> float:
    """FLOP of a forward pass: the convolutions of all cells and steps, two a multiplication and addition."""
    features, cells = work.num_hidden[0], (work.pixels // PATCH) ** 2 * work.batch * (work.length - 1)
    products = 0
    for layer in range(len(work.num_hidden)):
        inputs = features if layer else PATCH**2
        products += FILTER**2 * features * (7 * inputs + 7 * features + 2 * features) + 2 * features**2
    return 2.0 * cells * products


def compile_predjax(work: Work, execution: Execution, params=None) -> tuple[dict, dict]:
    """The compiled calls by name, and what compiling cost: seconds, and CPU seconds of the train step."""
    frames, use_truth = make_data(work)
    forecaster = make_forecaster(make_config(work), execution)
    if params is None:
        params = forecaster.init(jax.random.key(0), frames)
    config = TrainConfig(lr_schedule="constant", warmup_iterations=0, clip_norm=0.0, lr=1e-3)
    optimizer, sampling = make_optimizer(config), SamplingConfig().resolve(10**6)
    devices = parallel.choose_devices(1)
    state = parallel.replicate(init_state(jax.tree.map(jnp.array, params), optimizer, 0), devices)
    update = parallel.parallelise(make_update(forecaster, optimizer, sampling), devices)
    params, shards = jax.device_put(params), parallel.shard(frames, devices)
    cost, start, cpu = {}, time.perf_counter(), time.process_time()
    step = update.lower(state, shards, None, None).compile()
    cost = {"train_step": time.perf_counter() - start, "train_step_cpu": time.process_time() - cpu}
    start = time.perf_counter()
    rollout = jax.jit(forecaster.rollout).lower(params, None, frames, use_truth).compile()
    cost["forward"] = time.perf_counter() - start
    states = [state]

    def train_step():
        states[0], metrics = step(states[0], shards, None, None)
        return float(metrics["loss"])

    def forward():
        return jax.block_until_ready(rollout(params, None, frames, use_truth))

    loss = jax.jit(forecaster.loss)
    return {
        "forward": forward,
        "train_step": train_step,
        "loss": lambda: float(loss(params, None, frames, use_truth)[0]),
    }, cost


def make_torch(work: Work, variant: str, bfloat16: bool = False) -> tuple[dict, dict]:
    """The same calls in PyTorch, and its weights as numpy arrays."""
    import torch

    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    import torch_predrnn

    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(0)
    model = torch_predrnn.PredRNN(PATCH**2, work.num_hidden, FILTER).to(device)
    weights = {name: array.detach().cpu().numpy().copy() for name, array in model.state_dict().items()}
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    frames, use_truth = (torch.from_numpy(array).to(device) for array in make_data(work))
    patches = torch_predrnn.to_patches(frames, PATCH)
    if variant == "channels_last":
        model = model.to(memory_format=torch.channels_last)
        patches = patches.permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3)
    run = torch.compile(model) if variant == "compile" else model
    cast = torch.autocast(device, torch.bfloat16, enabled=bfloat16)

    def finish(tensor):
        return float(tensor.sum()) if device == "cuda" else tensor

    def forward():
        with torch.no_grad(), cast:
            return finish(run(patches, use_truth)[0])

    def loss():
        with cast:
            return torch_predrnn.compute_loss(run, patches, use_truth, BETA)

    def train_step():
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
        return finish(value)

    return {"forward": forward, "train_step": train_step, "loss": lambda: float(loss())}, weights


def compare(work: Work, execution: Execution, options) -> dict:
    """Medians of both, call by call in turn, and their ratios."""
    sides, params = {}, None
    for variant in options.variants.split(",") if HAS_TORCH else ():
        calls, weights = make_torch(work, variant, execution.precision == "bfloat16")
        sides[f"torch {variant}"] = calls
        params = from_state_dict(weights, make_config(work))
    sides["predjax"], cost = compile_predjax(work, execution, params)
    losses = {name: calls["loss"]() for name, calls in sides.items()}
    spread = max(losses.values()) - min(losses.values())
    if spread > (0.02 if execution.precision == "bfloat16" else 1e-4) * max(losses.values()):
        raise SystemExit(f"the sides do not compute the same: losses {losses}")
    peak = measure_gemm()
    result = {"gemm_gflops": peak, "compile_seconds": cost, "losses": losses}
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
    """MB that three train steps of one side add to the resident memory of this process."""
    if side == "torch":
        calls, _ = make_torch(work, "eager")
        before = read_memory("VmRSS")
    else:
        make_data(work)
        jax.block_until_ready(jax.jit(jnp.sin)(jnp.ones(8)))
        before = read_memory("VmRSS")
        calls, _ = compile_predjax(work, execution)
    for _ in range(3):
        calls["train_step"]()
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
    return round(float(done.stdout.split()[-1]), 1)


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
    if "peak_memory_mb" in result:
        memory = ", ".join(f"{name} {value:.0f} MB" for name, value in result["peak_memory_mb"].items())
        lines.append(f"peak memory of train steps: {memory}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
