"""The study of a sweep, which Optuna keeps in a file: the values and the result of each trial."""

import importlib.util
import itertools
import math
import pathlib
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from predjax.jobs.alike import refuse_change
from predjax.jobs.sweep_options import SweepOptions, read_search

STUDY = "study.log"
_NAME = "sweep"
FINISHED, PRUNED, FAILED = "finished", "pruned", "failed"


class SweepTrial(NamedTuple):
    """A trial that has ended."""

    number: int
    state: str  # "finished", "pruned" (it was worse than half of those before) or "failed"
    score: float | None  # the best of its validations; None where none was finite
    iterations: int | None  # that it made; None where it failed
    budget: int | None  # the iterations that it was given
    chosen: dict[str, Any]  # by the name of the flag: a number, or the text of a choice
    error: str  # why it failed

    @property
    def name(self) -> str:
        return name_trial(self.number)


def name_trial(number: int) -> str:
    """Return the name of the folder of a trial."""
    return f"trial_{number:03d}"


def check_optuna() -> None:
    """Raise a ValueError where Optuna is not installed."""
    if importlib.util.find_spec("optuna") is None:
        raise ValueError("a sweep needs the extra: pip install 'predjax[sweep]'")


class Study:
    """The study in `study.log` of a folder that no other process writes to.

    The sampler of trial n is seeded by (seed, n), so that a resumed sweep has the same trials as one without a stop.

    Errors: ValueError, one line: the file is damaged, or belongs to other settings.
    """

    def __init__(self, folder: pathlib.Path, options: SweepOptions, seed: int, settings: Mapping[str, Any]) -> None:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._options, self._seed, self._parameters = options, seed, read_search(options.search)
        path = folder / STUDY
        path.with_name(f"{STUDY}.lock").unlink(missing_ok=True)  # of a process that was killed while it wrote
        median = optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=3)  # from the third validation on
        pruner = median if options.pruner == "median" else optuna.pruners.NopPruner()
        direction: Literal["maximize", "minimize"] = "maximize" if options.more_is_better else "minimize"
        try:
            self._storage = JournalStorage(JournalFileBackend(str(path)))
            self._study = optuna.create_study(
                storage=self._storage, study_name=_NAME, direction=direction, pruner=pruner, load_if_exists=True
            )
            before = self._study.user_attrs.get("settings", settings)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is no study of a sweep, or a damaged one ({error!r})") from None
        refuse_change(path, before, settings)
        self._study.set_user_attr("settings", dict(settings))
        if options.sampler == "grid":
            names = [one.name for one in self._parameters]
            combinations = itertools.product(*(one.choices for one in self._parameters))
            for chosen in itertools.islice(combinations, options.count):
                self._study.enqueue_trial(dict(zip(names, chosen)), skip_if_exists=True)

    def ask(self, number: int) -> tuple[Any, dict[str, Any]] | None:
        """Return trial `number`, new or interrupted, with its value of each parameter; None if it has ended already."""
        import optuna

        known = self._study.get_trials(deepcopy=False)
        state = known[number].state if number < len(known) else None
        if state is not None and state.is_finished():
            return None
        seed = int(np.random.SeedSequence((self._seed, number)).generate_state(1)[0])
        tpe = self._options.sampler == "tpe"
        self._study.sampler = (optuna.samplers.TPESampler if tpe else optuna.samplers.RandomSampler)(seed=seed)
        if state is optuna.trial.TrialState.RUNNING:
            study_id = self._storage.get_study_id_from_name(_NAME)
            trial_id = self._storage.get_trial_id_from_study_id_trial_number(study_id, number)
            trial = optuna.trial.Trial(self._study, trial_id)
        else:
            trial = self._study.ask()
        return trial, {one.name: one.suggest(trial) for one in self._parameters}

    def find_steps(self, number: int) -> dict[int, float]:
        """Return the validation scores of a trial so far, by the number of the validation from 1."""
        return dict(self._study.get_trials(deepcopy=False)[number].intermediate_values)

    def end(self, trial: Any, state: str, iterations: int | None = None, error: str = "") -> SweepTrial:
        """Record the end of a trial; a trial without a finite score has failed."""
        import optuna

        score = self._find_best(self.find_steps(trial.number))
        if score is None and not error:
            state, error = FAILED, f"no validation has a finite {self._options.objective}"
        trial.set_user_attr("iterations", iterations)
        trial.set_user_attr("error", error)
        if state == FINISHED:
            self._study.tell(trial, score)
        else:
            states = optuna.trial.TrialState
            self._study.tell(trial, state=states.PRUNED if state == PRUNED else states.FAIL)
        return self.list_trials()[trial.number]

    def list_trials(self) -> list[SweepTrial]:
        """Return the trials that have ended, by number."""
        words = {"COMPLETE": FINISHED, "PRUNED": PRUNED, "FAIL": FAILED}
        found = []
        for one in self._study.get_trials(deepcopy=False):
            if one.state.is_finished():
                score = self._find_best(one.intermediate_values)
                made, given, error = (one.user_attrs.get(name) for name in ("iterations", "budget", "error"))
                state = words[one.state.name]
                found.append(SweepTrial(one.number, state, score, made, given, dict(one.params), error or ""))
        return found

    def _find_best(self, steps: Mapping[int, float]) -> float | None:
        choose = max if self._options.more_is_better else min
        return choose((value for value in steps.values() if math.isfinite(value)), default=None)
