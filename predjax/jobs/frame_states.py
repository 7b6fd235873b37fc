"""The states of all frame times of a watched feed: which nowcast to make next, and why others were not made.

Nothing here reads files or clocks: times, versions of files and clocks are arguments.
"""

import collections
import dataclasses
import enum
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

MOST = 10_000  # frame times that are kept after their files are gone
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 600.0  # seconds until what failed is tried again, doubled each time
EARLIER = "it was there before the watch began"
GONE = "its file is gone"
REMOVED = "its nowcast would be removed at once"
Inputs = tuple[tuple[Any, Any], ...]  # the frames that a nowcast starts from: their times, rising, and versions


class State(enum.StrEnum):
    """The state of the nowcast from a frame."""

    WAITING = "waiting"
    MADE = "made"
    AGAIN = "made again"
    GIVEN_UP = "given up"


class Clock(NamedTuple):
    """The time by two clocks: seconds that never jump, and the date (UTC), which may."""

    seconds: float
    date: np.datetime64


@dataclasses.dataclass
class Frame:
    """The state of one frame time."""

    state: State = State.WAITING
    reason: str = ""  # why it waits, or was given up
    inputs: Inputs | None = None  # of the last attempt; None: there was none
    due: float = 0.0  # when it is tried again, though its inputs are the same
    pause: float = FIRST_PAUSE


