"""Trainings that differ in a few values alone: what they share, how they are resumed, and how long they last."""

import contextlib
import dataclasses
import hashlib
import json
import logging
import math
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from predjax.checkpoint_names import list_steps
from predjax.jobs.model_choice import show_value
from predjax.jobs.options import read_keywords
from predjax.jobs.plan import TrainingPlan
from predjax.jobs.train import SILENT, Listener, TrainResult, run_training
from predjax.jobs.train_options import CONFIGURATIONS, Given, TrainOptions, TrainRequest, describe_paths

LOG = logging.getLogger("predjax")


@contextlib.contextmanager
def log_once() -> Iterator[None]:
    """Drop repeated lines of the log in this block: all trainings read the same data and would say the same of them."""
    seen: set[str] = set()

    def is_new(record: logging.LogRecord) -> bool:
        text = record.getMessage()
        return text not in seen and seen.add(text) is None  # type: ignore[func-returns-value]

    LOG.addFilter(is_new)
    try:
        yield
    finally:
        LOG.removeFilter(is_new)


def read_request(function: str, own: type, names: Sequence[str], values: Mapping[str, Any]) -> tuple[Any, TrainRequest]:
    """Return the options of a Python function, and the request that all of its trainings have in common.

    `own` is the class of the options; `names` are the `TrainOptions` that it takes. Errors: see `read_keywords`.
    """
    [training] = read_keywords(function, (TrainOptions,), {name: values[name] for name in names if name in values})
    rest = {name: value for name, value in values.items() if name not in names}
    options, *parts = read_keywords(function, (own, *CONFIGURATIONS), rest)
    given = Given.of({name: value for part in parts for name, value in part.items()})
    return own(**options), TrainRequest(options=TrainOptions(**training), given=given)


def describe_settings(request: TrainRequest, options: Sequence[str], **own: Any) -> dict[str, Any]:
    """Return the common settings of all trainings as JSON values: `own`, the data, and the given values.

    `options` are the names of the `TrainOptions` that count.
    """
    values = {name: value for part in request.given for name, value in part.items()}
    values |= {name: getattr(request.options, name) for name in options}
    paths = {name: getattr(request, name) for name in ("data", "valid_data")}
    described = {name: None if path is None else describe_paths(path) for name, path in paths.items()}
    return json.loads(json.dumps({**own, **described, "given": values}))


def refuse_change(path: pathlib.Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise a ValueError that names the first setting that differs from the settings with which `path` was made."""
    flat_before, flat_now = ({**one, **one["given"]} for one in (before, now))
    for name in {**flat_before, **flat_now}:
        if name != "given" and flat_before.get(name) != flat_now.get(name):
            was, found = show_value(flat_before.get(name)), show_value(flat_now.get(name))
            raise ValueError(f"{path} was made with {name} {was}, not {found}")


def find_shared(plan: TrainingPlan) -> dict[str, Any]:
    """Return what must be the same for all trainings: the cases, their unit and their lengths."""
    windows = json.dumps([plan.record["data"][name] for name in ("train", "valid", "test")])
    return {
        "units": plan.data.units,
        "total_length": plan.model.total_length,
        "input_length": plan.model.input_length,
        "split": hashlib.sha256(windows.encode()).hexdigest(),
    }


def check_shared(name: str, shared: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Raise a ValueError, which begins with `name`, if a training differs from the others in what all must share."""
    for key, value in found.items():
        if value != shared[key]:
            shown = "other data, or another split" if key == "split" else f"{key} {shared[key]}, not {value}"
            raise ValueError(f"{name} cannot be compared: the other trainings have {shown}")


def train_on(request: TrainRequest, folder: pathlib.Path, listener: Listener = SILENT) -> TrainResult:
    """Train in a folder: continue from its newest checkpoint, if there is one. Errors: see `jobs.train.train`."""
    begun = bool(list_steps(folder))
    options = dataclasses.replace(request.options, save_dir=str(folder), resume=begun, overwrite=not begun)
    return run_training(request._replace(options=options), listener)


def count_iterations(request: TrainRequest, minutes: float) -> int:
    """Return the number of updates that fit into `minutes`, by the time of one update here without compiling."""
    options = dataclasses.replace(request.options, save_dir=None, resume=False, overwrite=False, dry_run=True)
    result = run_training(request._replace(options=options, callbacks=()))
    assert result.cost is not None, "of a dry run"
    return max(1, math.floor(60 * minutes / result.cost.iteration_seconds))
