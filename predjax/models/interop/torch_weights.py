"""Weights of the PyTorch PredRNN (thuml/predrnn-pytorch) to predjax models and back, without PyTorch.

Layouts: PyTorch has kernels (out, in, k, k), kernels of transposed convolutions (in, out, k, k), and layer norms
(features, h, w). predjax has kernels (k, k, in, out), turned by half a turn for transposed convolutions because these
correlate (see `kernels.convolution.convolve_transposed`), and layer norms (h, w, features).
"""

import dataclasses
import math
import os
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from predjax.messages import one_line_messages
from predjax.models.catalogue import MODELS
from predjax.models.config import ModelConfig, list_models
from predjax.models.interop.torch_format import read_state_dict


class ParameterNames(NamedTuple):
    """The names of the parameters in PyTorch and predjax, such as `conv_last.weight` and `predrnn/~/conv_last/w`."""

    to_predjax: dict[str, str]
    to_torch: dict[str, str]


class _Layout(NamedTuple):
    """The two functions that reorder axes from PyTorch to predjax and back."""

    to_predjax: Callable
    to_torch: Callable


_KERNEL = _Layout(lambda w: w.transpose(2, 3, 1, 0), lambda w: w.transpose(3, 2, 0, 1))
_TURNED_KERNEL = _Layout(lambda w: w.transpose(2, 3, 0, 1)[::-1, ::-1], lambda w: w[::-1, ::-1].transpose(2, 3, 0, 1))
_MAP = _Layout(lambda w: w.transpose(1, 2, 0), lambda w: w.transpose(2, 0, 1))
_VECTOR = _Layout(lambda b: b, lambda b: b)


class _Entry(NamedTuple):
    """One parameter: its module and name in predjax, its layout, and its shape in PyTorch (None: any size)."""

    module: str
    name: str
    layout: _Layout
    shape: tuple[int | None, ...]


@one_line_messages()
def read_checkpoint(path: str | os.PathLike, **known: Any) -> tuple[ModelConfig, dict]:
    """Read `torch.save({'net_param': state_dict})` of a PyTorch PredRNN: its configuration and its parameters.

    The file may be of either PyTorch format; nothing in it is run. The configuration is for frames in [0, 1] (scaling
    none). The fields of `ModelConfig` that the weights do not show (patch_size, img_channel, input_length,
    total_length, res_on_conv, decouple_beta, img_width, ...) come from `known`, else they have their defaults; other
    fields in `known` are checked against the weights. Without patch_size and img_channel, one channel is assumed.

    Raises:
      ValueError: the file is no such checkpoint, or `known` contradicts it.
      FileNotFoundError: there is no such file.
    """
    state_dict = read_state_dict(path)
    try:
        config = _infer_config(state_dict, known)
        return config, from_state_dict(state_dict, config)
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from error


def names(config: ModelConfig) -> ParameterNames:
    """Return the names of all parameters of a model, as two maps: from PyTorch to predjax, and back."""
    to_predjax = {torch: f"{entry.module}/{entry.name}" for torch, entry in _entries(config).items()}
    return ParameterNames(to_predjax, {ours: torch for torch, ours in to_predjax.items()})


def from_state_dict(state_dict: Mapping[str, Any], config: ModelConfig) -> dict:
    """Return the parameters of a model, in jax's default float type, from arrays by their PyTorch names.

    Errors: ValueError if an entry is missing, unknown, or of another shape.
    """
    entries = _entries(config)
    _check_names(set(entries), set(state_dict), "state dict")
    dtype = jnp.result_type(float)
    params: dict[str, dict[str, Any]] = {}
    grids: dict[tuple[int, ...], str] = {}
    for torch_name, entry in entries.items():
        array = np.asarray(state_dict[torch_name])
        if len(array.shape) != len(entry.shape) or any(n not in (None, m) for n, m in zip(entry.shape, array.shape)):
            expected = ",".join("any" if n is None else str(n) for n in entry.shape)
            raise ValueError(f"{torch_name} has shape {_show(array.shape)}, the configuration needs {expected}")
        if entry.layout is _MAP:
            grids[array.shape[1:]] = torch_name
        ours = np.ascontiguousarray(entry.layout.to_predjax(array), dtype=dtype)
        params.setdefault(entry.module, {})[entry.name] = ours
    if len(grids) > 1:
        (one, first), (other, second), *_ = grids.items()
        raise ValueError(f"layer norms of two grids: {first} {_show(one)}, {second} {_show(other)}")
    return params


