"""A nowcast from the newest frames: what is there is checked against what the model was trained on."""

from collections.abc import Callable

import numpy as np

from predjax import __version__
from predjax.messages import one_line_messages
from predjax.nowcasts.forecast import Forecast, to_forecast
from predjax.nowcasts.interpolation import interpolate
from predjax.nowcasts.model import TrainedModel, check_fits, load_model, make_nowcast
from predjax.radar.config import FEED_OPTIONS
from predjax.radar.feed import Feed
from predjax.radar.grid import Grid
from predjax.radar.windows.index import Window
from predjax.radar.windows.provenance import find_other_sampling


@one_line_messages()
def forecast(
    checkpoint,
    data,
    *,
    lead_time: float | None = None,
    num_steps: int | None = None,
    init_time=None,
    any_step: bool = False,
    **reading,
) -> Forecast:
    """What a trained model forecasts from the newest frames of `data`.

    Args:
      checkpoint: a file, or a run's folder.
      data: files, folders and globs, as text or a list; or a Dataset or DataArray of frames (time, y, x), in which
        names and labels are found as in netCDF files; or Movies.
      lead_time: minutes, a multiple of the time step; or `num_steps`. Neither: as far as the model was trained.
      init_time: of the last observed frame, instead of the newest.
      any_step: data of another time step or pixel size than the model was trained on are taken too.
      reading: of `read_movies`, where it is not as in training: `variable`, `units`, `layout`, `path_length`.

    Returns:
      One variable (lead_time, y, x, channel) with the coordinates and attributes of the data; ensembles have
      `realization` before them. A frame that was missing, and made from its neighbours, is named in `comment`.

    Raises:
      ValueError, OSError: one line: frames missing, another unit, grid or step, a lead time between two steps.
    """
    model = load_model(checkpoint)
    feed = open_feed(data, model.record, **reading)
    feed.scan()
    times = feed.times()
    if not times:
        raise ValueError(next(iter(feed.errors.values()), "there is no frame"))
    init = times[-1] if init_time is None else np.datetime64(init_time, "ns")
    if init not in times:
        raise ValueError(f"init_time {init}: there is no frame of that time, the newest is of {times[-1]}")
    return make_forecaster(model, any_step)(feed, init, lead_time, num_steps)


def open_feed(data, record: dict, **reading) -> Feed:
    """The feed of `data`, read as it was in training unless `reading` says otherwise."""
    unknown = next((name for name in reading if name not in FEED_OPTIONS), None)
    if unknown:
        raise ValueError(f"{unknown!r} is no option of reading frames; there are {', '.join(FEED_OPTIONS)}")
    known = {name: value for name, value in record["data"]["config"].items() if name in FEED_OPTIONS}
    return Feed(data, **{**known, **reading})


def make_forecaster(model: TrainedModel, any_step: bool = False) -> Callable[..., Forecast]:
    """`(feed, init, lead_time=None, num_steps=None) -> Forecast`, compiled once for each size of frames.

    Errors: ValueError for a model that needs forcings.
    """
    config, record = model.forecaster.config, model.record
    if config.num_action_ch or config.sequence:
        raise ValueError(f"{model.path} was trained with forcings, which the newest frames do not tell")
    nowcast = make_nowcast(model.forecaster, model.params, batch_size=1)
    sampling = record["data"].get("sampling", {})

    def run(feed: Feed, init, lead_time: float | None = None, num_steps: int | None = None) -> Forecast:
        step = choose_step(feed, init, sampling, any_step)
        count = count_steps(lead_time, num_steps, step, config.total_length - config.input_length)
        movies, filled = feed.take(init, config.input_length, step, interpolate)
        check_fits(movies, config)
        other = find_other_sampling(sampling, None, Grid.of(movies).pixel_size)
        if other and not any_step:
            raise ValueError(f"{movies.attrs['source']} has {other}: any_step takes it all the same")
        observed = movies["frames"].values
        frames = nowcast(observed, count)[0]
        text = f"predjax {__version__}, {model.path.name}, SHA-256 {record['sha256']}"
        movies.attrs["step_seconds"] = step
        labelled = to_forecast(frames, movies, Window(0, 0, 0, 0, 0), config.input_length, config.model_name, text)
        if filled:
            times = ", ".join(str(time).partition(".")[0] for time in filled)
            labelled.attrs["comment"] = f"the frame of {times} was missing; it was interpolated from its neighbours"
        return labelled

    return run


def choose_step(feed: Feed, init, sampling: dict, any_step: bool) -> float:
    """The time step in seconds: that of the frames, which must be one that the model was trained on."""
    found = feed.find_step(init)
    if found is None:
        raise ValueError(f"there is one frame only, of {init}")
    other = find_other_sampling(sampling, found, None) if isinstance(init, np.datetime64) else ""
    if other and not any_step:
        raise ValueError(f"the newest frames have {other}: any_step takes them all the same")
    return found


def count_steps(lead_time: float | None, num_steps: int | None, step: float, usual: int) -> int:
    """The number of frames to forecast. Errors: ValueError for a lead time that is no multiple of the step."""
    if lead_time is not None and num_steps is not None:
        raise ValueError("lead_time and num_steps say the same: give one of them")
    if lead_time is None:
        count = usual if num_steps is None else num_steps
        if count < 1:
            raise ValueError(f"num_steps must be at least 1, not {count}")
        return count
    steps = lead_time * 60 / step
    if steps < 1 or abs(steps - round(steps)) > 1e-6:
        raise ValueError(f"lead_time {lead_time:g} min is no multiple of the time step of {step / 60:g} min")
    return round(steps)
