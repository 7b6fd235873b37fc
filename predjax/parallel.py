"""Devices and processes, which no other module uses directly; an update runs on all of them."""

import ctypes
import functools
import logging
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

AXIS = "replica"
MOST_CALLS = 4  # of a program at once on a CPU
PRODUCTS = {"float32": "highest", "tf32": "tensorfloat32"}  # jax's names of the precision of products
HEARTBEAT_SECONDS = 60  # of silence of a process, after which the others give up

_SLURM, _OPEN_MPI = ("SLURM_NTASKS", "SLURM_PROCID"), ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK")


def find_processes(
    coordinator: str | None, num_processes: int | None, process_id: int | None, environment: Mapping[str, str]
) -> dict | None:
    """Return the arguments of `jax.distributed.initialize`, or None where this process is alone.

    Flags have priority over the environment of `srun` and Open MPI's `mpirun`. Without a coordinator, jax finds it from
    the environment. Errors: ValueError where the coordinator, the number of processes or the place of this process is
    missing.
    """
    launched = next((names for names in (_SLURM, _OPEN_MPI) if all(name in environment for name in names)), None)
    # A batch script itself is no step: it runs alone, however many tasks its job has.
    if launched == _SLURM and "SLURM_STEP_NODELIST" not in environment:
        launched = None
    count, place = (int(environment[name]) for name in launched) if launched else (None, None)
    count = count if num_processes is None else num_processes
    place = place if process_id is None else process_id
    if (count or 1) == 1 and coordinator is None and not process_id:
        return None
    if count is None or place is None or not 0 <= place < count:
        raise ValueError(f"process {place} of {count}: give --num_processes N and --process_id 0 to N - 1")
    if coordinator is None and (launched is None or num_processes is not None or process_id is not None):
        raise ValueError(f"process {place} of {count} needs --coordinator host:port, the same for all")
    if coordinator is None and launched == _OPEN_MPI and "OMPI_MCA_orte_hnp_uri" not in environment:
        raise ValueError("this Open MPI does not say where its first process is: give --coordinator host:port")
    if coordinator is None:
        return {}
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(f"coordinator {coordinator!r} is not host:port")
    return {"coordinator_address": coordinator, "num_processes": count, "process_id": place}


def join_processes(found: Mapping) -> None:
    """Join the other processes, before any array is made; `found` comes from `find_processes`.

    Errors: ValueError where the others do not come, or processes have different numbers of devices.
    """
    try:
        # The chief listens where the others look for it, and not on every interface, as jax would.
        bind = {"coordinator_bind_address": found["coordinator_address"]} if found else {}
        jax.distributed.initialize(**found, **bind, heartbeat_timeout_seconds=HEARTBEAT_SECONDS)
    except RuntimeError as error:
        where = found.get("coordinator_address", "the first process")
        raise ValueError(f"the processes did not come together at {where}: {error}") from error
    # jax catches SIGTERM to tell the others of a preemption; here the training loop does so.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    counts = np.bincount([device.process_index for device in jax.devices()])
    if len(set(counts.tolist())) > 1:
        raise ValueError(f"all processes need the same number of devices, they have {', '.join(map(str, counts))}")
    # Connections between CPUs are made by the first sum: now, because they are given up where one process is half a
    # minute later than another, as after compiling on a busy machine.
    gather(0)


def leave_processes() -> None:
    """Wait for all processes and leave them; arrays of all processes must not be used any more."""
    if count_processes() > 1:
        multihost_utils.sync_global_devices("leave")
        jax.distributed.shutdown()


def end_now(code: int) -> None:
    """End this process without waiting for the others, unlike a normal end."""
    os._exit(code)


def count_processes() -> int:
    """Return the number of processes that train together."""
    return jax.process_count()


def find_place() -> int:
    """Return the number of this process; 0 is the chief, which writes all files."""
    return jax.process_index()


def is_chief() -> bool:
    """Return whether this process is the chief, the only process that writes files and prints."""
    return find_place() == 0


def gather(number: int) -> list[int]:
    """Return the numbers of all processes, in the order of the processes; all of them must call it."""
    if count_processes() == 1:
        return [number]
    return [int(n) for n in np.ravel(multihost_utils.process_allgather(np.asarray(number, np.int32)))]


