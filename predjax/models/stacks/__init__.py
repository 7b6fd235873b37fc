"""Stacks over patches, each an `hk.RNNCore`: what turns one patched frame into the prediction of the next."""

import inspect
from typing import Any

import haiku as hk

from predjax.cells import CELLS, CausalLSTM, Physical
from predjax.cells.context import StepContext
from predjax.cells.mim import MIMBlock
from predjax.messages import suggest
from predjax.models.catalogue import MODELS, PARALLEL
from predjax.models.config import ModelConfig
from predjax.models.stacks.layered import Layered
from predjax.models.stacks.mim import MIMStack
from predjax.models.stacks.physical import PhysicalStack
from predjax.models.stacks.predrnn import PredRNN
from predjax.models.stacks.predrnn_pp import PredRNNPP
from predjax.models.stacks.state_space import Block, StateSpaceStack
from predjax.models.tidhy import configure_tidhy, list_tidhy_options

STACKS = {
    **dict.fromkeys((name for name in MODELS if name != "tidhy"), Layered),  # tidhy is no stack
    **dict.fromkeys(PARALLEL, StateSpaceStack),
    **dict.fromkeys(("predrnn", "predrnn_v2", "action_cond_predrnn", "action_cond_predrnn_v2"), PredRNN),
    "predrnn_pp": PredRNNPP,
    "mim": MIMStack,
    "physical": PhysicalStack,
}
# What the stack itself gives its cells: a flag of its own, or what follows from others.
_GIVEN = ("self", "features", "spatial_shape", "kernel_shape", "layer_norm", "cell", "context", "name", "points")


def make_stack(config: ModelConfig, grid: tuple[int, int], context: StepContext | None = None) -> hk.RNNCore:
    """The stack of a model on a grid of patches, inside a Haiku function; its cells share the context."""
    return STACKS[config.model_name](config, grid, StepContext() if context is None else context)


def list_options(model_name: str) -> dict:
    """The options of a model's cells and their defaults."""
    if model_name == "tidhy":
        return list_tidhy_options()
    stack = STACKS[model_name]
    if stack is PredRNN:
        return {}
    sources = [{PredRNNPP: CausalLSTM, MIMStack: MIMBlock, PhysicalStack: Physical}.get(stack) or CELLS[model_name]]
    if stack is StateSpaceStack:
        sources.append(Block)
    found: dict[str, Any] = {}
    for source in sources:
        made_with = inspect.signature(source.__init__).parameters  # type: ignore[misc]  # of the class itself
        found |= {n: p.default for n, p in made_with.items() if n not in _GIVEN}
    return found


def check_options(config: ModelConfig) -> None:
    """ValueError for an option that the model's cells do not have, or for a value that does not do."""
    known = list_options(config.model_name)
    for name in config.options:
        if name not in known:
            hint = suggest(name, known)
            raise ValueError(f"cell_options: {config.model_name} has {_list(known)}, not {name!r}{hint}")

    if config.model_name == "tidhy":
        configure_tidhy(config)
        return

    def make() -> None:  # cells check their values then; no array is made
        make_stack(config, (1, 1))

    hk.transform(make).init(None)


def _list(options: dict) -> str:
    return ", ".join(f"{name} ({default!r})" for name, default in options.items()) or "no options"
