"""A feed: the frames that are there now, by their times, in files that keep arriving and may be damaged."""

import logging
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from predjax.radar.config import read_step
from predjax.radar.formats.objects import holds_paths, keep
from predjax.radar.grid import Grid
from predjax.radar.movies import Movies, build_movies, has_times
from predjax.radar.readers import expand_paths, read_movies, read_unsaid
from predjax.radar.remarks import log_changes
from predjax.radar.step import Step

_LOG = logging.getLogger("predjax")
RECENT = 50  # frames that tell the time step
Fill = Callable[[np.ndarray, np.ndarray, str], np.ndarray]  # a frame (H, W, C) from its neighbours and the units


class Place(NamedTuple):
    """The place of a frame: its Movies, and the numbers of its movie and frame."""

    movies: Movies
    movie: int
    frame: int

    @property
    def values(self) -> np.ndarray:
        """The frame (H, W, C)."""
        return self.movies["frames"][self.movie, self.frame].values


class Feed:
    """The frames, by time, of the files that match `paths` at the last call of `scan`.

    A file is read once, and again when it changes. A file that cannot be read, because it is half written for
    instance, is named once and left out until it changes; `errors` has the reasons by path. Of two frames of one time,
    the frame of the first file by name is taken. Frames of files without times are numbered.

    Paths and options are those of `radar.readers.read_movies`, which takes objects in memory as well.
    """

    def __init__(self, paths: Any, **options: Any):
        self._paths, self._options = keep(paths), options
        self._known: dict[str, tuple[tuple, list[Movies]]] = {}
        self._places: dict[Any, Place] = {}
        self._said: set[tuple] = set()
        self._remarks: set[str] = set()
        self.errors: dict[str, str] = {}

    def scan(self) -> None:
        """Look for new and changed files. Errors: FileNotFoundError where there are no files at all."""
        found: dict[str, tuple[tuple, list[Movies]]] = {}
        for one in () if holds_paths(self._paths) else read_movies(self._paths, **self._options):
            found.setdefault(one.attrs["source"], ((), []))[1].append(one)
        paths = [] if found else list(map(str, expand_paths(self._paths, self._options.get("engine", ""))))
        for path in tqdm(paths, desc="reading", unit="file", leave=False, disable=None, delay=1):
            try:
                status = os.stat(path)
            except FileNotFoundError:  # taken away meanwhile
                continue
            version = status.st_mtime_ns, status.st_size
            known = self._known.get(path)
            found[path] = known if known and known[0] == version else (version, self._read(path))
        self._known = found
        self.errors = {path: error for path, error in self.errors.items() if path in found}
        self._places = {}
        for path in sorted(found):
            for movies in found[path][1]:
                self._place(path, movies)

    def _read(self, path: str) -> list[Movies]:
        """Read a file; nothing of a file that cannot be read."""
        self.errors.pop(path, None)
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
            return found
        except (ValueError, OSError) as error:
            self.errors[path] = str(error)
            self._say("%s; left out", error)
            return []

    def _place(self, path: str, movies: Movies) -> None:
        """Remember the places of frames whose times are new."""
        for movie, times in enumerate(movies["time"].values):
            for frame, time in enumerate(times):
                place = Place(movies, movie, frame)
                kept = self._places.setdefault(time, place)
                if kept is not place:
                    self._say("%s: another frame of %s is there already; left out", path, time)

    def _say(self, text: str, *values: object) -> None:
        """Log a warning, once."""
        line = (text, *map(str, values))
        if line not in self._said:
            self._said.add(line)
            _LOG.warning(text, *values)

    def times(self) -> list:
        """Return the times of all frames, rising."""
        return sorted(self._places)

    def find_step(self, init: Any) -> Step | None:
        """Return the step of the last frames up to `init`, or the step given; None for one frame."""
        times = np.array([time for time in self.times() if time <= init][-RECENT:])
        if not np.issubdtype(times.dtype, np.datetime64):
            return Step(1.0)  # frames are counted
        given = read_step(self._options.get("step", ""))
        step = Step.given(given) if given else Step.of_times(times)
        if step and not given and step.describe():
            self._say("%s", step.describe())
        return step

    def take(self, init: Any, count: int, step: Step, fill: Fill) -> tuple[Movies, list]:
        """Return the `count` frames up to `init`, one `step` apart, as one movie; and the times that were filled.

        One missing frame is made from its neighbours by `fill(before, after, units)`.

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
        assert first is not None, "its time is the time of a frame"
        places = {time: place for time, place in chosen.items() if place}
        frames = {}
        for time, place in places.items():
            if _are_alike(place.movies, first.movies):
                frames[time] = place.values
            elif time != times[0]:
                names = [one.movies.attrs["source"] for one in (place, first)]
                raise ValueError(f"{names[0]} and {names[1]} have different grids, units or channels")
        for time in missing:
            before, after = times[times.index(time) - 1], times[times.index(time) + 1]
            if before not in frames:
                raise ValueError(f"the frame of {_show(time)} is missing, and none of its grid is before it")
            frames[time] = fill(frames[before], frames[after], first.movies.frames.attrs["units"])
        sources = [places[time].movies for time in times[1:] if time in places]
        return _join({time: frames[time] for time in times[1:]}, sources, first.movies), missing


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
    return joined
