"""The record in a checkpoint of the data of a run: its frames, their time steps and pixel sizes.

A later verification reads the same parts again, and finds windows that were trained on.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from predjax.radar.grid import Grid
from predjax.radar.movies import Movies, Sources, has_times
from predjax.radar.step import Step
from predjax.radar.windows.index import Window
from predjax.radar.windows.runs import Period


def describe_periods(sources: Sources, periods: list[Period]) -> list[dict]:
    """Return one JSON record for each period: its position, the source's name and pixels, the times of its ends."""
    return [
        {
            **period._asdict(),
            "name": sources[period.source].attrs["source"],
            "grid": Grid.of(sources[period.source]).extent,
            "first": _label(sources[period.source], period.movie, period.start),
            "last": _label(sources[period.source], period.movie, period.stop - 1),
        }
        for period in periods
    ]


def describe_sampling(sources: Sources) -> dict:
    """Return the known time steps (seconds) and pixel sizes (metres) of the sources, each once, as JSON."""
    steps = {movies.attrs.get("step_seconds") for movies in sources} - {None}
    pixels = {Grid.of(movies).pixel_size for movies in sources} - {None}
    return {"steps": sorted(steps), "pixels": sorted(pixels)}


def find_other_sampling(sampling: dict, step: float | None, pixel: float | None) -> str:
    """Return in words how a time step and a pixel size differ from those of the training data, in `sampling`.

    `sampling` comes from `describe_sampling`. The result is "" where steps agree to 1 % and sizes to 2 %, and where
    they are not known.
    """
    different = []
    for found, known, fits, text in (
        (step, sampling.get("steps"), lambda one: Step(one).fits(step), "a step of {} s"),
        (pixel, sampling.get("pixels"), lambda one: abs(pixel - one) <= 0.02 * one, "pixels of {} m"),
    ):
        if found and known and not any(map(fits, known)):
            trained = " or ".join(f"{one:g}" for one in known)
            different.append(f"{text.format(f'{found:g}')} where the model was trained on {trained}")
    return ", ".join(different)


def restore_periods(sources: Sources, records: list[dict]) -> list[Period]:
    """Return the periods of the records in the same data, read again. Errors: ValueError if the data have changed."""
    periods = []
    for record in records:
        period = Period(*(record[field] for field in Period._fields))
        there = period.source < len(sources) and period.movie < sources[period.source].sizes["movie"]
        if not there or period.stop > sources[period.source].sizes["time"]:
            raise ValueError(
                f"{record['name']}: movie {period.movie} until {record['last']} is not in the data any more"
            )
        found = describe_periods(sources, [period])[0]
        for key in ("first", "last"):
            if found[key] != record[key]:
                raise ValueError(f"{record['name']}: the data changed, {record[key]} is {found[key]} now")
        periods.append(period)
    return periods


def count_overlaps(sources: Sources, windows: Iterable[Window], length: int, records: list[dict]) -> int:
    """Count the windows that share a time with a recorded period of the same pixels.

    Frames without times or without coordinates are compared by the name and number of their movie.
    """
    count = 0
    for window in windows:
        movies = sources[window.source]
        grid, last = Grid.of(movies).extent, window.start + length - 1
        first, last = (_label(movies, window.movie, i) for i in (window.start, last))
        place, georeferenced = (movies.attrs["source"], window.movie), _is_georeferenced(movies)
        count += any(
            record["grid"] == grid
            and (georeferenced or (record["name"], record["movie"]) == place)
            and type(record["first"]) is type(first)
            and record["first"] <= last
            and first <= record["last"]
            for record in records
        )
    return count


def is_trained_on(movies: Movies, records: list[dict]) -> bool:
    """Return whether any frame of the first movie has a time and the pixels of a recorded period.

    False where the frames have no times or coordinates: then it cannot be known.
    """
    window = Window(0, 0, 0, 0, 0)
    return _is_georeferenced(movies) and count_overlaps(Sources([movies]), [window], movies.sizes["time"], records) > 0


def _is_georeferenced(movies: Movies) -> bool:
    return has_times(movies) and movies["x"].attrs.get("units", "1") != "1"


def _label(movies: Movies, movie: int, index: int) -> Any:  # of a type that compares with itself
    """Return the time of a frame as ISO text, which sorts like the time; or the frame's number."""
    value = movies["time"].values[movie, index]
    return str(value.astype("datetime64[s]")) if isinstance(value, np.datetime64) else int(value)
