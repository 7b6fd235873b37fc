"""Forecasts in files, whoever made them, and the observed windows that they forecast."""

import logging
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from predjax.radar.formats.catalogue import open_undecoded
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.radar.formats.times import decode_times
from predjax.radar.grid import Grid, Part
from predjax.radar.movies import Movies, has_times
from predjax.radar.readers import Paths, expand_paths, read_movies
from predjax.radar.windows.index import Window

LOG = logging.getLogger("predjax")


class GivenForecast(NamedTuple):
    """One forecast file: its frames as movies, one a member, and its init time."""

    movies: Movies
    init_time: np.datetime64
    path: str


class Match(NamedTuple):
    """The observed window of a forecast, and the position of the forecast within the observed frames."""

    window: Window
    forecast: GivenForecast
    part: Part  # of the observed pixels

    def read(self, steps: int, shape: tuple[int, int]) -> np.ndarray:
        """Read the first `steps` frames as `(E, T, H, W, C)`, float32, on observed frames of `shape`; NaN = unknown."""
        frames = self.forecast.movies.frames[:, :steps].values
        self._check_members(frames)
        frames = frames[:, :, :: -1 if self.part.turned[0] else 1, :: -1 if self.part.turned[1] else 1]
        whole = np.full((*frames.shape[:2], *shape, frames.shape[-1]), np.nan, np.float32)
        rows, columns = (slice(first, first + size) for first, size in zip(self.part.corner, frames.shape[2:4]))
        whole[:, :, rows, columns] = frames
        return whole

    def _check_members(self, frames: np.ndarray) -> None:
        """Raise a ValueError where a member (E, T, H, W, C) has no value at a lead time that others forecast.

        A pixel counts as forecast where all members are, so that such a member would leave nothing to score.
        """
        lacking = np.isnan(frames).all(axis=(2, 3, 4))
        wrong = np.argwhere(lacking & ~lacking.all(axis=0))
        if wrong.size:
            member, lead = wrong[0]
            raise ValueError(
                f"{self.forecast.path}: member {member + 1} of {len(frames)} has no value at lead time {lead + 1} of "
                f"{frames.shape[1]}, others have: leave the member out of all files"
            )


def read_forecasts(
    paths: Paths, *, variable: str = "", units: str = "file", first_lead: float | None = None
) -> list[GivenForecast]:
    """Read forecasts laid out (time, y, x), with a member dimension or without, one init time a file.

    The init time is the variable with the standard name forecast_reference_time; without one, the date that `time`
    counts from, if that is one step before the first valid time, as pysteps writes it; else the first valid time less
    `first_lead` minutes. A frame at the init time is no forecast and is left out.

    Errors: ValueError or OSError, one line with the file, the rule and what was found.
    """
    forecasts, observed = [], []
    found = [path for path in expand_paths(paths) if path.suffix not in (".npy", ".npz")]  # beside ours in a folder
    if not found:
        raise ValueError(f"{paths}: no forecasts there, in a format that has times")
    for path in found:
        dates = _read_dates(os.fspath(path))
        read = read_movies([path], variable=variable, units=units)
        if len(read) != 1 or not has_times(read[0]):
            raise ValueError(f"{path}: a forecast needs valid times (time with units like 'seconds since ...')")
        movies = read[0]
        init, valid = _find_init_time(os.fspath(path), movies, dates, first_lead), movies["time"].values[0]
        if init > valid[0]:
            raise ValueError(f"{path}: the init time {_show(init)} is after the first valid time, {_show(valid[0])}")
        if init == valid[0]:
            if len(valid) == 1:
                raise ValueError(f"{path}: the only frame is of the init time, {_show(init)}: there is no forecast")
            observed.append(path)
            movies = movies.isel(time=slice(1, None))
        forecasts.append(GivenForecast(movies, init, os.fspath(path)))
    if observed:
        text = "%d of %d forecasts begin with a frame of their init time (lead time 0), which is left out, the first %s"
        LOG.info(text, len(observed), len(found), observed[0])
    return forecasts


def _read_dates(path: str) -> tuple[Any, list]:
    """Return the reference time that a file states, or None, and the dates from which its times count, of other times.

    Errors: ValueError, there are several reference times, or no other times.
    """
    reference, origins = None, []
    with NETCDF_LOCK:
        for name, variable in open_undecoded(path).variables.items():
            attrs, label = variable.attrs, f"{path}: {name}"
            if attrs.get("standard_name") == "forecast_reference_time":
                if variable.size != 1:
                    raise ValueError(f"{label} must be one init time, found {variable.size}: write a file for each")
                reference = decode_times(variable.values.reshape(()), attrs, label)[()]
            elif " since " in str(attrs.get("units", "")):
                origins.append(decode_times(np.zeros(()), attrs, label)[()])
    if not origins:
        raise ValueError(f"{path}: a forecast needs valid times (time with units like 'seconds since ...')")
    return reference, origins


