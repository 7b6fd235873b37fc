"""Stacks, each an `hk.RNNCore`, which predict the patches of the next frame from the patches of one frame."""

import inspect
from typing import Any

import haiku as hk

from predjax.cells.context import StepContext
from predjax.messages import suggest
from predjax.models.catalogue import MODELS, load
from predjax.models.config import ModelConfig

# What the stack itself gives its cells: a flag of its own, or what follows from others.
_GIVEN = {"self", "features", "spatial_shape", "kernel_shape", "layer_norm", "cell", "context", "name"}
_GIVEN |= {"kernel_size", "with_action", "points", "r_dim"}


def make_stack(config: ModelConfig, grid: tuple[int, int], context: StepContext | None = None) -> hk.RNNCore:
    """Make the stack of a model on a grid of patches, inside a Haiku function; its cells share the context."""
    return load(config.spec.stack)(config, grid, StepContext() if context is None else context)


def list_options(model_name: str) -> dict[str, Any]:
    """Return the options of a model's cells, and their defaults."""
    spec = MODELS[model_name]
    sources = [load(spec.cell)]
    if spec.stack:
        sources += getattr(load(spec.stack), "around_cells", ())
    found: dict[str, Any] = {}
    for source in sources:
        keywords = inspect.signature(source.__init__).parameters
        found |= {name: keyword.default for name, keyword in keywords.items() if name not in _GIVEN}
    return found


def check_options(config: ModelConfig) -> None:
    """Raise a ValueError for an option that the model's cells do not have, or a value that they refuse."""
    known = list_options(config.model_name)
    for name in config.options:
        if name not in known:
            hint = suggest(name, known)
            raise ValueError(f"cell_options: {config.model_name} has {_list(known)}, not {name!r}{hint}")

    # Cells check their values when they are made; no array is.
    if config.spec.stack:
        hk.transform(lambda: make_stack(config, (1, 1))).init(None)
    else:
        load(config.spec.forecaster)(config)


def _list(options: dict[str, Any]) -> str:
    return ", ".join(f"{name} ({default!r})" for name, default in options.items()) or "no options"
