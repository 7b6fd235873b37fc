"""`predjax compare`: train several models on the same data with several seeds, and compare their scores in a table."""

import pathlib
import signal
from collections.abc import Sequence

from predjax import run_file
from predjax.commands import one_line_errors
from predjax.commands.train import Flags
from predjax.flags import Command, Group, list_flags, select
from predjax.jobs.compare_options import SAID_BY_OPTIONS, CompareOptions, CompareRequest
from predjax.jobs.train_options import Given, TrainOptions
from predjax.messages import SIGNAL_CODES, show_wait
from predjax.models.config import ModelConfig, SamplingConfig
from predjax.radar.config import DataConfig
from predjax.training.config import TrainConfig


def _others(config_class: type) -> tuple[str, ...]:
    return tuple(flag.name for flag in list_flags(config_class) if flag.name not in SAID_BY_OPTIONS)


COMMAND = Command(
    "predjax compare",
    "Trains networks of several models alike, and scores them on the same held-out cases.",
    (
        Group("comparison", CompareOptions),
        Group("comparison", TrainOptions, ("thresholds", "scaling", "scaling_range", "forcing_scaling")),
        Group("comparison", Flags, ("train_data_paths", "valid_data_paths", "config", "device")),
        Group("all models", ModelConfig, _others(ModelConfig)),
        Group("training", TrainConfig, _others(TrainConfig)),
        Group("scheduled sampling (a STEP is an iteration, from 1)", SamplingConfig),
        Group("data", DataConfig),
    ),
)


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Errors: see `one_line_errors`."""
    values = run_file.collect(COMMAND, arguments)
    flags, options = Flags(**select(Flags, values)), CompareOptions(**select(CompareOptions, values))
    with show_wait("starting"):
        from predjax.jobs import session
        from predjax.jobs.compare import run_comparison

    session.start(flags.device, least_gib=3)
    request = CompareRequest(options, Given.of(values), TrainOptions(**select(TrainOptions, values)))
    request = request._replace(data=flags.train_data_paths, valid_data=flags.valid_data_paths)
    found = run_comparison(request, print)
    if found.compared is None:
        print(f"stopped by {found.reason}; --resume goes on in {found.folder}")
        return SIGNAL_CODES[signal.Signals[found.reason]]
    run_file.write(pathlib.Path(found.folder) / run_file.NAME, run_file.list_changed(COMMAND, values))
    print(f"\n{found.table}\nfolder  {found.folder}")
    return 0
