"""The options of the computation of a model. This module imports neither jax nor xarray."""

import dataclasses

REMATS = ("none", "step", "cell")
PRECISIONS = ("float32", "tf32", "bfloat16")
CONVOLUTIONS = ("auto", "direct", "winograd")


@dataclasses.dataclass(frozen=True)
class Execution:
    """The options of the computation of a model. They change its results by rounding errors alone."""

    # The convolutions that the backward pass computes again instead of keeping their results: "none", all of a "step",
    # or half of them in bytes, in the upper "cell"s.
    remat: str = "none"
    # Of convolutions and matrix products: "float32" has all 24 bits, "tf32" lets GPUs round inputs to 11 bits
    # (`parallel.in_precision`), "bfloat16" rounds them to 8. Parameters, states and the loss stay float32.
    precision: str = "float32"
    convolution: str = "auto"  # or for measurements one implementation, "direct" or "winograd" (where it exists)
    # The platform to compile for, "cpu", "gpu" ...; empty: that of the devices of this process
    platform: str = ""

    def __post_init__(self) -> None:
        allowed = {"remat": REMATS, "precision": PRECISIONS, "convolution": CONVOLUTIONS}
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise ValueError(f"{name} {getattr(self, name)!r} is not one of {', '.join(values)}")
