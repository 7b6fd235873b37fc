"""`predjax sweep`: a search over the flags of a training, by validation scores."""

import pathlib
import shlex
import signal
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from predjax import run_file
from predjax.commands import one_line_errors
from predjax.commands.train import Flags
from predjax.flags import Command, Group, list_flags, select
from predjax.jobs.sweep_options import SAID_BY_OPTIONS, SweepOptions
from predjax.jobs.train_options import Given, TrainOptions, TrainRequest
from predjax.messages import SIGNAL_CODES, show_wait
from predjax.models.config import ModelConfig, SamplingConfig
from predjax.radar.config import DataConfig
from predjax.training.config import TrainConfig

if TYPE_CHECKING:
    from predjax.jobs.sweep import Sweep

_TRAINING = tuple(flag.name for flag in list_flags(TrainConfig) if flag.name not in SAID_BY_OPTIONS)
COMMAND = Command(
    "predjax sweep",
    "Searches flags of a training: many short trainings with other values, by their scores on the validation data.",
    (
        Group("sweep", SweepOptions),
        Group("sweep", TrainOptions, ("pretrained_model", "init_from", "scaling", "scaling_range", "forcing_scaling")),
        Group("sweep", Flags, ("train_data_paths", "valid_data_paths", "config", "device")),
        Group("all trials", ModelConfig),
        Group("training", TrainConfig, _TRAINING),
        Group("scheduled sampling (a STEP is an iteration, from 1)", SamplingConfig),
        Group("data", DataConfig),
    ),
)


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Errors: see `one_line_errors`."""
    values = run_file.collect(COMMAND, arguments)
    flags, options = Flags(**select(Flags, values)), SweepOptions(**select(SweepOptions, values))
    with show_wait("starting"):
        from predjax.jobs import session
        from predjax.jobs.sweep import run_sweep

    session.start(flags.device, least_gib=3)
    shared = TrainOptions(**select(TrainOptions, {**values, "resume": False}))
    base = TrainRequest(flags.train_data_paths, flags.valid_data_paths, shared, Given.of(values))
    found = run_sweep(options, base, print)
    if found.reason != "finished":
        print(f"stopped by {found.reason}; --resume goes on in {found.folder}")
        return SIGNAL_CODES[signal.Signals[found.reason]]
    run_file.write(pathlib.Path(found.folder) / run_file.NAME, run_file.list_changed(COMMAND, values))
    paths = {name: values[name] for name in ("train_data_paths", "valid_data_paths") if values.get(name)}
    print(f"\n{found.table}\n{_conclude(found, options, paths)}")
    return 0


def _conclude(found: "Sweep", options: SweepOptions, paths: Mapping[str, Any]) -> str:
    """Say what the best trial is worth, and how to go on with it."""
    run = found.folder / found.best.name
    return "\n".join(
        (
            f"{found.best.name} is the best of {len(found.trials)} on the validation data, which chose it: its "
            f"{options.objective} is better than that of new data will be.",
            "The held-out cases chose nothing and were not looked at; they score it in "
            f"predjax evaluate --checkpoint {shlex.quote(str(run))}",
            f"To train with its values, also for longer: {format_training({**paths, **found.values})}",
            f"folder  {found.folder}",
        )
    )


def format_training(values: Mapping[str, Any]) -> str:
    """Return the command that trains with these values of its flags."""
    return shlex.join(["predjax", "train", *(f"--{name}={_format(value)}" for name, value in values.items())])


def _format(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_format, value))
    return str(int(value) if isinstance(value, bool) else value)
