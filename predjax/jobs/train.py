"""Train a model: data in; checkpoints, the trained model and its skill on held-out data out."""

import contextlib
import functools
import json
import logging
import pathlib
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import Any, NamedTuple

import optax

from predjax import checkpoint, parallel
from predjax.checkpoint_names import best_path, list_steps
from predjax.files import refuse_existing, write_text
from predjax.flags import to_dict
from predjax.jobs import session
from predjax.jobs.data import find_cases, spread
from predjax.jobs.held_out import Verified, draw_decoupling, find_held_out, verify_held_out
from predjax.jobs.partial_weights import take_matching
from predjax.jobs.plan import TrainingPlan, plan_training
from predjax.jobs.run_facts import describe_run
from predjax.jobs.train_options import TrainRequest, read_values
from predjax.kernels.execution import Execution
from predjax.locks import hold
from predjax.messages import one_line_messages, show_wait
from predjax.models.config import ModelConfig
from predjax.models.ensemble import Ensemble, make_ensemble
from predjax.models.forecaster import Forecaster, make_forecaster
from predjax.models.losses import make_error
from predjax.nowcasts.model import TrainedModel
from predjax.pictures.curves import draw_losses, holds_losses
from predjax.pictures.learning_rates import draw_rates
from predjax.radar.remarks import list_changes
from predjax.radar.windows.batches import BatchSource, read_windows
from predjax.radar.windows.index import WindowIndex
from predjax.training import loop
from predjax.training.callbacks import Callback
from predjax.training.loggers import Start, make_loggers
from predjax.training.monitor import read_log
from predjax.training.profile import profile
from predjax.training.rate_test import RateTest, find_rate, ramp
from predjax.training.run import Progress, Run
from predjax.training.validation import read_parts

LOG = logging.getLogger("predjax")
DRY_RUN, NOT_TRAINED, RATES_TRIED = "dry run", "not trained", "rates tried"
SCHEDULE = "schedule.png"


def _ignore(*_: Any) -> None:
    pass


class Listener(NamedTuple):
    """Functions that the chief of the processes calls during training."""

    begin: Callable[[TrainingPlan, dict[str, str]], Any] = _ignore  # takes plan and facts, before anything is written
    say: Callable[[str], Any] = _ignore  # takes a line of text after each validation


SILENT = Listener()


class TrainResult(NamedTuple):
    """The result of a training."""

    folder: pathlib.Path  # with the checkpoints, the log, the curves and the scores
    iteration: int  # the last one
    # Why the run ended: "finished", "no better validation loss for N checks", "a callback asked", "SIGINT", "SIGTERM",
    # "dry run", "rates tried", or "not trained" where weights were only verified.
    reason: str
    held_out: str  # which data are held out, in words
    skipped: int = 0  # windows that could not be read
    model: TrainedModel | None = None  # the best one; None after a signal or a dry run
    verified: Verified | None = None  # its skill on the held-out data; None where there is none, or none is asked for
    decoupling: pathlib.Path | None = None  # the picture of `visual`
    rates: RateTest | None = None  # the test of `find_learning_rate`
    rates_picture: str | None = None
    cost: loop.Estimate | None = None  # None without updates
    chief: bool = True  # whether this is the chief of several processes; the others have no model

    @property
    def trained(self) -> bool:
        """Whether the run made updates; False where it only verified given weights."""
        return self.reason != NOT_TRAINED

    @property
    def checkpoint(self) -> pathlib.Path | None:
        """The file of the model."""
        return self.model.path if self.model else None


