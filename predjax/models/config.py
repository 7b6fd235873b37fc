"""What a model is: everything that must be known to build it again. Imports neither jax nor xarray."""

import dataclasses
import difflib
from dataclasses import field

from predjax.flags import flag
from predjax.models.scaling import Scaling

MODELS = {
    "predrnn": "PredRNN (Wang et al. 2017)",
    "predrnn_v2": "PredRNN-V2: PredRNN with decoupled memories (Wang et al. 2022)",
    "action_cond_predrnn": "action-conditioned PredRNN (Wang et al. 2022)",
    "action_cond_predrnn_v2": "action-conditioned PredRNN-V2 (Wang et al. 2022)",
}

REMATS = ("none", "step", "cell")
PRECISIONS = ("float32", "bfloat16")
CONVOLUTIONS = ("auto", "direct", "winograd")


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """A model and the frames it takes; travels in every checkpoint."""

    model_name: str = flag("predrnn_v2", f"one of {', '.join(MODELS)}", metavar="NAME")
    num_hidden: tuple[int, ...] = flag((64, 64, 64, 64), "features of each layer", metavar="N,N,...")
    filter_size: int = flag(5, "kernel size of the recurrent convolutions, odd", metavar="K")
    stride: int = flag(1, "stride of the recurrent convolutions; 1 only", metavar="1")
    patch_size: int = flag(4, "p x p pixels become the features of one patch", metavar="P")
    layer_norm: bool = flag(False, "layer norm with parameters per element: ties the model to its grid", metavar="0|1")
    input_length: int = flag(10, "observed frames", metavar="FRAMES")
    total_length: int = flag(20, "observed and predicted frames of a window", metavar="FRAMES")
    img_width: int = flag(0, "checked against the frames (or the crop); 0 takes what comes", metavar="PIXELS")
    img_channel: int = flag(1, "channels of a frame, checked against the data", metavar="C")
    decouple_beta: float = flag(0.1, "weight of memory decoupling in the loss of the V2 models", metavar="BETA")
    conv_on_input: bool = flag(False, "action models: strided convolutions before and after the stack", metavar="0|1")
    res_on_conv: bool = flag(False, "action models: skips around the stack; needs conv_on_input", metavar="0|1")
    num_action_ch: int = flag(0, "forcing channels, checked against the data", metavar="A")
    coverage_channel: bool = flag(False, "show the network which pixels have coverage", metavar="0|1")
    scaling: Scaling = field(default=Scaling())

    def __post_init__(self):
        if self.model_name not in MODELS:
            near = difflib.get_close_matches(self.model_name, MODELS, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"model_name {self.model_name!r} is not one of {', '.join(MODELS)}{hint}")
        _check(self.num_hidden and min(self.num_hidden) > 0, "num_hidden", self.num_hidden, "positive")
        if len(set(self.num_hidden)) > 1:
            raise ValueError(
                f"num_hidden {','.join(map(str, self.num_hidden))}: one memory passes through all layers of "
                f"{self.model_name}, so all must be equal"
            )
        _check(self.filter_size > 0 and self.filter_size % 2, "filter_size", self.filter_size, "odd and positive")
        _check(self.stride == 1, "stride", self.stride, "1")
        _check(self.patch_size > 0, "patch_size", self.patch_size, "positive")
        _check(self.img_channel > 0, "img_channel", self.img_channel, "positive")
        _check(self.img_width >= 0, "img_width", self.img_width, "positive, or 0")
        _check(self.input_length > 0, "input_length", self.input_length, "positive")
        if self.total_length <= self.input_length:
            raise ValueError(f"total_length {self.total_length} must be greater than input_length {self.input_length}")
        if self.conv_on_input and self.num_hidden[0] % 2:
            raise ValueError(f"conv_on_input halves num_hidden, got {self.num_hidden[0]}")
        if self.res_on_conv and not self.conv_on_input:
            raise ValueError("res_on_conv 1 needs conv_on_input 1")
        if not self.with_action and (self.conv_on_input or self.num_action_ch):
            raise ValueError(
                f"conv_on_input, res_on_conv and num_action_ch belong to the action-conditioned models, not to "
                f"{self.model_name}"
            )
        if self.with_action and self.num_action_ch < 1:
            raise ValueError(f"{self.model_name} needs forcings (actions): num_action_ch is {self.num_action_ch}")

    @property
    def with_action(self) -> bool:
        return self.model_name.startswith("action_cond")

    @property
    def decoupled(self) -> bool:
        return self.model_name.endswith("_v2")


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


@dataclasses.dataclass(frozen=True)
class SamplingConfig:
    """The schedules; steps count iterations from 1. None: in proportion to max_iterations, as the published runs."""

    reverse_scheduled_sampling: bool = flag(
        True, "sample the encoder's inputs as well (always so in the action models)", metavar="0|1"
    )
    r_sampling_step_1: float | None = flag(
        None, "reverse: end of the constant first part (5/16 of max_iterations)", metavar="STEP"
    )
    r_sampling_step_2: float | None = flag(None, "reverse: end of the schedule (5/8 of max_iterations)", metavar="STEP")
    r_exp_alpha: float | None = flag(
        None, "reverse: time constant of the exponential (1/32 of max_iterations)", metavar="STEPS"
    )
    scheduled_sampling: bool = flag(True, "0: the forecaster never sees the truth in training", metavar="0|1")
    sampling_stop_iter: float | None = flag(
        None, "forward: no true inputs from here on (5/8 of max_iterations)", metavar="STEP"
    )
    sampling_start_value: float = flag(1.0, "forward: first probability of a true input", metavar="P")
    sampling_changing_rate: float | None = flag(
        None, "forward: loss of probability an iteration (by default it reaches 0 at the stop)", metavar="RATE"
    )

    def resolve(self, max_iterations: int) -> "SamplingConfig":
        """Fills in what was left to be chosen, with the proportions of PredRNN-V2's Moving-MNIST run."""

        def given(value, fraction):
            return fraction * max_iterations if value is None else value

        stop = given(self.sampling_stop_iter, 5 / 8)
        rate = self.sampling_changing_rate
        return dataclasses.replace(
            self,
            r_sampling_step_1=given(self.r_sampling_step_1, 5 / 16),
            r_sampling_step_2=given(self.r_sampling_step_2, 5 / 8),
            r_exp_alpha=given(self.r_exp_alpha, 1 / 32),
            sampling_stop_iter=stop,
            sampling_changing_rate=self.sampling_start_value / max(stop, 1) if rate is None else rate,
        )


def _check(holds, name, value, rule):
    if not holds:
        shown = ",".join(map(str, value)) if isinstance(value, tuple) else value
        raise ValueError(f"{name} must be {rule}, got {shown}")
