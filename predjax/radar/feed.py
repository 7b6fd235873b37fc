"""A feed: files that keep arriving, some of them damaged, and their frames by time."""

import logging
import os
from bisect import bisect_right
from collections.abc import Callable
from time import monotonic
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from predjax.messages import describe_error, one_line
from predjax.radar.config import read_step
from predjax.radar.formats.objects import holds_paths, keep
from predjax.radar.formats.open_files import OPEN_FILES
from predjax.radar.grid import Grid
from predjax.radar.movies import Movies, build_movies, has_times
from predjax.radar.readers import expand_paths, read_movies, read_unsaid
from predjax.radar.remarks import log_changes
from predjax.radar.step import Step

_LOG = logging.getLogger("predjax")
RECENT = 50  # frames that tell the time step
FIRST_PAUSE, LONGEST_PAUSE = 10.0, 3600.0  # seconds until an unchanged file is tried again, doubled each time
_REST = 20  # times the seconds that a file took: the shortest pause after one that hangs, which all others wait for
Fill = Callable[[np.ndarray, np.ndarray, str], np.ndarray]  # a frame (H, W, C) from its neighbours and the units


class Place(NamedTuple):
    """The place of a frame: its Movies, and the numbers of its movie and frame."""

    movies: Movies
    movie: int
    frame: int
    path: str

    @property
    def values(self) -> np.ndarray:
        """The frame (H, W, C)."""
        return self.movies["frames"][self.movie, self.frame].values


class _File(NamedTuple):
    """The frames found in a file."""

    version: tuple  # of the file when it was read; () for objects in memory
    sources: list[Movies]


class _Failure(NamedTuple):
    """An error in reading a file, and when the unchanged file is read again: the error may be one of its disk."""

    version: tuple
    due: float
    pause: float


