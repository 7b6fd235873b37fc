"""Several networks beside each other: their names, and cases that are fair to all of them."""

import logging
import math
import os
import pathlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from predjax import checkpoint
from predjax.checkpoint_names import best_path
from predjax.jobs.cases import load
from predjax.models.scaling import Scaling
from predjax.nowcasts.baselines import BASELINES
from predjax.nowcasts.model import TrainedModel, load_model
from predjax.paths import expand_home, find_matches, split_paths
from predjax.radar.config import READING

LOG = logging.getLogger("predjax")
_HELD_OUT = ("train_data_paths", "valid_data_paths", "valid", "test")  # what a checkpoint says of the data of its run


def load_networks(paths: str | os.PathLike | Sequence[str | os.PathLike]) -> dict[str, TrainedModel]:
    """Load the models of checkpoints or folders of runs by their names as methods.

    One network has the name of its model. Several have names that tell their paths apart, see `name_paths`.

    Errors: ValueError, one checkpoint twice; see `nowcasts.model.load_model`.
    """
    texts = split_paths(paths) if isinstance(paths, str | os.PathLike) else [expand_home(path) for path in paths]
    found = [checkpoint.find(path) for text in texts for path in sorted(find_matches(text)) or [text]]
    absolute = [path.resolve() for path in found]
    if twice := [path for number, path in enumerate(found) if absolute[number] in absolute[:number]]:
        raise ValueError(f"--checkpoint names {twice[0]} twice")
    if len(found) == 1:
        model = load(found[0])
        return {model.forecaster.config.model_name: model}
    models = [load_model(path) for path in found]
    names = name_paths([path.parent if path == best_path(path.parent) else path for path in absolute], BASELINES)
    for name, model in zip(names, models):
        LOG.info("%s is %s from %s", name, model.forecaster.config.model_name, model.path)
    return dict(zip(names, models))


def name_paths(paths: Sequence[pathlib.Path], taken: Collection[str] = ()) -> list[str]:
    """Return short names that distinguish paths: their last parts that differ.

    >>> name_paths([pathlib.Path("runs/a/step_1.npz"), pathlib.Path("runs/b/step_1.npz")])
    ['a', 'b']
    """
    parts = [path.with_suffix("").parts if path.suffix == ".npz" else path.parts for path in paths]
    while min(map(len, parts)) > 1 and len({part[-1] for part in parts}) == 1:
        parts = [part[:-1] for part in parts]
    for count in range(1, max(map(len, parts)) + 1):
        names = [os.path.join(*part[-count:]) for part in parts]
        if len(set(names)) == len(names) and not set(names) & set(taken):
            return names
    return [str(path) for path in paths]


def check_comparable(models: Mapping[str, TrainedModel], held_out: bool, given: Collection[str]) -> None:
    """Raise a ValueError, one line, where no cases are the same for all networks.

    Args:
      models: the networks by name.
      held_out: whether the cases are those that their runs held out.
      given: the given fields of `DataConfig`, which replace those in the checkpoints.
    """
    (first, one), *others = models.items()
    facts = dict(_list_facts(one, held_out))
    for name, model in others:
        for fact, value in _list_facts(model, held_out):
            if value == facts[fact] or fact in given:
                continue
            if fact in _HELD_OUT:
                raise ValueError(f"the runs of {first} and {name} did not hold out the same data: give --data_path")
            both = f"{first} has {_show(facts[fact])}, {name} {_show(value)}"
            raise ValueError(f"networks to compare must have the same {fact.replace('_', ' ')}: {both}")


def _list_facts(model: TrainedModel, held_out: bool) -> Iterator[tuple[str, Any]]:
    """Yield the facts, by name, that must be the same for all networks."""
    config, record = model.forecaster.config, model.record["data"]
    yield "unit", config.scaling.units
    yield "number of channels", config.img_channel
    yield "task", config.task
    yield "number of forcings", config.num_action_ch
    for field in READING:
        yield field, record.get("config", {}).get(field)
    for name in _HELD_OUT if held_out else ():
        yield name, record.get(name)


def _show(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value or "none")


def choose_lengths(
    models: Mapping[str, TrainedModel], input_length: int | None, num_steps: int | None
) -> tuple[int | None, int | None]:
    """Return the numbers of observed and of forecast frames in a case for all networks.

    Given numbers are kept. Otherwise a case has as many observed frames as the network that observes most; each network
    gets the last ones, as many as in its training. It has as many forecast frames as the network with the fewest. None
    stands for the number of the model, where all networks have the same.
    """
    configs = [model.forecaster.config for model in models.values()]
    observed = {config.input_length for config in configs}
    forecast = {config.total_length - config.input_length for config in configs}
    if input_length is None and len(observed) > 1:
        input_length = max(observed)
        told = ", ".join(f"{name} {model.forecaster.config.input_length}" for name, model in models.items())
        LOG.info("cases have %d observed frames, of which each network gets the last ones: %s", input_length, told)
    if num_steps is None and len(forecast) > 1:
        num_steps = min(forecast)
        LOG.info("%d frames are forecast, the fewest that a network was trained for (--num_steps)", num_steps)
    return input_length, num_steps


def find_scaling(models: Mapping[str, TrainedModel]) -> Scaling | None:
    """Return the scaling that scores refer to; None without models.

    Of several in dBZ it is the one with the highest floor: no network is judged by values that it cannot forecast.
    """

    def find_floor(scaling: Any) -> float:
        return scaling.low if scaling.kind == "dBZ" else -math.inf

    return max((model.forecaster.config.scaling for model in models.values()), key=find_floor, default=None)
