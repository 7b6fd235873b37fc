"""Say what predjax understands of data before anything is trained."""

import dataclasses
import os
import pathlib
import time
from typing import Any

import numpy as np
from tqdm import tqdm

from predjax.jobs.options import InspectOptions, read_keywords
from predjax.messages import one_line_messages
from predjax.radar.config import READING, DataConfig, Trust
from predjax.radar.isolation.pool import open_reader
from predjax.radar.movies import Movies, Sources, check_labels, check_range, check_together
from predjax.radar.pixels import measure_pixels
from predjax.radar.readers import read_movies
from predjax.radar.summary import Summary, show_time, summarise, wrap_fact
from predjax.radar.survey import Survey, survey_files

READING_SECONDS = 0.5  # for the pixels of all sources together
MOST_BLOCKS, MOST_LINES = 8, 40  # sources that are described in full, and files or sources that have a line
MOST_IN_PLAN = 3  # sources that a plan describes


@dataclasses.dataclass(frozen=True)
class Inspection:
    """The findings of an inspection; `str()` gives them as lines of text."""

    sources: list[Summary]
    unreadable: dict[str, str]  # the reason for each file that cannot be read, by its path
    ignored: list[str]  # the names of files in a folder whose format is not known
    apart: str  # why the sources cannot be used together as one data set; "" where they can
    picture: str  # the picture, and what it shows; "" without one
    config: DataConfig

    def __str__(self) -> str:
        return "\n".join([*describe_sources(self.sources, self.config), *self._describe_rest()])

    def _describe_rest(self) -> list[str]:
        lines = []
        if len(self.sources) > 1:
            windows = sum(one.windows for one in self.sources)
            frames = sum(one.sizes["movie"] * one.sizes["time"] for one in self.sources)
            text = f"{len(self.sources):,} sources with {frames:,} frames, {windows:,} windows"
            lines += ["together", *wrap_fact("in all", text)]
            lines += wrap_fact("PROBLEM", self.apart) if self.apart else []
        if self.unreadable:
            lines.append(f"cannot be read: {len(self.unreadable):,} of the files")
            lines += [f"  {file}: {reason}" for file, reason in list(self.unreadable.items())[:MOST_LINES]]
            lines += _say_more(len(self.unreadable))
        if self.ignored:
            listed = ", ".join(self.ignored[:MOST_LINES])
            lines.append(f"not looked at, in the folder but of no known format: {len(self.ignored):,}")
            lines += [f"  {listed}", *_say_more(len(self.ignored))]
        return lines + ([f"picture: {self.picture}"] if self.picture else [])


@one_line_messages()
def inspect(data: Any, **values: Any) -> Inspection:
    """Say what predjax understands of data: print the result, or use its fields.

    The labels of all files are read, and pixels for about a second: if these are not all pixels, they are of evenly
    spread frames, whose number is in the text. A file that cannot be read stops nothing.

    Args:
      data: anything that `predjax.read_movies` reads: files, folders and globs, datasets of xarray, Movies, or an array
        with its `layout`.
      values: values of the flags of `predjax inspect` by name: fields of `InspectOptions` (`total_length`, `picture`
        ...), of `DataConfig` how to read and cut the data, and of `Trust`: unless `trust_files`, files are read by a
        process of their own, with limits of time and memory.

    Raises:
      FileNotFoundError: a path matches nothing.
      FileExistsError: the picture exists.
      ValueError: a value is not possible; data in memory cannot be read; the picture is of a series.
    """
    options, config, trust = read_keywords("inspect", (InspectOptions, DataConfig, Trust), values)
    return run_inspection(data, InspectOptions(**options), DataConfig(**config), Trust(**trust))


def run_inspection(data: Any, options: InspectOptions, config: DataConfig, trust: Trust) -> Inspection:
    """Inspect data; see `inspect`."""
    found = _read(data, config, trust)
    end = time.monotonic() + READING_SECONDS
    sources = []
    for number, movies in enumerate(tqdm(found.movies, "reading pixels", delay=1, leave=False, disable=None)):
        seconds = (end - time.monotonic()) / (len(found.movies) - number)
        sources.append(_look(movies, seconds, options.total_length, config))
    picture = _draw(found.movies, sources, options) if options.picture else ""
    return Inspection(sources, found.unreadable, found.ignored, _find_difference(found.movies), picture, config)


