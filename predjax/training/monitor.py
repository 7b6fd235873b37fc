"""The log and the progress bar of a training, and its end after too many bad updates; the device never waits."""

import json
import os
import pathlib
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from predjax.files import open_own, write_text
from predjax.radar.windows.index import Window
from predjax.training.callbacks import Callback, Event
from predjax.training.run import Run

SHARE_WORTH_SAYING = 0.05  # of the time is spent waiting for data: from here on the progress bar says so


class Log:
    """A JSON-lines file, one record a line. A run that resumes at iteration n keeps the records up to n."""

    def __init__(self, path: str | os.PathLike, iteration: int) -> None:
        self.path = pathlib.Path(path)
        kept = [r for r in read_log(path) if r["iteration"] <= iteration] if iteration else []
        write_text(self.path, "".join(json.dumps(r) + "\n" for r in kept))

    def add(self, **record: Any) -> None:
        """Append a record. Errors: OSError, which names the file, if for instance the disk is full."""
        try:
            with open(self.path, "a", opener=open_own) as file:
                file.write(json.dumps(record) + "\n")
        except OSError as error:
            raise type(error)(error.errno, error.strerror, str(self.path)) from error

    def __call__(self, event: Event) -> None:
        """Append the numbers of an event of the training."""
        if event.kind in ("update", "validation"):
            self.add(iteration=event.iteration, **event.values)


def read_log(path: str | os.PathLike) -> list[dict[str, Any]]:
    """Return the records of a log; lines that are not records, such as a last one half written, are left out."""
    records = []
    for line in pathlib.Path(path).read_bytes().splitlines() if pathlib.Path(path).is_file() else []:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict) and type(record.get("iteration")) is int:
            records.append(record)
    return records


class Monitor:
    """A reader of metrics. It reads those of an iteration while the next one runs, so that the device always has work.

    It counts updates in a row without a finite gradient. Every `display_interval` iterations it reports an update: the
    metrics, `frames_per_second`, and `waited`, the share of the time since the last record (without validation) in
    which the loop had no batch to go on with. The device may still have been busy then: `waited` is the most that
    faster reading could save. The bar is tqdm's; the run continues from `iteration`.
    """

    def __init__(self, run: Run, tell: Callback, bar: Any, iteration: int) -> None:
        self.stop = 0  # the signal that came to any process before the update whose metrics were read last; 0: none
        self._run, self._tell, self._bar = run, tell, bar
        self._frames = run.config.update_size * run.forecaster.config.total_length
        self._bad = 0
        self._pending: tuple | None = None
        self._begin, self._counted, self._waited = time.perf_counter(), iteration, 0.0

    def wait(self, batches: Iterable) -> Iterator:
        """Yield the batches; count the time until each is available as waiting."""
        start = time.perf_counter()
        for batch in batches:
            self._waited += time.perf_counter() - start
            yield batch
            start = time.perf_counter()

    def leave_out(self, seconds: float) -> None:
        """Leave the last `seconds` out of the time that counts as training."""
        self._begin += seconds

    def add(self, iteration: int, windows: Sequence[Window], metrics: dict[str, Any]) -> None:
        """Keep the metrics of the iteration that has just begun; read those of the one before. Errors: see `settle`."""
        self.settle()
        self._pending = iteration, windows, metrics

    def settle(self) -> None:
        """Read the metrics that were added last, and wait until the device has them.

        Errors: ValueError, which names the files of the batch, after `max_bad_steps` updates without a finite gradient.
        """
        if self._pending is None:
            return
        (iteration, windows, metrics), self._pending = self._pending, None
        self.stop = int(metrics.get("stop", 0))
        self._bad = self._bad + 1 if float(metrics["bad"]) else 0
        if self._bad >= self._run.config.max_bad_steps:
            raise ValueError(self._explain_bad(windows, float(metrics["loss"])))
        if iteration % self._run.config.display_interval == 0:
            self._display(iteration, {k: float(v) for k, v in metrics.items() if k != "stop"})

    def _display(self, iteration: int, values: dict[str, float]) -> None:
        now = time.perf_counter()
        seconds = now - self._begin
        rate, share = (iteration - self._counted) * self._frames / seconds, self._waited / seconds
        self._begin, self._counted, self._waited = now, iteration, 0.0
        waiting = f", {share:.0%} waiting for data" if share >= SHARE_WORTH_SAYING else ""
        self._bar.set_postfix_str(f"loss {values['loss']:.5f}, {rate:.0f} frames/s{waiting}")
        values |= {"frames_per_second": float(f"{rate:.4g}"), "waited": round(share, 4)}
        self._tell(Event("update", iteration, values, self._run.folder))

    def _explain_bad(self, windows: Sequence[Window], loss: float) -> str:
        sources = sorted({self._run.batches.names[w.source] for w in windows})
        return (
            f"{self._bad} updates in a row without a finite gradient (loss {loss:g}), the last with windows of "
            f"{', '.join(sources)}; the parameters before them are kept in {self._run.folder}: lower --lr or set "
            "--clip_norm 1, and look at the range of the data"
        )
