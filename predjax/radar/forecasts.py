"""Forecasts in files, whoever made them, and the observed windows that they forecast."""

import logging
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from predjax.radar.formats.netcdf import open_netcdf
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
        frames = frames[:, :, :: -1 if self.part.turned[0] else 1, :: -1 if self.part.turned[1] else 1]
        whole = np.full((*frames.shape[:2], *shape, frames.shape[-1]), np.nan, np.float32)
        rows, columns = (slice(first, first + size) for first, size in zip(self.part.corner, frames.shape[2:4]))
        whole[:, :, rows, columns] = frames
        return whole


def read_forecasts(paths: Paths, *, variable: str = "", units: str = "file") -> list[GivenForecast]:
    """Read netCDF forecasts laid out (time, y, x), with a member dimension or without, one init time a file.

    The init time is the variable with the standard name forecast_reference_time; without one, the date that `time`
    counts from, as pysteps writes it.

    Errors: ValueError or OSError, one line with the file, the rule and what was found.
    """
    forecasts = []
    found = [path for path in expand_paths(paths) if path.suffix not in (".npy", ".npz")]  # beside ours in a folder
    if not found:
        raise ValueError(f"{paths}: no netCDF forecasts there")
    for path in found:
        read = read_movies([path], variable=variable, units=units)
        if len(read) != 1 or not has_times(read[0]):
            raise ValueError(f"{path}: a forecast needs valid times (time with units like 'seconds since ...')")
        forecasts.append(GivenForecast(read[0], _init_time(os.fspath(path)), os.fspath(path)))
    return forecasts


def _init_time(path: str) -> Any:  # one np.datetime64
    with NETCDF_LOCK:
        variables = open_netcdf(path).variables
        for name, variable in variables.items():
            if variable.attrs.get("standard_name") == "forecast_reference_time":
                if variable.size != 1:
                    raise ValueError(f"{path}: {name} must be one init time, found {variable.size}")
                return decode_times(variable.values.reshape(()), variable.attrs, f"{path}: {name}")[()]
        for name, variable in variables.items():
            if " since " in str(variable.attrs.get("units", "")):
                return decode_times(np.zeros(()), variable.attrs, f"{path}: {name}")[()]
    raise ValueError(f"{path}: no init time: neither forecast_reference_time nor a time that counts from it")


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
