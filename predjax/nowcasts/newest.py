"""A nowcast from the newest frames, which are checked against the training data of the model."""

from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from predjax import __version__
from predjax.nowcasts.forecast import Forecast, to_forecast
from predjax.nowcasts.interpolation import interpolate
from predjax.nowcasts.nowcaster import Nowcaster, draw_groups
from predjax.radar.feed import Feed
from predjax.radar.grid import Grid
from predjax.radar.scratch import store_members
from predjax.radar.step import Step
from predjax.radar.windows.index import Window
from predjax.radar.windows.provenance import find_other_sampling, is_trained_on

NewestNowcast = Callable[..., Forecast]  # (feed, init, lead_time, num_steps, scratch), see `continue_newest`


def continue_newest(nowcaster: Nowcaster, any_step: bool = False) -> NewestNowcast:
    """Return a nowcast that continues the newest frames of a feed.

    With `any_step` the time step and pixel size may differ from training. The nowcast takes the feed, the init time,
    the lead time or number of frames (see `count_steps`), and an empty file that keeps several members: they are read
    when they are used, so the file must outlive the forecast.
    """
    sampling = nowcaster.record.get("sampling", {})

    def run(feed: Feed, init: Any, lead_time: float | None, num_steps: int | None, scratch: BinaryIO) -> Forecast:
        step = choose_step(feed, init, sampling, any_step)
        counted = not (isinstance(init, np.datetime64) or "step_seconds" in feed.find(init).attrs)
        if counted and lead_time is not None:
            raise ValueError(f"lead_time {lead_time:g} min needs frames with times, or their step: --step 5min")
        count = count_steps(lead_time, num_steps, step.seconds, nowcaster.num_steps)
        movies, filled = feed.take(init, nowcaster.input_length, step, interpolate)
        movies.attrs |= {} if counted else step.attrs
        nowcast = nowcaster.make(movies)
        other = find_other_sampling(sampling, movies.attrs.get("step_seconds"), Grid.of(movies).pixel_size)
        if other and not any_step:
            raise ValueError(f"{movies.attrs['source']} has {other}: any_step takes it all the same")
        groups = draw_groups(nowcast, movies["frames"].values, count)
        labels = movies, Window(0, 0, 0, 0, 0), nowcaster.input_length, nowcaster.name
        text = f"predjax {__version__}, {nowcaster.origin}"
        if nowcaster.members == 1:
            labelled = to_forecast(next(groups)[0], *labels, text)
        else:
            members = store_members(scratch, groups)
            labelled = to_forecast(np.broadcast_to(np.float32(0), members.shape), *labels, text)
            name = next(iter(labelled.data_vars))
            members.attrs = labelled[name].attrs
            labelled[name] = members
        remarks = []
        if filled:
            times = ", ".join(str(time).partition(".")[0] for time in filled)
            remarks.append(f"the frame of {times} was missing; it was interpolated from its neighbours")
        if is_trained_on(movies, nowcaster.record.get("train", [])):
            remarks.append("the observed frames are training data of the network: its skill is not to be seen here")
        if remarks:
            labelled.attrs["comment"] = "; ".join(remarks)
        return labelled

    return run


def choose_step(feed: Feed, init: Any, sampling: dict, any_step: bool) -> Step:
    """Return the time step of the frames; if their times jitter, it is the step of training where this fits.

    Errors: ValueError if the model was not trained on this step, unless `any_step`.
    """
    found = feed.find_step(init)
    if found is None:
        raise ValueError(f"there is one frame only, of {init}")
    if found.jitters:
        trained = {abs(one - found.seconds): one for one in sampling.get("steps", ()) if found.fits(one)}
        found = found._replace(seconds=trained[min(trained)] if trained else found.seconds)
    other = find_other_sampling(sampling, found.seconds, None) if isinstance(init, np.datetime64) else ""
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
