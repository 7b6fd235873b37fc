"""The summary of movies, as data and as lines of text."""

import dataclasses
import itertools
import os
import textwrap
from typing import Any

import numpy as np

from predjax.radar.config import DataConfig
from predjax.radar.formats.catalogue import name_format
from predjax.radar.formats.lazy import find_source
from predjax.radar.grid import Grid
from predjax.radar.movies import Movies, Sources, has_times
from predjax.radar.pixels import Pixels
from predjax.radar.projection import TEXTS
from predjax.radar.step import Step
from predjax.radar.store.reading import StoreFrames
from predjax.radar.windows.index import WindowIndex
from predjax.radar.windows.runs import Period, find_periods
from predjax.units import metre_factor

WIDTH, NAME_WIDTH = 100, 10  # of a line, and of the name before its text
MOST_GAPS = 3  # that the text lists
_DURATIONS = {86400: "day", 3600: "hour", 60: "minute", 1: "second"}


@dataclasses.dataclass(frozen=True)
class Gap:
    """A gap between two consecutive frames that are not one time step apart."""

    movie: int
    before: np.datetime64  # the time of the last frame before the gap
    after: np.datetime64  # the time of the first frame after it
    missing: int  # the number of frames that fit between the two; 0 where the times are irregular


@dataclasses.dataclass(frozen=True)
class Summary:
    """The properties of the movies of one source: all files of one grid, variable and time step."""

    source: str  # its short name
    files: tuple[str, ...]
    format: str
    variable: str  # "" where there are no names
    units: str  # of the frames as they are read
    units_on_disk: str | None  # as the file spells them, "" without one; None where the format has no place for a unit
    dtype: str  # of the numbers in the file; "" where that is not known
    sizes: dict[str, int]  # of movie, time, y, x, channel
    forcings: tuple[str, ...]  # names of the forcings
    first: np.datetime64 | None  # the time of the first frame; None without times
    last: np.datetime64 | None
    step_seconds: float | None  # None without times, and for a single frame
    gaps: tuple[Gap, ...]
    longest: int  # the number of frames of the longest run without a gap
    grid: Grid
    total_length: int  # the frames of a window; 0 where none are drawn
    windows: int  # the number of windows of this length
    remarks: tuple[str, ...]  # a line for each label that was taken for something
    pixels: Pixels | None = None  # None where only labels were read
    problem: str = ""  # why the movies cannot be used, where they cannot

    def facts(self, config: DataConfig | None = None) -> dict[str, str]:
        """Return the facts in words, by name; `config` has the reading options that were given."""
        config = config or DataConfig()
        sizes = self.sizes
        facts = {"format": self.format + (f", {len(self.files):,} files" if len(self.files) > 1 else "")}
        if self.variable:
            chosen = "as --variable says" if config.variable else "found by its labels"
            facts["variable"] = f"{self.variable}, {chosen}" + (f"; {self.dtype} in the file" if self.dtype else "")
        elif self.dtype:
            facts["numbers"] = self.dtype
        facts["unit"] = self._describe_units(config)
        facts["frames"] = (
            f"{_count(sizes['movie'], 'movie')} of {_count(sizes['time'], 'frame')}, "
            + ("" if is_pixel(sizes) else f"{sizes['y']} rows x {sizes['x']} columns, ")
            + _count(sizes["channel"], "feature" if is_pixel(sizes) else "channel")
        )
        if self.forcings:
            facts["forcings"] = ", ".join(self.forcings)
        facts["time"] = self._describe_times()
        if self.gaps:
            facts["gaps"] = self._describe_gaps()
        if not is_pixel(sizes):
            facts["grid"] = describe_grid(self.grid)
            if self.grid.mapping or is_located(self.grid):
                facts["projection"] = describe_projection(self.grid)
        if self.pixels:
            facts |= self._describe_pixels(self.pixels)
        if not self.total_length:
            return facts
        fitting = f"{self.windows:,}, each of {_count(self.total_length, 'frame')}"
        if not self.windows:
            fitting = f"none of {self.total_length} frames: the longest run without a gap has {self.longest}"
        facts["windows"] = fitting
        return facts

    def lines(self, config: DataConfig | None = None, *, remarks: bool = True) -> list[str]:
        """Return the text: the source's name and the facts below it, at most `WIDTH` columns wide."""
        lines = [self.source, *(line for item in self.facts(config).items() for line in wrap_fact(*item))]
        for remark in self.remarks if remarks else ():
            lines += wrap_fact("remark", remark)
        return lines + (wrap_fact("PROBLEM", self.problem) if self.problem else [])

    def _describe_units(self, config: DataConfig) -> str:
        if config.source_units and not self.units_on_disk:
            return f"{self.units}, {config.source_units} in the file as --source_units says"
        if self.units_on_disk is None:
            told = "as --units says" if config.units != "file" else "nothing in the file tells (--units does)"
            return f"{'none' if self.units == '1' else self.units}, {told}"
        if not self.units_on_disk:
            return f"{'none' if self.units == '1' else self.units}, the variable has no attribute units"
        if self.units_on_disk == self.units:
            return f"{self.units}, as in the file"
        return f"{self.units}, {self.units_on_disk!r} in the file"

    def _describe_times(self) -> str:
        if self.first is None:
            return "not known: frames are numbered, and each movie is taken to have no gap"
        ends = show_time(self.first), show_time(self.last)
        if self.step_seconds is None:
            return f"{ends[0]} UTC, a single frame"
        regular = "" if self.gaps else ", without a gap" + (" in a movie" if self.sizes["movie"] > 1 else "")
        return f"{ends[0]} to {ends[1]} UTC, a frame every {show_duration(self.step_seconds)}{regular}"

    def _describe_gaps(self) -> str:
        lines = [f"{len(self.gaps):,}, with {_count(sum(gap.missing for gap in self.gaps), 'missing frame')}:"]
        for gap in self.gaps[:MOST_GAPS]:
            missing = f"{gap.missing:,} missing" if gap.missing else "not a multiple of the step"
            lines.append(f"{show_time(gap.before)} to {show_time(gap.after)}, {missing}")
        more = [f"and {len(self.gaps) - MOST_GAPS:,} more"] if len(self.gaps) > MOST_GAPS else []
        return "\n".join(lines + more)

    def _describe_pixels(self, pixels: Pixels) -> dict[str, str]:
        total = self.sizes["movie"] * self.sizes["time"]
        looked = f"{pixels.frames:,} of {total:,} frames" + (", evenly spread" if pixels.frames > 1 else "")
        if pixels.frames + pixels.unreadable >= total:
            looked = "the only frame" if total == 1 else f"all {total:,} frames"
        facts = {"coverage": f"{100 * pixels.covered:.1f} % of the pixels of {looked}"} if pixels.frames else {}
        if pixels.empty:
            facts["coverage"] += f"; {_count(pixels.empty, 'frame')} of them without any value"
        if pixels.brightest:
            units = "" if self.units == "1" else f" {self.units}"
            facts["values"] = f"{pixels.low:.4g} to {pixels.high:.4g}{units}"
        if pixels.unreadable:
            facts["damaged"] = f"{_count(pixels.unreadable, 'frame')} cannot be read: {pixels.reason}"
        return facts


