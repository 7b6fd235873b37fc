"""The only module that knows devices: how one update runs on all of them."""

import functools
import logging

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

AXIS = "replica"


def choose_devices(count: int = 0) -> list:
    """The first `count` local devices, all of them for 0; asking for more than there are goes on with a remark."""
    devices = jax.local_devices()
    if count > len(devices):
        logging.getLogger("predjax").warning(
            "%d devices asked for, %d %s found: going on with these", count, len(devices), devices[0].platform
        )
    return devices[: count or None]


def request_platform(name: str) -> None:
    """What `--device` asks for (`cpu`, `cuda`, `cuda:0`, `gpu`); what is absent is said and the run goes on."""
    wanted = {"cuda": "gpu", "rocm": "gpu"}.get(name.split(":")[0], name.split(":")[0])
    if wanted == "cpu":
        jax.config.update("jax_platforms", "cpu")
    elif wanted not in ("", "auto") and jax.default_backend() != wanted:
        logging.getLogger("predjax").warning("--device %s: none here, running on %s", name, jax.default_backend())


def describe(devices) -> str:
    """`4 x cpu`."""
    return f"{len(devices)} x {devices[0].device_kind}"


def check_batch(batch_size: int, devices) -> None:
    """pmap would silently use fewer devices for a batch that does not divide."""
    if batch_size % len(devices):
        raise ValueError(f"batch_size {batch_size} does not divide by {len(devices)} devices; change it or --n_gpu")


def parallelise(update, devices):
    """`update(state, frames, forcings, axis_name)` on all devices: the state is replicated and donated, not stacked.

    Returns a pmapped function of (state, frames (D, B/D, ...), forcings (D, B/D, ...) or None) whose result is the
    same on every device, because the update sums gradients over the axis itself.
    """
    return jax.pmap(
        functools.partial(update, axis_name=AXIS),
        axis_name=AXIS,
        in_axes=(None, 0, 0),
        out_axes=None,
        donate_argnums=0,
        devices=devices,
    )


def replicate(tree, devices):
    """Places host arrays on every device once, so that the first call and the second compile the same."""
    return _place(tree, devices, PartitionSpec())


def shard(array, devices):
    """`(B, ...)` to `(D, B/D, ...)`, each part on its way to its device when this returns; None stays None."""
    if array is None:
        return None
    return _place(array.reshape(len(devices), -1, *array.shape[1:]), devices, PartitionSpec(AXIS))


def copy_to_each(array, devices):
    """`(...)` to `(D, ...)`, a copy on each device: what goes with every shard is sent once."""
    return _place(np.repeat(array[None], len(devices), 0), devices, PartitionSpec(AXIS))


def _place(tree, devices, spec):
    return jax.device_put(tree, NamedSharding(Mesh(np.array(devices), (AXIS,)), spec))
