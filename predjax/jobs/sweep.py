"""Search the flags of a training with Optuna: each trial is a run with other values, scored on the validation data."""

import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from predjax.checkpoint_names import find_steps
from predjax.files import write_text
from predjax.flags import from_dict
from predjax.jobs.alike import (
    check_shared,
    count_iterations,
    describe_settings,
    find_shared,
    log_once,
    read_request,
    train_on,
)
from predjax.jobs.compare_options import read_budget
from predjax.jobs.model_choice import check_new_model
from predjax.jobs.plan import plan_training
from predjax.jobs.study import FAILED, FINISHED, PRUNED, STUDY, Study, SweepTrial, check_optuna, name_trial
from predjax.jobs.sweep_options import SAID_BY_OPTIONS, Parameter, SweepOptions, read_search
from predjax.jobs.train import Listener
from predjax.jobs.train_options import CONFIGURATIONS, Given, TrainOptions, TrainRequest
from predjax.locks import LOCK, hold
from predjax.messages import describe_error, is_lack_of_memory, one_line, one_line_messages
from predjax.pictures.sweep import ScoredTrial, SearchedAxis, draw_sweep
from predjax.training.callbacks import Event

NAME, PICTURE = "sweep.json", "sweep.png"
OF_TRAINING = ("scaling", "scaling_range", "forcing_scaling", "pretrained_model", "init_from")  # what trials share


class Sweep(NamedTuple):
    """The result of a sweep."""

    folder: pathlib.Path
    reason: str  # "finished", or the signal that stopped a trial
    trials: list[SweepTrial]  # those that ended, the best first
    values: Mapping[str, Any] = {}  # the flags of a training with the best values; empty after a signal
    table: str = ""

    @property
    def best(self) -> SweepTrial:
        return self.trials[0]


@one_line_messages()
def sweep(
    data: Any = None,
    valid_data: Any = None,
    *,
    search: str,
    save_dir: Any,
    say: Callable[[str], Any] = lambda text: None,
    **values: Any,
) -> Sweep:
    """Search the flags of a training, as `predjax sweep` does. Needs Optuna (the extra `sweep`).

    Args:
      data: as for `predjax.train`; None: the sample movies.
      valid_data: the same for validation; None: parts of `data` are held out.
      search: the flags and their values, as in "lr=1e-4..1e-2:log num_hidden=16,16|32,32".
      save_dir: the folder of the sweep.
      say: a function that is called with lines of text about the trials.
      values: values of the flags of `predjax sweep` by name: fields of `SweepOptions` (`trials`, `budget`, `objective`,
        `resume` ...), `ModelConfig`, `TrainConfig`, `SamplingConfig` and `DataConfig`.

    Raises:
      ValueError, OSError: one line, see `run_sweep`.
    """
    for name in SAID_BY_OPTIONS:
        if name in values:
            raise ValueError(f"sweep takes no {name}: budget and objective set it")
    values |= {"search": search, "save_dir": save_dir}
    options, base = read_request("sweep", SweepOptions, OF_TRAINING, values)
    return run_sweep(options, base._replace(data=data, valid_data=valid_data), say)


def run_sweep(options: SweepOptions, base: TrainRequest, say: Callable[[str], Any] = lambda text: None) -> Sweep:
    """Run the trials that have not ended yet, and write the study, a table and a picture.

    `base` has the common settings of all trials. A trial fails if its values do not fit each other, its updates have no
    finite gradient or its network does not fit into memory; it is recorded as failed, and the next trial begins.

    Errors: ValueError, OSError, one line: no Optuna; a value that is not possible; trials that do not compare; a folder
    that holds another sweep; no trial with a score; data or files that cannot be read or written.
    """
    check_optuna()
    shared = {name: getattr(base.options, name) for name in OF_TRAINING}
    with log_once():
        return _run(options, base._replace(options=TrainOptions(**shared), verified=False), say)


