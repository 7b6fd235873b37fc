"""A nowcast from the newest frames, which are checked against the training data of the model."""

from collections.abc import Callable
from typing import Any

import numpy as np

from predjax import __version__
from predjax.nowcasts.forecast import Forecast, to_forecast
from predjax.nowcasts.interpolation import interpolate
from predjax.nowcasts.model import TrainedModel, check_fits, make_nowcast
from predjax.radar.feed import Feed
from predjax.radar.grid import Grid
from predjax.radar.windows.index import Window
from predjax.radar.windows.provenance import find_other_sampling

NewestNowcast = Callable[..., Forecast]  # (feed, init, lead_time=None, num_steps=None), see `count_steps`


def continue_newest(model: TrainedModel, any_step: bool = False) -> NewestNowcast:
    """Return a nowcast of the frames of a feed, compiled once for each size of frames.

    With `any_step` the time step and pixel size may differ from training. Errors: ValueError for a model that
    needs forcings.
    """
    config, record = model.forecaster.config, model.record
    if config.num_action_ch or config.sequence:
        raise ValueError(f"{model.path} was trained with forcings, which the newest frames do not tell")
    nowcast = make_nowcast(model.forecaster, model.params, batch_size=1)
    sampling = record["data"].get("sampling", {})

    def run(feed: Feed, init: Any, lead_time: float | None = None, num_steps: int | None = None) -> Forecast:
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


def choose_step(feed: Feed, init: Any, sampling: dict, any_step: bool) -> float:
    """Return the time step of the frames in seconds. Errors: ValueError unless the model was trained on it."""
    found = feed.find_step(init)
    if found is None:
        raise ValueError(f"there is one frame only, of {init}")
    other = find_other_sampling(sampling, found, None) if isinstance(init, np.datetime64) else ""
    if other and not any_step:
        raise ValueError(f"the newest frames have {other}: any_step takes them all the same")
    return found


def count_steps(lead_time: float | None, num_steps: int | None, step: float, usual: int) -> int:
    """Return the number of frames to forecast. Errors: ValueError for a lead time that is no multiple of the step."""
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
