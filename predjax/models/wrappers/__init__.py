"""Wrappers, which turn the output of a stack into the next frame: functions from one `Network` to another."""

from predjax.cells.context import StepContext
from predjax.models.config import ModelConfig
from predjax.models.stacks import make_stack
from predjax.models.wrappers.network import Network, make_bare
from predjax.models.wrappers.residual import add_frame
from predjax.models.wrappers.scale_gains import extend_frame


def make_network(config: ModelConfig, grid: tuple[int, int], context: StepContext | None = None) -> Network:
    """Make the stack of a model and its wrapper, inside a Haiku function."""
    network = make_bare(make_stack(config, grid, context))
    if config.scales:
        return extend_frame(network, config)
    return add_frame(network, config) if config.residual else network
