"""From flags, checkpoints and data to the plan of a run: all of them must agree."""

import argparse
import dataclasses
import datetime
import json
import logging
import pathlib
import sysconfig
from typing import NamedTuple

from predjax.checkpoint import holds_checkpoint, load_latest
from predjax.flags import from_dict, parse_values, to_dict, typed
from predjax.jobs.data import DataSet, describe_data, make_scaling, read_data, standardise
from predjax.models.config import ModelConfig, SamplingConfig, find_spec, list_models, order_options, with_usual
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


class Resumed(NamedTuple):
    """The checkpoint that a run goes on from."""

    path: pathlib.Path
    arrays: dict
    record: dict


class Plan(NamedTuple):
    """A run before it starts. `params`: given weights, None: new ones. `origin`: where they come from."""

    model: ModelConfig
    training: TrainConfig
    sampling: SamplingConfig
    data_config: DataConfig
    data: DataSet
    folder: pathlib.Path
    record: dict  # JSON values for the checkpoints
    resumed: Resumed | None
    params: dict | None
    origin: pathlib.Path | None


def make_plan(options: argparse.Namespace) -> Plan:
    """The plan of `train`. Errors: ValueError or OSError, one line, for what does not agree."""
    folder = choose_folder(options)
    check_flags(options)
    resumed = load_latest(folder) if options.resume else None
    if resumed:
        resumed = Resumed(*resumed)
    elif options.resume:
        LOG.info("%s holds no checkpoint yet: starting", folder)
    before = resumed.record if resumed else {}
    found, params, origin = before.get("model", {}), None, resumed and resumed.path
    if options.pretrained_model and not resumed:
        origin = pathlib.Path(options.pretrained_model)
        found, params = load_weights(origin, options)

    training = _combine(TrainConfig, options, before.get("training"), resumed).resolve()
    read_before = before.get("data", {})
    data_config = _combine(DataConfig, options, read_before.get("config"), resumed)
    train_paths = options.train_data_paths or read_before.get("train_data_paths") or str(find_sample())
    valid_paths = options.valid_data_paths or read_before.get("valid_data_paths")
    data = read_data(train_paths, valid_paths, data_config, find_length(options, found))
    model = make_model_config(options, data, found, origin)
    sampling = _combine(SamplingConfig, options, before.get("sampling"), resumed).resolve(training.max_iterations)
    sampling.check_model(model.model_name)
    if training.num_seeds > 1 and (params or options.visual or not options.is_training):
        raise ValueError(f"num_seeds {training.num_seeds} trains new networks: no pretrained_model, no visual")
    if training.grad_norm and not model.spec.objectives:
        able = ", ".join(list_models("objectives"))
        raise ValueError(f"grad_norm {training.grad_norm:g} balances the losses of {able}, {model.model_name} has one")
    if options.visual and not model.spec.increments:
        raise ValueError(f"visual 1 draws delta C against delta M, which {model.model_name} does not have")
    if model.spec.action and not sampling.reverse_scheduled_sampling:
        LOG.info("%s always trains with reverse scheduled sampling", model.model_name)
        sampling = dataclasses.replace(sampling, reverse_scheduled_sampling=True)
    record = {
        "model": to_dict(model),
        "training": to_dict(training),
        "sampling": to_dict(sampling),
        "data": describe_data(data, data_config, train_paths, valid_paths),
    }
    if resumed:
        _check_data(record["data"], read_before, resumed.path)
    return Plan(model, training, sampling, data_config, data, folder, record, resumed, params, origin)


def find_length(options, found: dict) -> int:
    """Frames of a window; 0 for those of a sequence that nothing is said about: all there are."""
    values = with_usual({**found, **typed(ModelConfig, options)})
    return values.get("total_length", 0 if values.get("task") == "sequence" else ModelConfig.total_length)


def choose_folder(options) -> pathlib.Path:
    """The folder of the run. Errors: FileExistsError where it holds a run and neither flag says what to do."""
    if options.resume and options.overwrite:
        raise ValueError("--resume and --overwrite exclude each other")
    if not options.save_dir:
        if options.resume:
            raise ValueError("--resume needs --save_dir")
        name = getattr(options, "model_name", ModelConfig.model_name)
        return pathlib.Path("runs") / f"{name}-{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%SZ}"
    folder = pathlib.Path(options.save_dir)
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file, --save_dir is a folder")
    if options.is_training and holds_checkpoint(folder) and not (options.resume or options.overwrite):
        raise FileExistsError(f"{folder} holds a checkpoint: --resume goes on, --overwrite starts anew")
    return folder


def check_flags(options) -> None:
    """Refuses an unknown model and flags that exclude each other, before anything is read."""
    if hasattr(options, "cell_options"):
        options.cell_options = order_options(options.cell_options)
    given = typed(ModelConfig, options)
    name = given.get("model_name", ModelConfig.model_name)
    spec = find_spec(name)
    unused = () if spec.action else ("conv_on_input", "res_on_conv")
    for flag in unused if spec.forcings else (*unused, "num_action_ch"):
        if given.pop(flag, None) is not None:
            delattr(options, flag)
            LOG.info("--%s belongs to the action-conditioned models and is not used by %s", flag, name)
    if options.num_save_samples < 0:
        raise ValueError(f"num_save_samples must not be negative, got {options.num_save_samples}")
    if not options.is_training and not options.pretrained_model:
        raise ValueError("is_training 0 needs --pretrained_model")
    if options.pretrained_model or options.resume:
        return
    for field, value in spec.usual_training.items():
        if not hasattr(options, field):
            setattr(options, field, value)
    config = ModelConfig(**_guess_data(with_usual(given)))
    if options.num_layers and options.num_layers != len(config.num_hidden):
        hidden = ",".join(map(str, config.num_hidden))
        raise ValueError(f"num_layers {options.num_layers} does not agree with num_hidden {hidden}")
    check_options(config)


