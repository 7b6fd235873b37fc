"""The jobs of `gpu_suite.py` that are not benchmarks of their own; each prints its results as lines of JSON."""

import argparse
import contextlib
import io
import json
import os
import pathlib
import platform
import statistics
import sys
import time
from collections.abc import Iterator

import jax
import numpy as np
from gpu_cases import Case, make_cases, make_inputs
from gpu_jobs import READY
from speed_sides import WORKS, prepare_step

from predjax import parallel
from predjax.kernels.execution import Execution
from predjax.models.forecaster import make_forecaster
from predjax.training.step import init_state, make_optimizer, make_update

ROOT = pathlib.Path(__file__).resolve().parents[1]
MATMUL = {"float32": "highest", "tf32": "tensorfloat32"}  # what jax calls the precision of products
STEPS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("arguments", nargs="*")
    parser.add_argument("--rehearse", action="store_true")
    options = parser.parse_args()
    if options.rehearse:
        jax.config.update("jax_disable_most_optimizations", True)
    for found in PARTS[options.part](*options.arguments):
        print(json.dumps(found), flush=True)


def describe_device() -> Iterator[dict]:
    """The device, the versions, and how fast a large matrix product is in each precision."""
    device = jax.devices()[0]
    memory = (device.memory_stats() or {}).get("bytes_limit")
    found = {"device": device.device_kind, "platform": device.platform, "memory_gb": memory and memory / 1e9}
    found |= {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    found |= {"jax": jax.__version__, "torch": None}
    if device.platform != "gpu" and not jax.config.read("jax_disable_most_optimizations"):
        found["error"] = "jax finds no GPU: see its installation, or give --rehearse"
    with contextlib.suppress(ImportError):
        import torch

        found["torch"] = torch.__version__
    size = 8192 if device.platform == "gpu" else 512
    for name, dtype in {"float32": np.float32, "tf32": np.float32, "bfloat16": jax.numpy.bfloat16}.items():
        a = jax.numpy.ones((size, size), dtype)
        product = jax.jit(lambda a, name=name: jax.numpy.matmul(a, a, precision=MATMUL.get(name)))
        seconds = [_time(lambda: jax.block_until_ready(product(a))) for _ in range(5)]  # noqa: B023
        found[f"product_{name}_tflops"] = 2 * size**3 / min(seconds) / 1e12
    yield found


def try_cases(*names: str) -> Iterator[dict]:
    """Two train steps and a forecast of small networks: all results must be finite."""
    cases = make_cases()
    for name in names:
        start = time.perf_counter()
        try:
            loss = _try_case(cases[name])
        except Exception as error:
            yield {"case": name, "error": f"{type(error).__name__}: {error}".splitlines()[0][:500]}
        else:
            yield {"case": name, "loss": loss, "seconds": time.perf_counter() - start}


def _try_case(case: Case) -> float:
    config, rng = case.model, np.random.default_rng(0)
    frames, forcings = jax.tree.map(lambda a: rng.uniform(size=a.shape).astype(a.dtype), make_inputs(case))
    forecaster, optimizer = make_forecaster(config), make_optimizer(case.training)
    devices = parallel.choose_devices(1)
    params = forecaster.init(jax.random.key(0), frames, forcings)
    state = parallel.replicate(init_state(params, optimizer, 0), devices)
    update = make_update(forecaster, optimizer, case.sampling.resolve(10**6), case.training)
    shards = parallel.shard((frames, forcings), devices)
    update = parallel.compile_update(parallel.parallelise(update, devices), state, *shards, None)
    for _ in range(2):
        state, metrics = update(state, *shards, None)
    steps = config.total_length - config.input_length
    predict = jax.jit(forecaster.predict, static_argnums=3)
    forecast = predict(state.params, None, frames[:, : config.input_length], steps, forcings)
    loss = float(metrics["loss"])
    if not (np.isfinite(loss) and np.isfinite(forecast).all()):
        raise ValueError(f"loss {loss}, {np.isnan(forecast).mean():.0%} of the forecast is not finite")
    return loss


class _Reading:
    """What pytest is to do: run the tests that compare with numbers of the original code, and count them."""

    def __init__(self) -> None:
        self.passed, self.failed, self.skipped = 0, [], 0

    def pytest_collection_modifyitems(self, items: list) -> None:
        items[:] = [item for item in items if {"read", "shared"} & {*item.fixturenames}]

    def pytest_runtest_logreport(self, report) -> None:
        if report.failed:
            self.failed.append(report.nodeid)
        self.passed += report.when == "call" and report.passed
        self.skipped += report.skipped


def compare_golden(path: str, precision: str) -> Iterator[dict]:
    """Run the tests of a file that read reference numbers, with matrix products in one precision."""
    import pytest

    os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", str(int(jax.config.read("jax_disable_most_optimizations"))))
    jax.config.update("jax_default_matmul_precision", MATMUL[precision])
    counted, said = _Reading(), io.StringIO()
    with contextlib.redirect_stdout(said):
        code = pytest.main(["-q", "-o", "addopts=--import-mode=importlib", str(ROOT / path)], plugins=[counted])
    found = {"file": path, "precision": precision, "passed": counted.passed, "skipped": counted.skipped}
    found["failed"] = sorted({*counted.failed})
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED):
        found["error"] = said.getvalue()[-500:]
    elif code == pytest.ExitCode.TESTS_FAILED and precision == "float32":
        found["error"] = f"{len(found['failed'])} tests failed"
    yield found


