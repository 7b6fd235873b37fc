"""Movies, which are labelled frames, and the checks of movies when they are read.

`Movies` is an `xarray.Dataset` of one grid: `frames (movie, time, y, x, channel)` float32 with NaN = no
coverage, the coordinates `time (movie, time)`, `y`, `x`, `channel`, and optionally
`forcings (movie, time, forcing)` or `(movie, time, y, x, forcing)`. `frames.attrs["units"]` is "mm/h", "dBZ", "1"
or the file's own string. The attribute `remarks` has a line for each label that was inferred: the layout of an array,
the unit of a file without one. `init_time` is that of a forecast, where the format has one. A vector series is a movie
of one pixel, whose channels are the features.
"""

import itertools
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NewType

import numpy as np
import xarray as xr

from predjax.messages import one_line
from predjax.radar.config import read_step
from predjax.radar.step import Step
from predjax.units import RANGES, find_ranges

_LOG = logging.getLogger("predjax")

Movies = xr.Dataset
# A data set: Movies that were checked one by one and together, by `check_sources` or `check_together`.
Sources = NewType("Sources", list[xr.Dataset])

DIMENSIONS = ("movie", "time", "y", "x", "channel")
FORCING_DIMENSIONS = (("movie", "time", "forcing"), ("movie", "time", "y", "x", "forcing"))
SAMPLED_FRAMES = 8


def build_movies(
    frames: Any,
    coords: Mapping[str, Any] | None = None,
    *,
    attrs: dict,
    source: str,
    files: Sequence[str],
    remarks: Iterable[str] = (),
) -> Movies:
    """Put labels on frames; return Movies, not yet checked, whose texts are one line each.

    Where there are times, the attributes `step_seconds` and `step_tolerance` are their step (`Step.of_times`), and a
    remark says where it is not the same everywhere. `source` is a short name, `remarks` are lines without it.

    Args:
      frames: (movie, time, y, x, channel) float32, an array or anything that xarray indexes lazily.
      coords: labels by name; None is the same as no label:
        `time` (movie, time) datetime64; without it the frames are numbered and `time` has units "1".
        `y`, `x`: one-dimensional variables; without them the pixels are numbered with units "1".
        `channel`: names or numbers; without it the channels are numbered.
        Any other name: a variable, such as the grid mapping in `Grid.coords`.
      attrs: attributes of the frames; "units" is required.
    """
    attrs = {key: _show(value) for key, value in attrs.items()}
    variable = xr.Variable(DIMENSIONS, frames, attrs)
    sizes = dict(zip(DIMENSIONS, variable.shape))
    given = {name: label for name, label in (coords or {}).items() if label is not None}
    time, channel = given.pop("time", None), given.pop("channel", None)
    dataset_attrs: dict[str, Any] = {"source": one_line(source), "files": [str(file) for file in files]}
    if time is None:
        numbers = np.broadcast_to(np.arange(sizes["time"], dtype=np.int64), (sizes["movie"], sizes["time"]))
        time_variable = xr.Variable(("movie", "time"), numbers.copy(), {"units": "1", "long_name": "frame number"})
    else:
        time_variable = xr.Variable(("movie", "time"), np.asarray(time).astype("datetime64[ns]"))
        step = Step.of_times(time)
        if step is not None:
            dataset_attrs |= step.attrs
            remarks = [*remarks, *filter(None, [step.describe()])]
    dataset_attrs["remarks"] = [one_line(remark) for remark in dict.fromkeys(remarks)]
    pixels = {
        name: xr.Variable((name,), np.arange(sizes[name], dtype=np.float64), {"units": "1"}) for name in ("y", "x")
    }
    channels = np.arange(sizes["channel"]) if channel is None else np.asarray([_show(name) for name in channel])
    labels = {"time": time_variable, **pixels, "channel": ("channel", channels), **given}
    return xr.Dataset({"frames": variable}, coords=labels, attrs=dataset_attrs)


def _show(value: Any) -> Any:
    """Return a label in the form that messages and figures can show."""
    return one_line(value) if isinstance(value, str) else value


def give_step(movies: Movies, given: str) -> Movies:
    """Return movies with the step that a user states, such as "5min"; unchanged without one.

    Without dates it is the step of their numbered frames.

    Errors: ValueError, there are dates, and none is this step after the date before it.
    """
    if not (seconds := read_step(given)):
        return movies
    step, found, attrs = Step.given(seconds), Step.of(movies), movies.attrs
    if found and not any(step.follows(time).any() for time in movies["time"].values):
        rule = f"no two frames are {step.seconds:g} s apart, as --step says: the step found is {found.seconds:g} s"
        raise ValueError(f"{attrs['source']}: {rule}")
    remarks = [remark for remark in attrs.get("remarks", ()) if not (found and remark == found.describe())]
    off = f", times may be off by {step.tolerance * step.seconds:g} s" if found else ""
    return movies.assign_attrs(step.attrs, remarks=[*remarks, f"the step is {step.seconds:g} s as given{off}"])


def log_remarks(sources: Iterable[Movies]) -> None:
    """Log the remarks of reading on inferred labels, each once, with the first source that has it."""
    found: dict[str, list[str]] = {}
    for movies in sources:
        for remark in movies.attrs.get("remarks", ()):
            found.setdefault(remark, []).append(movies.attrs["source"])
    for remark, names in found.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        _LOG.info("%s%s: %s", names[0], more, remark)


def has_times(movies: Movies) -> bool:
    """Return whether the frames have dates; without them `time` numbers the frames."""
    return np.issubdtype(movies["time"].dtype, np.datetime64)


def is_series(movies: Movies) -> bool:
    """Return whether the movies are vector series: movies of a single pixel."""
    return movies.sizes["y"] == movies.sizes["x"] == 1


