"""The frames that are there now, in files that keep arriving: each by its time, whatever happens to single files."""

import logging
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from predjax.radar.formats.datasets import list_datasets
from predjax.radar.movies import Movies, build_movies, has_times, most_frequent_step
from predjax.radar.readers import expand_paths, read_movies

_LOG = logging.getLogger("predjax")
STEP_TOLERANCE = 0.01  # of the time step
RECENT = 50  # frames that tell the time step


class Place(NamedTuple):
    """Where a frame is."""

    movies: Movies
    movie: int
    frame: int


class Feed:
    """Frames by time, of the files that `paths` mean whenever `scan` is called.

    A file is read once; a changed one again. One that cannot be read, half written for instance, is named once and left
    out until it changes. Of two frames of one time the one of the first file by name is taken. Files without times are
    counted in frames.

    Args:
      paths: files, folders, globs; or datasets or Movies, as `radar.readers.read_movies` takes them.
      options: of `radar.readers.read_movies`.

    Attributes:
      errors: why files were left out, by path.
    """

    def __init__(self, paths, **options):
        self._paths, self._options = paths, options
        self._known: dict[str, tuple[tuple, list[Movies]]] = {}
        self._places: dict[object, Place] = {}
        self._said: set[tuple] = set()
        self.errors: dict[str, str] = {}

    def scan(self) -> None:
        """Looks for new and changed files. Errors: FileNotFoundError where there is none at all."""
        found: dict[str, tuple[tuple, list[Movies]]] = {}
        datasets = list_datasets(self._paths)
        for one in read_movies(datasets, **self._options) if datasets else ():
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
        self.errors.pop(path, None)
        try:
            return read_movies([path], **self._options)
        except (ValueError, OSError) as error:
            self.errors[path] = str(error)
            self._say("%s; left out", error)
            return []

    def _place(self, path: str, movies: Movies) -> None:
        for movie, times in enumerate(movies["time"].values):
            for frame, time in enumerate(times):
                place = Place(movies, movie, frame)
                kept = self._places.setdefault(time, place)
                if kept is not place:
                    self._say("%s: another frame of %s is there already; left out", path, time)

    def _say(self, text: str, *values) -> None:
        line = (text, *map(str, values))
        if line not in self._said:
            self._said.add(line)
            _LOG.warning(text, *values)

    def times(self) -> list:
        """The times of all frames, rising."""
        return sorted(self._places)

    def find_step(self, init) -> float | None:
        """The most frequent step of the last frames up to `init` in seconds; None for one frame."""
        times = np.array([time for time in self.times() if time <= init][-RECENT:])
        if not np.issubdtype(times.dtype, np.datetime64):
            return 1.0  # frames are counted
        return most_frequent_step(times)

    def take(self, init, count: int, step: float, fill) -> tuple[Movies, list]:
        """The `count` frames up to `init`, `step` seconds apart, as one movie; and the times that were filled in.

        One missing frame is made by `fill(before, after, units)` from its neighbours `(H, W, C)`.

        Raises:
          ValueError: more frames are missing, or the first one is without one before it; grids or units differ. Names
            the times.
        """
        times = self._count_back(init, count + 1, step)
        chosen = {time: self._find(time, step) for time in times}
        missing = [time for time in times[1:] if chosen[time] is None]
        if len(missing) > 1 or (missing and (missing[0] == init or chosen[times[times.index(missing[0]) - 1]] is None)):
            raise ValueError(
                f"{len(missing)} of the {count} frames up to {_shown(init)} are missing "
                f"({', '.join(_shown(time) for time in missing)}), one at most can be filled in"
            )
        first = chosen[init]
        assert first is not None, "its time is of a frame that is there"
        self._check_alike([place for time in times[1:] if (place := chosen[time])], first)
        frames = {time: _values(place) for time, place in chosen.items() if place and _alike(place, first)}
        for time in missing:
            where = times.index(time)
            if times[where - 1] not in frames:
                raise ValueError(f"the frame of {_shown(time)} is missing, and none of its grid is before it")
            frames[time] = fill(frames[times[where - 1]], frames[times[where + 1]], first.movies.frames.attrs["units"])
        return _join(frames, times[1:], chosen, first), missing

    def _count_back(self, init, count: int, step: float) -> list:
        if isinstance(init, np.datetime64):
            return [init - np.timedelta64(round(step * 1e9) * back, "ns") for back in range(count - 1, -1, -1)]
        return [init - back for back in range(count - 1, -1, -1)]

    def _find(self, time, step: float) -> Place | None:
        """The frame of a time, which may be off by a hundredth of a step."""
        if time in self._places or not isinstance(time, np.datetime64):
            return self._places.get(time)
        near = min(self._places, key=lambda other: abs(other - time))
        off = abs(near - time) / np.timedelta64(1, "s")
        return self._places[near] if off <= STEP_TOLERANCE * step else None

    def _check_alike(self, places: Sequence[Place], first: Place) -> None:
        for place in places:
            if not _alike(place, first):
                names = [one.movies.attrs["source"] for one in (place, first)]
                raise ValueError(f"{names[0]} and {names[1]} have different grids, units or channels")


def _alike(place: Place, other: Place) -> bool:
    """Whether frames can be shown one after the other."""
    one, two = place.movies, other.movies
    if one is two:
        return True
    same = one.frames.attrs["units"] == two.frames.attrs["units"] and one["channel"].equals(two["channel"])
    return same and all(
        one[axis].size == two[axis].size and np.allclose(one[axis], two[axis], rtol=0, atol=1e-3 * _pixel(two[axis]))
        for axis in ("y", "x")
    )


def _pixel(axis) -> float:
    return float(abs(axis[1] - axis[0])) if axis.size > 1 else 1.0


def _values(place: Place) -> np.ndarray:
    return place.movies["frames"][place.movie, place.frame].values


def _shown(time) -> str:
    return str(time.astype("datetime64[s]")) if isinstance(time, np.datetime64) else f"frame {time}"


def _join(frames: dict, times: list, chosen: dict, first: Place) -> Movies:
    """One movie of frames that were read, with the labels of `first`."""
    template = first.movies
    places = [chosen[time] for time in times if chosen[time]]
    files = dict.fromkeys(file for place in places for file in place.movies.attrs["files"])
    sources = dict.fromkeys(place.movies.attrs["source"] for place in places)
    source = ", ".join(sources) if len(sources) <= 3 else f"{next(iter(sources))} and {len(sources) - 1} more"
    joined = build_movies(
        np.stack([frames[time] for time in times])[None],
        time=np.array(times)[None] if has_times(template) else None,
        y=template["y"].variable,
        x=template["x"].variable,
        channel=template["channel"].values,
        attrs=template["frames"].attrs,
        source=source,
        files=list(files),
    )
    joined.attrs = {**template.attrs, **joined.attrs}
    extra = {name: template[name].variable for name in template.coords if name not in joined.coords}
    return joined.assign_coords({name: one for name, one in extra.items() if not one.dims})
