"""The status of a forecast service: one JSON file, replaced in one step, that a monitor reads."""

import collections
import datetime
import json
import os
import pathlib
import socket
import statistics
from collections.abc import Mapping
from typing import Any

import numpy as np

from predjax import __version__
from predjax.files import write_text
from predjax.jobs.staleness import find_age

HEARTBEAT = 10.0  # seconds after which the file is written though nothing has happened
_LATENCIES = 288  # of the last nowcasts
_ERRORS = ("feed", "frame", "output")


class Status:
    """The status of a service, and its file; without a path nothing is written."""

    def __init__(self, path: str | None, started: np.datetime64):
        self._path = pathlib.Path(path) if path else None
        self._process = {"host": socket.gethostname(), "pid": os.getpid(), "started": show_date(started)}
        self._errors = dict.fromkeys(_ERRORS, 0)
        self._last_nowcast: dict[str, Any] | None = None
        self._last_error: dict[str, Any] | None = None
        self._latencies: collections.deque[float] = collections.deque(maxlen=_LATENCIES)
        self._written: dict[str, Any] = {}
        self._due = float("-inf")

    def count_error(self, kind: str, text: str, date: np.datetime64) -> None:
        """Note an error of the `feed`, a `frame` or an `output`."""
        self._errors[kind] += 1
        self._last_error = {"time": show_date(date), "kind": kind, "message": text}

    def note_nowcast(self, nowcast: Mapping[str, Any], date: np.datetime64) -> None:
        """Note a nowcast that was written: its init time, file, the seconds that it took, and its latency or None."""
        self._last_nowcast = {"time": show_date(date), **nowcast}
        if nowcast.get("latency_seconds") is not None:
            self._latencies.append(nowcast["latency_seconds"])

    def write(self, found: Mapping[str, Any], newest: Any, date: np.datetime64, seconds: float) -> None:
        """Write the file if something has changed, or as a sign of life. Errors: OSError.

        Args:
          found: what the service knows: its `state`, whether the feed is `stale`, the `frames` by their states, the
            number of `files_left_out`.
          newest: the time of the newest frame, or None.
          date, seconds: what the clocks say.
        """
        dated = isinstance(newest, np.datetime64)
        latencies = {"count": 0, "median": None, "worst": None}
        if found_latencies := list(self._latencies):
            middle, worst = statistics.median(found_latencies), max(found_latencies)
            latencies = {"count": len(found_latencies), "median": round(middle, 2), "worst": round(worst, 2)}
        values = {
            "newest_frame": show_date(newest) if dated else newest,
            **found,
            "last_nowcast": self._last_nowcast,
            "latency_seconds": latencies,
            "errors": dict(self._errors),
            "last_error": self._last_error,
        }
        if self._path is None or (values == self._written and seconds < self._due):
            return
        age = {"age_minutes": round(find_age(newest, date), 2) if dated else None}
        head = {"time": show_date(date), "version": __version__, "process": self._process}
        write_text(self._path, json.dumps({**head, **values, **age}, indent=1) + "\n")
        self._written, self._due = values, seconds + HEARTBEAT


def read_date() -> np.datetime64:
    """Return the date (UTC) of now."""
    return np.datetime64(datetime.datetime.now(datetime.UTC).replace(tzinfo=None), "ns")


def read_stale(path: str | None) -> bool | None:
    """Return whether an earlier process found the feed stale, from its status file; None where nothing tells."""
    try:
        found = json.loads(pathlib.Path(path).read_text("utf-8"))["stale"] if path else None
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return found if isinstance(found, bool) else None


def show_date(date: np.datetime64) -> str:
    """Return a time (UTC) to the second in ISO 8601."""
    return f"{date.astype('datetime64[s]')}Z"
