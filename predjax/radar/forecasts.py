"""Forecasts in files of any origin, and the observed windows that they forecast."""

import logging
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from predjax.radar.formats.catalogue import open_undecoded
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.radar.formats.times import SINCE, decode_times
from predjax.radar.grid import Grid, Part
from predjax.radar.movies import Movies, has_times, log_remarks
from predjax.radar.readers import Paths, expand_paths, read_unsaid
from predjax.radar.remarks import log_changes
from predjax.radar.step import Step
from predjax.radar.windows.index import Window

LOG = logging.getLogger("predjax")
_NOTHING = "there is no forecast"


class GivenForecast(NamedTuple):
    """One forecast in files: its frames as movies, one for each member, and its init time."""

    movies: Movies
    init_time: np.datetime64
    path: str


class Match(NamedTuple):
    """The observed window of a forecast, and the position of the forecast frames within the observed frames."""

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
        """Raise a ValueError if a member (E, T, H, W, C) has no value at a lead time at which others have some.

        A pixel counts as forecast where all members have a value, so that such a member would leave nothing to score.
        """
        lacking = np.isnan(frames).all(axis=(2, 3, 4))
        wrong = np.argwhere(lacking & ~lacking.all(axis=0))
        if wrong.size:
            member, lead = wrong[0]
            raise ValueError(
                f"{self.forecast.path}: member {member + 1} of {len(frames)} has no value at lead time {lead + 1} of "
                f"{frames.shape[1]}, others have: leave the member out of all files"
            )


class _File(NamedTuple):
    """The dates of a forecast file."""

    path: str
    reference: Any  # the init time that it states
    origins: list  # the dates from which its times count
    valid: Any  # the valid time of a single frame; None of several


def read_forecasts(
    paths: Paths, *, variable: str = "", units: str = "file", first_lead: float | None = None
) -> list[GivenForecast]:
    """Read forecasts laid out (time, y, x), with a member dimension or without, one init time a file.

    Files of one frame each with the same stated init time are one forecast.

    The init time is the variable with the standard name forecast_reference_time; without one, the date that `time`
    counts from, if that is one step before the first valid time, as pysteps writes it; else the first valid time less
    `first_lead` minutes. A frame at the init time is no forecast and is left out.

    Errors: ValueError or OSError, one line with the file, the rule and what was found.
    """
    found = [path for path in expand_paths(paths) if path.suffix not in (".npy", ".npz")]  # beside ours in a folder
    if not found:
        raise ValueError(f"{paths}: no forecasts there, in a format that has times")
    files = [_read_dates(os.fspath(path)) for path in found]
    forecasts, observed = [], []
    for together in _group_files(files):
        later = [file for file in together if file.valid is None or file.valid != file.reference]
        observed += [file.path for file in together if file not in later]
        read = read_unsaid([file.path for file in later], variable=variable, units=units) if later else []
        path = together[0].path
        if later and (len(read) != 1 or not has_times(read[0])):
            raise ValueError(f"{path}: a forecast needs valid times (time with units like 'seconds since ...')")
        if not later:
            raise ValueError(f"{path}: the only frame is of the init time, {_show(together[0].valid)}: {_NOTHING}")
        forecast, begins = _label_forecast(read[0], later[0], first_lead)
        forecasts.append(forecast)
        observed += [path] if begins else []
    log_remarks([forecast.movies for forecast in forecasts])
    said: set[str] = set()
    for forecast in forecasts:
        log_changes(forecast.movies, said)
    if observed:
        text = "%d of %d forecasts begin with a frame of their init time (lead time 0), which is left out, the first %s"
        LOG.info(text, len(observed), len(forecasts), observed[0])
    return forecasts


def _group_files(files: list[_File]) -> list[list[_File]]:
    """Return the files of each forecast. Errors: ValueError, two of them have the same valid time."""
    groups: dict[Any, list[_File]] = {}
    for file in files:
        alone = file.reference is None or file.valid is None
        groups.setdefault(file.path if alone else file.reference, []).append(file)
    for together in groups.values():
        known: dict[Any, str] = {}
        for file in together:
            if known.setdefault(file.valid, file.path) != file.path:
                rule = "both forecast one time from one init time: members are a dimension of one file"
                raise ValueError(f"{known[file.valid]} and {file.path} {rule}")
    return list(groups.values())


