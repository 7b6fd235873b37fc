"""Forecast from every frame that arrives, until a signal ends it: the loop around `frame_states`."""

import contextlib
import dataclasses
import functools
import pathlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from predjax.files import remove_stale
from predjax.jobs.forecast import Forecasting, Outcome, check_format, open_forecasting, show_time, write_nowcast
from predjax.jobs.frame_states import Clock, FrameStates, Inputs, State, describe_times
from predjax.jobs.journal import Journal
from predjax.jobs.options import ForecastFiles, ForecastOptions
from predjax.jobs.retention import remove_old
from predjax.jobs.staleness import FRESH, Hook, Staleness
from predjax.jobs.status import Status, read_date, read_stale
from predjax.jobs.watch_options import WatchOptions
from predjax.locks import hold
from predjax.messages import describe_error, one_line
from predjax.radar.isolation.reader import Stopped

LONGEST_SLEEP = 0.2  # seconds until a signal is heard
MOST_ENTRIES = 10_000  # nowcasts that the journal remembers after a restart


def watch(
    options: ForecastOptions, files: ForecastFiles, watching: WatchOptions, stopped: Callable[[], bool]
) -> Iterator[Outcome]:
    """Write a forecast from every frame until `stopped` is true; look for new frames every `watching.poll` seconds.

    The first forecast starts from the newest frame that exists at the start; after a restart on the same folder, from
    all frames since the first one of the earlier process. Later frames are forecast whenever they arrive, the newest
    first. A frame without a forecast yields an outcome with the reason, once for each reason, and is tried again when
    frames have changed. No error of a file, a frame or an output ends it.

    Errors: see `open_forecasting`; and a ValueError where another process watches into the same folder.
    """
    check_format(files.format)
    forecasting = open_forecasting(options, stopped)
    writing = contextlib.ExitStack()
    writing.enter_context(hold(files.output))
    return _hold(writing, Watch(forecasting, files, watching).follow(stopped))