class Feed:
    """The frames, by time, of the files that match `paths` at the last call of `scan`.

    A file is read once, and again when it changes; it is open only while it is read. A file that cannot be read,
    because it is half written or damaged, is reported once and left out until it changes; it is also tried again after
    longer and longer pauses. `errors` has the reasons by path. Of two frames of one time, the frame of the first file
    by name is taken. Frames of files without times are numbered; they are left out where those of other files have
    dates.

    Paths and options are those of `radar.readers.read_movies`, which takes objects in memory as well.
    """

    def __init__(self, paths: Any, **options: Any):
        self._paths, self._options = keep(paths), options
        self._known: dict[str, _File] = {}
        self._failures: dict[str, _Failure] = {}
        self._places: dict[Any, Place] = {}
        self._times: list = []
        self._said: dict[str, set[str]] = {}
        self._remarks: set[str] = set()
        self.errors: dict[str, str] = {}

    def scan(self) -> None:
        """Look for new and changed files. Errors: FileNotFoundError where there are no files at all."""
        found: dict[str, _File] = {}
        for one in () if holds_paths(self._paths) else read_movies(self._paths, **self._options):
            found.setdefault(one.attrs["source"], _File((), [])).sources.append(one)
        paths = [] if found else list(map(str, expand_paths(self._paths, self._options.get("engine", ""))))
        versions = self._find_versions(paths)
        unread = {path for path, version in versions.items() if self._is_due(path, version)}
        if reader := self._options.get("reader"):
            reader.expect([path for path in versions if path in unread])
        for path in tqdm(versions, desc="reading", unit="file", leave=False, disable=None, delay=1):
            found[path] = self._read(path, versions[path]) if path in unread else self._known[path]
        OPEN_FILES.close()
        self._known = found
        for by_path in (self.errors, self._failures, self._said):
            for path in by_path.keys() - {*found, *paths, ""}:
                del by_path[path]
        self._find_places()

    def _find_versions(self, paths: list[str]) -> dict[str, tuple]:
        """Return the versions of the files that exist; leave out files for which the system gives an error."""
        versions = {}
        for path in paths:
            try:
                versions[path] = _find_version(path)
            except OSError as error:
                if not isinstance(error, FileNotFoundError) or os.path.islink(path):  # else taken away meanwhile
                    self._leave_out(path, (), error)
        return versions

    def _is_due(self, path: str, version: tuple) -> bool:
        """Return whether to read a file: it is new or changed, or its last error was long enough ago."""
        known, failure = self._known.get(path), self._failures.get(path)
        again = failure is not None and monotonic() >= failure.due and path in self.errors
        return known is None or known.version != version or again

    def _read(self, path: str, version: tuple) -> _File:
        """Read a file; a file that cannot be read gives no frames."""
        self.errors.pop(path, None)
        begin = monotonic()
        try:
            found = read_unsaid([path], **self._options)
            for movies in found:
                if "init_time" in movies.attrs:
                    raise ValueError(f"{path}: a forecast, no observation")
                for remark in movies.attrs["remarks"]:
                    if remark not in self._remarks:  # of thousands of files the first
                        self._remarks.add(remark)
                        _LOG.info("%s: %s", path, remark)
                log_changes(movies, self._remarks)
            return _File(version, found)
        except Exception as error:  # whatever is in it, the other files are read
            reader, before = self._options.get("reader"), self._failures.get(path)
            self._leave_out(path, version, error, monotonic() - begin)
            if reader and before and before.version != version:
                # HDF5 may still hold the file as it was when it could not be read: a new process does not.
                reader.close()
                return self._read(path, version)
            return _File(version, [])

    def _leave_out(self, path: str, version: tuple, error: Exception, seconds: float = 0.0) -> None:
        """Record an error of a file, whose reading took `seconds`."""
        before = self._failures.get(path)
        pause = 2 * before.pause if before and before.version == version else FIRST_PAUSE
        pause = min(max(pause, _REST * seconds), LONGEST_PAUSE)
        self._failures[path] = _Failure(version, monotonic() + pause, pause)
        text = one_line(describe_error(error))
        self.errors[path] = text if path in text else f"{path}: {text}"
        self._say(path, f"{self.errors[path]}; left out")

    def _find_places(self) -> None:
        """Find the file and the position of every frame."""
        self._places = {}
        dated = any(has_times(movies) for file in self._known.values() for movies in file.sources)
        for path in sorted(self._known):
            for movies in self._known[path].sources:
                if not dated or has_times(movies):
                    self.errors.pop(path, None)
                    self._place(path, movies)
                else:
                    self.errors[path] = f"{path}: its frames have no dates, those of other files have"
                    self._say(path, f"{self.errors[path]}; left out")
        self._times = sorted(self._places)

    def _place(self, path: str, movies: Movies) -> None:
        """Record the places of those frames of a file whose times are new."""
        for movie, times in enumerate(movies["time"].values):
            for frame, time in enumerate(times):
                place = Place(movies, movie, frame, path)
                kept = self._places.setdefault(time, place)
                if kept is not place:
                    self._say(path, f"{path}: another frame of {time} is there already; left out")

    def _say(self, path: str, line: str) -> None:
        """Log a warning about a file, once as long as the file exists."""
        said = self._said.setdefault(path, set())
        if line not in said:
            said.add(line)
            _LOG.warning("%s", line)

    def times(self) -> list:
        """Return the times of all frames, rising."""
        return self._times

    def versions(self, init: Any, count: int) -> tuple[tuple[Any, tuple], ...]:
        """Return the times of the last `count` frames up to `init`, rising, each with the version of its file."""
        end = bisect_right(self._times, init)
        places = [(time, self._places[time].path) for time in self._times[max(end - count, 0) : end]]
        return tuple((time, (path, *self._known[path].version)) for time, path in places)

    def find(self, time: Any) -> Movies:
        """Return the Movies that hold the frame of one of `times()`."""
        return self._places[time].movies

    def find_step(self, init: Any) -> Step | None:
        """Return the time step of the last frames up to `init`, or the given step; None for one frame.

        It is one second where frames have no times and no step is given: they are counted.
        """
        end = bisect_right(self._times, init)
        times = np.array(self._times[max(end - RECENT, 0) : end])
        if not np.issubdtype(times.dtype, np.datetime64):
            known = self.find(self._times[end - 1]).attrs.get("step_seconds") if end else None
            return Step.given(known) if known else Step(1.0)  # frames are counted
        given = read_step(self._options.get("step", ""))
        step = Step.given(given) if given else Step.of_times(times)
        if step and not given and step.describe():
            self._say("", step.describe())
        return step

    def take(self, init: Any, count: int, step: Step, fill: Fill) -> tuple[Movies, list]:
        """Return the `count` frames up to `init`, one `step` apart, as one movie, and the times of frames filled in.

        A single missing frame is made from its neighbours by `fill(before, after, units)`. A file whose frame cannot be
        read is left out, as in `scan`.

        Raises:
          ValueError: more frames are missing, or the first one and the frame before it; grids, units or channels
            differ. Names the times.
        """
        if isinstance(init, np.datetime64):
            times = step.count_back(list(self._places), init, count + 1)
        else:
            times = [init - back for back in range(count, -1, -1)]
        chosen = {time: self._places.get(time) for time in times}
        missing = [time for time in times[1:] if chosen[time] is None]
        if len(missing) > 1 or (missing and (missing[0] == init or chosen[times[times.index(missing[0]) - 1]] is None)):
            raise ValueError(
                f"{len(missing)} of the {count} frames up to {_show(init)} are missing "
                f"({', '.join(_show(time) for time in missing)}), one at most can be filled in"
            )
        first = chosen[init]
        if first is None:
            raise ValueError(f"there is no frame of {_show(init)}")
        places = {time: place for time, place in chosen.items() if place}
        frames = {}
        for time, place in places.items():
            if _are_alike(place.movies, first.movies):
                try:
                    frames[time] = place.values
                except Exception as error:
                    if not (version := self._known[place.path].version):
                        raise
                    self._leave_out(place.path, version, error)
                    self._known[place.path] = _File(version, [])
                    self._find_places()
                    if init not in self._places:
                        raise ValueError(self.errors[place.path]) from error
                    return self.take(init, count, step, fill)
            elif time != times[0]:
                names = [one.movies.attrs["source"] for one in (place, first)]
                raise ValueError(f"{names[0]} and {names[1]} have different grids, units or channels")
        for time in missing:
            before, after = times[times.index(time) - 1], times[times.index(time) + 1]
            if before not in frames:
                raise ValueError(f"the frame of {_show(time)} is missing, and none of its grid is before it")
            frames[time] = fill(frames[before], frames[after], first.movies.frames.attrs["units"])
        OPEN_FILES.close()
        sources = [places[time].movies for time in times[1:] if time in places]
        return _join({time: frames[time] for time in times[1:]}, sources, first.movies), missing


