"""Signals that end a training after the current iteration."""

import signal
from types import FrameType, TracebackType
from typing import Any


class SignalCatcher:
    """A context that keeps the first SIGINT or SIGTERM in `signal` (0: none came); a second one acts at once.

    Outside the main thread no signal can be caught: the handlers of the caller stay.
    """

    def __init__(self) -> None:
        self.signal = 0
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> "SignalCatcher":
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._previous[number] = signal.signal(number, self._remember)
            except ValueError:  # not in the main thread
                break
        return self

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        signal.signal(number, self._previous[number])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
