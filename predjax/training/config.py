"""The configuration of training. This module imports neither jax nor xarray."""

import dataclasses
import math

from predjax.flags import flag
from predjax.kernels.execution import CONVOLUTIONS, PRECISIONS, REMATS, Execution
from predjax.messages import suggest
from predjax.models.config import order_options

LR_SCHEDULES = "cosine constant milestones onecycle linear_onecycle linear polynomial exponential".split()
LOGGERS = ("csv", "tensorboard", "wandb", "mlflow")
OF_PIXELS, OF_EVENTS = ("loss", "rmse", "mae"), ("csi", "pod", "far")
WITH_OPTIONS = [name for name in LR_SCHEDULES if name not in ("constant", "milestones")]


def split_score(name: str) -> tuple[str, float | None]:
    """Return the kind and the threshold of a score of a validation: csi_30 is ("csi", 30.0). Errors: ValueError."""
    kind, _, number = name.partition("_")
    try:
        threshold = float(number) if number else None
    except ValueError:
        kind, threshold = "", None
    if kind not in (OF_EVENTS if number else OF_PIXELS) or (threshold is not None and not math.isfinite(threshold)):
        rule = f"{', '.join(OF_PIXELS)}, or one of {', '.join(OF_EVENTS)} with a threshold, such as csi_30"
        raise ValueError(f"stop_on must be {rule}, not {name!r}")
    return kind, threshold