def time_steps(size: str) -> Iterator[dict]:
    """Time a train step under the flags of the environment, and run the same steps twice: are all bits the same?"""
    print(READY, flush=True)
    sys.stdin.readline()
    step, make_state, shards, cost = prepare_step(WORKS[size], Execution())
    runs, seconds = [], []
    for _ in range(2):
        state = make_state()
        for _ in range(STEPS):
            start = time.perf_counter()
            state, metrics = step(state, shards, None, None)
            loss = float(metrics["loss"])
            seconds.append(time.perf_counter() - start)
        runs.append([np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(state.params)])
    yield {
        "flags": os.environ.get("XLA_FLAGS", ""),
        "train_step": statistics.median(seconds),
        "loss": loss,
        "same_bits": runs[0] == runs[1],
        "compile_seconds": cost,
    }


def profile_steps(size: str, folder: str) -> Iterator[dict]:
    """Write a trace of five train steps; the time and the number of what takes longest."""
    step, make_state, shards, _ = prepare_step(WORKS[size], Execution())
    state, _ = step(make_state(), shards, None, None)
    jax.block_until_ready(state)
    with jax.profiler.trace(folder):
        for _ in range(5):
            state, _ = step(state, shards, None, None)
        jax.block_until_ready(state)
    [newest] = sorted(pathlib.Path(folder).rglob("*.xplane.pb"))[-1:]
    data = jax.profiler.ProfileData.from_file(str(newest))
    planes = [plane for plane in data.planes if plane.name.startswith("/device:GPU")]
    for plane in planes or [plane for plane in data.planes if plane.name == "/host:CPU"]:
        totals: dict[str, list[float]] = {}
        for line in plane.lines:
            if planes and not line.name.startswith("Stream"):
                continue
            for event in line.events:
                one = totals.setdefault(event.name, [0, 0.0])
                one[0], one[1] = one[0] + 1, one[1] + event.duration_ns / 1e6
        longest = sorted(totals.items(), key=lambda pair: -pair[1][1])[:15]
        yield {
            "plane": plane.name,
            "steps": 5,
            "launches_a_step": sum(one[0] for one in totals.values()) / 5,
            "busy_ms_a_step": sum(one[1] for one in totals.values()) / 5,
            "longest": [{"name": name[:80], "calls": calls, "ms": ms} for name, (calls, ms) in longest],
        }


def _time(call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


PARTS = {
    "device": describe_device,
    "smoke": try_cases,
    "parity": compare_golden,
    "flags": time_steps,
    "profile": profile_steps,
}


if __name__ == "__main__":
    main()
