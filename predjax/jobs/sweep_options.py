"""The options of a sweep, and the flags of a training that it searches. Imports no array library."""

import argparse
import dataclasses
import math
import re
from typing import Any, NamedTuple

from predjax.flags import KINDS, REQUIRED, Flag, check_value, flag, list_flags
from predjax.jobs.compare_options import read_budget
from predjax.messages import suggest
from predjax.models.config import ModelConfig, SamplingConfig
from predjax.radar.config import DataConfig
from predjax.training.config import OF_EVENTS, TrainConfig, split_score

SAID_BY_OPTIONS = ("max_iterations", "stop_on")  # fields of the configurations that budget and objective set
SAMPLERS, PRUNERS, USUAL_TRIALS = ("tpe", "random", "grid"), ("median", "none"), 20
# These decide which pixels are scored and how often, so that trials with other values would not compare: a network in
# moving coordinates is validated on frames that move.
_FIXED = {"input_length", "total_length", "task", "img_width", "img_channel", "num_action_ch", "max_valid_cases"}
_FIXED |= {"coordinates", "test_interval", *SAID_BY_OPTIONS}
_OF_DATA = ("importance",)  # which training windows are drawn; all other fields decide the cases
_RULE = "NAME=LOW..HIGH, NAME=LOW..HIGH:log or NAME=VALUE|VALUE, with spaces between several"
_RANGE = re.compile(r"(.+?)\.\.(.+?)(:log)?")


class Parameter(NamedTuple):
    """A flag that is searched, in a range of numbers or among choices."""

    flag: Flag
    choices: tuple[str, ...] = ()  # as they are typed; none for a range
    low: float = 0.0
    high: float = 0.0
    log: bool = False  # whether the logarithm is searched evenly

    @property
    def name(self) -> str:
        return self.flag.name

    @property
    def ends(self) -> tuple:
        """All choices, or the ends of the range."""
        return self.choices or (self.low, self.high)

    def read(self, chosen: Any) -> Any:
        """Return the value of the flag for a choice, or for a number of the range."""
        return self.flag.parse(chosen) if self.choices else chosen

    def suggest(self, trial: Any) -> Any:
        """Return the value of this parameter in a trial of Optuna; a new trial draws it here."""
        if self.choices:
            return trial.suggest_categorical(self.name, self.choices)
        suggest_number = trial.suggest_int if self.flag.element is int else trial.suggest_float
        return suggest_number(self.name, self.low, self.high, log=self.log)


def read_search(text: str) -> tuple[Parameter, ...]:
    """Read the flags to search and their values. Errors: ValueError, one line, for a wrong name, value or range.

    >>> [(one.name, one.ends, one.log) for one in read_search("lr=1e-4..1e-2:log num_hidden=16,16|32,32")]
    [('lr', (0.0001, 0.01), True), ('num_hidden', ('16,16', '32,32'), False)]
    """
    found = tuple(_read_parameter(part) for part in text.split())
    names = [one.name for one in found]
    if not found or len(set(names)) < len(names):
        raise ValueError(f"search must be {_RULE}, each name once, not {text!r}")
    return found


def _read_parameter(text: str) -> Parameter:
    name, _, values = text.partition("=")
    known = {spelt[2:]: flag for flag in _list_searchable() for spelt in flag.names}
    if not values:
        raise ValueError(f"search must be {_RULE}, not {text!r}")
    if name in _FIXED | {flag.name for flag in list_flags(DataConfig) if flag.name not in _OF_DATA}:
        raise ValueError(f"search: {name} must be the same for all trials, which are compared by their scores")
    if name not in known:
        raise ValueError(f"search: {name!r} is no flag of models or training{suggest(name, known)}")
    flag, ends = known[name], _RANGE.fullmatch(values)
    if ends:
        low, high = (_read_value(flag, end) for end in ends.groups()[:2])
        if flag.is_tuple or flag.element not in (int, float):
            raise ValueError(f"search: {name} takes values, such as {name}=A|B, and no range")
        if not low < high or (ends[3] and low <= 0):
            rule = " and start above 0" if ends[3] else ""
            raise ValueError(f"search: the range of {name} must rise{rule}, not {values}")
        return Parameter(flag, (), low, high, bool(ends[3]))
    choices = tuple(values.split("|"))
    if len({repr(_read_value(flag, choice)) for choice in choices}) < max(2, len(choices)):
        raise ValueError(f"search: {name} must have different values, at least two, not {values}")
    return Parameter(flag, choices)