@one_line_messages()
def train(
    data: Any = None,
    valid_data: Any = None,
    *,
    loss: Callable | str | None = None,
    optimizer: Any = None,
    schedule: Callable | str | None = None,
    callbacks: Sequence[Callback] = (),
    **values: Any,
) -> TrainResult:
    """Train a model, as `predjax train` does, and verify it on held-out data.

    A value that is not given comes from the resumed or fine-tuned checkpoint, else from the data, else from the default
    of its flag.

    Args:
      data: anything that `predjax.read_movies` reads: files, folders and globs, datasets of xarray, Movies, or an array
        with its `layout`; None: the data of the resumed run, else the sample movies.
      valid_data: the same for validation; None: parts of `data` are held out.
      loss: `(predicted, observed) -> errors`, in jax: the error of every pixel of frames (B, T, H, W, C) in the unit of
        the data. Its mean over the pixels with coverage replaces the model's loss; the penalty of the model, such as
        that of memory decoupling, is added. Or the name of a loss.
      optimizer: an `optax.GradientTransformation` that replaces Adam with `lr` and its schedule, or a name.
      schedule: a function of the iterations that are done, such as a schedule of optax, that gives the learning rate;
        or the name of a schedule.
      callbacks: functions of an `Event` (`predjax.training.callbacks`), which are called in the order of the list.
      values: values of the flags of `predjax train` by name: fields of `TrainOptions` (`save_dir`, `resume`,
        `pretrained_model` ...), `ModelConfig`, `TrainConfig`, `SamplingConfig` and `DataConfig`. `model` is the name
        of a model, or a `ModelConfig`, for all of its fields.

    Raises:
      ValueError, OSError: one line: a value that is not possible, data that cannot be read or do not fit the model, a
        folder that holds a run already, updates without finite gradients.
    """
    named = {"loss": loss, "optimizer": optimizer, "lr_schedule": schedule}
    values |= {name: value for name, value in named.items() if isinstance(value, str)}
    loss, optimizer, schedule = (None if isinstance(value, str) else value for value in named.values())
    if loss is not None and not callable(loss):
        raise ValueError(f"loss must be a function of predicted and observed frames, not {loss!r}")
    if optimizer is not None and not isinstance(optimizer, optax.GradientTransformation):
        raise ValueError(f"optimizer must be an optax.GradientTransformation, not {optimizer!r}")
    if schedule is not None and (optimizer is not None or not callable(schedule)):
        rule = "a function of the iterations" if optimizer is None else "part of the optimizer of your own"
        raise ValueError(f"schedule must be {rule}, not {schedule!r}")
    for callback in callbacks:
        if not callable(callback):
            raise ValueError(f"callbacks must be functions of an event, not {callback!r}")
    model = values.pop("model", None)
    if isinstance(model, str):
        values["model_name"] = model
    options, given = read_values(values)
    if isinstance(model, ModelConfig):
        given = given._replace(model={**_list_fields(model), **given.model})
    return run_training(TrainRequest(data, valid_data, options, given, loss, optimizer, schedule, tuple(callbacks)))


def _list_fields(model: ModelConfig) -> dict[str, Any]:
    """Return all fields of a model, without a scaling that is the default: there the data decide."""
    fields = to_dict(model)
    for name in ("scaling", "forcing_scaling"):
        if getattr(model, name) == getattr(ModelConfig, name):
            del fields[name]
    return fields


def run_training(request: TrainRequest, listener: Listener = SILENT) -> TrainResult:
    """Train and verify, or only verify, as a request says; report to the listener. Errors: see `train`."""
    with contextlib.ExitStack() as writing:
        return _run(request, listener, writing)


def _run(request: TrainRequest, listener: Listener, writing: contextlib.ExitStack) -> TrainResult:
    """Run a training; `writing` holds the folder that it writes to until all is written."""
    options = request.options
    with session.join(request.processes) as chief:
        with show_wait("reading the data"):
            plan = plan_training(request)
            if chief and request.verified:
                find_held_out(plan, options)  # its errors, before hours of work
        if chief and not options.only_tries:
            writing.enter_context(hold(plan.folder))
        if not options.is_training:
            result = TrainResult(plan.folder, 0, NOT_TRAINED, plan.data.split.rule)
            if chief:
                listener.begin(plan, {})
                model = _as_trained(make_forecaster(plan.model), plan, plan.origin.params, plan.origin.path)
        else:
            run, result = _train(plan, request, listener)
            for line in list_changes(plan.data.sources):
                LOG.info("%s", line)
    if not chief or options.only_tries:
        return result._replace(chief=chief)
    if options.is_training:
        records = read_log(run.folder / "log.jsonl")
        if holds_losses(records):
            draw_losses(run.folder / "losses.png", records, overwrite=True)
        if result.reason.startswith("SIG"):
            return result
        model = _load_best(run, plan)
    if options.visual:
        run = run if options.is_training else _make_run(plan, request)
        result = result._replace(decoupling=draw_decoupling(run, model.params, options.visual_path))
    verified = verify_held_out(plan, options, model) if request.verified else None
    return result._replace(model=model, verified=verified)


