"""How a model is computed. Imports neither jax nor xarray."""

import dataclasses

REMATS = ("none", "step", "cell")
PRECISIONS = ("float32", "bfloat16")
CONVOLUTIONS = ("auto", "direct", "winograd")


@dataclasses.dataclass(frozen=True)
class Execution:
    """How a model is computed; what it computes stays the same.

    remat: which convolutions the backward pass computes again instead of keeping their results: "none", those of
      every "step", or those of the upper "cell"s alone, half of them.
    precision: "bfloat16" rounds what goes into convolutions and matrix products; parameters, states and the loss
      stay float32.
    convolution: "auto", or one implementation for measurements, "direct" or "winograd" (where it exists).
    """

    remat: str = "none"
    precision: str = "float32"
    convolution: str = "auto"

    def __post_init__(self):
        allowed = {"remat": REMATS, "precision": PRECISIONS, "convolution": CONVOLUTIONS}
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise ValueError(f"{name} {getattr(self, name)!r} is not one of {', '.join(values)}")