def describe_labels(sources: Sources, length: int, config: DataConfig) -> str:
    """Return the description of a data set for a plan, from its labels; remarks were logged when it was read.

    Windows have `length` frames; 0 for a plan that draws no windows.
    """
    shown = [summarise(movies, length, config) for movies in sources[:MOST_IN_PLAN]]
    lines = [line for one in shown for line in one.lines(config, remarks=False)]
    if len(sources) > MOST_IN_PLAN:
        lines.append(f"and {len(sources) - MOST_IN_PLAN:,} more sources, which predjax inspect describes")
    return "\n".join(lines)


def describe_sources(sources: list[Summary], config: DataConfig) -> list[str]:
    """Return the lines of text on sources: the first ones in full, some more with a line each."""
    lines = [line for one in sources[:MOST_BLOCKS] for line in one.lines(config)]
    for one in sources[MOST_BLOCKS : MOST_BLOCKS + MOST_LINES]:
        sizes = one.sizes
        text = f"{sizes['movie']} x {sizes['time']} frames, {sizes['y']} x {sizes['x']}, {one.units}, "
        problem = f"PROBLEM: {one.problem}" if one.problem else f"{one.windows:,} windows"
        lines.append(f"{one.source}: {text}{problem}")
    return lines + _say_more(len(sources) - MOST_BLOCKS)


def _say_more(number: int) -> list[str]:
    return [f"  and {number - MOST_LINES:,} more"] if number > MOST_LINES else []


def _read(data: Any, config: DataConfig, trust: Trust) -> Survey:
    """Read paths file by file, and data in memory as a whole."""
    reading = {name: getattr(config, name) for name in READING}
    parts = data if isinstance(data, list | tuple) else [data]
    if not all(isinstance(one, str | os.PathLike) for one in parts):
        return Survey(list(read_movies(data, **reading)), {}, [])
    return survey_files(parts[0] if len(parts) == 1 else parts, reader=open_reader(trust), **reading)


def _look(movies: Movies, seconds: float, length: int, config: DataConfig) -> Summary:
    """Return the summary of movies from labels and pixels, with the reason if they cannot be used."""
    pixels, problem, source = measure_pixels(movies, seconds), "", movies.attrs["source"]
    try:
        check_labels(movies)
        values = np.array([pixels.low, pixels.high])
        check_range(values, movies["frames"].attrs["units"], source, "a frame holds")
        if not pixels.brightest:
            raise ValueError(pixels.reason or f"no finite value in any of {pixels.frames} frames looked at")
    except ValueError as error:
        problem = str(error).removeprefix(f"{source}: ")
    return dataclasses.replace(summarise(movies, length, config, pixels), problem=problem)


def _find_difference(movies: list[Movies]) -> str:
    """Return the reason why movies cannot be one data set, or ""."""
    try:
        check_together(movies)
    except ValueError as error:
        return str(error)
    return ""


def _draw(movies: list[Movies], sources: list[Summary], options: InspectOptions) -> str:
    """Draw the brightest frame of the first source with values; return the path and a description of the frame."""
    from predjax.pictures.frame import draw_map

    found = ((n, one.pixels.brightest) for n, one in enumerate(sources) if one.pixels and one.pixels.brightest)
    shown, (movie, number) = next(found, (0, (-1, -1)))
    if movie < 0:
        raise ValueError(f"picture {options.picture}: no source has a frame with a value")
    frame = movies[shown]["frames"][movie, number, :, :, 0]
    if frame.size == 1:
        raise ValueError(f"picture {options.picture}: {sources[shown].source} is a series, which has no map")
    when = movies[shown]["time"].values[movie, number]
    title = f"frame {number} of movie {movie}" if sources[shown].first is None else f"{show_time(when)} UTC"
    path = pathlib.Path(options.picture or "")
    draw_map(path, frame, f"{sources[shown].source}, {title}", overwrite=options.overwrite)
    return f"{path}: {sources[shown].source}, {title}"