def _train(plan: TrainingPlan, request: TrainRequest, listener: Listener) -> tuple[Run, TrainResult]:
    """Train until the last iteration or a signal. Only the chief of the processes writes files and logs."""
    chief, origin, options = parallel.is_chief(), plan.origin, request.options
    if options.find_learning_rate:
        refuse_existing(pathlib.Path(options.find_learning_rate), options.overwrite)
        request = request._replace(schedule=ramp)
    with show_wait("compiling"):
        run = _make_run(plan, request)
        if origin.record is not None and origin.arrays is not None and origin.path is not None:
            state, progress = run.restore(origin.arrays, origin.path), Progress(**origin.record["progress"])
        else:
            given = options.init_from
            params = take_matching(pathlib.Path(given), run.init().params) if given else origin.params
            state, progress = run.init(params), Progress()
        update, cost = loop.estimate(run, state)
    first, rule = int(state.step), plan.data.split.rule
    if chief:
        listener.begin(plan, describe_run(run, plan, cost, first))
    if options.dry_run:
        return run, TrainResult(plan.folder, first, DRY_RUN, rule, cost=cost)
    if path := options.find_learning_rate:
        rates = find_rate(run, parallel.replicate(state, run.devices), update)
        if chief:
            draw_rates(path, *rates, overwrite=options.overwrite)
        return run, TrainResult(plan.folder, first, RATES_TRIED, rule, rates=rates, rates_picture=path)
    if chief:
        _prepare_folder(plan, options.overwrite)
    logged = Start(plan.folder, first, plan.record)
    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(futures.ThreadPoolExecutor(1))  # the first iteration need not wait for a picture
        drawn = pool.submit(_draw_schedule, plan) if chief else None
        if options.profile and chief:
            update = stack.enter_context(profile(update, pathlib.Path(options.profile)))
        callbacks = [*make_loggers(run.config.metrics_log, logged), *request.callbacks] if chief else []
        state, reason = loop.train(run, loop.Start(state, progress, update), listener.say, callbacks)
    if drawn:
        drawn.result()
    skipped = run.batches.bad.count if run.batches.bad else 0
    return run, TrainResult(plan.folder, int(state.step), reason, rule, skipped, cost=cost)


def _make_run(plan: TrainingPlan, request: TrainRequest) -> Run:
    data, model, training, crop = plan.data, plan.model, plan.training, plan.data_config.crop
    length, size = model.total_length, training.batch_size
    devices = parallel.choose_devices(training.n_gpu)
    index = WindowIndex(data.sources, data.split.train, length, plan.data_config)
    batches = BatchSource(index, training.update_size, training.seed)
    windows = find_cases(data.sources, data.split.valid, length, plan.data_config)
    windows = spread(windows, training.max_valid_cases)
    size = min(size, -(-max(1, len(windows)) // len(devices)) * len(devices))
    read = functools.partial(read_windows, data.sources, length=length, crop=crop, bad=batches.bad)
    valid = read_parts(read, windows, size, parallel.find_place(), parallel.count_processes())
    error = None if request.loss is None else make_error(request.loss, model.scaling)
    forecaster = make_forecaster(model, training.execution, error)
    own = request.optimizer, request.schedule, error
    return Run(forecaster, batches, valid, training, plan.sampling, plan.folder, plan.record, devices, *own)


def _prepare_folder(plan: TrainingPlan, overwrite: bool) -> None:
    """Make the folder of the run; remove the files that an earlier run wrote there, and no other files."""
    folder = plan.folder
    if overwrite:
        for path in (*list_steps(folder), best_path(folder), folder / "log.jsonl", folder / SCHEDULE):
            path.unlink(missing_ok=True)
    write_text(folder / "config.json", json.dumps(plan.record, indent=1) + "\n")


def _draw_schedule(plan: TrainingPlan) -> None:
    """Plot the probability that an input is a true frame against the iterations, for scheduled sampling alone."""
    if plan.sampling.teacher_forcing != "scheduled" or not plan.model.sampled:
        return
    import jax
    import numpy as np

    from predjax.models.sampling import truth_probabilities
    from predjax.pictures.schedules import draw_schedules

    sampling, length, last = plan.sampling, plan.model.input_length, plan.training.max_iterations
    iterations = np.unique(np.linspace(1, last, min(last, 1000)).round())
    probabilities = jax.vmap(lambda n: truth_probabilities(n, sampling, length, plan.model.total_length))(iterations)
    name = ("reverse " if sampling.reverse_scheduled_sampling else "") + "scheduled sampling"
    draw_schedules(plan.folder / SCHEDULE, iterations, {name: np.asarray(probabilities)}, length, overwrite=True)


def _load_best(run: Run, plan: TrainingPlan) -> TrainedModel:
    """Return the model of the best checkpoint of a run, or of the latest where no best is known.

    The model has the forecaster of the run, or a new one where the run's options of computation are not the defaults.
    """
    path = checkpoint.find(run.folder)
    arrays, record = checkpoint.load(path)
    same = plan.training.execution == Execution()
    forecaster = run.forecaster if same else make_forecaster(plan.model)
    return _as_trained(forecaster, plan, checkpoint.nest(arrays, "params"), path)._replace(record=record)


def _as_trained(forecaster: Forecaster, plan: TrainingPlan, params: Any, path: pathlib.Path | None) -> TrainedModel:
    made: Forecaster | Ensemble = make_ensemble(forecaster) if plan.training.num_seeds > 1 else forecaster
    return TrainedModel(made, params, path or plan.folder, plan.record)