def _guess_data(values: dict) -> dict:
    """With what data would say of channels, for the checks that come before they are read."""
    spec = find_spec(values.get("model_name", ModelConfig.model_name))
    forced = spec.action or values.get("task") == "sequence"
    known = {name: spec.only[name][0] for name in ("img_channel", "num_action_ch") if name in spec.only}
    return {"num_action_ch": int(forced), **known, **values}


def find_sample() -> pathlib.Path:
    """The sample movies: in the checkout, else where the wheel installed them."""
    checkout = pathlib.Path(__file__).resolve().parents[2] / "data"
    installed = pathlib.Path(sysconfig.get_path("data")) / "share" / "predjax"
    for folder in (checkout, installed):
        if (folder / "radar_movies.nc").is_file():
            return folder / "radar_movies.nc"
    raise FileNotFoundError(f"{installed / 'radar_movies.nc'}: the sample movies are missing; give --train_data_paths")


def load_weights(path: pathlib.Path, options) -> tuple[dict, dict]:
    """(fields of the model's configuration, parameters) of a predjax checkpoint or a .ckpt of the PyTorch code."""
    if path.suffix == ".npz" or path.is_dir() or path.name == "pretrained":
        model = load_model(path, member=0)
        return to_dict(model.forecaster.config), model.params
    config, params = read_checkpoint(path, **typed(ModelConfig, options))
    found = to_dict(config)
    del found["scaling"]  # the PyTorch code knows none: the data decide
    return found, params


def make_model_config(options, data: DataSet, found: dict, origin) -> ModelConfig:
    """What was typed, then what the checkpoint `origin` says, then what the data say."""
    given = typed(ModelConfig, options)
    for name in ARCHITECTURE if found else ():
        had = found.get(name, getattr(ModelConfig, name))  # what is newer than the checkpoint had its default
        if name in given and _as_json(given[name]) != _as_json(had):
            raise ValueError(f"{origin} has {name} {_shown(had)}, not {_shown(given[name])}")
    values = with_usual({**found, **given})
    frames, source = data.sources[0].frames, data.sources[0].attrs["source"]
    width = getattr(options, "crop", 0) or frames.sizes["x"]
    if frames.sizes["y"] == frames.sizes["x"] == 1:
        for name in ("patch_size", "filter_size"):
            _agree(values, name, 1, f"{source} is a series, its frames are 1x1 pixels")
    _agree(values, "img_channel", frames.sizes["channel"], f"{source} has {frames.sizes['channel']} channels")
    if given.get("img_width"):
        _agree(values, "img_width", width, f"{source}: frames are {width} pixels wide")
    forcings = data.sources[0]["forcings"].sizes["forcing"] if "forcings" in data.sources[0] else 0
    _agree(values, "num_action_ch", forcings, f"{source}: --forcings gives {forcings} channels")
    values.setdefault("total_length", data.length)
    sample = data.forcing_sample  # None without forcings
    spec = find_spec(values.get("model_name", ModelConfig.model_name))
    if not found and sample is not None and options.forcing_scaling == "auto" and spec.scales_forcings:
        values["forcing_scaling"] = to_dict(standardise(sample))
    if "scaling" not in values or options.scaling != "auto" or options.scaling_range:
        values["scaling"] = to_dict(
            make_scaling(options.scaling, parse_values(float, options.scaling_range, "scaling_range"), data, values)
        )
    elif values["scaling"]["units"] != data.units:
        raise ValueError(
            f"{source} is in {data.units}, {origin} was trained on {values['scaling']['units']}: give --units"
        )
    return from_dict(ModelConfig, values)


def _agree(values, name, found, text):
    if values.setdefault(name, found) != found:
        raise ValueError(f"{text}, {name} is {values[name]}")


def _combine(config_class, options, before, resumed):
    """A configuration from typed flags over those of the resumed run, which only `RESUMABLE` ones may change."""
    given = typed(config_class, options)
    known = (
        to_dict(from_dict(config_class, before)) if before else {}
    )  # with the defaults of what is newer than the run
    for name, value in given.items() if before else ():
        if name not in RESUMABLE and value != known[name]:
            was, now = _shown(known[name]), _shown(value)
            raise ValueError(f"{resumed.path} was made with {name} {was}, a resumed run cannot have {now}")
    return from_dict(config_class, {**(before or {}), **given})


def _check_data(now, before, path):
    """A resumed run must go on with the data that it began with."""
    for part in ("units", "train", "valid", "test"):
        if json.loads(json.dumps(now[part])) != before[part]:
            raise ValueError(f"{path}: the {part if part == 'units' else part + ' data'} changed since the run began")


def _as_json(value):
    return list(value) if isinstance(value, tuple) else value


def _shown(value):
    """A value as it is typed."""
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else value
