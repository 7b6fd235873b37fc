"""Make the plan of a training from a request, checkpoints and data, which must all agree."""

import dataclasses
import datetime
import json
import logging
import pathlib
import sysconfig
from collections.abc import Mapping
from typing import Any, NamedTuple

from predjax.checkpoint import load_latest
from predjax.checkpoint_names import holds_checkpoint
from predjax.flags import from_dict, to_dict
from predjax.jobs.data import DataSet, describe_data, read_data
from predjax.jobs.scaling import make_scaling, standardise
from predjax.jobs.train_options import Given, TrainOptions, TrainRequest, describe_paths
from predjax.models.config import ModelConfig, SamplingConfig, find_spec, list_models, with_usual
from predjax.models.interop.torch_weights import read_checkpoint
from predjax.models.stacks import check_options
from predjax.nowcasts.model import load_model
from predjax.radar.config import DataConfig
from predjax.training.config import TrainConfig

LOG = logging.getLogger("predjax")

# What weights are made for; the other fields of a model may change when it is trained further.
ARCHITECTURE = [
    "model_name",
    "num_hidden",
    "filter_size",
    "patch_size",
    "layer_norm",
    "img_channel",
    "conv_on_input",
    "res_on_conv",
    "num_action_ch",
    "coverage_channel",
    "cell_options",
    "coordinates",
    "residual",
    "scales",
    "task",
]
# What a resumed run may change: its length, its reporting, its devices.
RESUMABLE = [
    "max_iterations",
    "display_interval",
    "test_interval",
    "snapshot_interval",
    "patience",
    "max_valid_cases",
    "keep_checkpoints",
    "max_bad_steps",
    "on_bad_window",
    "remat",
    "n_gpu",
]


class Origin(NamedTuple):
    """The start of a training: a new network, given weights, or the checkpoint of a run that goes on.

    Attributes:
      path: the path of the checkpoint; None for a new network.
      fields: the fields of the `ModelConfig` in the checkpoint.
      params: the given weights; None for new weights, or for the weights in `arrays`.
      arrays, record: the contents of the checkpoint of a run that goes on; None for another start.
    """

    path: pathlib.Path | None = None
    fields: Mapping[str, Any] = {}
    params: Any = None
    arrays: dict[str, Any] | None = None
    record: dict[str, Any] | None = None

    @property
    def resumed(self) -> bool:
        return self.record is not None


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
    """Return the plan of a training. Errors: ValueError or OSError, one line, for what does not agree."""
    options = request.options
    folder = choose_folder(options, request.given.model)
    given = leave_out_unused(request.given)
    if not options.pretrained_model and not options.resume:
        given = check_new_model(given, options)
    origin = find_origin(options, given.model, folder)
    before = origin.record or {}
    training = _combine(TrainConfig, given.training, before.get("training"), origin).resolve()
    read_before = before.get("data", {})
    data_config = _combine(DataConfig, given.data, read_before.get("config"), origin)
    train_data = _first(request.data, read_before.get("train_data_paths"))
    train_data = str(find_sample()) if train_data is None else train_data
    valid_data = _first(request.valid_data, read_before.get("valid_data_paths"))
    data = read_data(train_data, valid_data, data_config, find_length({**origin.fields, **given.model}))
    model = choose_model(given, options, data, origin)
    sampling = _combine(SamplingConfig, given.sampling, before.get("sampling"), origin)
    sampling = _check_training(model, training, sampling.resolve(training.max_iterations))
    _check_request(request, model, training, origin)
    paths = describe_paths(train_data), None if valid_data is None else describe_paths(valid_data)
    record: dict[str, Any] = {
        "model": to_dict(model),
        "training": to_dict(training),
        "sampling": to_dict(sampling),
        "data": describe_data(data, data_config, *paths),
    }
    if own := [name for name in ("loss", "optimizer") if getattr(request, name) is not None]:
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
    return folder


def leave_out_unused(given: Given) -> Given:
    """Return the values without the fields that only action-conditioned models have, where the model is another one."""
    name = given.model.get("model_name", ModelConfig.model_name)
    spec = find_spec(name)
    unused = () if spec.action else ("conv_on_input", "res_on_conv")
    unused = unused if spec.forcings else (*unused, "num_action_ch")
    for flag in unused:
        if flag in given.model:
            LOG.info("--%s belongs to the action-conditioned models and is not used by %s", flag, name)
    return given._replace(model={key: value for key, value in given.model.items() if key not in unused})


