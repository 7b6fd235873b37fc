"""Nowcasts of predjax for pysteps: functions with the signature of its nowcast methods.

pysteps (1.21) lets plugins add importers and postprocessors, but no nowcasts. So `pysteps.nowcasts.get_method` cannot
return these functions; call them in the place of the function that it returns.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from predjax.nowcasts.config import EnsembleOptions
from predjax.nowcasts.nowcaster import find_nowcaster
from predjax.radar.movies import build_movies, check_range

Forecast = Callable[[np.ndarray, Any, int | Sequence[float]], np.ndarray]
LABEL = "precip"  # the argument, in messages


def make_pysteps_nowcast(
    checkpoint: str | os.PathLike,
    units: str = "mm/h",
    *,
    kmperpixel: float = 1.0,
    timestep: float = 5.0,
    n_ens_members: int | None = None,
    seed: int = 0,
) -> Forecast:
    """Return a nowcast with the signature of pysteps' methods: `forecast(precip, velocity, timesteps)`.

    `precip` (n, y, x) are the last n observed frames, NaN = no coverage, at least as many as the method observes. The
    motion `velocity` is not used, predjax finds its own; it may be None. `timesteps` is the number of steps, or the
    steps that are wanted, whole and ascending. The result is (timesteps, y, x), or (n_ens_members, timesteps, y, x).

    Args:
      checkpoint: a checkpoint, a run's folder, "pretrained", or the name of a baseline, such as "stochastic_scales".
      units: the unit of `precip` and of the result: "mm/h" or "dBZ", not the decibels of rain that STEPS takes.
      kmperpixel: the width of a pixel.
      timestep: minutes between two frames.
      n_ens_members: members to draw; None for a single forecast (of a checkpoint of several networks: all of them).
      seed: seed of the draws; the same frames and seed give the same members.

    Raises:
      ValueError, FileNotFoundError: an unknown method or more members than it has; and from the nowcast, frames of
        another shape, too few, in another unit than in training or impossible in their unit, steps that are not whole.
    """
    nowcaster = find_nowcaster(checkpoint, EnsembleOptions(members=n_ens_members, seed=seed))

    def forecast(precip: np.ndarray, velocity: Any, timesteps: int | Sequence[float]) -> np.ndarray:
        frames, steps = np.asarray(precip, np.float32), _list_steps(timesteps)
        if frames.ndim != 3 or len(frames) < nowcaster.input_length:
            rule = f"must be (n, y, x) with at least {nowcaster.input_length} frames for {nowcaster.name}"
            raise ValueError(f"{LABEL} {rule}, found {frames.shape}")
        check_range(frames, units, LABEL, "one is")
        observed = frames[None, -nowcaster.input_length :, ..., None]
        nowcast = nowcaster.make(_label(observed))
        return np.take(nowcast(observed, steps[-1])[0, ..., 0], [step - 1 for step in steps], axis=-3)

    def _label(observed: np.ndarray) -> xr.Dataset:
        """Return Movies of observed frames, with a grid and times made from the pixel width and the time step."""
        size, step = {"units": "m"}, np.timedelta64(round(timestep * 60e9), "ns")
        coords = {
            "time": np.datetime64(0, "ns") + step * np.arange(observed.shape[1])[None],
            "y": xr.Variable("y", -1000 * kmperpixel * np.arange(observed.shape[2]), size),
            "x": xr.Variable("x", 1000 * kmperpixel * np.arange(observed.shape[3]), size),
        }
        return build_movies(observed, coords, attrs={"units": units}, source=LABEL, files=[])

    return forecast


def _list_steps(timesteps: int | Sequence[float]) -> list[int]:
    """Return the wanted steps, counted from 1. Errors: ValueError where they are not whole and ascending."""
    wanted = list(range(1, timesteps + 1)) if isinstance(timesteps, int | np.integer) else list(timesteps)
    steps = [int(step) for step in wanted]
    if not steps or steps != wanted or steps != sorted(set(steps)) or steps[0] < 1:
        raise ValueError(f"timesteps must be a number from 1 on, or whole ascending steps from 1 on, not {timesteps}")
    return steps
