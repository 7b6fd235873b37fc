"""The joining of files to Movies: one movie for each grid, joined in time over any number of files."""

import dataclasses
import logging
import pathlib
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import xarray as xr

from predjax.messages import one_line
from predjax.radar.formats.accumulation import Period, check_sums, describe_period, settle_period
from predjax.radar.formats.frames import FileFrames
from predjax.radar.formats.labels import Field, Header
from predjax.radar.formats.lazy import read_later
from predjax.radar.grid import Grid
from predjax.radar.movies import DIMENSIONS, FORCING_DIMENSIONS, Movies, build_movies
from predjax.radar.step import Step

_LOG = logging.getLogger("predjax")
# A window of 20 frames reads one or two chunks more than it needs; beyond this the excess is most of the work.
_LONG_CHUNK = 32


class Joined(NamedTuple):
    """One movie of many files, and the spare frames that other files have for the same times."""

    movies: Movies  # not yet checked
    files: list[str]  # the files of all of its frames
    places: np.ndarray  # (frame, 2): the number of the file of every frame of `movies`, and its index in that file
    spare: xr.Variable | None  # frames (1, frame, y, x, channel) whose times an earlier file has
    spare_times: np.ndarray  # of the spare frames, ordered by time and then by file; `spare_places` alike
    spare_places: np.ndarray


def join_files(
    headers: Iterable[Header], refused: Callable[[list[Header], ValueError], object] | None = None
) -> list[Joined]:
    """Join the frames of files by their labels; return unchecked Movies in the order of the first file of each.

    Files of the same grid, variable and time step are one movie, in order of time (of two frames at one time the
    first is kept). A file with a movie dimension, and one without times, stands alone.

    Errors: ValueError, files that cannot be joined; `refused` gets them with the error instead, and others are joined.
    """
    grids: list[Grid] = []
    groups: dict[tuple, list[Header]] = {}
    for number, header in enumerate(headers):
        grid = next((i for i, grid in enumerate(grids) if grid.same(header.grid)), len(grids))
        if grid == len(grids):
            grids.append(header.grid)
        # One grid object for thousands of files.
        header = dataclasses.replace(header, grid=grids[grid])
        groups.setdefault(_group_key(header, grid, number, groups), []).append(header)
    joined = []
    for together in groups.values():
        try:
            joined.append(_join(together, _source_name(together, alone=len(groups) == 1)))
        except ValueError as error:
            if refused is None:
                raise
            refused(together, error)
    return joined


def _group_key(header: Header, grid: int, number: int, groups: dict) -> tuple:
    """Return the key that the files of one movie share.

    A single frame, which has no time step, joins the first group that agrees in all else.
    """
    if header.time is None or header.movies > 1:
        return (number,)
    conversion = header.conversion
    key = (
        grid,
        header.init_time,  # forecasts are not joined with observations
        header.attrs["variable"],
        conversion.units,
        (conversion.to, conversion.zr_a, conversion.zr_b) if conversion.to else (),
        header.channel or len(header.fields),
        _has_maps(header.forcings),
    )
    step = header.step
    same = [one for one in groups if one[:-1] == key]
    fitting = [one for one in same if step is None or one[-1] is None or step.agrees(one[-1])]
    return fitting[0] if fitting else (*key, step)