def summarise(movies: Movies, length: int, config: DataConfig, pixels: Pixels | None = None) -> Summary:
    """Return the summary of movies for windows of `length` frames, with the options of `config`; reads no pixel.

    The `length` is 0 if no windows are drawn from the data.
    """
    alone, frames = Sources([movies]), movies["frames"]
    periods = find_periods(alone)
    index = WindowIndex(alone, [one for one in periods if one.frames >= length], max(length, 1), config)
    dated, step = has_times(movies), Step.of(movies)
    time = movies["time"].values
    files = tuple(movies.attrs.get("files", ()))
    return Summary(
        source=movies.attrs.get("source", "movies"),
        files=files,
        format=_find_format(movies, config),
        variable=frames.attrs.get("variable", ""),
        units=frames.attrs["units"],
        units_on_disk=frames.attrs.get("units_on_disk"),
        dtype=frames.attrs.get("dtype_on_disk", ""),
        sizes={str(name): size for name, size in frames.sizes.items()},
        forcings=tuple(map(str, movies["forcing"].values.tolist())) if "forcing" in movies.coords else (),
        first=time.min() if dated else None,
        last=time.max() if dated else None,
        step_seconds=step.seconds if step else None,
        gaps=tuple(_find_gaps(movies, periods, step)) if step else (),
        longest=max(period.frames for period in periods),
        grid=Grid.of(movies),
        total_length=length,
        windows=len(index),
        remarks=tuple(movies.attrs.get("remarks", ())),
        pixels=pixels,
    )


