"""What every stack gives."""

from typing import Any, NamedTuple

import jax


class StackOutput(NamedTuple):
    """`features`: the predicted patches `(B, h, w, p p C)`; `penalty`: a scalar for the loss; `increments`: what the
    step adds to the memories of all layers, each `(L, B, h, w, F)`, of stacks that decouple memories, else None."""

    features: jax.Array
    penalty: jax.Array
    increments: Any = None