def _join(headers: list[Header], source: str) -> Joined:
    """Join the files of one group to one movie."""
    first = headers[0]
    lengths = [header.length for header in headers]
    places = np.stack([np.repeat(np.arange(len(headers)), lengths), np.concatenate([*map(np.arange, lengths)])], axis=1)
    time, spare_times, spare_places = first.time, np.empty(0, "datetime64[ns]"), places[:0]
    if len(headers) > 1:
        times = np.concatenate([header.time[0] for header in headers])  # type: ignore[index]  # all have it by now
        time, kept = np.unique(times, return_index=True)
        left = np.setdiff1d(np.arange(len(times)), kept)
        left = left[np.argsort(times[left], kind="stable")]
        time, spare_times, spare_places, places = time[None], times[left], places[left], places[kept]
    step = first.given_step or (None if time is None else Step.of_times(time))
    periods = [_find_period(header, step.seconds if step else None) for header in headers]
    parts = [(header.file, _with_units(header, period)) for header, period in zip(headers, periods)]
    sums = {period: describe_period(period, step.seconds if step else None) for period in periods if period}
    forcings = [(header.file, header.forcings) for header in headers]
    shape = (first.movies, len(places), *first.grid.shape)
    frames = FileFrames(parts, places, (*shape, len(first.fields)))
    movies = build_movies(
        read_later(DIMENSIONS, frames),
        {"time": time, "channel": first.channel, **first.grid.coords},
        attrs=dict(first.conversion.attrs) | first.attrs,
        source=source,
        files=[headers[part].file for part in dict.fromkeys(places[:, 0].tolist())],
        remarks=[*(remark for header in headers for remark in header.remarks), *sums.values()],
    )
    if any(period and header.period is None for header, period in zip(headers, periods)):
        movies.attrs["remarks"] += check_sums(movies, f"{first.file}: {first.attrs['variable']}")
    movies.encoding["formats"] = tuple(dict.fromkeys(header.format for header in headers if header.format))
    # Only a history has lines.
    movies.attrs |= {
        key: one_line(value) if key != "history" and isinstance(value, str) else value
        for key, value in first.file_attrs.items()
    }
    if first.init_time:
        movies.attrs["init_time"] = first.init_time
    if first.forcings:
        maps = _has_maps(first.forcings)
        shape = (*(shape if maps else shape[:2]), len(first.forcings))
        movies["forcings"] = read_later(FORCING_DIMENSIONS[maps], FileFrames(forcings, places, shape))
        movies = movies.assign_coords(forcing=("forcing", list(first.forcing_names)))
    _warn_of_chunks(first, source)
    shape = (1, len(spare_places), *first.grid.shape, len(first.fields))
    spare = FileFrames(parts, spare_places, shape, tally=frames.tally)
    files = [header.file for header in headers]
    return Joined(movies, files, places, read_later(DIMENSIONS, spare), spare_times, spare_places)


def _find_period(header: Header, step: float | None) -> Period | None:
    """Return the accumulation period of a file, or None for values that are not accumulations."""
    if not header.conversion.accumulation:
        return None
    return settle_period(header.period, header.named, step, f"{header.file}: {header.attrs['variable']}")


def _with_units(header: Header, period: Period | None) -> tuple[Field, ...]:
    """Return the fields of a file with the conversion to the unit of the movie."""
    seconds = period.seconds if period else None
    return tuple(field._replace(decoder=header.conversion.apply(field.decoder, seconds)) for field in header.fields)


def _has_maps(fields: tuple[Field, ...]) -> bool:
    return any(role in field.axes for field in fields for role in ("y", "x"))


def warn_of_duplicates(joined: Joined) -> None:
    """Log one line for each pair of files that have frames of the same time."""
    pairs: dict[tuple[str, str], list] = {}
    for time, (part, _) in zip(joined.spare_times, joined.spare_places):
        first = joined.places[np.searchsorted(joined.movies["time"].values[0], time), 0]
        pairs.setdefault((joined.files[first], joined.files[part]), []).append(time)
    for (one, other), found in pairs.items():
        when = np.datetime_as_string(min(found), unit="s")
        more = f" and {len(found) - 1} more times" if len(found) > 1 else ""
        _LOG.warning("%s and %s both hold a frame of %s%s: the first file's is used", one, other, when, more)


def _warn_of_chunks(header: Header, source: str) -> None:
    if header.chunk > _LONG_CHUNK and header.grid.shape != (1, 1):
        text = "%s: one compressed chunk holds %d frames, so that reading a window reads far more than it needs"
        _LOG.warning(text, source, header.chunk)


def _source_name(headers: list[Header], alone: bool) -> str:
    """Return a short name for one or many files: "a.nc", "a.nc, b.nc", "frames/*.nc" or "a.nc and 11 more"."""
    paths = [pathlib.Path(header.file).absolute() for header in headers]
    if len(paths) <= 3:
        return ", ".join(path.name for path in paths)
    if alone and len({(path.parent, path.suffix) for path in paths}) == 1:
        return f"{paths[0].parent.name}/*{paths[0].suffix}"
    return f"{paths[0].name} and {len(paths) - 1} more"