def choose_devices(count: int = 0) -> list[jax.Device]:
    """Return the first `count` devices of every process, all for 0. Warn if a process has fewer."""
    devices = jax.local_devices()
    if count > len(devices):
        logging.getLogger("predjax").warning(
            "%d devices asked for, %d %s found: going on with these", count, len(devices), devices[0].platform
        )
    by_process = [[d for d in jax.devices() if d.process_index == p] for p in range(count_processes())]
    return [device for devices in by_process for device in devices[: count or None]]


def choose_local() -> list[jax.Device]:
    """Return all devices of this process."""
    return jax.local_devices()


def count_calls(devices: Sequence[jax.Device]) -> int:
    """Return the number of calls of a program to keep under way at once; several on a CPU, as each uses few cores.

    There are no more calls than cores that this process may use, and no more than MOST_CALLS, because each holds
    memory.
    """
    if len(devices) > 1 or devices[0].platform != "cpu":
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST_CALLS)


def find_platform(named: str = "") -> str:
    """Return the platform to compile programs for, such as "cpu": `named` if it is given, else that of the devices."""
    return named or jax.default_backend()


def request_platform(name: str) -> None:
    """Choose the platform of `--device` (`cpu`, `cuda`, `cuda:0`, `gpu`). Warn if it is absent."""
    wanted = {"cuda": "gpu", "rocm": "gpu"}.get(name.split(":")[0], name.split(":")[0])
    if wanted == "cpu":
        jax.config.update("jax_platforms", "cpu")
    elif wanted not in ("", "auto") and jax.default_backend() != wanted:
        logging.getLogger("predjax").warning("--device %s: none here, running on %s", name, jax.default_backend())


def describe(devices: Sequence[jax.Device]) -> str:
    """Describe devices: `4 x cpu`, `8 x NVIDIA H100 in 2 processes`."""
    processes = len({device.process_index for device in devices})
    text = f"{len(devices)} x {devices[0].device_kind}"
    return f"{text} in {processes} processes" if processes > 1 else text


def check_batch(batch_size: int, devices: Sequence[jax.Device]) -> None:
    """Raise a ValueError if the batch does not divide by the devices; pmap would silently use fewer of them."""
    if batch_size % len(devices):
        raise ValueError(f"batch_size {batch_size} does not divide by {len(devices)} devices; change it or --n_gpu")


def in_precision(function: Callable, platform: str, precision: str) -> Callable:
    """Return a function whose convolutions and products of float32 are computed in a precision of PRODUCTS.

    Other precisions leave the function as it is, and so do CPUs, which compute in one precision alone.
    """
    if platform == "cpu" or precision not in PRODUCTS:
        return function

    def run(*arguments: Any) -> Any:
        with jax.default_matmul_precision(PRODUCTS[precision]):
            return function(*arguments)

    return run


def parallelise(update: Callable, devices: Sequence[jax.Device], precision: str = "float32") -> Callable:
    """Run `update(state, frames, forcings, axis_name)` on all devices, in a precision (see `in_precision`).

    The state is replicated and donated, not stacked. The result is a pmapped function of (state, frames (D, B/D, ...),
    forcings (D, B/D, ...) or None, stop (D,) or None). It gives the same on every device, because the update sums
    gradients over the axis. The largest `stop` of all devices is the metric `stop`, so that all processes learn of a
    signal to one of them.
    """

    def run(state: Any, frames: jax.Array, forcings: jax.Array | None, stop: jax.Array | None) -> tuple[Any, dict]:
        state, metrics = update(state, frames, forcings, axis_name=AXIS)
        return state, metrics if stop is None else {**metrics, "stop": jax.lax.pmax(stop, AXIS)}

    return _pmap(run, devices, precision, in_axes=(None, 0, 0, 0), donate_argnums=0)


def compile_update(update: Any, *arguments: Any) -> Any:
    """Compile the result of `parallelise` for arguments like these, and return the compiler's memory to the system."""
    compiled = update.lower(*arguments).compile(choose_options(choose_local()[0].platform))
    return_memory()
    return compiled


