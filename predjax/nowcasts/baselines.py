"""The table of the baselines: nowcasts that every model is compared with.

A new baseline is a module with its nowcast and an entry of BASELINES.
"""

import functools
import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from predjax.messages import suggest
from predjax.nowcasts.persistence import persist
from predjax.nowcasts.pysteps import ENSEMBLES, NOWCASTS, SAMPLING, Sampling, make_pysteps
from predjax.nowcasts.regression import make_regression

LOG = logging.getLogger("predjax")

# (observed (B, T_in, H, W, C), num_steps, forcings=None) -> (B, num_steps, H, W, C), or (B, E, ...) of E members
Nowcast = Callable[..., np.ndarray]


class Setting(NamedTuple):
    """Facts about the data that a baseline may need, and the number of members of an ensemble.

    `regression` is the one that a sequence run fitted; `sampling` the size of a pixel and the time step.
    """

    units: str
    regression: list | None = None
    members: int = 24
    seed: int = 0
    sampling: Sampling = SAMPLING


class Baseline(NamedTuple):
    """An entry of the table.

    `make`: makes the nowcast for a setting. It imports slow modules when it is called.
    `sequence`: whether it predicts from the forcings alone, for sequence tasks; all others start from observed frames.
    `moves_maps`: whether it follows motion, so that a vector series cannot have it.
    `usual`: whether it is compared by default.
    `ensemble`: whether it draws the members that the setting asks for.
    `forcings`: whether its nowcast has an argument for forcings.
    """

    make: Callable[[Setting], Nowcast]
    sequence: bool = False
    moves_maps: bool = False
    usual: bool = False
    ensemble: bool = False
    forcings: bool = False


def _make_extrapolation(setting: Setting) -> Nowcast:
    from predjax.nowcasts.extrapolation import extrapolate  # scipy is slow to import

    return functools.partial(extrapolate, units=setting.units)


def _make_stochastic_scales(setting: Setting) -> Nowcast:
    from predjax.nowcasts.ensembles import make_ensemble_nowcast  # jax is slow to import

    return make_ensemble_nowcast(setting.units, setting.members, setting.seed)


def _make_linear(setting: Setting) -> Nowcast:
    if setting.regression is None:
        raise ValueError("the baseline linear needs the regression that a training run has fitted")
    return make_regression(setting.regression)


def _make_pysteps(name: str, setting: Setting) -> Nowcast:
    nowcast = make_pysteps(name, setting.units)
    if name not in ENSEMBLES:
        return nowcast
    if setting.sampling.remark:
        LOG.info("%s: %s", name, setting.sampling.remark)
    members = max(setting.members, 2)  # the fewest that it draws
    draw = functools.partial(nowcast, members=members, seed=setting.seed, sampling=setting.sampling)
    return lambda observed, num_steps: draw(observed, num_steps)[:, : setting.members]


BASELINES = {
    "persistence": Baseline(lambda setting: persist, usual=True),
    "extrapolation": Baseline(_make_extrapolation, moves_maps=True, usual=True),
    "stochastic_scales": Baseline(_make_stochastic_scales, moves_maps=True, ensemble=True, forcings=True),
    **{
        name: Baseline(functools.partial(_make_pysteps, name), moves_maps=True, ensemble=name in ENSEMBLES)
        for name in (*NOWCASTS, *ENSEMBLES)
    },
    "linear": Baseline(_make_linear, sequence=True, usual=True, forcings=True),
}


def list_usual(*, sequence: bool = False, series: bool = False) -> list[str]:
    """Return the names of the default baselines, for sequence tasks or for all other tasks; series have no motion."""
    usual = {name: baseline for name, baseline in BASELINES.items() if baseline.usual and baseline.sequence == sequence}
    return [name for name, baseline in usual.items() if not (series and baseline.moves_maps)]


def check_baselines(names: Sequence[str]) -> None:
    """Raise a ValueError if one of the names is not in the table."""
    for name in names:
        if name not in BASELINES:
            raise ValueError(f"baseline {name!r} is not one of {', '.join(BASELINES)}{suggest(name, BASELINES)}")


def choose_baselines(names: Sequence[str] | None, *, sequence: bool, series: bool, source: str) -> tuple[str, ...]:
    """Return the baselines that the data can have.

    Args:
      names: the requested names; None: the usual baselines that the data allow.
      sequence: whether the task is a sequence task, which observes no frame.
      series: whether the frames are vector series.
      source: the name of the data, for messages.

    Errors: ValueError, an unknown name, or a baseline was asked for that the data cannot have.
    """
    asked = list_usual(sequence=sequence) if names is None else names
    check_baselines(asked)
    own, *_ = list_usual(sequence=sequence)
    other = next((name for name in asked if BASELINES[name].sequence != sequence), None)
    if other and sequence:
        raise ValueError(f"{other} goes on from observed frames, a sequence task has none: {own} is its baseline")
    if other:
        raise ValueError(f"the baseline {other} belongs to sequence tasks, here {own} is one")
    moving = [name for name in asked if series and BASELINES[name].moves_maps]
    if moving and names is not None:
        raise ValueError(f"{source} is a series: {moving[0]} moves maps, {own} alone is a baseline here")
    if moving:
        LOG.info("%s is a series: %s, which moves maps, is left out", source, ", ".join(moving))
    return tuple(name for name in asked if name not in moving)


def make_baselines(names: Sequence[str], setting: Setting) -> dict[str, Nowcast]:
    """Return the nowcasts of these names; the nowcasts that start from frames accept forcings and ignore them."""
    made = {name: BASELINES[name].make(setting) for name in names}
    return {name: nowcast if BASELINES[name].forcings else _ignore_forcings(nowcast) for name, nowcast in made.items()}


def _ignore_forcings(nowcast: Nowcast) -> Nowcast:
    return lambda observed, num_steps, forcings=None: nowcast(observed, num_steps)