def _find_init_time(path: str, movies: Movies, dates: tuple[Any, list], first_lead: float | None) -> Any:
    """Return the init time of a forecast; see `read_forecasts`."""
    (reference, origins), first, step = dates, movies["time"].values[0, 0], movies.attrs.get("step_seconds")
    if reference is not None:
        return reference
    for origin in origins:
        # A single frame has no step, but it may be the first.
        if first - origin == np.timedelta64(round(step * 1e9), "ns") if step else origin < first:
            return origin
    if first_lead is not None:
        return first - np.timedelta64(round(first_lead * 60e9), "ns")
    usual = "its minutes" if step is None else f"{step / 60:g}"
    raise ValueError(
        f"{path}: nothing says its init time: there is no forecast_reference_time, and no time that counts from one "
        f"step before the first valid time, {_show(first)}: give --first_lead {usual} where that is the first lead "
        "time, or --first_lead 0 where it is the init time"
    )


def match_forecasts(forecasts: Sequence[GivenForecast], sources: Sequence[Movies], input_length: int) -> list[Match]:
    """Find the observed window of every forecast whose times are all observed; log the others and leave them out.

    A window has `input_length` frames up to the init time and then the frames at the valid times. The forecast may
    cover a part of the observed pixels.

    Raises:
      ValueError: other units or channels, no common grid, times that meet nowhere, different numbers of lead times.
    """
    matches, reasons = [], []
    for forecast in forecasts:
        _check_quantity(forecast, sources[0])
        pixels = Grid.of(forecast.movies)
        grids = [(i, part) for i, source in enumerate(sources) if (part := Grid.of(source).locate(pixels))]
        if not grids:
            raise ValueError(
                f"{forecast.path}: its pixels ({pixels}) are not those of "
                f"{sources[0].attrs['source']} ({Grid.of(sources[0])})"
            )
        found = [(i, part, when) for i, part in grids if (when := _find_times(forecast, sources[i], input_length))]
        if not found:
            reasons.append(f"{forecast.path}: init time {_show(forecast.init_time)}")
            continue
        source, part, (movie, start) = found[0]
        matches.append(Match(Window(source, movie, start, 0, 0), forecast, part))
    if not matches:
        raise ValueError(
            f"{reasons[0]} with {input_length} observed frames before it and its valid times after it is not in "
            f"{', '.join(source.attrs['source'] for source in sources)}"
        )
    if reasons:
        LOG.warning(
            "%d forecasts have no complete observations and are left out, the first %s", len(reasons), reasons[0]
        )
    lengths = {match.forecast.movies.sizes["time"] for match in matches}
    members = {match.forecast.movies.sizes["movie"] for match in matches}
    for name, sizes in (("lead times", lengths), ("members", members)):
        if len(sizes) > 1:
            raise ValueError(
                f"{matches[0].forecast.path}: the files have {min(sizes)} to {max(sizes)} {name}, need one number"
            )
    return matches


def _check_quantity(forecast: GivenForecast, source: Movies) -> None:
    units, observed = forecast.movies.frames.attrs["units"], source.frames.attrs["units"]
    if units != observed:
        raise ValueError(f"{forecast.path} is in {units}, {source.attrs['source']} in {observed}: give --units")
    channels, wanted = forecast.movies.sizes["channel"], source.sizes["channel"]
    if channels != wanted:
        raise ValueError(f"{forecast.path} has {channels} channels, {source.attrs['source']} has {wanted}")


def _find_times(forecast: GivenForecast, source: Movies, input_length: int) -> tuple[int, int] | None:
    """Return movie and first frame of the window; None where a frame is missing or the steps differ."""
    if not has_times(source):
        return None
    valid = forecast.movies["time"].values[0]
    for movie, times in enumerate(source["time"].values):
        last = int(np.searchsorted(times, forecast.init_time))
        start = last - input_length + 1
        if start < 0 or last + 1 + valid.size > times.size or times[last] != forecast.init_time:
            continue
        steps = np.diff(times[start : last + 1 + valid.size])
        if (times[last + 1 : last + 1 + valid.size] == valid).all() and (steps == steps[0]).all():
            return movie, start
    return None


def _show(time: np.datetime64) -> str:
    return str(time.astype("datetime64[m]"))