def is_pixel(sizes: dict[str, int]) -> bool:
    """Return whether frames of these sizes are a single pixel: a vector series."""
    return sizes["y"] == sizes["x"] == 1


def is_located(grid: Grid) -> bool:
    """Return whether the coordinates of a grid have a unit; else they number the pixels."""
    return all(axis is not None and axis.attrs.get("units", "1") != "1" for axis in (grid.y, grid.x))


def describe_grid(grid: Grid) -> str:
    """Return the pixels and the corners of a grid in words."""
    if grid.y is None or grid.x is None or "1" in (grid.y.attrs.get("units"), grid.x.attrs.get("units")):
        return "pixels are numbered, row 0 on top: there are no coordinates y and x with a unit"
    texts = []
    for name, axis in (("y", grid.y), ("x", grid.x)):
        factor = metre_factor(axis.attrs.get("units"))
        first, last = (_show_number(axis.values[i] * (factor / 1000 if factor else 1)) for i in (0, -1))
        texts.append(f"{name} {first} to {last} {'km' if factor else axis.attrs.get('units', '(no unit)')}")
    top = "south" if grid.y.size > 1 and grid.y.values[-1] > grid.y.values[0] else "north"
    size = f"pixels of {grid.pixel_size:g} m, " if grid.pixel_size else ""
    return f"{size}{', '.join(texts)}; row 0 is in the {top}"


def describe_projection(grid: Grid) -> str:
    """Return the name of a projection, or the beginning of its text."""
    mapping = grid.mapping
    text = mapping.get("grid_mapping_name") or next((str(mapping[key]) for key in TEXTS if mapping.get(key)), "")
    return textwrap.shorten(str(text), 80, placeholder=" ...") or "not known: the file has no grid mapping"


def show_duration(seconds: float) -> str:
    """Return a duration in words.

    >>> show_duration(300), show_duration(3600), show_duration(90)
    ('5 minutes', 'hour', '90 seconds')
    """
    size = next((size for size in _DURATIONS if seconds >= size and seconds % size == 0), 1)
    number = seconds / size
    return _DURATIONS[size] if number == 1 else f"{number:g} {_DURATIONS[size]}s"


def show_time(time: Any) -> str:
    """Return a time as people write it, with seconds where it has any."""
    text = str(np.datetime64(time, "s")).replace("T", " ")
    return text.removesuffix(":00") if text.count(":") == 2 else text


def wrap_fact(name: str, text: str) -> list[str]:
    """Return the lines of a fact, its name and its text, at most `WIDTH` columns wide unless a word is longer."""
    wrapper = textwrap.TextWrapper(WIDTH - NAME_WIDTH - 3, break_long_words=False, break_on_hyphens=False)
    lines = [part for line in text.splitlines() for part in wrapper.wrap(line)]
    return [f"  {'' if number else name:{NAME_WIDTH}} {line}" for number, line in enumerate(lines)]


def _find_gaps(movies: Movies, periods: list[Period], step: Step) -> list[Gap]:
    gaps = []
    for period, following in itertools.pairwise(periods):
        if period.movie == following.movie:
            before, after = movies["time"].values[period.movie, [period.stop - 1, following.start]]
            seconds = float((after - before) / np.timedelta64(1, "s"))
            steps = round(seconds / step.seconds)
            whole = steps > 1 and abs(seconds - steps * step.seconds) <= steps * step.tolerance * step.seconds
            gaps.append(Gap(period.movie, before, after, steps - 1 if whole else 0))
    return gaps


def _find_format(movies: Movies, config: DataConfig) -> str:
    """Return the formats of the files of movies, found from one file of each suffix."""
    if isinstance(find_source(movies["frames"].variable), StoreFrames):
        return "store of predjax"
    if formats := movies.encoding.get("formats"):
        return " and ".join(formats)
    one_of_each = {file.rpartition(".")[2]: file for file in reversed(movies.attrs.get("files", ()))}
    names = [name_format(file, config.engine) for file in one_of_each.values() if os.path.exists(file)]
    return " and ".join(dict.fromkeys(filter(None, names))) or "data in memory"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def _show_number(number: float) -> str:
    return f"{float(number):.6g}"
