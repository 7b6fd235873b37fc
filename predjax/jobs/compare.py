"""Compare models: train networks of each with the same budget, on the same windows in the same order; score them."""

import json
import math
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from predjax.files import appearing, write_text
from predjax.jobs.alike import (
    check_shared,
    count_iterations,
    describe_settings,
    find_shared,
    log_once,
    read_request,
    refuse_change,
    train_on,
)
from predjax.jobs.compare_options import SAID_BY_OPTIONS, CompareOptions, CompareRequest, read_budget
from predjax.jobs.evaluate import Evaluation
from predjax.jobs.evaluate import run as run_evaluation
from predjax.jobs.options import EvaluateOptions
from predjax.jobs.plan import TrainingPlan, plan_training
from predjax.jobs.train import Listener, TrainResult
from predjax.jobs.train_options import IN_MEMORY, TrainOptions, TrainRequest, describe_paths
from predjax.locks import LOCK, hold
from predjax.messages import one_line_messages
from predjax.nowcasts.baselines import Setting, choose_baselines, make_baselines
from predjax.pictures.curves import draw_skill
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.radar.movies import is_series
from predjax.training.monitor import read_log
from predjax.verification.seeds import by_model_and_seed, compare_seeds, make_curves
from predjax.verification.seeds_table import format_comparison
from predjax.verification.skill import write_skill

NAME = "compare.json"
_OF_TRAINING = ("scaling", "scaling_range", "forcing_scaling", "thresholds")  # the fields of `TrainOptions` that count


class ModelComparison(NamedTuple):
    """The result of a comparison."""

    folder: pathlib.Path
    reason: str  # "finished", or the signal that stopped a training
    compared: xr.Dataset | None = None  # what compare.nc holds; None after a signal
    table: str = ""


@one_line_messages()
def compare(
    data: Any = None,
    valid_data: Any = None,
    *,
    models: Any,
    save_dir: Any,
    say: Callable[[str], Any] = lambda text: None,
    **values: Any,
) -> ModelComparison:
    """Train networks of several models alike and score them, as `predjax compare` does.

    Args:
      data: files, folders and globs; None: the sample movies. Data in memory are refused, because each checkpoint must
        name the data that its training held out, on which the networks are scored.
      valid_data: the same for validation; None: parts of `data` are held out.
      models: names of models, a list or text with commas.
      save_dir: the folder of the comparison.
      say: a function that is called with lines of text about the trainings.
      values: values of the flags of `predjax compare` by name: fields of `CompareOptions` (`seeds`, `budget`,
        `resume` ...), `ModelConfig`, `TrainConfig`, `SamplingConfig` and `DataConfig`.

    Raises:
      ValueError, OSError: one line, see `run_comparison`.
    """
    values |= {"models": models, "save_dir": save_dir}
    for name in SAID_BY_OPTIONS:
        if name in values:
            raise ValueError(f"compare takes no {name}: models, seeds and budget set it")
    for paths in (data, valid_data):
        if paths is not None and describe_paths(paths) == IN_MEMORY:
            raise ValueError("compare takes data in files, so that checkpoints name the held-out data to score on")
    options, base = read_request("compare", CompareOptions, _OF_TRAINING, values)
    return run_comparison(CompareRequest(options, base.given, base.options, data, valid_data), say)


def run_comparison(request: CompareRequest, say: Callable[[str], Any] = lambda text: None) -> ModelComparison:
    """Train the networks that are not trained yet, score all on the cases that the trainings held out, write the files.

    The folder gets compare.json, with the trainings that are done, after each training; compare.nc, compare.png,
    skill.nc and skill.json at the end. `say` is called with lines of text about the trainings.

    Errors: ValueError, OSError, one line: models that cannot be trained on the same data alike; a folder that holds
    another comparison; see `jobs.train.train`.
    """
    with log_once():
        return _run(request, say)


