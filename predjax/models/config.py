"""The configuration of a model: all that is needed to build it again. Imports neither jax nor xarray."""

import dataclasses
import json
from dataclasses import field
from typing import Any

from predjax.flags import flag
from predjax.messages import suggest
from predjax.models.catalogue import MODELS, ModelSpec
from predjax.models.scaling import Scaling

TASKS = ("forecast", "sequence")
TEACHER_FORCINGS = ("scheduled", "steps", "parallel")
COORDINATES = ("fixed", "moving")
MOST_FRAMES = 10**6  # of a window: more is no window, but a mistake or a damaged file
LOSSES = ("mse", "balanced", "quantile", "crps")


def find_spec(model_name: str) -> ModelSpec:
    """Return the entry of `MODELS` for a name. Errors: ValueError for an unknown name."""
    if model_name not in MODELS:
        hint = suggest(str(model_name), MODELS)
        raise ValueError(f"model_name {model_name!r} is not one of {', '.join(MODELS)}{hint}")
    return MODELS[model_name]


def list_models(ability: str) -> list[str]:
    """Return the names of the models whose `ModelSpec` has an ability, such as "layer_norm"."""
    return [name for name, spec in MODELS.items() if getattr(spec, ability)]


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """A model and the frames that it takes, which every checkpoint holds."""

    model_name: str = flag("predrnn_v2", "the model; predjax models lists them", metavar="NAME", completed=(*MODELS,))
    num_hidden: tuple[int, ...] = flag((64, 64, 64, 64), "features of each layer", metavar="N,N,...")
    filter_size: int = flag(5, "side of the recurrent kernels in patches, odd", metavar="K")
    stride: int = flag(1, "stride of the recurrent convolutions; 1 only", metavar="1")
    patch_size: int = flag(4, "side of a patch, whose pixels become features, in pixels", metavar="PIXELS")
    layer_norm: bool = flag(False, "1: layer norm with parameters per element, tied to the grid", metavar="0|1")
    input_length: int = flag(10, "observed frames", metavar="FRAMES")
    total_length: int = flag(20, "observed and predicted frames of a window", metavar="FRAMES")
    task: str = flag(
        "forecast", "sequence: every frame from the forcings up to it, none observed (input_length 0)", choices=TASKS
    )
    img_width: int = flag(0, "width, checked against the frames (or the crop); 0 takes any", metavar="PIXELS")
    img_channel: int = flag(1, "channels of a frame, checked against the data", metavar="C")
    cell_options: str = flag(
        "", "options of the model's cells, see predjax models (default: theirs)", metavar="JSON", kind="json"
    )
    decouple_beta: float = flag(0.1, "weight of memory decoupling in the loss of the V2 models", metavar="BETA")
    conv_on_input: bool = flag(False, "action models (1 there): strided convolutions around the stack", metavar="0|1")
    res_on_conv: bool = flag(False, "action models (1 there): skips; needs conv_on_input", metavar="0|1")
    num_action_ch: int = flag(0, "forcing channels, checked against the data", metavar="A")
    coverage_channel: bool = flag(False, "1: shows the network which pixels have coverage", metavar="0|1")
    coordinates: str = flag(
        "fixed",
        "moving: frames go in and come out moving with the observed rain (default: moving for rain, else fixed)",
        choices=COORDINATES,
    )
    residual: bool = flag(
        False, "1: the frame that goes in is added to the output (default: 1 for rain, else 0)", metavar="0|1"
    )
    scales: int = flag(
        0,
        "with residual: number of scales of the input, each extrapolated as the observed frames go, with gains by the "
        "network; 0: the input stays as it is (default: 6 for rain, else 0)",
        metavar="SCALES",
    )
    loss: str = flag(
        "mse",
        "balanced: squared and absolute errors, weighted by the rain; quantile: another quantile for each rain rate; "
        "crps: CRPS of drawn members, also of means over areas and time; needs --noise",
        choices=LOSSES,
    )
    loss_members: int = flag(2, "members that are drawn for loss crps, 2 or more", metavar="M")
    noise: float = flag(
        0.0, "size of the noise in the features of each layer, so that members can be drawn; 0.1 is usual", metavar="F"
    )
    matching: float = flag(
        0.0,
        "share of probability matching of forecasts to the newest frame, 0 to 1 (default: 1 for rain in moving "
        "coordinates with loss mse, else 0)",
        metavar="WEIGHT",
    )
    scaling: Scaling = field(default=Scaling())
    forcing_scaling: Scaling = field(default=Scaling())

    def __post_init__(self) -> None:
        spec = find_spec(self.model_name)
        _check(self.num_hidden and min(self.num_hidden) > 0, "num_hidden", self.num_hidden, "positive")
        if len(set(self.num_hidden)) > 1 and spec.one_width:
            reason = f"{spec.one_width} of {self.model_name}, so all must be equal"
            raise ValueError(f"num_hidden {','.join(map(str, self.num_hidden))}: {reason}")
        if len(self.num_hidden) < spec.least_layers:
            raise ValueError(f"num_hidden {self.num_hidden[0]}: {self.model_name} needs at least two layers")
        if self.layer_norm and not spec.layer_norm:
            able = ", ".join(list_models("layer_norm"))
            raise ValueError(f"layer_norm 1 belongs to {able}, not to {self.model_name}")
        object.__setattr__(self, "cell_options", order_options(self.cell_options))
        _check(self.filter_size > 0 and self.filter_size % 2, "filter_size", self.filter_size, "odd and positive")
        _check(self.stride == 1, "stride", self.stride, "1")
        _check(self.patch_size > 0, "patch_size", self.patch_size, "positive")
        _check(self.img_channel > 0, "img_channel", self.img_channel, "positive")
        _check(self.img_width >= 0, "img_width", self.img_width, "positive, or 0")
        self._check_task()
        for name, values in (("coordinates", COORDINATES), ("loss", LOSSES)):
            _check(getattr(self, name) in values, name, getattr(self, name), f"one of {', '.join(values)}")
        _check(0 <= self.scales <= 8, "scales", self.scales, "from 0 to 8")
        _check(self.residual or not self.scales, "scales", self.scales, "0 without residual 1")
        _check(0 <= self.matching <= 1, "matching", self.matching, "from 0 to 1")
        _check(self.loss_members >= 2, "loss_members", self.loss_members, "2 or more")
        _check(self.noise >= 0, "noise", self.noise, "0 or positive")
        if self.loss == "crps" and not self.draws:
            raise ValueError(f"loss crps needs members that differ, {self.model_name} draws none: give --noise 0.1")
        _check(self.total_length <= MOST_FRAMES, "total_length", self.total_length, f"at most {MOST_FRAMES} frames")
        if self.total_length <= self.input_length:
            raise ValueError(f"total_length {self.total_length} must be greater than input_length {self.input_length}")
        if self.conv_on_input and self.num_hidden[0] % 2:
            raise ValueError(f"conv_on_input halves num_hidden, got {self.num_hidden[0]}")
        if self.res_on_conv and not self.conv_on_input:
            raise ValueError("res_on_conv 1 needs conv_on_input 1")
        if self.conv_on_input and not spec.action:
            raise ValueError(f"conv_on_input belongs to the action-conditioned models, not to {self.model_name}")
        if self.num_action_ch and not spec.forcings:
            hint = f", {spec.with_forcings} does" if spec.with_forcings else ""
            raise ValueError(f"{self.model_name} takes no forcings{hint}")
        if spec.action and self.num_action_ch < 1:
            raise ValueError(f"{self.model_name} needs forcings (actions): num_action_ch is {self.num_action_ch}")

    def _check_task(self) -> None:
        spec = self.spec
        if self.task not in TASKS:
            raise ValueError(f"task {self.task!r} is not one of {', '.join(TASKS)}")
        if spec.one_layer:
            _check(len(self.num_hidden) == 1, "num_hidden", self.num_hidden, f"one number, {spec.one_layer}")
        for name, (value, rule) in spec.only.items():
            _check(getattr(self, name) == value, name, getattr(self, name), rule)
        if self.sequence or not spec.stack:
            for name in ("coordinates", "residual", "scales", "loss", "matching"):
                usual = getattr(ModelConfig, name)
                possible = [usual, "crps"] if name == "loss" and spec.stack else [usual]
                rule = f"{' or '.join(map(str, possible))} for {self.model_name}"
                _check(getattr(self, name) in possible, name, getattr(self, name), rule)
        if not self.sequence:
            _check(self.input_length > 0, "input_length", self.input_length, "positive")
            return
        _check(self.input_length == 0, "input_length", self.input_length, "0: a sequence task observes no frame")
        if not spec.sequence:
            raise ValueError(f"{self.model_name} reads frames; task sequence is for models that can do without")
        if self.num_action_ch < 1:
            raise ValueError("task sequence reads forcings alone: num_action_ch is 0, give --forcings")
        if self.coverage_channel:
            raise ValueError("coverage_channel 1 shows the coverage of frames, a sequence task reads none")

    @property
    def sequence(self) -> bool:
        """Whether the task is to predict every frame from the forcings alone."""
        return self.task == "sequence"

    @property
    def spec(self) -> ModelSpec:
        """The entry of `MODELS` for the name of the model."""
        return MODELS[self.model_name]

    @property
    def sampled(self) -> bool:
        """Whether training can choose at random between true frames and predictions as inputs."""
        return bool(self.spec.stack) and not self.sequence

    @property
    def draws(self) -> bool:
        """Whether forecasts with different random keys differ."""
        return bool(self.noise or self.options.get(self.spec.random_option))

    @property
    def moving(self) -> bool:
        """Whether the frames of input and output are in coordinates that move with the rain."""
        return self.coordinates == "moving"

    @property
    def output_features(self) -> int:
        """The number of features of a predicted patch."""
        return self.patch_size**2 * self.img_channel

    @property
    def head_features(self) -> int:
        """The number of features that a stack gives for a patch: pixels, or two gains per scale and channel."""
        return 2 * self.scales * self.img_channel or self.output_features

    @property
    def options(self) -> dict:
        """`cell_options` as a dict."""
        return json.loads(self.cell_options or "{}")

    @property
    def size_text(self) -> str:
        """The layers in words."""
        if len(set(self.num_hidden)) == 1:
            return f"{len(self.num_hidden)} x {self.num_hidden[0]} features"
        return f"layers of {', '.join(map(str, self.num_hidden))} features"


