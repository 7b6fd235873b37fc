"""What several processes cost: train steps of 1, 2, 4 processes of a core each, and a model of 8 to 1024 accelerators.

    python benchmarks/processes.py --size S --json processes.json
    python benchmarks/processes.py --model
    python benchmarks/processes.py --checkpoint
    python benchmarks/processes.py --mappings --size tiny

Every process has a batch of its own (weak scaling) and one core; where there are fewer cores than processes they share
them. Times are medians of steps that all processes make together. "gradients" is the sum of the gradients over all
processes by itself, in one vector as training does it, "one by one" the same of every array.

`--mappings` compares ways to map the step over 4 virtual devices of one process, and over 2 processes of one device
each, in turn in one run, with 2 windows a device: `pmap` called as a function, `pmap` compiled before (what training
does), `shard_map` inside `jit`, and `jit` alone, to which the compiler adds the sums over devices. Times are medians,
of putting a batch on the devices and of the step; where others use the machine, CPU seconds tell more.
"""

import argparse
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from speed_sides import SIZES, WORKS, Work, count_flop, describe_run, make_config, make_data

from predjax import checkpoint, parallel
from predjax.kernels.execution import Execution
from predjax.models.config import SamplingConfig
from predjax.models.forecaster import make_forecaster
from predjax.training.config import TrainConfig
from predjax.training.step import init_state, make_optimizer, make_update

LAYOUTS = {"4 devices": (1, 4), "2 processes": (2, 1)}  # processes, and devices of each
COUNTS = (8, 16, 32, 64, 128, 256, 512, 1024)


