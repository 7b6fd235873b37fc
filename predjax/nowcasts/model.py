"""A trained model as a nowcast."""

import functools
import pathlib
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from predjax import checkpoint, parallel
from predjax.flags import from_dict
from predjax.messages import one_line_messages
from predjax.models.config import ModelConfig
from predjax.models.ensemble import Ensemble, make_ensemble
from predjax.models.forecaster import Forecaster, make_forecaster
from predjax.motion.advection import from_moving, into_moving
from predjax.nowcasts.matching import keep_cores, match


class TrainedModel(NamedTuple):
    """A forecaster, its parameters, where they come from and what the checkpoint says of the run."""

    forecaster: Forecaster | Ensemble
    params: dict
    path: pathlib.Path
    record: dict


@one_line_messages()
def load_model(path, member: int | None = None) -> TrainedModel:
    """The model of a checkpoint, or of the best (else latest) checkpoint of a run's folder.

    Where several networks were trained at once it is their ensemble, or the `member` of that number.

    Errors: FileNotFoundError, ValueError naming the file.
    """
    path = checkpoint.find(path)
    arrays, record = checkpoint.load(path)
    try:
        config = from_dict(ModelConfig, record["model"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} holds no model that this predjax knows: {error}") from error
    params, one = checkpoint.nest(arrays, "params"), make_forecaster(config)
    if count_seeds(record) > 1:
        if member is None:
            return TrainedModel(make_ensemble(one), params, path, record)
        if not 0 <= member < count_seeds(record):
            raise ValueError(f"{path}: member must be from 0 to {count_seeds(record) - 1}, not {member}")
        params = jax.tree.map(lambda a: a[member], params)
    return TrainedModel(one, params, path, record)


def count_seeds(record: dict) -> int:
    """The networks in a checkpoint."""
    return record.get("training", {}).get("num_seeds", 1)


def check_fits(movies, config: ModelConfig) -> None:
    """Raises a ValueError where movies have another unit or another number of channels than a model was trained on."""
    source, units, channels = movies.attrs["source"], movies.frames.attrs["units"], movies.sizes["channel"]
    if units != config.scaling.units:
        raise ValueError(f"{source} is in {units}, the model was trained on {config.scaling.units}: give --units")
    if channels != config.img_channel:
        raise ValueError(f"{source} has {channels} channels, the model was trained on {config.img_channel}")


def make_nowcast(forecaster: Forecaster | Ensemble, params, batch_size: int = 8) -> Callable:
    """`(observed (B,T_in,H,W,C), num_steps, forcings=None) -> (B,num_steps,H,W,C)`, numpy in and out.

    Any B: the samples go through all devices of this process, at most `batch_size` at once on each, the last batch
    filled up with missing frames, so that a frame size compiles once. A model of moving coordinates gets the frames in
    those of the motion that they show, and its forecast is brought back. With `matching` the distribution of every
    frame is drawn to that of the newest one, whose cores, in moving coordinates, fade slowly.
    """
    devices, config = parallel.choose_local(), forecaster.config

    def predict(params, inputs, num_steps):
        observed, forcings = inputs
        return forecaster.predict(params, None, observed, num_steps, forcings)

    predict = parallel.map_samples(predict, devices)
    params = parallel.replicate(params, devices)
    largest: dict[tuple, int] = {}  # samples a device of each frame size so far: fewer are filled up to it

    def nowcast(observed, num_steps, forcings=None):
        observed, motion = np.asarray(observed), None
        if config.moving:
            observed, motion = into_moving(observed, observed.shape[1], config.scaling.units)
        frames = run(observed, num_steps, forcings)
        if config.matching:
            frames = np.stack([_each(distribute, one, seen[-1]) for one, seen in zip(frames, observed)])
        if motion is not None:
            frames = np.stack([_each(from_moving, *pair) for pair in zip(frames, motion)])
        return frames

    def distribute(frames, newest):
        frames = keep_cores(frames, newest) if config.moving else frames
        return match(frames, newest, config.matching)

    def run(observed, num_steps, forcings):
        share = min(batch_size, -(-len(observed) // len(devices)))
        share = largest[observed.shape[1:]] = max(share, largest.get(observed.shape[1:], 0))
        parts, size = [], share * len(devices)
        for start in range(0, len(observed), size):
            take = functools.partial(_take, start=start, size=size)
            frames = predict(params, jax.tree.map(take, (observed, forcings)), num_steps)
            parts.append(frames[: len(observed) - start])
        return np.concatenate(parts)

    return nowcast


def _each(function, frames, *arguments):
    """The function of frames (T, H, W, C), or of those of every member (E, T, H, W, C)."""
    if frames.ndim == 5:
        return np.stack([function(member, *arguments) for member in frames])
    return function(frames, *arguments)


def _take(array, start, size):
    """Samples `start` to `start + size`, those beyond the end as NaN."""
    part = np.asarray(array[start : start + size], np.float32)
    missing = size - len(part)
    return np.pad(part, [(0, missing)] + [(0, 0)] * (part.ndim - 1), constant_values=np.nan) if missing else part