def _find_version(path: str) -> tuple:
    """Return a value that changes when the file changes. Errors: OSError."""
    status = os.stat(path)
    return status.st_mtime_ns, status.st_size


def _are_alike(one: Movies, other: Movies) -> bool:
    """Return whether frames can follow each other in one movie: the same grid, unit and channels."""
    if one is other:
        return True
    same = one.frames.attrs["units"] == other.frames.attrs["units"] and one["channel"].equals(other["channel"])
    return same and Grid.of(one).same(Grid.of(other))


def _show(time: Any) -> str:
    return str(time.astype("datetime64[s]")) if isinstance(time, np.datetime64) else f"frame {time}"


def _join(frames: dict[Any, np.ndarray], sources: list[Movies], template: Movies) -> Movies:
    """Return one movie of frames by time, with the labels of `template` and the names of their sources."""
    names = dict.fromkeys(movies.attrs["source"] for movies in sources)
    source = ", ".join(names) if len(names) <= 3 else f"{next(iter(names))} and {len(names) - 1} more"
    coords: dict[Any, Any] = {name: one.variable for name, one in template.coords.items() if not one.dims}
    coords |= {"time": np.array(list(frames))[None] if has_times(template) else None, **Grid.of(template).coords}
    coords["channel"] = template["channel"].values
    joined = build_movies(
        np.stack(list(frames.values()))[None],
        coords,
        attrs=template["frames"].attrs,
        source=source,
        files=list(dict.fromkeys(file for movies in sources for file in movies.attrs["files"])),
    )
    joined.attrs = {**template.attrs, **joined.attrs}
    if not has_times(template):
        joined = joined.assign_coords(time=joined["time"].copy(data=np.array([list(frames)])))
    return joined