_LINEAR = ", ".join(list_models("linear"))


@dataclasses.dataclass(frozen=True)
class SamplingConfig:
    """The schedules of sampling. Steps count iterations from 1; None is a fixed part of max_iterations."""

    teacher_forcing: str = flag(
        "scheduled",
        f"steps: every input is the true frame; parallel: the same, all steps at once ({_LINEAR})",
        choices=TEACHER_FORCINGS,
    )
    reverse_scheduled_sampling: bool = flag(
        True, "1: samples the encoder's inputs as well (always so in the action models)", metavar="0|1"
    )
    r_sampling_step_1: float | None = flag(
        None, "reverse: end of the constant first part (default: 5/16 of max_iterations)", metavar="STEP"
    )
    r_sampling_step_2: float | None = flag(None, "reverse: the end (default: 5/8 of max_iterations)", metavar="STEP")
    r_exp_alpha: float | None = flag(
        None, "reverse: time constant of the exponential (default: 1/32 of max_iterations)", metavar="STEP"
    )
    scheduled_sampling: bool = flag(True, "0: the forecaster never sees the truth in training", metavar="0|1")
    sampling_stop_iter: float | None = flag(
        None, "forward: no true inputs from here on (default: 5/8 of max_iterations)", metavar="STEP"
    )
    sampling_start_value: float = flag(1.0, "forward: first probability of a true input, 0 to 1", metavar="P")
    sampling_changing_rate: float | None = flag(
        None, "forward: loss of probability an iteration (default: so that it is 0 at the stop)", metavar="RATE"
    )

    def check_model(self, model_name: str) -> None:
        """Raise a ValueError if the model of this name cannot be trained with this sampling."""
        if self.teacher_forcing == "parallel" and not MODELS[model_name].linear:
            raise ValueError(
                f"teacher_forcing parallel needs a model that is linear in time ({_LINEAR}), "
                f"{model_name} is not: steps does the same one by one"
            )

    def resolve(self, max_iterations: int) -> "SamplingConfig":
        """Fill in the fields that are None, with the proportions of PredRNN-V2's Moving-MNIST run."""

        def given(value: float | None, fraction: float) -> float:
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