def check_movies(movies: Movies) -> Movies:
    """Return `movies` if they keep the rules of this module.

    Values are checked in a few frames spread over the movies, because a data set may be larger than memory. If none of
    these has a finite value, more frames are checked.

    Errors: ValueError, one line with the source, the rule and the value found.
    """
    check_labels(movies)
    _check_values(movies["frames"], movies.attrs.get("source", "movies"))
    return movies


def check_labels(movies: Movies) -> None:
    """Raise a ValueError unless all labels of the movies keep the rules of this module; see `check_movies`."""
    source = movies.attrs.get("source", "movies")
    if "frames" not in movies:
        raise ValueError(f"{source}: movies need a variable 'frames', found {', '.join(map(str, movies)) or 'none'}")
    frames = movies["frames"]
    if frames.dims != DIMENSIONS:
        raise ValueError(f"{source}: frames must have the dimensions {DIMENSIONS}, not {frames.dims}")
    if frames.dtype != np.float32:
        raise ValueError(f"{source}: frames must be float32, not {frames.dtype}")
    if 0 in frames.shape:
        sizes = ", ".join(f"{name} {size}" for name, size in frames.sizes.items())
        raise ValueError(f"{source}: there are no frames to read ({sizes})")
    if not isinstance(frames.attrs.get("units"), str):
        raise ValueError(f"{source}: frames need an attribute 'units' (text), found {frames.attrs.get('units')!r}")
    for name, dims in (("time", ("movie", "time")), ("y", ("y",)), ("x", ("x",)), ("channel", ("channel",))):
        if name not in movies.coords or movies[name].dims != dims:
            raise ValueError(f"{source}: the coordinate {name!r} must have the dimensions {dims}")
    if "forcings" in movies and movies["forcings"].dims not in FORCING_DIMENSIONS:
        raise ValueError(
            f"{source}: forcings must have the dimensions {FORCING_DIMENSIONS[0]} "
            f"or {FORCING_DIMENSIONS[1]}, not {movies['forcings'].dims}"
        )
    _check_times(movies, source)


def check_sources(movies: Iterable[Movies]) -> Sources:
    """Return the movies as a data set. Errors: see `check_movies` and `check_together`."""
    return check_together([check_movies(one) for one in movies])


def check_together(movies: Iterable[Movies]) -> Sources:
    """Return movies, each of them checked, as a data set; all must have one unit, the same channels and forcings.

    Errors: ValueError, which names the two sources that differ, and how.
    """
    sources = Sources(list(movies))
    for other in sources[1:]:
        first, names = sources[0], (sources[0].attrs.get("source"), other.attrs.get("source"))
        units = first.frames.attrs["units"], other.frames.attrs["units"]
        if units[0] != units[1]:
            raise ValueError(f"{names[0]} is in {units[0]} and {names[1]} in {units[1]}: choose one with --units")
        for name in ("channel", "forcing"):
            labels = [one[name].values.tolist() if name in one.coords else [] for one in (first, other)]
            if labels[0] != labels[1]:
                raise ValueError(
                    f"{names[0]} has the {name}s {labels[0]} and {names[1]} has {labels[1]}: "
                    "they cannot be used together"
                )
    return sources


def _check_times(movies: Movies, source: str) -> None:
    """Raise a ValueError unless times are dates or numbers that increase."""
    time = movies["time"]
    if not has_times(movies) and not np.issubdtype(time.dtype, np.integer):
        raise ValueError(f"{source}: time must be datetime64 or frame numbers, not {time.dtype}")
    if has_times(movies) and np.isnat(time.values).any():
        raise ValueError(f"{source}: the time of frame {int(np.argwhere(np.isnat(time.values))[0, 1])} is missing")
    wrong = np.argwhere(np.diff(time.values.astype(np.int64), axis=1) <= 0)
    if wrong.size:
        movie, frame = wrong[0]
        before, after = time.values[movie, frame], time.values[movie, frame + 1]
        raise ValueError(
            f"{source}: the times of movie {movie} must increase, but frame {frame} is at {before} "
            f"and frame {frame + 1} at {after}"
        )


def _check_values(frames: xr.DataArray, source: str) -> None:
    """Raise a ValueError if a frame of the sample has an impossible value, or no frame at all has a finite value.

    The check gives a warning before hours of work; the meaning of a value is decided where it is decoded.
    """
    movies, length = frames.shape[:2]
    sampled = np.unique(np.linspace(0, movies * length - 1, SAMPLED_FRAMES).astype(int)).tolist()
    any_finite = False
    for turn, number in enumerate(itertools.chain(sampled, range(movies * length))):
        if any_finite and turn >= len(sampled):
            break
        movie, frame = divmod(number, length)
        values = frames[movie, frame].values
        any_finite |= not np.isnan(values).all()
        check_range(values, frames.attrs["units"], source, f"frame {frame} of movie {movie} holds")
    if not any_finite:
        raise ValueError(f"{source}: no finite value in any of {movies * length} frames looked at")


def check_range(values: np.ndarray, units: str, source: str, where: str) -> None:
    """Raise a ValueError of one line if one of the values (NaN = no coverage) is impossible in `units`.

    The message has the `source`, then `where`, such as "frame 3 of movie 0 holds", then the value.
    """
    low, high = find_ranges(units).frames
    smallest, largest = np.fmin.reduce(values, axis=None), np.fmax.reduce(values, axis=None)
    if smallest < low or largest > high or np.isinf([smallest, largest]).any():
        worst = smallest if smallest < low or np.isinf(smallest) else largest
        limits = f"between {low:g} and {high:g}" if units in RANGES else "finite"
        raise ValueError(
            f"{source}: values in {units} must be {limits}, but {where} {worst:g}: "
            "is the unit or the scale factor right?"
        )
