"""The door out: predicted frames become a labelled Forecast.

`Forecast` is an `xarray.Dataset` of one init time with the dimensions (lead_time, y, x, channel), an ensemble with
`realization` before them: one variable under the name it has in the data, in the same units and on the same pixels as
the movie it continues.
"""

import datetime

import numpy as np
import xarray as xr

from predjax.radar.movies import Movies, has_times
from predjax.radar.windows.index import Window

Forecast = xr.Dataset

FRAME_ATTRIBUTES = ("standard_name", "long_name", "units", "zr_a", "zr_b")
DATASET_ATTRIBUTES = ("institution", "references")
LEAD_UNITS = {"minutes": "m", "seconds": "s"}


def to_forecast(
    frames: np.ndarray,
    movies: Movies,
    window: Window,
    input_length: int,
    method: str,
    source_text: str,
) -> Forecast:
    """Labels the frames that continue one window.

    Args:
      frames: (T, H, W, C) predicted frames in the units of `movies`, NaN = unknown; (E, T, H, W, C) for E members.
      movies: the movies the window was cut from.
      window: its first `input_length` frames were observed; y, x is the upper left pixel of the frames.
      input_length: number of observed frames; the last of them is at the init time. With 0 that is a step before the
        first frame.
      method: name of the nowcast, for the title.
      source_text: what made the frames: version, checkpoint and its hash.

    Returns:
      The variable named in the data (else `frames`) with the coordinates lead_time (integer minutes; seconds
      where the step is no whole minute), valid_time (lead_time), init_time, y, x, channel, the grid mapping and, for
      members, realization (1, 2 ...).
      Movies without times are counted in frames: then the three times are frame numbers with units "1".

    Raises:
      ValueError: frames of another shape, or that do not fit into the movies, a time step that is unknown.
    """
    frames = np.asarray(frames, dtype=np.float32)
    source = movies.attrs.get("source", "movies")
    if frames.ndim not in (4, 5):
        raise ValueError(f"predicted frames must be (T, H, W, C) or (E, T, H, W, C), not {frames.shape}")
    steps, height, width, channels = frames.shape[-4:]
    if input_length < 0 or window.start + input_length > movies.sizes["time"]:
        raise ValueError(
            f"{source}: no last observed frame for a window that starts at frame {window.start} "
            f"with {input_length} observed of {movies.sizes['time']} frames"
        )
    grid = movies.isel(y=slice(window.y, window.y + height), x=slice(window.x, window.x + width))
    if (grid.sizes["y"], grid.sizes["x"], movies.sizes["channel"]) != (height, width, channels):
        raise ValueError(
            f"{source}: predicted frames of {height}x{width}x{channels} at pixel ({window.y}, {window.x}) do not "
            f"fit the movies of {movies.sizes['y']}x{movies.sizes['x']}x{movies.sizes['channel']}"
        )
    init = find_init(movies, window, input_length)
    if has_times(movies):
        lead_time = _lead_times(movies, steps)
        valid_time = init + lead_timedeltas(lead_time)
        time_attrs = {}
    else:
        lead_attrs = {"long_name": "lead time in frames", "units": "1"}
        lead_time = xr.DataArray(np.arange(1, steps + 1), dims="lead_time", attrs=lead_attrs)
        valid_time = init + lead_time.values
        time_attrs = {"units": "1"}

    found = movies["frames"].attrs
    attrs = {name: found[name] for name in FRAME_ATTRIBUTES if name in found}
    coords = {
        "lead_time": lead_time,
        "valid_time": ("lead_time", valid_time, {"long_name": "valid time", **time_attrs}),
        "init_time": ((), init, {"long_name": "time of the last observed frame", **time_attrs}),
        "y": grid["y"].variable,
        "x": grid["x"].variable,
        "channel": movies["channel"].variable,
    }
    dims = ("lead_time", "y", "x", "channel")
    if frames.ndim == 5:
        dims = ("realization", *dims)
        coords["realization"] = ("realization", np.arange(1, len(frames) + 1), {"long_name": "member", "units": "1"})
    mapping = found.get("grid_mapping", "")
    if mapping in movies.variables:
        # GDAL's corner of the whole grid is not the corner of a crop; y and x say the same.
        projection = {k: v for k, v in movies[mapping].attrs.items() if k != "GeoTransform"}
        coords[mapping] = ((), movies[mapping].values, projection)
        attrs["grid_mapping"] = mapping
    variable = {found.get("variable") or "frames": (dims, frames, attrs)}
    return xr.Dataset(variable, coords, _provenance(movies, window, method, source_text))


def find_init(movies: Movies, window: Window, input_length: int):
    """The init time of a window, or the number of its frame: that of the last observed frame, else a step before."""
    times = movies["time"].values[window.movie]
    last = window.start + input_length - 1
    if last >= 0:
        return times[last]
    return times[0] - (np.timedelta64(round(_find_step(movies)), "s") if has_times(movies) else 1)


def lead_timedeltas(lead_time: xr.DataArray) -> np.ndarray:
    """Lead times (`lead_time`, or `forecast_period` of a file) as timedelta64[ns].

    xarray leaves the integer minutes of a file as they are; this makes them addable to a time.

    Raises:
      ValueError: units other than minutes or seconds.
    """
    units = lead_time.attrs.get("units")
    if units not in LEAD_UNITS:
        raise ValueError(f"lead times in units of {units!r} are no durations: need minutes or seconds")
    return lead_time.values.astype(f"timedelta64[{LEAD_UNITS[units]}]").astype("timedelta64[ns]")


def _lead_times(movies: Movies, steps: int) -> xr.DataArray:
    step = _find_step(movies)
    seconds = np.arange(1, steps + 1) * round(step)
    minutes = step % 60 == 0
    attrs = {"long_name": "lead time", "units": "minutes" if minutes else "seconds"}
    return xr.DataArray(seconds // 60 if minutes else seconds, dims="lead_time", attrs=attrs)


def _find_step(movies: Movies) -> float:
    step = movies.attrs.get("step_seconds")
    if step is None or step <= 0 or step != round(step):
        source = movies.attrs.get("source", "movies")
        raise ValueError(f"{source}: lead times need a time step of whole seconds, found {step}")
    return step


def _provenance(movies: Movies, window: Window, method: str, source_text: str) -> dict[str, str]:
    """Global attributes: the movies' own institution, references and history, and what was done here."""
    what = movies.attrs.get("source", "movies")
    if movies.sizes["movie"] > 1:
        what = f"movie {window.movie} of {what}"
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    history = [movies.attrs["history"]] if movies.attrs.get("history") else []
    history.append(f"{now} predjax: nowcast by {method} from {what}")
    kept = {name: movies.attrs[name] for name in DATASET_ATTRIBUTES if movies.attrs.get(name)}
    title = f"Nowcast by {method} of {movies.attrs.get('title') or what}"
    return {"title": title, **kept, "source": source_text, "history": "\n".join(history)}
