"""Make the plan of a training from a request, checkpoints and data, which must all agree."""

import dataclasses
import datetime
import json
import logging
import pathlib
import sysconfig
from collections.abc import Mapping
from typing import Any, NamedTuple

from predjax.checkpoint_names import holds_checkpoint
from predjax.files import refuse_existing, refuse_files
from predjax.flags import from_dict, to_dict
from predjax.jobs.data import DataSet, check_recorded, describe_data, read_data
from predjax.jobs.model_choice import (
    Origin,
    check_new_model,
    choose_model,
    find_length,
    find_origin,
    leave_out_unused,
    show_value,
)
from predjax.jobs.train_options import DECOUPLING, TrainOptions, TrainRequest, describe_paths
from predjax.models.config import ModelConfig, SamplingConfig, list_models
from predjax.radar.config import DataConfig
from predjax.radar.formats.objects import keep
from predjax.training.config import USUAL_IN_MOVING_COORDINATES, TrainConfig
from predjax.training.loggers import check_loggers
from predjax.training.schedules import make_schedule

LOG = logging.getLogger("predjax")

# What a resumed run may change: its length, its reporting, its devices.
RESUMABLE = "max_iterations display_interval test_interval snapshot_interval patience max_valid_cases".split()
RESUMABLE += "metrics_log keep_checkpoints max_bad_steps on_bad_window remat n_gpu".split()


OWN = ("loss", "optimizer", "schedule")  # what may be an object of Python in a request


class TrainingPlan(NamedTuple):
    """Everything that defines a training before it starts; `record` goes into its checkpoints as JSON."""

    model: ModelConfig
    training: TrainConfig
    sampling: SamplingConfig
    data_config: DataConfig
    data: DataSet
    folder: pathlib.Path
    origin: Origin
    record: dict[str, Any]


def plan_training(request: TrainRequest) -> TrainingPlan:
    """Return the plan of a training. Errors: ValueError or OSError, one line, for parts that do not agree."""
    options, train_data, valid_data = request.options, _given(request.data), _given(request.valid_data)
    folder = choose_folder(options, request.given.model)
    origin = find_origin(options, request.given.model, folder)
    given = leave_out_unused(request.given, origin)
    if request.loss is not None and not origin.resumed:  # the loss decides what a forecast is like
        given = given._replace(model={"matching": 0.0, **given.model})
    if not origin.fields:
        given = check_new_model(given, options)
    before = origin.record or {}
    training = _combine(TrainConfig, given.training, before.get("training"), origin).resolve()
    check_loggers(training.metrics_log)
    if request.optimizer is None and request.schedule is None:
        make_schedule(training)  # its errors
    read_before = before.get("data", {})
    data_config = _combine(DataConfig, given.data, read_before.get("config"), origin)
    train_data, valid_data = (
        check_recorded(read_before[name], origin.path, data_config) if data is None and read_before.get(name) else data
        for name, data in (("train_data_paths", train_data), ("valid_data_paths", valid_data))
    )
    train_data = str(find_sample()) if train_data is None else train_data
    data = read_data(train_data, valid_data, data_config, find_length({**origin.fields, **given.model}))
    model = choose_model(given, options, data, origin)
    if model.moving and not origin.resumed:
        training = from_dict(TrainConfig, {**USUAL_IN_MOVING_COORDINATES, **given.training}).resolve()
    sampling = _combine(SamplingConfig, given.sampling, before.get("sampling"), origin)
    sampling = _check_training(model, training, sampling.resolve(training.max_iterations))
    _tell_unused({**given.model, **given.training}, model, training)
    _check_request(request, model, training, origin)
    paths = describe_paths(train_data), None if valid_data is None else describe_paths(valid_data)
    record: dict[str, Any] = {
        "model": to_dict(model),
        "training": to_dict(training),
        "sampling": to_dict(sampling),
        "data": describe_data(data, data_config, *paths),
    }
    for name, chosen in (("recipe", options.recipe), ("protocol", options.on_protocol.protocol)):
        if chosen := chosen or before.get(name):
            record[name] = chosen
    if own := [name for name in OWN if getattr(request, name) is not None]:
        record["own"] = own
    if origin.resumed:
        _check_same(record, before, origin.path)
    return TrainingPlan(model, training, sampling, data_config, data, folder, origin, record)


def choose_folder(options: TrainOptions, given: Mapping[str, Any]) -> pathlib.Path:
    """Return the folder of the run. Errors: FileExistsError where it holds a run and no option says what to do."""
    if not options.save_dir:
        name = given.get("model_name", ModelConfig.model_name)
        return pathlib.Path("runs") / f"{name}-{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%SZ}"
    folder = pathlib.Path(options.save_dir)
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file, --save_dir is a folder")
    if options.is_training and holds_checkpoint(folder) and not (options.resume or options.overwrite):
        raise FileExistsError(f"{folder} holds a checkpoint: --resume goes on, --overwrite starts anew")
    refuse_files(folder, ("skill.*",), options.resume or options.overwrite)  # such as those of an evaluation
    return folder


