"""What a window is unrolled with: a stack, bare or wrapped."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from predjax.models.stacks.base import StackOutput


class Network(NamedTuple):
    """A recurrent network over patches, inside a Haiku function.

    begin(observed) -> the state before the first step of scaled frames `(B, T, H, W, C)`, of which `observed` are the
      first, NaN = no coverage. In a sequence task there are none of them.
    step(features (B, h, w, F), state) -> (`StackOutput`, state). The first features are those of the frame.
    unroll(features (B, T, h, w, F), state) -> the same for all steps at once, of stacks that can.
    """

    begin: Callable[[jax.Array], Any]
    step: Callable[[jax.Array, Any], tuple[StackOutput, Any]]
    unroll: Callable[[jax.Array, Any], tuple[StackOutput, Any]]


def make_bare(stack: Any) -> Network:
    """Make the network of a stack alone."""

    def begin(observed: jax.Array) -> Any:
        return stack.initial_state(len(observed))

    def unroll(features: jax.Array, state: Any) -> tuple[StackOutput, Any]:
        return stack.unroll(features, state)

    return Network(begin, stack, unroll)
