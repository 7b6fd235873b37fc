"""The output of every stack."""

from typing import NamedTuple

import jax


class StackOutput(NamedTuple):
    """The output of a step.

    features: the predicted patches `(B, h, w, p p C)`, or features from which a wrapper makes the patches.
    penalty: a scalar that is added to the loss.
    increments: (delta_c, delta_m) that the step adds to the memories of all layers, each `(L, B, h, w, F)`; () of
      stacks without such memories.
    """

    features: jax.Array
    penalty: jax.Array
    increments: tuple = ()