def _run(request: CompareRequest, say: Callable[[str], Any]) -> ModelComparison:
    folder = pathlib.Path(request.options.save_dir)
    state = _open_state(request, folder)
    plans = [_plan(request, model) for model in request.options.models]
    state.setdefault("shared", _find_shared(plans[0]))
    for plan in plans:
        check_shared(plan.model.model_name, state["shared"], _find_shared(plan))
    if not (plans[0].data.split.test or plans[0].data.split.valid):
        raise ValueError(f"compare scores held-out cases, and {plans[0].data.split.rule}: give --valid_data_paths")
    _check_baselines(request.options, plans[0])
    with hold(folder):
        _write_state(folder, state)
        for seed in request.seeds:
            for model in request.options.models:
                name = f"{model}/seed_{seed}"
                if name not in state["trainings"]:
                    say(f"{name}:")
                    result = _train(request, model, seed, state, say)
                    if result.reason.startswith("SIG"):
                        return ModelComparison(folder, result.reason)
                    state["trainings"][name] = _measure(result, plans[request.options.models.index(model)])
                    _write_state(folder, state)
        return _score(request, folder, state)


def _check_baselines(options: CompareOptions, plan: TrainingPlan) -> None:
    """Raise a ValueError if the data cannot have one of the baselines, or its library is not installed."""
    movies = plan.data.sources[0]
    task = {"sequence": plan.model.sequence, "series": is_series(movies), "source": movies.attrs["source"]}
    setting = Setting(plan.data.units, plan.record["data"].get("regression"))
    make_baselines(choose_baselines(options.baselines, **task), setting)


def _open_state(request: CompareRequest, folder: pathlib.Path) -> dict[str, Any]:
    """Return the state of a comparison that the folder holds: its settings and its finished trainings."""
    path = folder / NAME
    base = TrainRequest(request.data, request.valid_data, request.training, request.given)
    settings = describe_settings(base, _OF_TRAINING, budget=request.options.budget)
    if not path.exists():
        if folder.is_dir() and {one.name for one in folder.iterdir()} - {LOCK}:
            raise FileExistsError(f"{folder} holds other files than a comparison: --save_dir needs a new folder")
        return {"settings": settings, "iterations": {}, "trainings": {}}
    if not request.options.resume:
        raise FileExistsError(f"{path} exists: --resume goes on with that comparison, another needs another folder")
    try:
        state = json.loads(path.read_text("utf-8"))
        before = {name: state["settings"][name] for name in settings}
        state["shared"].keys(), state["iterations"].keys(), state["trainings"].keys()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is not a comparison, or a damaged one ({error!r})") from None
    refuse_change(path, before, settings)
    return {name: state[name] for name in ("settings", "shared", "iterations", "trainings")}


def _write_state(folder: pathlib.Path, state: dict[str, Any]) -> None:
    write_text(folder / NAME, json.dumps(state, indent=1, allow_nan=False) + "\n")


def _ask(request: CompareRequest, model: str, seed: int, iterations: int | None = None) -> TrainRequest:
    """Return the request of one training."""
    options = TrainOptions(**{name: getattr(request.training, name) for name in _OF_TRAINING})
    return TrainRequest(request.data, request.valid_data, options, request.make_given(model, seed, iterations))


def _plan(request: CompareRequest, model: str) -> TrainingPlan:
    """Return the plan of a training of a model. Errors: see `plan_training`, which names no model."""
    try:
        return plan_training(_ask(request, model, request.seeds[0], read_budget(request.options.budget).iterations))
    except ValueError as error:
        raise ValueError(f"{model}: {error}") from error


def _find_shared(plan: TrainingPlan) -> dict[str, Any]:
    return find_shared(plan) | {"windows an iteration": plan.training.update_size}


def _train(
    request: CompareRequest, model: str, seed: int, state: dict[str, Any], say: Callable[[str], Any]
) -> TrainResult:
    """Train a network from its newest checkpoint on, or from the beginning."""
    options = request.options
    budget, folder = read_budget(options.budget), pathlib.Path(options.save_dir)
    iterations = budget.iterations or state["iterations"].get(model)
    if not iterations:
        assert budget.minutes is not None, "or the budget is in iterations"
        iterations = count_iterations(_ask(request, model, request.seeds[0]), budget.minutes)
        state["iterations"][model] = iterations
        say(f"{model} makes {iterations} iterations in {options.budget}")
        _write_state(folder, state)
    asked = _ask(request, model, seed, iterations)
    return train_on(asked, folder / model / f"seed_{seed}", Listener(say=say))


