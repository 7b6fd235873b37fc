"""The door out, where predicted frames become a labelled Forecast.

`Forecast` is an `xarray.Dataset` of one init time with the dimensions (lead_time, y, x, channel), and `realization`
before them for an ensemble. It has one variable, with the units and the pixels of the movie that it continues. The
variable has the name in the movie if this name fits the values.
"""

import datetime

import numpy as np
import xarray as xr

from predjax.radar.movies import Movies, has_times
from predjax.radar.windows.index import Window
from predjax.unit_names import name_frames

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
    """Label the frames that continue one window.

    Args:
      frames: (T, H, W, C) predicted frames in the units of `movies`, NaN = unknown; (E, T, H, W, C) for E members.
      movies: the movies that the window was cut from.
      window: its first `input_length` frames were observed; y, x is the upper left pixel of the frames.
      input_length: number of observed frames. The init time is the time of the last of them; with 0 it is one step
        before the first frame.
      method: name of the nowcast, for the title.
      source_text: the origin of the frames: version, checkpoint and its hash.

    Returns:
      The variable, named by its content (see `unit_names.name_frames`), and the coordinates lead_time (whole minutes,
      or seconds where the step is no whole minute), valid_time (lead_time), init_time, y, x, channel, the grid mapping
      and, for members, realization (1, 2 ...). Without times in the movies the three times are frame numbers with units
      "1".

    Raises:
      ValueError: frames of another shape, frames that do not fit into the movies, an unknown time step.
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
        # GDAL's GeoTransform has the corner of the whole grid, which a crop does not have; y and x are enough.
        projection = {k: v for k, v in movies[mapping].attrs.items() if k != "GeoTransform"}
        coords[mapping] = ((), movies[mapping].values, projection)
        attrs["grid_mapping"] = mapping
    variable = {name_frames(found): (dims, frames, attrs)}
    return xr.Dataset(variable, coords, _provenance(movies, window, method, source_text))


def find_init(movies: Movies, window: Window, input_length: int) -> np.datetime64 | np.integer:
    """Return the init time of a window, or a frame number where there are no times.

    It belongs to the last observed frame; where no frame is observed it is one step before the first frame.
    """
    times = movies["time"].values[window.movie]
    last = window.start + input_length - 1
    if last >= 0:
        return times[last]
    return times[0] - (np.timedelta64(round(_find_step(movies)), "s") if has_times(movies) else 1)


def lead_timedeltas(lead_time: xr.DataArray) -> np.ndarray:
    """Return lead times as timedelta64[ns], which can be added to times.

    `lead_time` is the coordinate of a forecast, or `forecast_period` of a file, whose whole minutes xarray does not
    decode.

    Raises:
      ValueError: other units than minutes or seconds.
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
    """Return the global attributes: institution, references and history of the movies, plus this nowcast."""
    what = movies.attrs.get("source", "movies")
    if movies.sizes["movie"] > 1:
        what = f"movie {window.movie} of {what}"
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    history = [movies.attrs["history"]] if movies.attrs.get("history") else []
    history.append(f"{now} predjax: nowcast by {method} from {what}")
    kept = {name: movies.attrs[name] for name in DATASET_ATTRIBUTES if movies.attrs.get(name)}
    title = f"Nowcast by {method} of {movies.attrs.get('title') or what}"
    return {"title": title, **kept, "source": source_text, "history": "\n".join(history)}
