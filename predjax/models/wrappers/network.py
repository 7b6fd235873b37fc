"""The network that is unrolled over a window: a stack with or without a wrapper."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from predjax.models.stacks.base import StackOutput


class Network(NamedTuple):
    """A recurrent network over patches, inside a Haiku function.

    begin(observed) -> the state before the first step. `observed` are the first scaled frames `(B, T, H, W, C)` of the
      window, NaN = no coverage; a sequence task has none.
    step(features (B, h, w, F), state) -> (`StackOutput`, state). The features of the frame come first.
    unroll(features (B, T, h, w, F), state) -> the same for all steps at once, for stacks that have this.
    """

    begin: Callable[[jax.Array], Any]
    step: Callable[[jax.Array, Any], tuple[StackOutput, Any]]
    unroll: Callable[[jax.Array, Any], tuple[StackOutput, Any]]


def make_bare(stack: Any) -> Network:
    """Make the network of a stack without a wrapper."""

    def begin(observed: jax.Array) -> Any:
        return stack.initial_state(len(observed))

    def unroll(features: jax.Array, state: Any) -> tuple[StackOutput, Any]:
        return stack.unroll(features, state)

    return Network(begin, stack, unroll)