def _list_searchable() -> list[Flag]:
    of_data = [flag for flag in list_flags(DataConfig) if flag.name in _OF_DATA]
    flags = [flag for config in (ModelConfig, TrainConfig, SamplingConfig) for flag in list_flags(config)]
    return [flag for flag in (*flags, *of_data) if flag.name not in _FIXED]


def _read_value(flag: Flag, text: str) -> Any:
    """Read a value by the flag's own rule. Errors: ValueError."""
    try:
        return check_value(flag, flag.parse(text))
    except argparse.ArgumentTypeError as error:
        raise ValueError(f"search: {flag.name}: {error}") from None
    except ValueError as error:
        known = str(error).startswith(f"{flag.name} must")  # of `check_value`
        raise ValueError(
            f"search: {error if known else f'{flag.name} must be {_name_kind(flag)}, not {text!r}'}"
        ) from None


def _name_kind(flag: Flag) -> str:
    return KINDS[flag.element][1] + (", or several with commas" if flag.is_tuple else "")


@dataclasses.dataclass(frozen=True)
class SweepOptions:
    """The options of a sweep: the flags to search, the number and the length of trainings, and the folder.

    Errors: ValueError, one line: a search, a number, a budget or an objective that is not possible.
    """

    search: str = flag(
        REQUIRED,
        f"flags to search: {_RULE}, as in 'lr=1e-4..1e-2:log batch_size=2|4|8 num_hidden=16,16|32,32'",
        metavar="'NAME=... ...'",
        once=True,
    )
    save_dir: str = flag(
        REQUIRED,
        "the study, the table and a picture; below it trial_000 and so on, a run for each trial",
        metavar="DIR",
        kind="folder",
        place=True,
    )
    resume: bool = flag(False, "go on with the sweep in --save_dir, also with more trials", switch=True, place=True)
    trials: int | None = flag(
        None, f"trainings with other values (default {USUAL_TRIALS}; of a grid: all)", metavar="N"
    )
    budget: str = flag("200it", "of each trial: iterations (500it), or minutes of updates (20min)", metavar="Nit|Nmin")
    objective: str = flag(
        "loss",
        "best validation score of a trial: loss, rmse, mae, csi_X, pod_X, far_X (X in the data's unit)",
        metavar="SCORE",
    )
    sampler: str = flag("tpe", "choice of values: by the trials before, random, all combinations", choices=SAMPLERS)
    pruner: str = flag(
        "median",
        "median: a trial that is worse than half of those before, at the same validation, ends",
        choices=PRUNERS,
    )

    def __post_init__(self) -> None:
        parameters = read_search(self.search)
        read_budget(self.budget)
        try:
            split_score(self.objective)
        except ValueError as error:
            raise ValueError(str(error).replace("stop_on", "objective", 1)) from None
        if self.trials is not None and self.trials < 1:
            raise ValueError(f"trials must be at least 1, not {self.trials}")
        if self.sampler == "grid" and (ranged := [one.name for one in parameters if not one.choices]):
            raise ValueError(f"a grid needs values, such as {ranged[0]}=A|B, and no range of {', '.join(ranged)}")
        if self.objective == "loss" and "loss" in [one.name for one in parameters]:
            raise ValueError("values of different losses do not compare: search loss with objective rmse, mae or csi_X")

    @property
    def count(self) -> int:
        """The number of trials."""
        if self.sampler != "grid":
            return self.trials or USUAL_TRIALS
        combinations = math.prod(len(one.choices) for one in read_search(self.search))
        return min(self.trials or combinations, combinations)

    @property
    def more_is_better(self) -> bool:
        return split_score(self.objective)[0] in OF_EVENTS[:2]

    @property
    def score(self) -> str:
        """The name of the objective in the events of a validation."""
        return f"valid_{self.objective}"