def find_sample() -> pathlib.Path:
    """Return the sample movies: in the checkout, else where the wheel installed them."""
    checkout = pathlib.Path(__file__).resolve().parents[2] / "data"
    installed = pathlib.Path(sysconfig.get_path("data")) / "share" / "predjax"
    for folder in (checkout, installed):
        if (folder / "radar_movies.nc").is_file():
            return folder / "radar_movies.nc"
    raise FileNotFoundError(f"{installed / 'radar_movies.nc'}: the sample movies are missing; give --train_data_paths")


def _check_training(model: ModelConfig, training: TrainConfig, sampling: SamplingConfig) -> SamplingConfig:
    """Check that a model can be trained with these configurations; return the sampling to train it with."""
    sampling.check_model(model.model_name)
    if training.grad_norm and not model.spec.objectives:
        able = ", ".join(list_models("objectives"))
        raise ValueError(f"grad_norm {training.grad_norm:g} balances the losses of {able}, {model.model_name} has one")
    if model.spec.action and not sampling.reverse_scheduled_sampling:
        LOG.info("%s always trains with reverse scheduled sampling", model.model_name)
        sampling = dataclasses.replace(sampling, reverse_scheduled_sampling=True)
    return sampling


def _tell_unused(given: Mapping[str, Any], model: ModelConfig, training: TrainConfig) -> None:
    """Log the given values that do nothing, because another value would have to go with them."""
    defaults = to_dict(ModelConfig()) | to_dict(TrainConfig())
    for name, needed, is_there in (
        ("weight_decay", "--optimizer adamw", training.optimizer == "adamw"),
        ("lr_drop", "--lr_schedule milestones", training.lr_schedule == "milestones"),
        ("grad_norm_rate", "--grad_norm", training.grad_norm > 0),
        ("loss_members", "--loss crps", model.loss == "crps"),
        ("decouple_beta", f"a model that decouples ({', '.join(list_models('decoupled'))})", model.spec.decoupled),
    ):
        if not is_there and given.get(name, defaults[name]) != defaults[name]:
            LOG.info("--%s %s is not used: it needs %s", name, given[name], needed)


def _check_request(request: TrainRequest, model: ModelConfig, training: TrainConfig, origin: Origin) -> None:
    """Raise a ValueError for a request that the model does not support."""
    options = request.options
    if options.find_learning_rate and (request.optimizer or request.schedule):
        raise ValueError("find_learning_rate changes the rate of --optimizer: no optimizer or schedule of your own")
    if request.loss is not None and model.spec.forecaster:
        raise ValueError(f"{model.model_name} infers its states by the losses that it has: it takes no other loss")
    if training.num_seeds > 1 and (origin.params or options.init_from or options.visual or not options.is_training):
        raise ValueError(
            f"num_seeds {training.num_seeds} trains new networks: no pretrained_model, init_from or visual"
        )
    if options.visual and not model.spec.increments:
        raise ValueError(f"visual 1 draws delta C against delta M, which {model.model_name} does not have")
    if options.visual and options.visual_path:
        refuse_existing(pathlib.Path(options.visual_path) / DECOUPLING, options.overwrite or options.resume)
    if options.gen_frm_dir:
        refuse_files(options.gen_frm_dir, ("nowcast_*",), options.overwrite)


def _combine(config_class: type, given: Mapping[str, Any], before: dict[str, Any] | None, origin: Origin) -> Any:
    """Return the configuration of a resumed run, in which given values may change `RESUMABLE` fields alone."""
    if before is None:
        return from_dict(config_class, given)
    known = to_dict(from_dict(config_class, before))  # with the defaults of what is newer than the run
    for name, value in given.items():
        if (name, known[name]) == ("layout", "auto"):
            continue  # what was taken then may have to be named now; other frames are found by `_check_same`
        if name not in RESUMABLE and value != known[name]:
            was, now = show_value(known[name]), show_value(value)
            raise ValueError(f"{origin.path} was made with {name} {was}, a resumed run cannot have {now}")
    return from_dict(config_class, {**before, **given})


def _check_same(now: dict[str, Any], before: dict[str, Any], path: pathlib.Path | None) -> None:
    """Raise a ValueError if a resumed run gets other data, or lacks the user's own loss, optimizer or schedule."""
    for part in ("units", "train", "valid", "test"):
        if json.loads(json.dumps(now["data"][part])) != before["data"][part]:
            raise ValueError(f"{path}: the {part if part == 'units' else part + ' data'} changed since the run began")
    for name in OWN:
        if (name in now.get("own", ())) != (name in before.get("own", ())):
            raise ValueError(
                f"{path}: a run goes on with the {name} it began with: a user's own, or the configured one"
            )


def _given(data: Any) -> Any:
    """Return data that can be read twice; None for an empty text, as for None."""
    return None if isinstance(data, str) and not data else keep(data)