def check_new_model(given: Given, options: TrainOptions) -> Given:
    """Check a new model before reading any data; return the values with the model's usual training values added."""
    config = ModelConfig(**_guess_data(with_usual(dict(given.model))))
    if options.num_layers and options.num_layers != len(config.num_hidden):
        hidden = ",".join(map(str, config.num_hidden))
        raise ValueError(f"num_layers {options.num_layers} does not agree with num_hidden {hidden}")
    check_options(config)
    return given._replace(training={**config.spec.usual_training, **given.training})


def _guess_data(values: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a model with the channels that data would have, for checks before data are read."""
    spec = find_spec(values.get("model_name", ModelConfig.model_name))
    forced = spec.action or values.get("task") == "sequence"
    known = {name: spec.only[name][0] for name in ("img_channel", "num_action_ch") if name in spec.only}
    return {"num_action_ch": int(forced), **known, **values}


def find_origin(options: TrainOptions, given: Mapping[str, Any], folder: pathlib.Path) -> Origin:
    """Return the start of the run: the checkpoint to resume from, the weights to start from, or neither."""
    if options.resume:
        found = load_latest(folder)
        if found:
            path, arrays, record = found
            return Origin(path, record["model"], None, arrays, record)
        LOG.info("%s holds no checkpoint yet: starting", folder)
    if not options.pretrained_model:
        return Origin()
    path = pathlib.Path(options.pretrained_model)
    if path.suffix == ".npz" or path.is_dir() or path.name == "pretrained":
        model = load_model(path, member=0)
        return Origin(path, to_dict(model.forecaster.config), model.params)
    config, params = read_checkpoint(path, **given)
    fields = to_dict(config)
    del fields["scaling"]  # the PyTorch code knows none: the data decide
    return Origin(path, fields, params)


def find_sample() -> pathlib.Path:
    """Return the sample movies: in the checkout, else where the wheel installed them."""
    checkout = pathlib.Path(__file__).resolve().parents[2] / "data"
    installed = pathlib.Path(sysconfig.get_path("data")) / "share" / "predjax"
    for folder in (checkout, installed):
        if (folder / "radar_movies.nc").is_file():
            return folder / "radar_movies.nc"
    raise FileNotFoundError(f"{installed / 'radar_movies.nc'}: the sample movies are missing; give --train_data_paths")


def find_length(values: dict[str, Any]) -> int:
    """Return the frames of a window; 0 for a sequence that nothing is said about: as many as there are."""
    values = with_usual(values)
    return values.get("total_length", 0 if values.get("task") == "sequence" else ModelConfig.total_length)


def choose_model(given: Given, options: TrainOptions, data: DataSet, origin: Origin) -> ModelConfig:
    """Return the model configuration: given values come first, then values of the checkpoint, then of the data."""
    for name in ARCHITECTURE if origin.fields else ():
        had = origin.fields.get(name, getattr(ModelConfig, name))  # what is newer than the checkpoint had its default
        if name in given.model and _as_json(given.model[name]) != _as_json(had):
            raise ValueError(f"{origin.path} has {name} {_shown(had)}, not {_shown(given.model[name])}")
    values = with_usual({**origin.fields, **given.model})
    _agree_with_frames(values, data, given)
    source = data.sources[0].attrs["source"]
    spec = find_spec(values.get("model_name", ModelConfig.model_name))
    automatic = options.forcing_scaling == "auto" and spec.scales_forcings
    if not origin.fields and data.forcing_sample is not None and automatic:
        values["forcing_scaling"] = to_dict(standardise(data.forcing_sample))
    if "scaling" not in values or options.scaling != "auto" or options.scaling_range:
        values["scaling"] = to_dict(make_scaling(options.scaling, options.scaling_range, data, values))
    elif values["scaling"]["units"] != data.units:
        trained = values["scaling"]["units"]
        raise ValueError(f"{source} is in {data.units}, {origin.path} was trained on {trained}: give --units")
    return from_dict(ModelConfig, values)


def _agree_with_frames(values: dict[str, Any], data: DataSet, given: Given) -> None:
    """Complete the model's fields from the frames; fields that are known already must agree with the frames."""
    first = data.sources[0]
    sizes, source = first.frames.sizes, first.attrs["source"]
    if sizes["y"] == sizes["x"] == 1:
        for name in ("patch_size", "filter_size"):
            _agree(values, name, 1, f"{source} is a series, its frames are 1x1 pixels")
    _agree(values, "img_channel", sizes["channel"], f"{source} has {sizes['channel']} channels")
    if given.model.get("img_width"):
        width = given.data.get("crop") or sizes["x"]
        _agree(values, "img_width", width, f"{source}: frames are {width} pixels wide")
    forcings = first["forcings"].sizes["forcing"] if "forcings" in first else 0
    _agree(values, "num_action_ch", forcings, f"{source}: --forcings gives {forcings} channels")
    values.setdefault("total_length", data.length)


def _agree(values: dict[str, Any], name: str, found: int, text: str) -> None:
    if values.setdefault(name, found) != found:
        raise ValueError(f"{text}, {name} is {values[name]}")


def _check_training(model: ModelConfig, training: TrainConfig, sampling: SamplingConfig) -> SamplingConfig:
    """Check whether a model can be trained so; return the sampling that it is trained with."""
    sampling.check_model(model.model_name)
    if training.grad_norm and not model.spec.objectives:
        able = ", ".join(list_models("objectives"))
        raise ValueError(f"grad_norm {training.grad_norm:g} balances the losses of {able}, {model.model_name} has one")
    if model.spec.action and not sampling.reverse_scheduled_sampling:
        LOG.info("%s always trains with reverse scheduled sampling", model.model_name)
        sampling = dataclasses.replace(sampling, reverse_scheduled_sampling=True)
    return sampling


def _check_request(request: TrainRequest, model: ModelConfig, training: TrainConfig, origin: Origin) -> None:
    """Raise a ValueError for a request that the model does not support."""
    options = request.options
    if request.loss is not None and model.spec.forecaster:
        raise ValueError(f"{model.model_name} infers its states by the losses that it has: it takes no other loss")
    if training.num_seeds > 1 and (origin.params or options.visual or not options.is_training):
        raise ValueError(f"num_seeds {training.num_seeds} trains new networks: no pretrained_model, no visual")
    if options.visual and not model.spec.increments:
        raise ValueError(f"visual 1 draws delta C against delta M, which {model.model_name} does not have")


def _combine(config_class: type, given: Mapping[str, Any], before: dict[str, Any] | None, origin: Origin) -> Any:
    """Return the configuration of the resumed run with the given values; these may change `RESUMABLE` fields alone."""
    if before is None:
        return from_dict(config_class, given)
    known = to_dict(from_dict(config_class, before))  # with the defaults of what is newer than the run
    for name, value in given.items():
        if name not in RESUMABLE and value != known[name]:
            was, now = _shown(known[name]), _shown(value)
            raise ValueError(f"{origin.path} was made with {name} {was}, a resumed run cannot have {now}")
    return from_dict(config_class, {**before, **given})


def _check_same(now: dict[str, Any], before: dict[str, Any], path: pathlib.Path | None) -> None:
    """Raise a ValueError where a resumed run has other data, or lacks the loss or optimizer that it began with."""
    for part in ("units", "train", "valid", "test"):
        if json.loads(json.dumps(now["data"][part])) != before["data"][part]:
            raise ValueError(f"{path}: the {part if part == 'units' else part + ' data'} changed since the run began")
    for name in ("loss", "optimizer"):
        if (name in now.get("own", ())) != (name in before.get("own", ())):
            raise ValueError(f"{path}: a run with {'a' if name == 'loss' else 'an'} {name} of its own goes on with it")


def _first(*data: Any) -> Any:
    """Return the first of some data that is neither None nor an empty text, else None."""
    return next((one for one in data if one is not None and not (isinstance(one, str) and not one)), None)


def _as_json(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _shown(value: Any) -> Any:
    """Return a value as a user would type it."""
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else value