def _run(options: SweepOptions, base: TrainRequest, say: Callable[[str], Any]) -> Sweep:
    folder = pathlib.Path(options.save_dir)
    _check_folder(options, folder)
    _check_values(options, base)
    said = {name: getattr(options, name) for name in ("search", "budget", "objective", "sampler", "pruner")}
    settings = describe_settings(base, OF_TRAINING, **said)
    with hold(folder):
        study = Study(folder, options, base.given.training.get("seed", 0), settings)
        for number in range(options.count):
            if asked := study.ask(number):
                reason = _try(study, *asked, _Setting(options, base, say))
                if reason.startswith("SIG"):
                    return Sweep(folder, reason, rank(study.list_trials(), options))
                trials = rank(study.list_trials(), options)
                _write(folder, settings, trials)
        trials = rank(study.list_trials(), options)
        if trials[0].state != FINISHED:
            raise ValueError(f"none of {len(trials)} trials has a score; {trials[0].name}: {trials[0].error}")
        _write(folder, settings, trials)
        parameters = read_search(options.search)
        _draw(folder, options, parameters, trials)
    table = format_trials(trials, parameters, options.objective)
    return Sweep(folder, "finished", trials, _list_values(options, base, trials[0]), table)


def _list_values(options: SweepOptions, base: TrainRequest, best: SweepTrial) -> dict[str, Any]:
    """Return the flags that repeat the training of a trial."""
    shared = {name: getattr(base.options, name) for name in OF_TRAINING}
    values = {name: value for name, value in shared.items() if value != getattr(TrainOptions, name)}
    values |= {name: value for part in base.given for name, value in part.items()}
    values |= {one.name: one.read(best.chosen[one.name]) for one in read_search(options.search)}
    values["max_iterations"] = best.budget
    return values if options.objective == "loss" else {**values, "stop_on": options.objective}


def _check_folder(options: SweepOptions, folder: pathlib.Path) -> None:
    path = folder / STUDY
    if path.exists() and not options.resume:
        raise FileExistsError(f"{path} exists: --resume goes on with that sweep, another needs another folder")
    if not path.exists() and folder.is_dir() and {one.name for one in folder.iterdir()} - {LOCK}:
        raise FileExistsError(f"{folder} holds other files than a sweep: --save_dir needs a new folder")


def _check_values(options: SweepOptions, base: TrainRequest) -> None:
    """Check every choice and both ends of every range, each beside the first values of the other flags."""
    parameters = read_search(options.search)
    first = {one.name: one.read(one.ends[0]) for one in parameters}
    plan = plan_training(_ask(options, base, first))
    if not plan.data.split.valid:
        raise ValueError("a sweep needs validation data: give --valid_data_paths, or a larger --valid_fraction")
    for one in parameters:
        for end in one.ends[1:]:
            asked, text = _ask(options, base, {**first, one.name: one.read(end)}), f"search {one.name}={end}"
            try:
                if one.name == "model_name" or base.options.pretrained_model:
                    check_shared(one.name, find_shared(plan), find_shared(plan_training(asked)))
                    continue
                check_new_model(asked.given, asked.options)
                for config, given in zip(CONFIGURATIONS[1:], asked.given[1:]):
                    from_dict(config, given)
            except ValueError as error:
                raise ValueError(f"{text}: {error}") from None


def _ask(
    options: SweepOptions, base: TrainRequest, values: dict[str, Any], iterations: int | None = None
) -> TrainRequest:
    """Return the request of a trial with these values."""
    given = {name: value for part in base.given for name, value in part.items()} | values
    if iterations := iterations or read_budget(options.budget).iterations:
        given["max_iterations"] = iterations
    return base._replace(given=Given.of({**given, "stop_on": options.objective}))


class _Setting(NamedTuple):
    """The options, the request and the output that all trials share."""

    options: SweepOptions
    base: TrainRequest
    say: Callable[[str], Any]


