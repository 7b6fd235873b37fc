"""The scaling of a new model: the wanted one, or one chosen by the data."""

import dataclasses
import json
from typing import Any

import numpy as np

from predjax.jobs.data import DataSet
from predjax.models.config import ModelConfig, find_spec
from predjax.models.scaling import KINDS, Scaling, choose_scaling
from predjax.radar.movies import is_series


def standardise(sample: np.ndarray) -> Scaling:
    """Return the scaling that gives each channel of a sample `(N, A)` mean 0 and standard deviation 1.

    Rows that have a missing value are left out.
    """
    known = np.isfinite(sample).all(1)
    sample = sample[known] if known.any() else np.zeros((1, sample.shape[1]))
    mean, deviation = sample.mean(0, dtype=float), sample.std(0, dtype=float)
    top = mean + np.where(deviation > 1e-6 * (1 + np.abs(mean)), deviation, 1.0)
    return Scaling("linear", tuple(mean.tolist()), tuple(top.tolist()))


def make_scaling(kind: str, value_range: tuple[float, ...], data: DataSet, model: dict[str, Any]) -> Scaling:
    """Return the wanted scaling, or for the kind "auto" the scaling that fits the data's units.

    Series are scaled feature by feature. `model` has the fields of a `ModelConfig`: a model whose dynamics have no
    offset gets standardised features; a model whose loss is of counts or probabilities gets features as they are.
    """
    if find_spec(model.get("model_name", ModelConfig.model_name)).standardises and kind == "auto" and not value_range:
        if json.loads(model.get("cell_options") or "{}").get("loss", "mse") != "mse":
            return Scaling("linear", 0.0, 1.0, data.units)
        return dataclasses.replace(standardise(data.sample), units=data.units)
    finite = data.sample[np.isfinite(data.sample)]
    found = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    chosen = choose_scaling(data.units, data.sources[0].frames.attrs.get("dtype_on_disk", ""), found)
    if kind not in ("auto", *KINDS):
        raise ValueError(f"scaling {kind!r} is not one of auto, {', '.join(KINDS)}")
    if is_series(data.sources[0]) and kind in ("auto", "linear") and not value_range:
        return Scaling("linear", *_measure_features(data.sample), data.units)
    if kind != "auto" or value_range:
        kind = chosen.kind if kind == "auto" else kind
        default = {"dBZ": (0.0, 60.0), "rain_rate": (0.1, 100.0), "none": (0.0, 1.0)}.get(kind, found)
        if value_range and len(value_range) != 2:
            raise ValueError(f"scaling_range needs two values, got {','.join(map(str, value_range))}")
        if value_range and kind == "none":
            raise ValueError(f"scaling_range {value_range[0]:g},{value_range[1]:g} needs another scaling than none")
        low, high = value_range or default
        chosen = Scaling(kind, low, high, data.units)
    if chosen.kind == "none" and finite.size and not (found[0] >= -1e-3 and found[1] <= 1.001):
        raise ValueError(
            f"{data.sources[0].attrs['source']}: scaling none is for data in [0, 1], found {found[0]:g}..{found[1]:g}"
        )
    return chosen


def _measure_features(sample: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the least and the greatest value of each feature; a constant or missing feature gets a range of 1."""
    low, high = [], []
    for values in sample.T:
        finite = values[np.isfinite(values)]
        first, last = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        low.append(first)
        high.append(last if last > first else first + 1.0)
    return tuple(low), tuple(high)