def to_state_dict(params: dict, config: ModelConfig) -> dict[str, np.ndarray]:
    """Return the parameters of a model as arrays by their PyTorch names: the inverse of `from_state_dict`."""
    entries = _entries(config)
    given = {f"{module}/{name}": array for module, group in params.items() for name, array in group.items()}
    _check_names({f"{entry.module}/{entry.name}" for entry in entries.values()}, set(given), "parameters")
    return {
        torch_name: np.ascontiguousarray(entry.layout.to_torch(np.asarray(given[f"{entry.module}/{entry.name}"])))
        for torch_name, entry in entries.items()
    }


def _entries(config: ModelConfig) -> dict[str, _Entry]:
    """Return every parameter of the model by its PyTorch name."""
    features, k, root = config.num_hidden[0], config.filter_size, "predrnn/~"
    frame = config.patch_size**2 * (config.img_channel + config.coverage_channel)
    predicted = config.patch_size**2 * config.img_channel
    # Forcings that are maps are patched like frames; the configuration does not say whether they are.
    action = None if config.patch_size > 1 else config.num_action_ch
    half, bottom = features // 2, features if config.conv_on_input else frame
    entries = {}

    def add(torch_name: str, module: str, layout: _Layout, *shape: int | None) -> None:
        entries[f"{torch_name}.weight"] = _Entry(f"{root}/{module}", "w", layout, shape)

    if config.conv_on_input:
        add("conv_input1", "encode_0", _KERNEL, half, frame, k, k)
        add("conv_input2", "encode_1", _KERNEL, features, half, k, k)
        add("action_conv_input1", "encode_action_0", _KERNEL, half, action, k, k)
        add("action_conv_input2", "encode_action_1", _KERNEL, features, half, k, k)
        add("deconv_output1", "decode_0", _TURNED_KERNEL, features, half, k, k)
        add("deconv_output2", "decode_1", _TURNED_KERNEL, half, predicted, k, k)
        action = features
    else:
        add("conv_last", "conv_last", _KERNEL, predicted, features, 1, 1)
    if config.spec.decoupled:
        add("adapter", "decouple", _KERNEL, features, features, 1, 1)
    for layer in range(len(config.num_hidden)):
        gates: dict[str, tuple[int, int | None]] = {"x": (7, features if layer else bottom), "h": (4, features)}
        gates |= {"m": (3, features), "o": (1, 2 * features)} | ({"a": (4, action)} if config.spec.action else {})
        ours, theirs = f"cell_{layer}/~", f"cell_list.{layer}"
        for source, (count, inputs) in gates.items():
            torch_name = f"{theirs}.conv_{source}"
            add(f"{torch_name}.0", f"{ours}/conv_{source}", _KERNEL, count * features, inputs, k, k)
            if config.layer_norm:
                norm, shape = f"{root}/{ours}/norm_{source}", (count * features, None, None)
                entries[f"{torch_name}.1.weight"] = _Entry(norm, "scale", _MAP, shape)
                entries[f"{torch_name}.1.bias"] = _Entry(norm, "offset", _MAP, shape)
        add(f"{theirs}.conv_last", f"{ours}/conv_last", _KERNEL, features, 2 * features, 1, 1)
    if config.spec.action:
        biased = re.compile(r"cell_list\.\d+\.conv_(\w\.0|last)\.weight")
        for torch_name, entry in list(entries.items()):
            if biased.fullmatch(torch_name):
                bias = _Entry(entry.module, "b", _VECTOR, entry.shape[:1])
                entries[torch_name.replace(".weight", ".bias")] = bias
    return entries


