"""A network that predicts the change of the input frame."""

from collections.abc import Callable
from typing import Any

import jax

from predjax.models.config import ModelConfig
from predjax.models.stacks.base import StackOutput
from predjax.models.wrappers.network import Network


def add_frame(network: Network, config: ModelConfig) -> Network:
    """Add the input frame to the output of the network, so that an output of zeros forecasts persistence."""

    def add(run: Callable) -> Callable:
        def wrapped(features: jax.Array, state: Any) -> tuple[StackOutput, Any]:
            output, state = run(features, state)
            return output._replace(features=features[..., : config.output_features] + output.features), state

        return wrapped

    return network._replace(step=add(network.step), unroll=add(network.unroll))