# Fields of a `TrainConfig` for networks that correct extrapolation: they learn it faster than a forecast of their own.
USUAL_IN_MOVING_COORDINATES = {"max_iterations": 250}


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """The configuration of training; a value of None follows from max_iterations."""

    max_iterations: int = flag(
        500,
        "updates to make; with reverse_input, pairs of updates (default: 250 in moving coordinates, else 500)",
        metavar="N",
    )
    batch_size: int = flag(4, "windows of an update (of a part of it with accumulate), over all devices", metavar="B")
    accumulate: int = flag(1, "batches whose gradients add up to one update, with the memory of one", metavar="N")
    lr: float = flag(3e-3, "(peak) learning rate", metavar="RATE")
    optimizer: str = flag("adam", "of the gradients", choices=("adam", "adamw"))
    weight_decay: float = flag(
        0.01, "fraction of the parameters that adamw takes off, times the learning rate", metavar="W"
    )
    lr_schedule: str = flag(
        "cosine", "of the learning rate, see docs/training.md", choices=LR_SCHEDULES, aliases=["schedule"]
    )
    lr_options: str = flag(
        "",
        "keywords of the schedule in optax, such as pct_start (default: its own)",
        metavar="JSON",
        kind="json",
    )
    lr_milestones: tuple[int, ...] = flag(
        (), "iterations after which the rate drops (default: none)", metavar="N,N,..."
    )
    lr_drop: float = flag(0.1, "factor of the rate at each milestone", metavar="F")
    warmup_iterations: int | None = flag(
        None,
        "of linear warm-up of the learning rate (default: 1/20 of max_iterations, 0 for onecycle)",
        metavar="ITERATIONS",
    )
    ema: float = flag(
        0.0,
        "decay of a moving average of the weights, which is what forecasts; 0: none",
        metavar="DECAY",
    )
    clip_norm: float = flag(1.0, "largest global norm of the gradients; 0 does not clip", metavar="NORM")
    grad_norm: float = flag(
        0.0, "of tidhy: balances its losses by their gradients (GradNorm exponent, 1); 0 does not", metavar="A"
    )
    grad_norm_rate: float = flag(0.01, "step of the weights that grad_norm moves", metavar="RATE")
    reverse_input: bool = flag(False, "1: a second update on the window backwards in time", metavar="0|1")
    augment: bool = flag(
        False, "windows are mirrored and turned at random: maps whose directions do not matter", metavar="0|1"
    )
    seed: int = flag(0, "of the parameters, the order of windows and the sampling", metavar="SEED")
    num_seeds: int = flag(
        1, "networks to train at once, of the seeds from seed on: they forecast as an ensemble", metavar="N"
    )
    display_interval: int | None = flag(
        None, "between lines of the log (default: 1/100 of max_iterations)", metavar="ITERATIONS"
    )
    test_interval: int | None = flag(
        None, "between validations (default: 1/10 of max_iterations)", metavar="ITERATIONS"
    )
    snapshot_interval: int | None = flag(
        None, "between checkpoints (default: 1/10 of max_iterations)", metavar="ITERATIONS"
    )
    metrics_log: tuple[str, ...] = flag(
        (),
        f"what else writes the metrics, see docs/training.md: any of {', '.join(LOGGERS)} (default: none)",
        metavar="NAME,...",
    )
    patience: int = flag(
        0, "validations without a better score (of stop_on) before stopping; 0 never stops", metavar="N"
    )
    stop_on: str = flag(
        "loss",
        "score of a validation that patience and best.npz go by: loss, rmse, mae, csi_X, pod_X, far_X (X in the data's "
        "unit)",
        metavar="SCORE",
    )
    max_valid_cases: int = flag(64, "windows of a validation, evenly spread", metavar="N")
    keep_checkpoints: int = flag(3, "newest checkpoints to keep, besides the best", metavar="N")
    max_bad_steps: int = flag(20, "updates in a row without a finite gradient before stopping", metavar="N")
    remat: str = flag(
        "none", "convolutions to repeat in the backward pass for less memory: of a step all, or half", choices=REMATS
    )
    precision: str = flag(
        "float32", "of convolutions and products; parameters, states and loss are float32", choices=PRECISIONS
    )
    convolution: str = flag("auto", "an implementation, for measurements", choices=CONVOLUTIONS)
    n_gpu: int = flag(0, "devices to use; 0 uses all", metavar="N")

    def __post_init__(self) -> None:
        for name in (
            "max_iterations",
            "batch_size",
            "accumulate",
            "lr",
            "max_valid_cases",
            "keep_checkpoints",
            "max_bad_steps",
            "num_seeds",
        ):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if self.lr_schedule not in LR_SCHEDULES:
            raise ValueError(f"lr_schedule {self.lr_schedule!r} is not one of {', '.join(LR_SCHEDULES)}")
        object.__setattr__(self, "lr_options", order_options(self.lr_options, "lr_options", '{"end_value": 1e-6}'))
        if self.lr_options and self.lr_schedule not in WITH_OPTIONS:
            raise ValueError(f"lr_options belong to lr_schedule {', '.join(WITH_OPTIONS)}, not to {self.lr_schedule}")
        if self.warmup_iterations and self.lr_schedule.endswith("onecycle"):
            raise ValueError(f"lr_schedule {self.lr_schedule} has its own warm-up (pct_start in lr_options)")
        for name in self.metrics_log:
            if name not in LOGGERS:
                raise ValueError(f"metrics_log {name!r} is not one of {', '.join(LOGGERS)}{suggest(name, LOGGERS)}")
        split_score(self.stop_on)
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema must be from 0 to below 1, got {self.ema:g}")
        if bool(self.lr_milestones) != (self.lr_schedule == "milestones"):
            raise ValueError("lr_milestones belong to lr_schedule milestones, and it needs some")
        if any(a >= b for a, b in zip((0, *self.lr_milestones), self.lr_milestones)):
            raise ValueError(f"lr_milestones must rise from above 0, got {','.join(map(str, self.lr_milestones))}")
        if not 0 < self.lr_drop <= 1:
            raise ValueError(f"lr_drop must be above 0 and at most 1, got {self.lr_drop}")
        for name in ("display_interval", "test_interval", "snapshot_interval"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in (
            "warmup_iterations",
            "clip_norm",
            "patience",
            "n_gpu",
            "seed",
            "weight_decay",
            "grad_norm",
            "grad_norm_rate",
        ):
            if (getattr(self, name) or 0) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")

        if self.seed + self.num_seeds > 2**31:
            raise ValueError(f"seed must be below 2^31, got {self.seed}")

    @property
    def update_size(self) -> int:
        """The windows of an update, over all devices."""
        return self.batch_size * self.accumulate

    @property
    def execution(self) -> Execution:
        """The options of the computation: remat, precision and convolution."""
        return Execution(self.remat, self.precision, self.convolution)

    def resolve(self) -> "TrainConfig":
        """Return the configuration with the values that follow from max_iterations."""

        def given(value: int | None, part: int) -> int:
            return max(1, self.max_iterations // part) if value is None else value

        warmup = 0 if self.lr_schedule.endswith("onecycle") else self.warmup_iterations

        return dataclasses.replace(
            self,
            warmup_iterations=self.max_iterations // 20 if warmup is None else warmup,
            display_interval=given(self.display_interval, 100),
            test_interval=given(self.test_interval, 10),
            snapshot_interval=given(self.snapshot_interval, 10),
        )