def _infer_config(state_dict: Mapping[str, Any], known: dict[str, Any]) -> ModelConfig:
    """Infer the configuration from the shapes of the weights; `known` fields are checked and complete it."""
    unknown = set(known) - {f.name for f in dataclasses.fields(ModelConfig)}
    if unknown:
        raise ValueError(f"ModelConfig has no {', '.join(sorted(unknown))}")

    def shape(name: str, axes: int = 4) -> tuple[int, ...]:
        if name not in state_dict or np.ndim(state_dict[name]) != axes:
            raise ValueError(f"it has no {name} of {axes} axes, as every PredRNN of its kind has")
        return state_dict[name].shape

    layers = {int(m[1]) for m in (re.match(r"cell_list\.(\d{1,4})\.", name) for name in state_dict) if m}
    if not layers or layers != set(range(len(layers))):
        raise ValueError("it has no cell_list.0, cell_list.1, ...: not the weights of a PredRNN")
    with_action = "cell_list.0.conv_a.0.weight" in state_dict
    conv_on_input = "conv_input1.weight" in state_dict
    config: dict[str, Any] = {
        "model_name": _find_predrnn(with_action, "adapter.weight" in state_dict),
        "num_hidden": tuple(shape(f"cell_list.{layer}.conv_last.weight")[0] for layer in sorted(layers)),
        "filter_size": shape("cell_list.0.conv_h.0.weight")[-1],
        "layer_norm": "cell_list.0.conv_h.1.weight" in state_dict,
        "conv_on_input": conv_on_input,
        "stride": 1,
    }
    patch_channels = shape("deconv_output2.weight")[1] if conv_on_input else shape("conv_last.weight")[0]
    config |= _infer_patches(patch_channels, known)
    if with_action:
        first = "action_conv_input1.weight" if conv_on_input else "cell_list.0.conv_a.0.weight"
        channels = shape(first)[1]
        given = known.get("num_action_ch", channels)
        as_maps = given * config["patch_size"] ** 2 == channels
        config["num_action_ch"] = given if as_maps else channels
    else:
        config["num_action_ch"] = 0
    if config["layer_norm"] and known.get("img_width"):
        scale = config["patch_size"] * (4 if conv_on_input else 1)
        columns = shape("cell_list.0.conv_h.1.weight", 3)[2]
        if -(-known["img_width"] // scale) != columns:
            raise ValueError(f"img_width is {known['img_width']}, its layer norms are for {columns * scale}")
    for field, value in config.items():
        given = known.get(field, value)
        given = tuple(given) if isinstance(value, tuple) else given
        if given != value:
            raise ValueError(f"{field} is {_show(given)}, the weights have {_show(value)}")
    return ModelConfig(**(known | config))


def _find_predrnn(action: bool, decoupled: bool) -> str:
    """Return the name of the PredRNN with or without actions and decoupling."""
    predrnns = list_models("increments")
    return next(name for name in predrnns if (MODELS[name].action, MODELS[name].decoupled) == (action, decoupled))


def _infer_patches(patch_channels: int, known: dict[str, Any]) -> dict[str, Any]:
    """Return patch_size and img_channel from the number of patch channels p p C and the fields in `known`."""
    patch_size, channels = known.get("patch_size"), known.get("img_channel")
    if patch_size is None and channels is None:
        patch_size = math.isqrt(patch_channels)
        if patch_size**2 != patch_channels:
            raise ValueError(f"{patch_channels} patch channels: pass patch_size or img_channel (p x p x channels)")
    elif patch_size is None:
        patch_size = math.isqrt(patch_channels // max(known["img_channel"], 1))
    patch_size = max(patch_size, 1)
    channels = patch_channels // patch_size**2 if channels is None else channels
    if patch_size**2 * channels != patch_channels:
        raise ValueError(
            f"patch_size is {patch_size} and img_channel {channels}, the weights have {patch_channels} patch channels"
        )
    return {"patch_size": patch_size, "img_channel": channels}


def _check_names(expected: set[str], given: set[str], what: str) -> None:
    for names_, problem in ((expected - given, "lacks"), (given - expected, "has the unknown")):
        if names_:
            first, *others = sorted(names_)
            more = f" and {len(others)} more" if others else ""
            raise ValueError(f"the {what} {problem} {first}{more}")


def _show(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
