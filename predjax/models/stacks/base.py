"""The output of every stack."""

from typing import NamedTuple

import jax


class StackOutput(NamedTuple):
    """The output of a step."""

    features: jax.Array  # the predicted patches `(B, h, w, p p C)`, or features from which a wrapper makes the patches
    penalty: jax.Array  # a scalar that is added to the loss
    # (delta_c, delta_m), which the step adds to the memories of all L layers, each `(L, B, h, w, F)`; () without these.
    increments: tuple = ()