def _measure(result: TrainResult, plan: TrainingPlan) -> dict[str, Any]:
    """Return the costs of a training. The time of an iteration comes from its log, or else from its first iteration."""
    assert result.cost is not None, "it trained"
    frames = plan.training.update_size * plan.model.total_length
    rates = [record["frames_per_second"] for record in read_log(result.folder / "log.jsonl") if "loss" in record]
    return {
        "iterations": result.iteration,
        "reason": result.reason,
        "parameters": result.cost.parameters,
        "megabytes": round(result.cost.bytes / 2**20, 1),
        "iteration_seconds": frames / float(np.median(rates)) if rates else result.cost.iteration_seconds,
    }


def _score(request: CompareRequest, folder: pathlib.Path, state: dict[str, Any]) -> ModelComparison:
    """Score all networks on the same cases; write the files of the comparison."""
    options, models, seeds = request.options, request.options.models, request.seeds
    runs = tuple(str(folder / model / f"seed_{seed}") for model in models for seed in seeds)
    of_scores: dict[str, Any] = {"baselines": options.baselines, "thresholds": request.training.thresholds}
    crop = tuple((name, side) for name, side in request.given.data.items() if name == "crop")  # cases of the trainings
    evaluation = run_evaluation(EvaluateOptions(runs, None, **of_scores, reading=crop))
    common = evaluation.verification.common
    compared = compare_seeds(by_model_and_seed(common, models, seeds), options.reference or models[0])
    costs = [[state["trainings"][f"{model}/seed_{seed}"] for seed in seeds] for model in models]
    for name, units in (("iterations", "1"), ("parameters", "1"), ("megabytes", "MiB")):
        compared[name] = "model", [of_model[-1][name] for of_model in costs], {"units": units}
    seconds = [[one["iteration_seconds"] for one in of_model] for of_model in costs]
    compared["iteration_seconds"] = ("model", "seed"), seconds, {"units": "s", "long_name": "time of an iteration"}
    compared = compared.assign_attrs({name: common.attrs[name] for name in ("units", "cases", "data")})
    compared.attrs["part"] = _find_part(evaluation)
    table = "\n".join([*describe_cases(compared), "", format_comparison(compared, common)])
    write_skill(folder, common, overwrite=True, whole=evaluation.verification.whole)
    with NETCDF_LOCK, appearing(folder / "compare.nc", overwrite=True) as temporary:
        compared.to_netcdf(temporary, engine="netcdf4")
    draw_skill(folder / "compare.png", make_curves(compared, common), overwrite=True)
    overall = compared[[name for name in compared.data_vars if str(name).startswith("overall_")]]
    _write_state(folder, {**state, "attributes": _strict(compared.attrs), "scores": _strict(overall.to_dict())})
    return ModelComparison(folder, "finished", compared, table)


def _find_part(evaluation: Evaluation) -> str:
    """Return the part of the data that holds the cases: "test", or "valid", on which the best iteration was chosen."""
    record = next(iter(evaluation.comparison.models.values())).record
    return "test" if record["data"]["test"] else "valid"


def describe_cases(compared: xr.Dataset) -> list[str]:
    """Return a line about the cases that the networks were scored on."""
    chosen = " (on which the iteration of each network was chosen)" if compared.attrs["part"] == "valid" else ""
    return [f"scores of {compared.attrs['cases']} cases of the {compared.attrs['part']} data{chosen}"]


def _strict(value: Any) -> Any:
    """Return values for strict JSON: numbers of numpy become plain ones, and one that is not finite null."""
    if isinstance(value, dict):
        return {str(name): _strict(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(one) for one in value]
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
