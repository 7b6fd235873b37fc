"""The check of given parameters against those that a configuration needs, before anything is built."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from predjax.kept import keep, read_kept
from predjax.models.config import ModelConfig
from predjax.models.forecaster import make_forecaster

# The patches along the side of the frames of which shapes are found: axes that differ follow the size of the frames, as
# those of layer norm and of the peepholes of MIM do.
_PATCHES = 16, 24
_BUILD_ERRORS = (ValueError, TypeError, OverflowError, MemoryError, RecursionError, ArithmeticError, LookupError)


def check_parameters(config: ModelConfig, params: Mapping[str, Mapping[str, np.ndarray]], networks: int = 1) -> None:
    """Check the names, shapes, types and values of parameters `{module: {name: array}}`.

    With several `networks` the first axis of every array is that of the networks.

    Errors: ValueError, one line: a parameter that is missing, unknown, of another shape, not of real numbers or not
    finite; or a configuration of which nothing can be built.
    """
    given = {f"{module}/{name}": array for module, arrays in params.items() for name, array in arrays.items()}
    for name, array in given.items():
        if array.dtype.kind != "f":
            raise ValueError(f"the parameter {name} must be real numbers, found {array.dtype}")
        if not np.isfinite(array).all():
            raise ValueError(f"the parameter {name} holds {array[~np.isfinite(array)].flat[0]}")
    if len(config.num_hidden) > len(given):
        raise ValueError(f"num_hidden has {len(config.num_hidden)} layers, there are {len(given)} parameters")
    needed, other = _find_shapes(config, _PATCHES[0]), None
    for name in sorted(given.keys() ^ needed.keys()):
        raise ValueError(f"the parameter {name} is {'unknown to the model' if name in given else 'missing'}")
    for name, shape in needed.items():
        found = given[name].shape
        expected = shape if networks == 1 else (networks, *shape)
        if found == expected:
            continue
        other = other or _find_shapes(config, _PATCHES[1])
        free = [False] * (len(expected) - len(shape)) + [one != two for one, two in zip(shape, other[name])]
        if len(found) != len(expected) or any(a != b and not any_size for a, b, any_size in zip(found, expected, free)):
            raise ValueError(f"the parameter {name} has the shape {found}, the model needs {expected}")


def _find_shapes(config: ModelConfig, patches: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all parameters by name, for frames of `patches` patches a side; nothing is computed.

    Finding them takes as long as tracing the network, so they are kept.
    """
    key = [dataclasses.asdict(config), patches]
    if kept := read_kept("shapes", key):
        return {name: tuple(shape) for name, shape in json.loads(kept).items()}
    side = 1 if config.spec.forecaster else config.patch_size * patches
    frames = jax.ShapeDtypeStruct((1, config.total_length, side, side, config.img_channel), np.float32)
    forcings: Any = None
    if config.num_action_ch:
        forcings = jax.ShapeDtypeStruct((1, config.total_length, config.num_action_ch), np.float32)
    try:
        found = jax.eval_shape(make_forecaster(config).init, jax.random.key(0), frames, forcings)
    except _BUILD_ERRORS as error:
        reason = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise ValueError(f"its configuration gives no model ({reason})") from None
    shapes = {f"{module}/{name}": x.shape for module, group in found.items() for name, x in group.items()}
    keep("shapes", key, json.dumps(shapes).encode())
    return shapes