class _Reporter:
    """A callback that tells a trial of each validation, and ends its training if it is pruned."""

    def __init__(self, trial: Any, known: Sequence[int], score: str) -> None:
        self.pruned = False
        self._trial, self._known, self._score, self._interval = trial, known, score, 1

    def __call__(self, event: Event) -> bool:
        if event.kind == "begin":
            self._interval = event.values["training"]["test_interval"]
        if event.kind == "validation":
            step = -(-event.iteration // self._interval)  # networks with other numbers of iterations compare
            if step not in self._known:
                self._trial.report(event.values[self._score], step)
            self.pruned = self._trial.should_prune()
        return self.pruned


def _try(study: Study, trial: Any, chosen: dict[str, Any], setting: _Setting) -> str:
    """Train one trial, from its newest checkpoint if it was interrupted; return why it ended."""
    options, base, say = setting
    parameters, budget = read_search(options.search), read_budget(options.budget)
    values = {one.name: one.read(chosen[one.name]) for one in parameters}
    name, known = name_trial(trial.number), study.find_steps(trial.number)
    folder = pathlib.Path(options.save_dir) / name
    begun = f" goes on from iteration {max(steps)}" if (steps := find_steps(folder)) else ""
    say(f"{name}{begun}: " + ", ".join(f"{key} {show(value)}" for key, value in chosen.items()))
    try:
        iterations = budget.iterations or trial.user_attrs.get("budget")
        if not iterations:
            assert budget.minutes is not None, "or the budget is in iterations"
            iterations = count_iterations(_ask(options, base, values), budget.minutes)
            say(f"{name} makes {iterations} iterations in {options.budget}")
        trial.set_user_attr("budget", iterations)
        reporter = _Reporter(trial, list(known), options.score)
        asked = _ask(options, base, values, iterations)._replace(callbacks=(*base.callbacks, reporter))
        result = train_on(asked, folder, Listener(say=say))
    except (ValueError, MemoryError, RuntimeError) as error:
        if not isinstance(error, ValueError) and not is_lack_of_memory(error):
            raise
        say(f"{name} failed: {describe_error(error)}")
        study.end(trial, FAILED, error=one_line(describe_error(error)))
        return FAILED
    if result.reason.startswith("SIG"):
        return result.reason
    pruned = reporter.pruned and result.iteration < iterations
    ended = study.end(trial, PRUNED if pruned else FINISHED, result.iteration)
    how = f" at iteration {result.iteration}" if ended.state == PRUNED else ""
    say(f"{name} {ended.state}{how}: {ended.error or f'best {options.objective} {ended.score:.5g}'}")
    return ended.state


def rank(trials: Sequence[SweepTrial], options: SweepOptions) -> list[SweepTrial]:
    """Return trials with the best first: finished trials, then pruned ones, then failed ones."""
    order = {FINISHED: 0, PRUNED: 1, FAILED: 2}
    sign = -1 if options.more_is_better else 1
    return sorted(trials, key=lambda one: (order[one.state], sign * (one.score or 0.0), one.number))


def show(value: Any) -> str:
    """Return a number in short, or the text of a choice."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def format_trials(trials: Sequence[SweepTrial], parameters: Sequence[Parameter], objective: str) -> str:
    """Return the table of trials, in their order."""
    names = [one.name for one in parameters]
    rows = [["trial", objective, *names, "iterations", ""]]
    for one in trials:
        score = "-" if one.score is None else f"{one.score:.5g}"
        state = "" if one.state == FINISHED else ": ".join(filter(None, (one.state, one.error)))
        rows.append([one.name, score, *(show(one.chosen[name]) for name in names), str(one.iterations or "-"), state])
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in rows)


def _write(folder: pathlib.Path, settings: dict[str, Any], trials: Sequence[SweepTrial]) -> None:
    rows = [{"folder": one.name, **one._asdict()} for one in trials]
    write_text(folder / NAME, json.dumps({"settings": settings, "trials": rows}, indent=1, allow_nan=False) + "\n")


def _draw(
    folder: pathlib.Path, options: SweepOptions, parameters: Sequence[Parameter], trials: Sequence[SweepTrial]
) -> None:
    rows = [
        ScoredTrial(one.number, one.score, one.state == FINISHED, one.chosen)
        for one in sorted(trials, key=lambda one: one.number)
        if one.score is not None
    ]
    axes = [SearchedAxis(one.name, one.choices, one.log) for one in parameters]
    draw_sweep(folder / PICTURE, rows, axes, options.objective, options.more_is_better, overwrite=True)