def _hold(writing: contextlib.ExitStack, outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
    """Yield outcomes, and keep other processes out of their folder until the last one."""
    with writing:
        yield from outcomes


class Watch:
    """A feed that is watched: the states of its frames, the journal of written files, and the status of the service."""

    def __init__(self, forecasting: Forecasting, files: ForecastFiles, watching: WatchOptions):
        self._forecasting, self._files, self._watching = forecasting, files, watching
        max_age = forecasting.options.max_age
        self.states = FrameStates(max_age, watching.revise, watching.keep_seconds)
        self._folder = pathlib.Path(files.output)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._journal = Journal(self._folder)
        self._said: set[str] = set()
        self._started = time.time()
        self._staleness = Staleness(max_age, read_stale(watching.status))
        self._hook, self._status = Hook(watching.on_stale), Status(watching.status, read_clock().date)

    def follow(self, stopped: Callable[[], bool]) -> Iterator[Outcome]:
        """Yield outcomes until `stopped` is true."""
        with contextlib.suppress(OSError):  # the disk may be full for the moment
            remove_stale(self._folder)
            if self._watching.keep_seconds is None:
                self._journal.shorten(MOST_ENTRIES)
        with contextlib.suppress(Stopped):  # while a file is read
            while not stopped():
                yield from self._look()
                yield from self._report()
                init = self.states.choose(self._find_inputs, read_clock())
                if init is None:
                    sleep(self._watching.poll, stopped)
                else:
                    yield from self._make(init)
                    yield from self._clean()
        with contextlib.suppress(OSError):
            self._write_status("ended")

    def _report(self) -> Iterator[Outcome]:
        """Yield outcomes when the feed stops or goes on, and for errors of the user's command; write the status."""
        date = read_date()
        newest = self._staleness.find_newest(self._forecasting.feed.times(), date)
        if change := self._staleness.look(newest, date):
            shown = "none" if newest is None else show_time(newest)
            text = "the feed goes on" if change == FRESH else "the feed stopped"
            yield Outcome(f"{text}: the newest frame is of {shown}", change, {"newest_frame": shown})
            if error := self._hook.run(change, shown):
                yield Outcome(error, "hook")
        for error in self._hook.reap():
            yield Outcome(error, "hook")
        try:
            self._write_status("running")
            self._said.discard("status")
        except OSError as error:
            if "status" not in self._said:
                self._said.add("status")
                yield Outcome(f"no status: {one_line(describe_error(error))}", "status")

    def _write_status(self, state: str) -> None:
        """Write the status. Errors: OSError."""
        clock, feed = read_clock(), self._forecasting.feed
        newest = self._staleness.find_newest(feed.times(), clock.date)
        found = {"state": state, "stale": self._staleness.stale, "frames": self.states.counts()}
        self._status.write({**found, "files_left_out": len(feed.errors)}, newest, clock.date, clock.seconds)

    def _clean(self) -> Iterator[Outcome]:
        """Remove old nowcasts if the options ask for it; otherwise forget the oldest of very many."""
        with contextlib.suppress(OSError):  # tried again after the next nowcast
            if self._watching.keep_seconds is None:
                if len(self._journal.entries) > 2 * MOST_ENTRIES:
                    self._journal.shorten(MOST_ENTRIES)
            elif removed := remove_old(self._folder, self._journal, self._watching.keep_seconds, read_date()):
                more = f" and {len(removed) - 1} more" if len(removed) > 1 else ""
                yield Outcome(f"{self._folder}: removed {removed[0]}{more}", "removed", {"files": removed})

    def _look(self) -> Iterator[Outcome]:
        """Look for new frames; yield the reason if the feed cannot be read, and the frames that are given up."""
        feed = self._forecasting.feed
        try:
            feed.scan()
            self._said = {one for one in self._said if one == "status"}
        except Exception as error:  # nothing there yet, or for a moment
            text = one_line(describe_error(error))
            if text not in self._said:
                self._said.add(text)
                self._status.count_error("feed", text, read_clock().date)
                yield Outcome(text, "feed")
        times = feed.times()
        if not times:
            return
        new = [init for init in times if init not in self.states]
        yield from self._give_up(self.states.see(times, self._find_first(new)))
        for init in () if self._files.overwrite else new:
            if (entry := self._journal.entries.get(_name(init))) and entry.whole:
                self.states.made(init, entry.inputs)
        yield from self._give_up(self.states.expire(read_clock()))

    def _find_first(self, times: list) -> Any:
        """Return the first time that an earlier process forecast from, at most the newest; None where there is none."""
        known = [] if self._files.overwrite else [init for init in times if _name(init) in self._journal.entries]
        newest = self._staleness.find_newest(times, read_date())
        return min([*known[:1], *([] if newest is None else [newest])], default=None)

    def _give_up(self, times: list) -> Iterator[Outcome]:
        """Yield one outcome for each reason."""
        by_reason: dict[str, list] = {}
        for init in times:
            by_reason.setdefault(self.states[init].reason, []).append(init)
        for reason, given_up in by_reason.items():
            text = f"no nowcast from {describe_times(given_up, show_time)}: {reason}"
            yield Outcome(text, "given up", {"reason": reason, "init_times": [*map(show_time, given_up)]})

    def _find_inputs(self, init: Any) -> Inputs:
        return self._forecasting.feed.versions(init, self._forecasting.input_length + 1)

    def _find_used(self, init: Any, inputs: Inputs) -> Inputs:
        """Return the inputs from which a nowcast was made: without the oldest frames where frames are missing."""
        step = self._forecasting.feed.find_step(init)
        if step is None or not isinstance(init, np.datetime64):
            return inputs
        length = (self._forecasting.input_length + 0.5) * step.seconds
        return tuple(one for one in inputs if (init - one[0]) / np.timedelta64(1, "s") < length)

    def _make(self, init: Any) -> Iterator[Outcome]:
        """Make one nowcast; yield its outcome, unless the same was said before."""
        name, path, inputs = _name(init), self._folder / f"nowcast_{_name(init)}.nc", self._find_inputs(init)
        entry = self._journal.entries.get(name)
        own = entry is not None and not (entry.whole and self.states[init].state is State.WAITING)
        if path.exists() and not own and not self._files.overwrite:
            self.states.made(init)
            yield Outcome(f"{path} is there already", "there already", {"file": str(path)})
            return
        files = dataclasses.replace(self._files, overwrite=self._files.overwrite or own)
        try:
            begin = functools.partial(self._journal.begin, name)
            outcome = write_nowcast(self._forecasting, init, path, files, begin)
            used = self._find_used(init, inputs)
            self._journal.end(name, used)
        except FileExistsError as error:
            self.states.made(init)
            yield Outcome(one_line(str(error)), "there already")
        except Exception as error:
            reason, now = one_line(describe_error(error)), read_clock().seconds
            kind = "output" if isinstance(error, OSError) else "frame"
            self._status.count_error(kind, reason, read_clock().date)
            if kind == "output":
                new = self.states.blocked(init, reason, inputs, now)
            else:
                new = self.states.failed(init, reason, inputs, None if isinstance(error, ValueError) else now)
            if new:
                details = {"init_time": show_time(init), "kind": kind, "reason": reason}
                yield Outcome(f"no nowcast from {show_time(init)}: {reason}", "failed", details)
        else:
            self.states.made(init, used)
            latency = self._find_latency(used)
            details = {**outcome.details, "latency_seconds": latency}
            self._status.note_nowcast(details, read_clock().date)
            yield outcome._replace(kind=str(self.states[init].state), details=details)

    def _find_latency(self, used: Inputs) -> float | None:
        """Return the seconds from the last change of the files to now; None for files from before the start."""
        changes = [version[1] / 1e9 for _, version in used if len(version) > 1]
        if not changes or max(changes) < self._started or max(changes) > time.time():
            return None
        return round(time.time() - max(changes), 2)


def read_clock() -> Clock:
    """Return the time of now."""
    return Clock(time.monotonic(), read_date())


def _name(init: Any) -> str:
    """Return a time as it is part of the name of a file."""
    return "".join(c for c in show_time(init) if c not in "-:") + "Z"


def sleep(seconds: float, stopped: Callable[[], bool]) -> None:
    """Wait until the time is over or `stopped` is true."""
    end = time.monotonic() + seconds
    while not stopped() and (left := end - time.monotonic()) > 0:
        time.sleep(min(left, LONGEST_SLEEP))