def choose_options(platform: str) -> dict[str, Any] | None:
    """Return the options of the compiler for an update, unless the user has set some.

    On CPUs the compiler makes fewer passes over the machine code: compiling takes a fifth less time, and steps are as
    fast. On GPUs matrix products are those of the library: XLA 0.10 has no code of its own (by Triton) for some whose
    inputs it computes on the way, such as gradients of gains of scales, and stops.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    level, triton = "xla_backend_optimization_level", "xla_gpu_enable_triton_gemm"
    if platform == "cpu" and level not in flags and not jax.config.read("jax_disable_most_optimizations"):
        return {level: "1"}
    return {triton: False} if platform in ("gpu", "cuda") and triton not in flags else None


def sum_over(measure: Callable, devices: Sequence[jax.Device], precision: str = "float32") -> Callable:
    """Run `measure(params, frames, forcings, axis_name)`, whose results are sums over samples, on all devices."""

    def run(params: Any, frames: jax.Array, forcings: jax.Array | None) -> Any:
        return jax.lax.psum(measure(params, frames, forcings, AXIS), AXIS)

    return _pmap(run, devices, precision, in_axes=(None, 0, 0))


def _pmap(function: Callable, devices: Sequence[jax.Device], precision: str, **options: Any) -> Any:
    function = in_precision(function, devices[0].platform, precision)
    return jax.pmap(function, axis_name=AXIS, out_axes=None, devices=devices, **options)


def map_samples(function: Callable, devices: Sequence[jax.Device]) -> Callable:
    """Run `function(params, arrays, number)` on arrays `(B, ...)`, with B / D of the samples on each of D devices.

    `number` is static, and B must divide by D. Products are made in float32. The result is an array of numpy.
    """
    function = in_precision(function, devices[0].platform, "float32")
    mapped = jax.pmap(function, in_axes=(None, 0), static_broadcasted_argnums=2, devices=devices)

    def run(params: Any, arrays: Any, number: int) -> Any:
        parts = mapped(params, shard(arrays, devices), number)
        return jax.tree.map(lambda a: np.asarray(a).reshape(a.shape[0] * a.shape[1], *a.shape[2:]), parts)

    return run


def replicate(tree: Any, devices: Sequence[jax.Device]) -> Any:
    """Copy host arrays to every device, so that the first call of an update compiles the same program as the second."""
    return _place(tree, devices, PartitionSpec())


def shard(tree: Any, devices: Sequence[jax.Device]) -> Any:
    """Split arrays `(B, ...)` into `(D, B/D, ...)` and send each part to its device; None stays None.

    The parts may still be on their way when this returns. Each of several processes gives its own part of the batch.
    """
    count = _count_local(devices)
    parts = jax.tree.map(lambda a: a.reshape(count, len(a) // count, *a.shape[1:]), tree)
    return _place(parts, devices, PartitionSpec(AXIS))


def copy_to_each(array: Any, devices: Sequence[jax.Device]) -> Any:
    """Copy an array `(...)` to each device, as `(D, ...)`, so that an array that goes with every shard is sent once."""
    return _place(np.repeat(np.asarray(array)[None], _count_local(devices), 0), devices, PartitionSpec(AXIS))


def _count_local(devices: Sequence[jax.Device]) -> int:
    return sum(device.process_index == find_place() for device in devices)


def _place(tree: Any, devices: Sequence[jax.Device], spec: PartitionSpec) -> Any:
    sharding = NamedSharding(Mesh(np.array(devices), (AXIS,)), spec)
    if all(device.process_index == find_place() for device in devices):
        return jax.device_put(tree, sharding)
    return jax.tree.map(functools.partial(_place_part, sharding), tree)


def _place_part(sharding: NamedSharding, leaf: Any) -> jax.Array:
    """Make an array over all processes from the part that this process has."""
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        data = _place_part(sharding, jax.random.key_data(leaf))
        return jax.random.wrap_key_data(data, impl=jax.random.key_impl(leaf))
    return jax.make_array_from_process_local_data(sharding, np.asarray(leaf))


def return_memory() -> None:
    """Return freed memory of this process to the system, where the C library (glibc) can do so.

    Compiling a program, or loading a compiled one, takes and frees more than 100 MB, which the process would keep.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)
