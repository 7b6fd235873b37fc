"""`predjax train`: train a model on radar movies and measure its skill on held-out movies."""

import dataclasses
import signal
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from predjax import run_file
from predjax.commands import one_line_errors
from predjax.flags import Command, Group, flag, select
from predjax.jobs.recipes import describe_recipe, find_recipe
from predjax.jobs.train_options import Given, Processes, TrainOptions, TrainRequest
from predjax.messages import SIGNAL_CODES, show_wait
from predjax.models.config import ModelConfig, SamplingConfig
from predjax.radar.config import DataConfig
from predjax.training.config import TrainConfig
from predjax.verification.protocols.config import ProtocolOptions

if TYPE_CHECKING:
    from predjax.jobs.plan import TrainingPlan
    from predjax.jobs.train import TrainResult


@dataclasses.dataclass(frozen=True)
class Flags:
    """The flags of the command that are neither options of the training nor fields of its configurations."""

    train_data_paths: str | None = flag(
        None, "files, folders, globs (default: the sample movies)", metavar="PATHS", kind="paths", aliases=["data_path"]
    )
    valid_data_paths: str | None = flag(
        None, "movies to validate on (default: held out of the training data)", metavar="PATHS", kind="paths"
    )
    config: str | None = run_file.config_flag()
    list_models: bool = flag(False, "print what predjax models prints, and stop", switch=True, place=True)
    device: str = flag("auto", "cpu or cuda (default auto: what is there)", metavar="NAME")
    coordinator: str | None = flag(
        None,
        "where the first process waits for the others (default: as srun or mpirun say)",
        metavar="HOST:PORT",
        place=True,
    )
    num_processes: int | None = flag(
        None,
        "processes that train together; 1 ignores srun and mpirun (default: as they say, or 1)",
        metavar="N",
        place=True,
    )
    process_id: int | None = flag(
        None, "number of this process, from 0 (default: as srun or mpirun say)", metavar="I", place=True
    )
    dataset_name: str | None = flag(None, "accepted and not used: the files say it (default: none)", metavar="NAME")
    injection_action: str | None = flag(None, "how actions go in (default concat)", choices=("concat",))


_RUN, _PYTORCH = "run", "accepted for scripts of the PyTorch code"
_RESULTS = ("gen_frm_dir", "num_save_samples", "visual", "visual_path")
_RESULTS += ("scaling", "scaling_range", "forcing_scaling", "thresholds")
COMMAND = Command(
    "predjax train",
    "Trains a model on radar movies, verifies it on held-out ones. Without flags: on sample movies.",
    (
        Group(_RUN, Flags, ("train_data_paths", "valid_data_paths")),
        Group(_RUN, TrainOptions, ("save_dir",)),
        Group(_RUN, TrainOptions, ("recipe",)),
        Group(_RUN, Flags, ("config",)),
        Group(_RUN, TrainOptions, ("resume", "overwrite", "pretrained_model", "init_from", "is_training")),
        Group(_RUN, Flags, ("list_models",)),
        Group(_RUN, TrainOptions, ("dry_run", "find_learning_rate", "profile", *_RESULTS)),
        Group(_RUN, ProtocolOptions),
        Group(_RUN, Flags, ("device",)),
        Group("several processes (srun and mpirun say all of it themselves)", Flags, Processes._fields),
        Group("model", ModelConfig),
        Group("training", TrainConfig),
        Group("scheduled sampling (a STEP is an iteration, from 1)", SamplingConfig),
        Group("data", DataConfig),
        Group(_PYTORCH, TrainOptions, ("num_layers",)),
        Group(_PYTORCH, Flags, ("dataset_name", "injection_action")),
    ),
)


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Errors: see `one_line_errors`."""
    values = run_file.collect(COMMAND, arguments, find_recipe)
    flags = Flags(**select(Flags, values))
    if flags.list_models:
        from predjax.commands.models import describe_models

        print(describe_models())
        return 0
    protocol = ProtocolOptions(**select(ProtocolOptions, values))
    options = TrainOptions(**select(TrainOptions, values), on_protocol=protocol)
    with show_wait("starting"):
        from predjax.jobs import session
        from predjax.jobs.inspect import describe_labels
        from predjax.jobs.train import Listener, run_training

    if options.save_dir and not options.resume:
        run_file.refuse_given(flags.config, options.save_dir, options.overwrite)
    session.start(flags.device, least_gib=3)

    def begin(plan: "TrainingPlan", facts: dict[str, str]) -> None:
        if options.recipe:
            print(describe_recipe(options.recipe))
        print(describe_labels(plan.data.sources, plan.data.length, plan.data_config), flush=True)
        if facts:
            print("\n".join(f"{name:10}{text}" for name, text in facts.items()), flush=True)
        if not options.only_tries:
            _write_flags(plan, run_file.list_changed(COMMAND, values))

    processes = Processes(flags.coordinator, flags.num_processes, flags.process_id)
    data = flags.train_data_paths, flags.valid_data_paths
    request = TrainRequest(*data, options, Given.of(values), processes=processes)
    return _tell(run_training(request, Listener(begin, print)))


def _write_flags(plan: "TrainingPlan", values: dict[str, Any]) -> None:
    """Write the flags that repeat the run, including choices made from the data; a resumed run updates the flags."""
    for name in ("coordinates", "residual", "scales", "matching"):
        if getattr(plan.model, name) != getattr(ModelConfig, name):
            values[name] = getattr(plan.model, name)
    if plan.model.moving:  # their usual number is not the default
        values["max_iterations"] = plan.training.max_iterations
    for name in ("train_data_paths", "valid_data_paths"):
        if paths := plan.record["data"][name]:
            values[name] = run_file.make_absolute(paths)
    if values.get("is_training", True):
        (run_file.update if plan.origin.resumed else run_file.write)(plan.folder / run_file.NAME, values)
    elif path := run_file.find_own(plan.folder):
        run_file.write(path, values)


def _tell(result: "TrainResult") -> int:
    """Print the result of a training, if this process is the chief; return the exit code."""
    code = {signal.Signals(number).name: code for number, code in SIGNAL_CODES.items()}.get(result.reason, 0)
    if not result.chief:
        return code
    if result.rates:
        from predjax.training.rate_test import tabulate

        print(f"{tabulate(result.rates)}\npicture {result.rates_picture}")
    if result.skipped:
        print(f"{result.skipped} windows could not be read and were skipped")
    if code:
        print(f"stopped by {result.reason} at iteration {result.iteration}; --resume goes on from {result.folder}")
    if result.model is None:
        return code
    if result.trained and result.reason != "finished":
        print(f"stopped at iteration {result.iteration}: {result.reason}")
    if result.decoupling:
        print(f"delta C against delta M: {result.decoupling}")
    if found := result.verified:
        chosen = " (the model was chosen on them)" if found.part == "valid" else ""
        print(f"\nverified on the {found.part} data{chosen}\n{found.table}")
        if found.exported:
            print(found.exported)
    else:
        print(f"no skill table: {result.held_out}")
    if result.trained:
        print(f"checkpoint {result.model.path}\nfolder     {result.folder}")
    return code
