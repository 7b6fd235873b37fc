"""Events of a training, and callbacks: functions that are called with events while it runs."""

import contextlib
import pathlib
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

ASKED = 2**15  # in the place of the number of a signal: a callback asks for the end of the run


class Event(NamedTuple):
    """Something that happened in a training.

    kind         values                                                         params
    begin        the record of the run: "model", "training", "sampling", "data"  none
    update       those of a line of log.jsonl, each `display_interval`           none
    validation   "valid_loss"                                                    those that were validated
    end          "reason": "finished", or why the run ended before               those at the end
    """

    kind: str
    iteration: int  # iterations that are done
    values: Mapping[str, Any]
    folder: pathlib.Path  # of the run
    # The parameters by module and name, arrays of jax. The next update takes their memory: copy what you keep.
    params: Any = None


# A function that is called with every event, by the chief of the processes alone. If it returns True the training ends
# after an iteration, with a checkpoint. Its errors end the training without one.
Callback = Callable[[Event], Any]


class Audience:
    """The callbacks of a training, called one after the other; an error inside this context ends the training.

    `asked` becomes ASKED as soon as a callback asks for the end, and is 0 before.
    """

    def __init__(self, callbacks: Iterable[Callback]) -> None:
        self.asked = 0
        self._callbacks, self._last = list(callbacks), Event("begin", 0, {}, pathlib.Path())

    def __call__(self, event: Event) -> None:
        """Call all callbacks with an event."""
        self._last = event
        for callback in self._callbacks:
            answer = callback(event)
            if isinstance(answer, bool | np.bool_) and answer:  # other values are no answer to this
                self.asked = ASKED

    def __enter__(self) -> "Audience":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            last = self._last._replace(kind="end", values={"reason": f"{type(error).__name__}: {error}"}, params=None)
            for callback in self._callbacks:
                with contextlib.suppress(Exception):  # the first error is the one that counts
                    callback(last)