class Cluster(NamedTuple):
    """What the model of a step assumes; the defaults are those of docs/scaling.md."""

    flops: float = 0.35 * 790e12  # a second of an accelerator: 35 % of a measured product in bfloat16
    batch: int = 8  # of an accelerator
    host: int = 8  # accelerators of a host
    inside: float = 450e9  # bytes a second of an accelerator to the others of its host, one way
    network: float = 50e9  # bytes a second of a host to others, one way: one port of 400 Gbit/s
    latency: float = 5e-6  # seconds of a message
    overhead: float = 1e-3  # seconds of a step that the host needs to begin it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--size", choices=WORKS, default="S", help="as in speed.py (default S)")
    add("--counts", default="1,2,4", metavar="N,N,...", help="processes (default 1,2,4)")
    add("--rounds", type=int, default=15, metavar="N", help="steps of each (default 15)")
    add("--model", action="store_true", help="print the model of large clusters instead")
    add("--checkpoint", action="store_true", help="time a checkpoint of the published size instead")
    add("--mappings", action="store_true", help="compare pmap, shard_map and jit instead")
    add("--json", metavar="FILE", help="where to write the figures")
    add("--child", nargs=3, metavar=("WHERE", "N", "I"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        measure_child = measure_mappings if options.mappings else measure
        print(json.dumps(measure_child(WORKS[options.size], options.rounds, *options.child)))
        return
    if options.mappings:
        found = {name: start(options, *layout) for name, layout in LAYOUTS.items()}
        result = describe_run(options.size, Execution()) | {"mappings": found}
        print(format_mappings(result))
        write(options.json, result)
        return
    if options.checkpoint:
        print(time_checkpoint(SIZES["L"], options.rounds))
        return
    if options.model:
        print(format_model(SIZES["L"], Cluster()))
        return
    result = describe_run(options.size, Execution()) | {"processes": {}}
    for count in map(int, options.counts.split(",")):
        result["processes"][count] = start(options, count)
    print(format_table(result))
    write(options.json, result)


def write(path: str | None, result: dict) -> None:
    if path:
        pathlib.Path(path).write_text(json.dumps(result, indent=1) + "\n")


def start(options, count: int, devices: int = 0) -> dict:
    """Runs `count` processes, each on a core, or with so many virtual devices; the figures of the first."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, __file__, "--size", options.size, "--rounds", str(options.rounds)]
    environment = dict(os.environ)
    if devices:
        command.append("--mappings")
        environment["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={devices}"
    cores = sorted(os.sched_getaffinity(0))
    processes = []
    for i in range(count):
        process = subprocess.Popen(
            [*command, "--child", where, str(count), str(i)], env=environment, stdout=subprocess.PIPE, text=True
        )
        if not devices:
            os.sched_setaffinity(process.pid, {cores[i % len(cores)]})
        processes.append(process)
    outputs = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        raise SystemExit(f"{count} processes ended with {[process.returncode for process in processes]}")
    return json.loads(outputs[0].splitlines()[-1])


def measure(work: Work, rounds: int, where: str, count: str, place: str) -> dict:
    """Medians of a train step and of summing the gradients, as one of several processes."""
    if int(count) > 1:
        parallel.join_processes(parallel.find_processes(where, int(count), int(place), {}))
    devices = parallel.choose_devices()
    frames, _ = make_data(work)
    forecaster = make_forecaster(make_config(work))
    params = jax.jit(forecaster.init)(jax.random.key(0), frames)
    optimizer = make_optimizer(TrainConfig(lr_schedule="constant", warmup_iterations=0, lr=1e-3))
    update = parallel.parallelise(make_update(forecaster, optimizer, SamplingConfig().resolve(10**6)), devices)
    state = parallel.replicate(init_state(jax.tree.map(jnp.array, params), optimizer, 0), devices)
    shards, stop = parallel.shard(frames, devices), parallel.copy_to_each(np.int32(0), devices)
    total = parallel.sum_over(lambda params, frames, forcings: ravel_pytree(params)[0], devices)
    singly = parallel.sum_over(lambda params, frames, forcings: params, devices)
    gradients = parallel.replicate(params, devices)

    def step():
        nonlocal state
        state, metrics = update(state, shards, None, stop)
        return float(metrics["loss"])

    calls = {
        "step": step,
        "gradients": lambda: jax.block_until_ready(total(gradients, shards, None)),
        "one by one": lambda: jax.block_until_ready(singly(gradients, shards, None)),
    }
    result = {"bytes": sum(leaf.nbytes for leaf in jax.tree.leaves(params))}
    for name, call in calls.items():
        seconds = []
        for _ in range(rounds + 2):
            begin = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - begin)
        result[name] = statistics.median(seconds[2:])
    parallel.leave_processes()
    return result


def measure_mappings(work: Work, rounds: int, where: str, count: str, place: str) -> dict:
    """Seconds to put a batch on the devices and of a step, and CPU seconds of both, by mapping; all are in turn."""
    if int(count) > 1:
        parallel.join_processes(parallel.find_processes(where, int(count), int(place), {}))
    devices = parallel.choose_devices()
    frames, _ = make_data(work._replace(batch=2 * jax.local_device_count()))
    forecaster = make_forecaster(make_config(work))
    params = jax.tree.map(np.asarray, jax.jit(forecaster.init)(jax.random.key(0), frames))
    optimizer = make_optimizer(TrainConfig(lr_schedule="constant", warmup_iterations=0, lr=1e-3))
    update = make_update(forecaster, optimizer, SamplingConfig().resolve(10**6))
    mesh = Mesh(np.array(devices), (parallel.AXIS,))
    whole, parts = NamedSharding(mesh, P()), NamedSharding(mesh, P(parallel.AXIS))

    def make_state():
        return parallel.replicate(init_state(jax.tree.map(jnp.array, params), optimizer, 0), devices)

    def split():
        return parallel.shard(frames, devices)

    def split_flat():
        return jax.make_array_from_process_local_data(parts, frames)

    def run_part(state, frames):
        return update(state, frames, axis_name=parallel.AXIS)

    specs = {"in_specs": (P(), P(parallel.AXIS)), "out_specs": P(), "check_vma": False}
    mapped = parallel.parallelise(update, devices)
    sharded = jax.jit(jax.shard_map(run_part, mesh=mesh, **specs), donate_argnums=0)
    alone = jax.jit(lambda state, frames: update(state, frames), donate_argnums=0, out_shardings=whole)
    compiled = parallel.compile_update(mapped, make_state(), split(), None, None)
    calls = {
        "pmap, called": (split, lambda state, batch: mapped(state, batch, None, None)),
        "pmap": (split, lambda state, batch: compiled(state, batch, None, None)),
        "shard_map": (split_flat, parallel.compile_update(sharded, make_state(), split_flat())),
        "jit": (split_flat, parallel.compile_update(alone, make_state(), split_flat())),
    }
    states, seconds = {name: make_state() for name in calls}, {name: [] for name in calls}
    for _ in range(rounds + 2):
        for name, (put, call) in calls.items():
            begin, cpu = time.perf_counter(), time.process_time()
            batch = jax.block_until_ready(put())
            there = time.perf_counter()
            states[name], metrics = call(states[name], batch)
            float(metrics["loss"])
            end = time.perf_counter()
            seconds[name].append((there - begin, end - there, time.process_time() - cpu))
    result = {}
    for name, rows in seconds.items():
        pairs = zip(jax.tree.leaves(states[name].params), jax.tree.leaves(states["pmap"].params))
        apart = max(float(np.abs(np.asarray(one) - np.asarray(other)).max()) for one, other in pairs)
        result[name] = [*np.median(rows[2:], axis=0), apart]
    parallel.leave_processes()
    return result


def format_mappings(result: dict) -> str:
    lines = [
        f"size {result['size']}, 2 windows a device, {result['cores']} cores, jax {result['jax']}",
        "| layout | mapping | batch onto devices, ms | step, ms | CPU of both, ms | parameters from those of pmap |",
        "|---|---|---|---|---|---|",
    ]
    for layout, rows in result["mappings"].items():
        for name, (put, step, cpu, apart) in rows.items():
            times = f"{1000 * put:.2f} | {1000 * step:.1f} | {1000 * cpu:.1f}"
            lines.append(f"| {layout} | {name} | {times} | {apart:.1e} |")
    return "\n".join(lines)


def format_table(result: dict) -> str:
    lines = [
        f"size {result['size']}, batch {result['batch']} a process, {result['cores']} cores, jax {result['jax']}",
        "| processes | train step, s | windows/s | gradients, ms | of the step | one by one, ms |",
        "|---|---|---|---|---|---|",
    ]
    for count, row in result["processes"].items():
        rate = count * result["batch"] / row["step"]
        share = row["gradients"] / row["step"]
        together, singly = row["gradients"] * 1000, row["one by one"] * 1000
        lines.append(f"| {count} | {row['step']:.3f} | {rate:.1f} | {together:.1f} | {share:.1%} | {singly:.1f} |")
    return "\n".join(lines)


def time_checkpoint(work: Work, rounds: int) -> str:
    """Seconds to save parameters and the state of Adam, until they are on the disk."""
    frames, _ = make_data(work)
    shapes = jax.eval_shape(make_forecaster(make_config(work)).init, jax.random.key(0), frames)
    rng, seconds = np.random.default_rng(0), []
    params = jax.tree.map(lambda leaf: rng.standard_normal(leaf.shape, np.float32), shapes)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "checkpoint.npz"
        for _ in range(rounds):
            begin = time.perf_counter()
            checkpoint.save(path, {"params": params, "mu": params, "nu": params}, {})
            seconds.append(time.perf_counter() - begin)
        size = path.stat().st_size
    return f"{size / 1e6:.0f} MB in {statistics.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"


def predict_step(work: Work, parameters: int, count: int, cluster: Cluster) -> dict:
    """Seconds of a step of `count` accelerators, by part: compute, and the sum of float32 gradients, which follows it.

    The sum is a reduce-scatter inside each host, a ring over hosts in which all accelerators of a host share its
    network, and a gather inside: 2 (h - 1) / h bytes / inside + 2 (H - 1) / H bytes / network + latencies, with h
    accelerators in each of H hosts.
    """
    inside, hosts = min(count, cluster.host), -(-count // cluster.host)
    size = 4.0 * parameters
    compute = 3 * count_flop(work) / work.batch * cluster.batch / cluster.flops + cluster.overhead
    total = 2 * (inside - 1) / inside * size / cluster.inside + 2 * (inside - 1) * cluster.latency
    total += 2 * (hosts - 1) / hosts * size / cluster.network + 2 * (hosts - 1) * cluster.latency
    return {"compute": compute, "gradients": total, "step": compute + total}


def format_model(work: Work, cluster: Cluster) -> str:
    frames, _ = make_data(work)
    forecaster = make_forecaster(make_config(work))
    shapes = jax.eval_shape(forecaster.init, jax.random.key(0), frames)
    parameters = sum(leaf.size for leaf in jax.tree.leaves(shapes))
    lines = [
        f"{parameters:,} parameters, {4 * parameters / 1e6:.0f} MB of gradients, "
        f"{cluster.batch} windows an accelerator",
        "| accelerators | global batch | compute, ms | gradients, ms | step, ms | windows/s | efficiency |",
        "|---|---|---|---|---|---|---|",
    ]
    for count in (1, *COUNTS):
        step = predict_step(work, parameters, count, cluster)
        batch, shown = count * cluster.batch, {name: 1000 * seconds for name, seconds in step.items()}
        lines.append(
            f"| {count} | {batch} | {shown['compute']:.1f} | {shown['gradients']:.2f} | {shown['step']:.1f} | "
            f"{batch / step['step']:,.0f} | {step['compute'] / step['step']:.0%} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
