"""Nowcasters: a trained model, or a baseline by its name, that continues the newest frames."""

import dataclasses
import functools
import logging
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import numpy as np

from predjax.checkpoint import PRETRAINED_NAME
from predjax.messages import suggest
from predjax.nowcasts.baselines import BASELINES, Nowcast, Setting, choose_baselines
from predjax.nowcasts.config import EnsembleOptions
from predjax.nowcasts.model import TrainedModel, check_fits, count_seeds, load_model, make_nowcast
from predjax.nowcasts.pysteps import Sampling, find_sampling
from predjax.radar.grid import Grid
from predjax.radar.movies import Movies, is_series

LOG = logging.getLogger("predjax")
USUAL_INPUT, USUAL_STEPS = 4, 12  # frames, where no model says it


class Nowcaster(NamedTuple):
    """A nowcast and facts about it; `make` raises a ValueError for frames that it cannot continue."""

    name: str  # in titles
    origin: str  # the checkpoint, or what else is needed to make the same frames again
    input_length: int  # observed frames
    num_steps: int  # the usual number of forecast frames
    members: int  # 1 for a single forecast
    make: Callable[[Movies], Nowcast]  # for the frames of these movies
    record: Mapping[str, Any] = MappingProxyType({})  # of the training data, in a checkpoint


@runtime_checkable
class Drawing(Protocol):
    """A nowcast whose members can be drawn in groups, for ensembles that are larger than the memory."""

    def groups(self, observed: np.ndarray, num_steps: int) -> Iterator[np.ndarray]:
        """Continue observed (B, T_in, H, W, C): groups (B, e, num_steps, H, W, C) of the members, in their order."""


def draw_groups(nowcast: Nowcast, observed: np.ndarray, num_steps: int) -> Iterator[np.ndarray]:
    """Continue observed (1, T_in, H, W, C) by groups (e, num_steps, H, W, C) of members; a single forecast is one."""
    if isinstance(nowcast, Drawing):
        yield from (group[0] for group in nowcast.groups(observed, num_steps))
    else:
        frames = nowcast(observed, num_steps)[0]
        yield frames if frames.ndim == 5 else frames[None]


def find_nowcaster(checkpoint: str | os.PathLike, options: EnsembleOptions) -> Nowcaster:
    """Return the nowcaster of a checkpoint, or of a baseline by its name. A file or folder of that name comes first.

    Raises:
      FileNotFoundError, ValueError: no such checkpoint or baseline; more members than it has, or a product of several
        members where there is one.
    """
    name = str(checkpoint)
    exists = pathlib.Path(name).expanduser().exists()
    if name in BASELINES and not exists:
        found = _take_baseline(name, options)
    elif not exists and (hint := suggest(name, [PRETRAINED_NAME, *BASELINES])) and name != PRETRAINED_NAME:
        raise FileNotFoundError(f"{name}: no such checkpoint or baseline{hint}")
    else:
        if name in BASELINES:
            LOG.info("%s is a file or folder here: its checkpoint is taken, not the baseline", name)
        found = _take_model(checkpoint, options)
    if options.product and found.members == 1:
        raise ValueError(f"{options.product} needs several members, {found.name} gives one forecast: see --members")
    return found


def _take_model(path: str | os.PathLike, options: EnsembleOptions) -> Nowcaster:
    model, members = load_model(path), options.members
    networks = count_seeds(model.record)
    if networks == 1:
        return _continue_model(model, members or 1, drawn=members or 1, seed=options.seed)
    if members and members > networks:
        raise ValueError(f"--members {members}: {model.path} holds {networks} networks")
    if members == 1:
        model = load_model(path, member=0)
    elif members:
        model = model._replace(params=jax.tree.map(lambda a: a[:members], model.params))
    return _continue_model(model, members or networks)


def _continue_model(model: TrainedModel, members: int, drawn: int = 1, seed: int = 0) -> Nowcaster:
    """Return the nowcaster of a model. One network draws `drawn` members; of several, each is one of `members`."""
    config, record = model.forecaster.config, model.record
    if config.num_action_ch or config.sequence:
        raise ValueError(f"{model.path} was trained with forcings, which the newest frames do not tell")
    known = [type(model.forecaster).__name__, dataclasses.asdict(config)]
    try:
        nowcast = make_nowcast(model.forecaster, model.params, 1, members=drawn, seed=seed, origin=known)
    except ValueError as error:
        raise ValueError(f"{model.path}, --{error}") from error

    def make(movies: Movies) -> Nowcast:
        check_fits(movies, config)
        return nowcast

    origin, steps = f"{model.path.name}, SHA-256 {record['sha256']}", config.total_length - config.input_length
    origin = f"{origin}, seed {seed}" if drawn > 1 else origin
    return Nowcaster(config.model_name, origin, config.input_length, steps, members, make, record["data"])


def _take_baseline(name: str, options: EnsembleOptions) -> Nowcaster:
    members, draws = options.members or 1, BASELINES[name].ensemble
    if members > 1 and not draws:
        raise ValueError(f"--members {members}: {name} draws none")
    if draws and options.members is None:
        LOG.info("%s draws members: this is one of them, --members 24 gives an ensemble", name)

    @functools.cache
    def make_for(units: str, sampling: Sampling) -> Nowcast:
        return BASELINES[name].make(Setting(units, members=members, seed=options.seed, sampling=sampling))

    def make(movies: Movies) -> Nowcast:
        choose_baselines([name], sequence=False, series=is_series(movies), source=movies.attrs["source"])
        sampling = find_sampling(Grid.of(movies).pixel_size, movies.attrs.get("step_seconds"))
        return make_for(movies["frames"].attrs["units"], sampling)

    origin = f"{name}, seed {options.seed}" if draws else name
    return Nowcaster(name, origin, USUAL_INPUT, USUAL_STEPS, members, make)
