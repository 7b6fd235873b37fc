"""Detect when a feed stops or goes on, and run the user's command for these events."""

import contextlib
import os
import shlex
import subprocess
from typing import Any

import numpy as np

STALE, FRESH = "stale", "recovered"
MOST_SECONDS = 60.0  # a process that ends waits no longer for the command


class Staleness:
    """Whether the newest frame is older than `max_age` minutes; nothing here reads a clock.

    Frames that are dated more than `max_age` minutes ahead are ignored.
    """

    def __init__(self, max_age: float | None, stale: bool | None = None):
        self._max_age = max_age
        self.stale = stale  # None: nothing is known yet

    def find_newest(self, times: list, date: np.datetime64) -> Any:
        """Return the newest of rising times; None where there is none."""
        if self._max_age is None or not times or not isinstance(times[-1], np.datetime64):
            return times[-1] if times else None
        return next((time for time in reversed(times) if find_age(time, date) >= -self._max_age), None)

    def look(self, newest: Any, date: np.datetime64) -> str:
        """Take the newest frame and the date; return STALE if the feed has stopped, FRESH if it goes on, else ""."""
        if self._max_age is None or not isinstance(newest, np.datetime64 | None):
            return ""
        before, self.stale = self.stale, newest is None or find_age(newest, date) > self._max_age
        if self.stale and not before:
            return STALE
        return FRESH if before and not self.stale else ""


def find_age(time: np.datetime64, date: np.datetime64) -> float:
    """Return the minutes from a time to a date."""
    return float((date - time) / np.timedelta64(60, "s"))


class Hook:
    """A command of the user, without a shell, that runs beside this process."""

    def __init__(self, command: str | None):
        self._command = shlex.split(command) if command else []
        self._running: list[subprocess.Popen] = []

    def run(self, state: str, newest: str) -> str:
        """Start the command with PREDJAX_FEED (stale or recovered) and PREDJAX_NEWEST; return an error, or ""."""
        if not self._command:
            return ""
        environment = os.environ | {"PREDJAX_FEED": state, "PREDJAX_NEWEST": newest}
        try:
            self._running.append(subprocess.Popen(self._command, env=environment, stdin=subprocess.DEVNULL))
        except OSError as error:
            return f"on_stale: {self._command[0]}: {error.strerror}"
        return ""

    def reap(self) -> list[str]:
        """Return an error for each command that has failed since the last call."""
        ended = [one for one in self._running if one.poll() is not None]
        self._running = [one for one in self._running if one.returncode is None]
        return [f"on_stale: {self._command[0]} ended with {one.returncode}" for one in ended if one.returncode]

    def wait(self) -> list[str]:
        """Wait a minute at most for the command, before this process ends; return errors as `reap` does."""
        for one in self._running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                one.wait(MOST_SECONDS)
        errors = self.reap()
        late = f"has not ended after {MOST_SECONDS:g} s and goes on by itself"
        return [*errors, *(f"on_stale: {self._command[0]} {late}" for _ in self._running)]