class FrameStates:
    """The states of all frame times, which the methods update.

    A nowcast that could not be made is tried again when the frames that it starts from change; after an error that may
    pass (`failed` with `passing`), also after a pause. While outputs cannot be written, all wait. The newest frame
    comes first. `max_age` (minutes) gives up frames that are older; those that are dated further ahead wait. `revise`
    makes a nowcast again when its frames change or one of them comes late. `keep` (seconds) gives up frames that are
    that much older than the newest nowcast; nowcasts that are dated ahead do not count.
    """

    def __init__(self, max_age: float | None = None, revise: bool = False, keep: float | None = None):
        self._max_age, self._revise, self._keep = max_age, revise, keep
        self._frames: dict[Any, Frame] = {}
        self._times: list = []
        self._blocked_until, self._block = 0.0, FIRST_PAUSE

    def __contains__(self, time: Any) -> bool:
        return time in self._frames

    def __getitem__(self, time: Any) -> Frame:
        return self._frames[time]

    def see(self, times: Sequence, first: Any = None) -> list:
        """Take the times of the frames that are in the feed now, rising; return the frames that are given up by this.

        At the first call with any frames, those before `first` are left alone.
        """
        fresh = not self._frames
        self._times = list(times)
        for time in self._times:
            frame = self._frames.setdefault(time, Frame())
            if frame.reason == GONE:
                self._frames[time] = Frame()
            elif fresh and first is not None and time < first:
                frame.state, frame.reason = State.GIVEN_UP, EARLIER
        gone = sorted(self._frames.keys() - set(self._times))
        lost = [time for time in gone if self._frames[time].state is State.WAITING]
        for time in lost:
            self._give_up(time, GONE)
        for time in gone[:-MOST]:
            del self._frames[time]
        return lost

    def _find_removed(self, clock: Clock) -> list:
        """Return the waiting frames that are older than the newest nowcast by more than `keep`."""
        if self._keep is None:
            return []
        dated = {time: frame.state for time, frame in self._frames.items() if isinstance(time, np.datetime64)}
        made = [time for time, state in dated.items() if state in (State.MADE, State.AGAIN) and time <= clock.date]
        if not made:
            return []
        first = max(made) - np.timedelta64(round(self._keep * 1e9), "ns")
        return [time for time in self._times if dated.get(time) is State.WAITING and time < first]

    def age(self, time: Any, clock: Clock) -> float | None:
        """Return the age of a frame in minutes; None for frames without dates."""
        return float((clock.date - time) / np.timedelta64(60, "s")) if isinstance(time, np.datetime64) else None

    def expire(self, clock: Clock) -> list:
        """Give up frames that are too old now, and return them; frames given up by a wrong clock wait again."""
        expired = self._find_removed(clock)
        for time in expired:
            self._give_up(time, REMOVED)
        if self._max_age is None:
            return expired
        for time in self._times:
            frame, age = self._frames[time], self.age(time, clock)
            rule = f"max_age is {self._max_age:g}"
            old = age is None or age > self._max_age
            if frame.state is State.WAITING and old:
                shown = "it has no date" if age is None else f"it is {age:.1f} min old"
                self._give_up(time, f"{shown}: {rule}")
                expired.append(time)
            elif frame.state is State.GIVEN_UP and frame.reason.endswith(rule) and not old:  # the clock was wrong
                self._frames[time] = Frame()
        return expired

    def choose(self, find_inputs: Callable[[Any], Inputs], clock: Clock) -> Any:
        """Return the time of the newest frame whose nowcast comes next; None where there is none."""
        if clock.seconds < self._blocked_until:
            return None
        return next((time for time in reversed(self._times) if self._is_due(time, find_inputs, clock)), None)

    def _is_due(self, time: Any, find_inputs: Callable[[Any], Inputs], clock: Clock) -> bool:
        frame = self._frames[time]
        if frame.state is State.WAITING:
            if self._max_age is not None and (age := self.age(time, clock)) is not None and age < -self._max_age:
                return False
            return frame.inputs is None or clock.seconds >= frame.due or find_inputs(time) != frame.inputs
        if not self._revise or not frame.inputs or frame.state is State.GIVEN_UP:
            return False
        age = self.age(time, clock)
        if self._max_age is not None and (age is None or age > self._max_age):
            return False
        first = frame.inputs[0][0]  # an older frame may only have taken the place of one that is gone
        return any(one[0] >= first and one not in frame.inputs for one in find_inputs(time))

    def made(self, time: Any, inputs: Inputs | None = None) -> None:
        """Note that a nowcast is written, and from which frames; a nowcast without these is never made again."""
        frame = self._frames.setdefault(time, Frame())
        state = State.AGAIN if frame.state in (State.MADE, State.AGAIN) and inputs else State.MADE
        self._frames[time] = Frame(state, inputs=inputs)
        self._block = FIRST_PAUSE

    def failed(self, time: Any, reason: str, inputs: Inputs, passing: float | None = None) -> bool:
        """Note that a nowcast cannot be made from its frames; return whether the reason is new.

        `passing` is the time in seconds, given for an error that may pass; without it only other frames help.
        """
        frame = self._frames[time]
        new = frame.reason != reason
        frame.reason, frame.inputs, frame.due = reason, inputs, float("inf")
        if passing is not None:
            frame.due, frame.pause = passing + frame.pause, min(2 * frame.pause, LONGEST_PAUSE)
        return new

    def blocked(self, time: Any, reason: str, inputs: Inputs, seconds: float) -> bool:
        """Note that a nowcast could not be written at a time in seconds: all wait. Return whether the reason is new.

        The frame itself waits for longer, so that others are tried before it.
        """
        new = self.failed(time, reason, inputs, seconds + self._block)
        self._blocked_until, self._block = seconds + self._block, min(2 * self._block, LONGEST_PAUSE)
        return new

    def counts(self) -> dict[str, int]:
        """Return the number of frame times in each state."""
        found = collections.Counter(frame.state for frame in self._frames.values())
        return {str(state): found[state] for state in State}

    def _give_up(self, time: Any, reason: str) -> None:
        self._frames[time] = Frame(State.GIVEN_UP, reason)


def describe_times(times: Iterable, show: Callable[[Any], str]) -> str:
    """Return one time, or the first and the last of several with their number."""
    several = list(times)
    if len(several) == 1:
        return show(several[0])
    return f"{show(several[0])} to {show(several[-1])} ({len(several)} frames)"
