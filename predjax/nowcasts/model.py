"""A trained model as a nowcast."""

import functools
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from predjax import checkpoint, parallel
from predjax.flags import from_dict
from predjax.messages import one_line_messages
from predjax.models.config import ModelConfig
from predjax.models.ensemble import Ensemble, make_ensemble
from predjax.models.forecaster import Forecaster, make_forecaster
from predjax.models.parameters import check_parameters
from predjax.nowcasts.ensembles import make_ensemble_nowcast
from predjax.nowcasts.matching import match_newest
from predjax.nowcasts.moving import move_with_rain
from predjax.nowcasts.noise import draw_by_network
from predjax.nowcasts.programs import Programs
from predjax.radar.movies import Movies


class TrainedModel(NamedTuple):
    """A trained model: its forecaster, its parameters, its checkpoint `path`, and the `record` in the checkpoint."""

    forecaster: Forecaster | Ensemble
    params: dict
    path: pathlib.Path
    record: dict


@one_line_messages()
def load_model(path: str | os.PathLike, member: int | None = None) -> TrainedModel:
    """Load the model of a checkpoint, or of the best (else latest) checkpoint in a run's folder.

    Where several networks were trained at once the model is their ensemble, or the member of the number `member`.

    Errors: FileNotFoundError, ValueError, with the name of the file.
    """
    path = checkpoint.find(path)
    arrays, record = checkpoint.load(path)
    params = checkpoint.nest(arrays, "params")
    try:
        config, networks = from_dict(ModelConfig, record["model"]), count_seeds(record)
        check_parameters(config, params, networks)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} holds no model that this predjax knows: {error}") from error
    one = make_forecaster(config)
    if networks > 1:
        if member is None:
            return TrainedModel(make_ensemble(one), params, path, record)
        if not 0 <= member < networks:
            raise ValueError(f"{path}: member must be from 0 to {networks - 1}, not {member}")
        params = jax.tree.map(lambda a: a[member], params)
    return TrainedModel(one, params, path, record)


def count_seeds(record: dict) -> int:
    """Return the number of networks in a checkpoint. Errors: ValueError, the record has another value than a number."""
    count = record.get("training", {}).get("num_seeds", 1)
    if type(count) is not int or count < 1:
        raise ValueError(f"num_seeds must be a whole number from 1 on, not {count!r}")
    return count


def check_fits(movies: Movies, config: ModelConfig) -> None:
    """Raise a ValueError if movies have another unit or number of channels than the training data of a model."""
    source, units, channels = movies.attrs["source"], movies.frames.attrs["units"], movies.sizes["channel"]
    if units != config.scaling.units:
        raise ValueError(f"{source} is in {units}, the model was trained on {config.scaling.units}: give --units")
    if channels != config.img_channel:
        raise ValueError(f"{source} has {channels} channels, the model was trained on {config.img_channel}")


def make_nowcast(
    forecaster: Forecaster | Ensemble,
    params: Any,
    batch_size: int = 8,
    *,
    members: int = 1,
    seed: int = 0,
    origin: Any = None,
) -> Callable[..., np.ndarray]:
    """Return a nowcast: (observed (B,T_in,H,W,C), num_steps, forcings=None) -> (B,num_steps,H,W,C), numpy in and out.

    All devices of this process share the B samples, with at most `batch_size` at once on each. The last batch is filled
    up with missing frames, so that each frame size is compiled once. The nowcast includes `match_newest` and
    `move_with_rain`, where the configuration has them.

    On a CPU that is one device the network is compiled while the motion of the first frames is estimated. `origin`,
    JSON values that identify the forecaster, keeps its traced programs for later processes (see `Programs`).

    With more `members` than 1 the nowcast is an `EnsembleNowcast`, by `seed`: the network draws the members where its
    configuration has noise, else stochastic scales are drawn around it in moving coordinates.

    Errors: ValueError, members of a model that can do neither, or of several networks.
    """
    if members != 1:
        _check_members(forecaster, members)
    devices, config = parallel.choose_local(), forecaster.config

    def predict(params: Any, inputs: tuple, num_steps: int) -> jax.Array:
        observed, forcings = inputs
        return forecaster.predict(params, None, observed, num_steps, forcings)

    # On GPUs products have a precision of their own, which `map_samples` knows.
    alone = len(devices) == 1 and devices[0].platform == "cpu"
    programs = Programs(predict, params, origin) if alone else None
    if programs is None:
        mapped = parallel.map_samples(predict, devices)
        params = parallel.replicate(params, devices)
    largest: dict[tuple, int] = {}  # by frame size, the most samples a device had so far: it always gets as many

    def split(observed: np.ndarray, forcings: np.ndarray | None) -> Iterator[tuple]:
        share = min(batch_size, -(-len(observed) // len(devices)))
        share = largest[observed.shape[1:]] = max(share, largest.get(observed.shape[1:], 0))
        size = share * len(devices)
        for start in range(0, len(observed), size):
            yield jax.tree.map(functools.partial(_take, start=start, size=size), (observed, forcings))

    def run(observed: np.ndarray, num_steps: int, forcings: np.ndarray | None = None) -> np.ndarray:
        observed = np.asarray(observed)
        parts = [
            programs(inputs, num_steps) if programs else mapped(params, inputs, num_steps)
            for inputs in split(observed, forcings)
        ]
        return np.concatenate(parts)[: len(observed)]

    def prepare(nowcast: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
        def prepared(observed: np.ndarray, num_steps: int, forcings: np.ndarray | None = None) -> np.ndarray:
            if programs and len(observed):
                programs.prepare(next(split(np.asarray(observed), forcings)), num_steps)
            return nowcast(observed, num_steps, forcings)

        return prepared

    def finish(nowcast: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
        nowcast = match_newest(nowcast, config.matching, cores=config.moving) if config.matching else nowcast
        return move_with_rain(nowcast, config.scaling.units) if config.moving else nowcast

    if members > 1 and isinstance(forecaster, Forecaster) and config.draws:
        return draw_by_network(forecaster, params, members, seed, finish)
    if members > 1:
        return make_ensemble_nowcast(config.scaling.units, members, seed, centre=run)
    return prepare(finish(run))


def _check_members(forecaster: Forecaster | Ensemble, members: int) -> None:
    if members < 1:
        raise ValueError(f"members must be at least 1, not {members}")
    if isinstance(forecaster, Ensemble):
        raise ValueError(f"members {members}: these are several networks, each of which is a member: members must be 1")
    config = forecaster.config
    if not (config.draws or config.moving):
        raise ValueError(
            f"members {members}: {config.model_name} has no noise and fixed coordinates, members must be 1"
        )


def _take(array: np.ndarray, start: int, size: int) -> np.ndarray:
    """Return the samples `start` to `start + size`; samples beyond the end are NaN."""
    part = np.asarray(array[start : start + size], np.float32)
    missing = size - len(part)
    return np.pad(part, [(0, missing)] + [(0, 0)] * (part.ndim - 1), constant_values=np.nan) if missing else part
