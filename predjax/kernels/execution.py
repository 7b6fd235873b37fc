"""The options of the computation of a model. This module imports neither jax nor xarray."""

import dataclasses

REMATS = ("none", "step", "cell")
PRECISIONS = ("float32", "bfloat16")
CONVOLUTIONS = ("auto", "direct", "winograd")


@dataclasses.dataclass(frozen=True)
class Execution:
    """The options of the computation of a model, which change its results by rounding alone."""

    # The convolutions that the backward pass computes again instead of keeping their results: "none", all of a "step",
    # or half of them in bytes, in the upper "cell"s.
    remat: str = "none"
    # "bfloat16" rounds the inputs of convolutions and matrix products; parameters, states and the loss stay float32.
    precision: str = "float32"
    convolution: str = "auto"  # or for measurements one implementation, "direct" or "winograd" (where it exists)
    # The platform to compile for, "cpu", "gpu" ...; empty: that of the devices of this process
    platform: str = ""

    def __post_init__(self) -> None:
        allowed = {"remat": REMATS, "precision": PRECISIONS, "convolution": CONVOLUTIONS}
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise ValueError(f"{name} {getattr(self, name)!r} is not one of {', '.join(values)}")