def with_usual(values: dict) -> dict:
    """Return fields of a `ModelConfig`, completed by the usual values of the model and of the task."""
    name = values.get("model_name", ModelConfig.model_name)
    spec = find_spec(name)
    values = {**spec.usual, **values}
    if values.get("task") == "sequence":
        values.setdefault("input_length", 0)
    if spec.action:
        values.setdefault("conv_on_input", True)
        values.setdefault("res_on_conv", values["conv_on_input"])
    return values


def with_usual_for_rain(values: dict) -> dict:
    """Return fields of a `ModelConfig`, completed by the values that forecast maps of rain best (docs/skill.md).

    The network gives gains to the scales of the frame, which move with the rain, and forecasts get the distribution of
    the newest frame. `coordinates` "fixed" and `residual` 0 are the bare network.
    """
    values = {"coordinates": "moving", "residual": True, **values}
    matched = values["coordinates"] == "moving" and values.get("loss", "mse") == "mse"
    return {"scales": 6 if values["residual"] else 0, "matching": 1.0 if matched else 0.0, **values}


def order_options(options: str | dict, name: str = "cell_options", example: str = '{"forget_bias": 1}') -> str:
    """Return options, or their JSON, as JSON with sorted names: the same options give the same text, none give ""."""
    try:
        values = options if isinstance(options, dict) else json.loads(options or "{}")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} {options!r} is not JSON: {error}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{name} must be an object such as {example}, got {options}")
    return json.dumps(values, sort_keys=True) if values else ""


def _check(holds: Any, name: str, value: Any, rule: str) -> None:
    if not holds:
        shown = ",".join(map(str, value)) if isinstance(value, tuple) else value
        raise ValueError(f"{name} must be {rule}, got {shown}")
