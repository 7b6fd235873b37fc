"""Callbacks that write the metrics of a training for other programs. Each imports its library when it is made."""

import csv
import importlib.util
import json
import logging
import os
import pathlib
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from predjax.files import write_text
from predjax.training.callbacks import Callback, Event

LOG = logging.getLogger("predjax")


class Start(NamedTuple):
    """The start of a run for its loggers: its folder, the number of iterations so far, and its record."""

    folder: pathlib.Path
    iteration: int
    record: Mapping[str, Any]


def make_csv(start: Start) -> Callback:
    """Make the logger of `metrics.csv`, with a line "iteration,name,value" for each number.

    A resumed run keeps the lines up to its first iteration.
    """
    path = start.folder / "metrics.csv"
    kept = []
    if start.iteration and path.is_file():
        with path.open(newline="") as file:
            # A killed process may have cut a line, or left it empty.
            whole = [row for row in csv.reader(file) if len(row) == 3 and row[0].isdigit()]
            kept = [row for row in whole if int(row[0]) <= start.iteration]
    rows = [("iteration", "name", "value"), *kept]
    write_text(path, "".join(",".join(map(str, row)) + "\n" for row in rows))

    def log(event: Event) -> None:
        if numbers := _find_numbers(event):
            with path.open("a", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows((event.iteration, *one) for one in numbers.items())

    return log


def make_tensorboard(start: Start) -> Callback:
    """Make the logger of TensorBoard, which writes event files into the folder `tensorboard`.

    A resumed run replaces what the files show of later iterations.
    """
    from tensorboardX import SummaryWriter

    writer = SummaryWriter(str(start.folder / "tensorboard"), purge_step=start.iteration + 1)
    writer.add_text("configuration", f"```\n{json.dumps(start.record, indent=1)}\n```")

    def log(event: Event) -> None:
        for name, value in _find_numbers(event).items():
            writer.add_scalar(name, value, event.iteration)
        if event.kind == "end":
            writer.close()

    return log


def make_wandb(start: Start) -> Callback:
    """Make the logger of Weights & Biases, which writes to `wandb` in the folder; a resumed run continues there."""
    import wandb

    run = wandb.init(
        project=os.environ.get("WANDB_PROJECT", "predjax"),
        name=start.folder.name,
        dir=str(start.folder),
        config=dict(start.record),
        id=_keep_name(start, "wandb_run.txt", lambda: uuid.uuid4().hex[:8]),
        resume="allow",
        settings=wandb.Settings(console="off"),
    )

    def log(event: Event) -> None:
        if numbers := _find_numbers(event):
            run.log(numbers, step=event.iteration)
        if event.kind == "end":
            run.finish()

    return log


def make_mlflow(start: Start) -> Callback:
    """Make the logger of MLflow, which writes to `MLFLOW_TRACKING_URI`; a resumed run continues its run there."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

    client = MlflowClient()

    def begin() -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "predjax")
        experiment = client.get_experiment_by_name(name)
        number = experiment.experiment_id if experiment else client.create_experiment(name)
        run = client.create_run(number, run_name=start.folder.name).info.run_id
        params = [
            Param(f"{part}.{key}", str(value)[:500])
            for part in ("model", "training", "sampling")
            for key, value in start.record.get(part, {}).items()
        ]
        for first in range(0, len(params), 100):  # the most that MLflow takes at once
            client.log_batch(run, params=params[first : first + 100])
        return run

    name = _keep_name(start, "mlflow_run.txt", begin)

    def log(event: Event) -> None:
        now = round(1000 * time.time())
        metrics = [Metric(key, value, now, event.iteration) for key, value in _find_numbers(event).items()]
        if metrics:
            client.log_batch(name, metrics=metrics)
        if event.kind == "end":
            client.set_terminated(name, "FINISHED" if event.values["reason"] == "finished" else "KILLED")

    return log


class Logger(NamedTuple):
    """A kind of logger: the function that makes it, and the module and the extra that it needs."""

    make: Callable[[Start], Callback]
    module: str = ""
    extra: str = ""


LOGGERS = {
    "csv": Logger(make_csv),
    "tensorboard": Logger(make_tensorboard, "tensorboardX", "tensorboard"),
    "wandb": Logger(make_wandb, "wandb", "wandb"),
    "mlflow": Logger(make_mlflow, "mlflow", "mlflow"),
}


def check_loggers(names: Sequence[str]) -> None:
    """Raise a ValueError for a logger whose library is not installed."""
    for name in names:
        logger = LOGGERS[name]
        if logger.module and importlib.util.find_spec(logger.module) is None:
            raise ValueError(f"metrics_log {name} needs the extra: pip install 'predjax[{logger.extra}]'")


def make_loggers(names: Sequence[str], start: Start) -> list[Callback]:
    """Make the loggers of these names. A logger that fails is left out from then on, with a warning."""
    return [Tolerated(name, start) for name in names]


class Tolerated:
    """A logger whose errors do not end a training."""

    def __init__(self, name: str, start: Start) -> None:
        self._name, self._log = name, None
        self._try(0, lambda: setattr(self, "_log", LOGGERS[name].make(start)))

    def __call__(self, event: Event) -> None:
        if self._log is not None:
            self._try(event.iteration, lambda: self._log(event))

    def _try(self, iteration: int, act: Callable[[], Any]) -> None:
        try:
            act()
        except Exception as error:  # whatever a library raises
            self._log = None
            LOG.warning("metrics_log %s failed at iteration %d (%s): it is left out", self._name, iteration, error)


def _find_numbers(event: Event) -> dict[str, float]:
    return dict(event.values) if event.kind in ("update", "validation") else {}


def _keep_name(start: Start, file: str, make: Callable[[], str]) -> str:
    """Return the name of a tracked run: for a resumed run the one in a file of the folder, else a new one."""
    path = start.folder / file
    if start.iteration and path.is_file():
        return path.read_text().strip()
    name = make()
    write_text(path, f"{name}\n")
    return name