def _label_forecast(movies: Movies, file: _File, first_lead: float | None) -> tuple[GivenForecast, bool]:
    """Return a forecast without the frame of its init time, and whether there was such a frame."""
    path, valid = file.path, movies["time"].values[0]
    init, remark = _find_init_time(movies, file, first_lead)
    step = Step.of(movies)
    begins = bool(init == valid[0] or (step and step.allows((valid[0] - init) / np.timedelta64(1, "s"))))
    if init > valid[0] and not begins:
        raise ValueError(f"{path}: the init time {_show(init)} is after the first valid time, {_show(valid[0])}")
    if begins and len(valid) == 1:
        raise ValueError(f"{path}: the only frame is of the init time, {_show(init)}: {_NOTHING}")
    movies = movies.assign_attrs(remarks=[*movies.attrs["remarks"], *remark])
    return GivenForecast(movies.isel(time=slice(1, None)) if begins else movies, init, path), begins


def _read_dates(path: str) -> _File:
    """Return the dates of a file. Errors: ValueError, there are several reference times, or no other times."""
    reference, origins = None, []
    times: list[Any] = []
    with NETCDF_LOCK:
        for name, variable in open_undecoded(path).variables.items():
            attrs, label = variable.attrs, f"{path}: {name}"
            if attrs.get("standard_name") == "forecast_reference_time":
                if variable.size != 1:
                    raise ValueError(f"{label} must be one init time, found {variable.size}: write a file for each")
                reference = decode_times(variable.values.reshape(()), attrs, label)[()]
            elif SINCE.search(str(attrs.get("units", ""))):
                origins.append(decode_times(np.zeros(()), attrs, label)[()])
                times += [decode_times(variable.values.reshape(()), attrs, label)[()]] if variable.size == 1 else [None]
    if not origins:
        raise ValueError(f"{path}: a forecast needs valid times (time with units like 'seconds since ...')")
    return _File(path, reference, origins, times[0] if len(times) == 1 else None)


def _find_init_time(movies: Movies, file: _File, first_lead: float | None) -> tuple[Any, list[str]]:
    """Return the init time of a forecast, see `read_forecasts`, and a remark where nothing states it."""
    first, step = movies["time"].values[0, 0], Step.of(movies)
    if file.reference is not None:
        return file.reference, []
    for origin in file.origins:
        # A single frame has no step, but it may be the first.
        if step.fits((first - origin) / np.timedelta64(1, "s")) if step else origin < first:
            return origin, ["the init time is the date from which the times count"]
    if first_lead is not None:
        return first - np.timedelta64(round(first_lead * 60e9), "ns"), []
    usual = "its minutes" if step is None else f"{step.seconds / 60:g}"
    raise ValueError(
        f"{file.path}: nothing says its init time: there is no forecast_reference_time, and no time that counts from "
        f"one step before the first valid time, {_show(first)}: give --first_lead {usual} where that is the first lead "
        "time, or --first_lead 0 where it is the init time"
    )


def match_forecasts(forecasts: Sequence[GivenForecast], sources: Sequence[Movies], input_length: int) -> list[Match]:
    """Find the observed window of every forecast whose times are all observed; log the others and leave them out.

    A window has `input_length` frames up to the init time and then the frames at the valid times. The forecast may
    cover a part of the observed pixels.

    Raises:
      ValueError: other units or channels, no common grid, times that meet nowhere, different numbers of lead times.
    """
    matches: list[Match] = []
    reasons = []
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
        match = Match(Window(source, movie, start, 0, 0), forecast, part)
        twice = next((one.forecast.path for one in matches if one.window == match.window), None)
        if twice:
            raise ValueError(
                f"{twice} and {forecast.path} forecast the same frames: members are a dimension of one file"
            )
        matches.append(match)
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
    """Return the movie and the first frame of the window, within the tolerance of times; None if a frame is missing."""
    step = Step.of(source)
    if step is None:
        return None
    wanted = np.append(forecast.init_time, forecast.movies["time"].values[0])
    for movie, times in enumerate(source["time"].values):
        last = int(np.abs(times - forecast.init_time).argmin())
        start, stop = last - input_length + 1, last + wanted.size
        if start < 0 or stop > times.size:
            continue
        off = (times[last:stop] - wanted) / np.timedelta64(1, "s")
        if step.allows(off).all() and step.follows(times[start:stop]).all():
            return movie, start
    return None


def _show(time: np.datetime64) -> str:
    return str(time.astype("datetime64[m]"))
