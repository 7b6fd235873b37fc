"""The configuration of the model of a training, from given values, a checkpoint and the data."""

import dataclasses
import logging
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from predjax.checkpoint import load_latest
from predjax.flags import from_dict, to_dict
from predjax.jobs.data import DataSet
from predjax.jobs.scaling import make_scaling, standardise
from predjax.jobs.train_options import Given, TrainOptions
from predjax.models.config import ModelConfig, find_spec, with_usual, with_usual_for_rain
from predjax.models.interop.torch_weights import read_checkpoint
from predjax.models.stacks import check_options
from predjax.motion.optical_flow import MIN_SIZE
from predjax.nowcasts.model import load_model
from predjax.units import RAIN_UNITS

LOG = logging.getLogger("predjax")

# What weights are made for; the other fields of a model may change when it is trained further.
ARCHITECTURE = "model_name num_hidden filter_size patch_size layer_norm img_channel conv_on_input res_on_conv".split()
ARCHITECTURE += "num_action_ch coverage_channel cell_options coordinates residual scales task".split()

CHECKED = ("img_width", "scaling", "forcing_scaling")  # of the data, or compared in another way


class Origin(NamedTuple):
    """The start of a training: a new network, given weights, or the checkpoint of a run to resume."""

    path: pathlib.Path | None = None  # the checkpoint; None for a new network
    fields: Mapping[str, Any] = {}  # the fields of the `ModelConfig` in the checkpoint
    params: Any = None  # the given weights; None for new weights, or for the weights in `arrays`
    arrays: dict[str, Any] | None = None  # with `record` the checkpoint of a run that goes on; None for another start
    record: dict[str, Any] | None = None

    @property
    def resumed(self) -> bool:
        return self.record is not None


def leave_out_unused(given: Given, origin: Origin) -> Given:
    """Return the values without the fields that only action-conditioned models have, where the model is another one."""
    name = given.model.get("model_name", origin.fields.get("model_name", ModelConfig.model_name))
    unused = _list_unused(name)
    for flag in unused:
        if flag in given.model:
            LOG.info("--%s belongs to the action-conditioned models and is not used by %s", flag, name)
    return given._replace(model={key: value for key, value in given.model.items() if key not in unused})


def _list_unused(model_name: str) -> tuple[str, ...]:
    """Return the fields that only action-conditioned models have, and this model has not."""
    spec = find_spec(model_name)
    unused = () if spec.action else ("conv_on_input", "res_on_conv")
    return unused if spec.forcings else (*unused, "num_action_ch")


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
    return Origin(path, *read_weights(path, given))


def read_weights(path: pathlib.Path, given: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
    """Return the fields of a model and its parameters, of a checkpoint of predjax or of the PyTorch code."""
    if path.suffix == ".npz" or path.is_dir() or path.name == "pretrained":
        model = load_model(path, member=0)
        return to_dict(model.forecaster.config), model.params
    unused = _list_unused(given["model_name"]) if "model_name" in given else ()
    config, params = read_checkpoint(path, **{name: value for name, value in given.items() if name not in unused})
    fields = to_dict(config)
    del fields["scaling"]  # the PyTorch code knows none: the data decide
    return fields, params


def find_length(values: dict[str, Any]) -> int:
    """Return the number of frames in a window; 0, the whole length, for a sequence task without a given number."""
    values = with_usual(values)
    return values.get("total_length", 0 if values.get("task") == "sequence" else ModelConfig.total_length)


def choose_model(given: Given, options: TrainOptions, data: DataSet, origin: Origin) -> ModelConfig:
    """Return the model configuration: given values come first, then values of the checkpoint, then of the data.

    Errors: ValueError, given values that the weights are not made for; of a run that goes on, any other values.
    """
    fields = [one.name for one in dataclasses.fields(ModelConfig) if one.name not in CHECKED]
    for name in (fields if origin.resumed else ARCHITECTURE) if origin.fields else ():
        had = origin.fields.get(name, getattr(ModelConfig, name))  # what is newer than the checkpoint had its default
        if name in given.model and _as_json(given.model[name]) != _as_json(had):
            raise ValueError(f"{origin.path} has {name} {show_value(had)}, not {show_value(given.model[name])}")
    values = with_usual({**origin.fields, **given.model})
    _agree_with_frames(values, data, given)
    if not origin.fields and _is_rain(values, data):
        values = with_usual_for_rain(values)
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
    config = from_dict(ModelConfig, values)
    if origin.resumed and config.scaling != (had := from_dict(ModelConfig, origin.fields).scaling):
        raise ValueError(f"{origin.path} has the scaling {had}, not {config.scaling}")
    return config


def _is_rain(values: dict[str, Any], data: DataSet) -> bool:
    """Return whether the model continues maps of rain alone, which are large enough to have a motion."""
    spec, sizes = find_spec(values.get("model_name", ModelConfig.model_name)), data.sources[0].frames.sizes
    from_maps = spec.stack and values.get("task") != "sequence" and not values["num_action_ch"]
    return bool(from_maps) and data.units in RAIN_UNITS and min(sizes["y"], sizes["x"]) >= MIN_SIZE


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


def _as_json(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def show_value(value: Any) -> Any:
    """Return a value as a user would type it."""
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else value
