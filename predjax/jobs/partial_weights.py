"""Weights of another network for a new one, as far as their names and shapes agree."""

import logging
import pathlib
from collections.abc import Mapping
from typing import Any

from predjax.jobs.model_choice import read_weights

LOG = logging.getLogger("predjax")
Weights = Mapping[str, Mapping[str, Any]]  # arrays by module and name


def take_matching(path: pathlib.Path, new: Weights) -> dict[str, dict[str, Any]]:
    """Return new parameters in which a checkpoint replaces every array of the same name and shape.

    A line of the log says of each array whether it is taken, and why not.

    Errors: ValueError, the file holds no weights, or none that fits.
    """
    given = read_weights(path, {})[1]
    params, lines = fit(given, new)
    taken = sum(line.endswith("taken") for line in lines)
    if not taken:
        raise ValueError(f"init_from {path}: no array has the name and the shape of one of this network: {lines[0]}")
    LOG.info("%s: %d of %d arrays are taken", path, taken, sum(map(len, new.values())))
    for line in lines:
        LOG.info("  %s", line)
    return params


def fit(given: Weights, new: Weights) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return new parameters in which given arrays that fit replace their own, and a line about each array of either."""
    params = {module: dict(arrays) for module, arrays in new.items()}
    lines = []
    for module, arrays in new.items():
        for name, array in arrays.items():
            other = given.get(module, {}).get(name)
            if other is None:
                reason = "new: not in the file"
            elif other.shape != array.shape:
                reason = f"new: its shape is {array.shape}, in the file {other.shape}"
            else:
                params[module][name], reason = other, "taken"
            lines.append(f"{module}/{name} {reason}")
    unused = [
        f"{module}/{name}" for module, arrays in given.items() for name in arrays if name not in new.get(module, {})
    ]
    return params, [*lines, *(f"{name} not in this network" for name in unused)]
