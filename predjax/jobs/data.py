"""From paths and options to windows of movies, and what a checkpoint says about them."""

import dataclasses
import json
import logging
from typing import NamedTuple

import numpy as np

from predjax.flags import to_dict
from predjax.models.scaling import KINDS, Scaling, choose_scaling
from predjax.nowcasts.regression import fit_regression
from predjax.radar.config import DataConfig
from predjax.radar.movies import Movies, check_together, is_series
from predjax.radar.readers import read_movies
from predjax.radar.windows.bad_windows import tolerate
from predjax.radar.windows.batches import read_windows
from predjax.radar.windows.index import Split, Window, find_periods, find_windows, split_periods
from predjax.radar.windows.record import describe_periods, describe_sampling

LOG = logging.getLogger("predjax")


class DataSet(NamedTuple):
    """Sources and how their periods are split for windows of `length` frames; `sample` `(N, C)` are pixels of a few
    training windows, `forcing_sample` `(N, A)` the forcings with them, or None."""

    sources: list[Movies]
    split: Split
    length: int
    sample: np.ndarray
    forcing_sample: np.ndarray | None

    @property
    def units(self) -> str:
        return self.sources[0].frames.attrs["units"]


def read_sources(paths, config: DataConfig) -> list[Movies]:
    """Movies of the paths, checked one by one and together."""
    names = ("layout", "variable", "units", "forcings", "path_length", "engine")
    return check_together(read_movies(paths, **{name: getattr(config, name) for name in names}))


def read_data(train_paths, valid_paths, config: DataConfig, length: int) -> DataSet:
    """Training and validation data for windows of `length` frames; 0: as many as the longest run of frames has.

    With paths for validation all of `train_paths` is for training; else parts of it are held out.
    """
    sources = read_sources(train_paths, config)
    periods = find_periods(sources)
    length = length or max(period.stop - period.start for period in periods)
    if valid_paths:
        count = len(sources)
        sources = check_together(sources + read_sources(valid_paths, config))
        valid = [period for period in find_periods(sources) if period.source >= count]
        split = Split(periods, valid, [], f"validation on {valid_paths}")
    else:
        split = split_periods(periods, length, config)
    windows = find_windows(sources, split.train, length, config.window_stride, config.crop)
    if not windows:
        longest = max(split.train or periods, key=lambda period: period.stop - period.start)
        raise ValueError(
            f"total_length {length} is longer than the longest run of frames to train on, "
            f"{longest.stop - longest.start} frames of {sources[longest.source].attrs['source']}"
        )
    chosen = spread(windows, 256 if is_series(sources[0]) else 8)
    bad = tolerate(config.on_bad_window)
    batches = [read_windows(sources, [window], length, config.crop, bad) for window in chosen]
    return DataSet(sources, split, length, *_pair_pixels(batches))


def _pair_pixels(batches) -> tuple[np.ndarray, np.ndarray | None]:
    """All pixels of some batches `(N, C)`, and the forcings of each `(N, A)`, or None without any."""
    frames = np.concatenate([batch.frames.reshape(-1, batch.frames.shape[-1]) for batch in batches])
    if batches[0].forcings is None:
        return frames, None
    forcings = []
    for batch in batches:
        found = batch.forcings if batch.forcings.ndim == 5 else batch.forcings[:, :, None, None]
        found = np.broadcast_to(found, (*batch.frames.shape[:-1], found.shape[-1]))
        forcings.append(found.reshape(-1, found.shape[-1]))
    return frames, np.concatenate(forcings)


def standardise(sample: np.ndarray) -> Scaling:
    """The scaling that makes the mean of each channel of a sample `(N, A)` 0 and its standard deviation 1; rows with a
    missing value are left out."""
    known = np.isfinite(sample).all(1)
    sample = sample[known] if known.any() else np.zeros((1, sample.shape[1]))
    mean, deviation = sample.mean(0, dtype=float), sample.std(0, dtype=float)
    top = mean + np.where(deviation > 1e-6 * (1 + np.abs(mean)), deviation, 1.0)
    return Scaling("linear", tuple(mean.tolist()), tuple(top.tolist()))


def find_cases(sources, periods, length: int, config: DataConfig, stride: int = 0) -> list[Window]:
    """Windows to verify on, at fixed places: in the centre where training crops lie anywhere."""
    mode = "centre" if config.crop_mode == "random" else config.crop_mode
    return find_windows(sources, periods, length, stride or config.window_stride, config.crop, mode)


def spread(items: list, count: int) -> list:
    """At most `count` items, evenly spread from the first to the last."""
    if len(items) <= count:
        return list(items)
    return [items[i] for i in np.linspace(0, len(items) - 1, count).round().astype(int)]


def make_scaling(kind: str, value_range: tuple[float, ...], data: DataSet, model: dict) -> Scaling:
    """The scaling that was asked for, or (`auto`) the one that fits the data's units; series have one a feature.

    `model` are the fields of a `ModelConfig`: tidhy, whose dynamics have no offset, takes standardised features, or,
    where its loss is of counts or probabilities, these as they are.
    """
    if model.get("model_name") == "tidhy" and kind == "auto" and not value_range:
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
        low, high = value_range or default
        chosen = Scaling(kind, low, high, data.units)
    if chosen.kind == "none" and finite.size and not (found[0] >= -1e-3 and found[1] <= 1.001):
        raise ValueError(
            f"{data.sources[0].attrs['source']}: scaling none is for data in [0, 1], found {found[0]:g}..{found[1]:g}"
        )
    return chosen


def _measure_features(sample: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The least and the greatest value of each feature; of one that is constant or missing, a range of 1 above it."""
    low, high = [], []
    for values in sample.T:
        finite = values[np.isfinite(values)]
        first, last = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        low.append(first)
        high.append(last if last > first else first + 1.0)
    return tuple(low), tuple(high)


def describe_data(data: DataSet, config: DataConfig, train_paths, valid_paths) -> dict:
    """JSON values for the checkpoint: where the data are, how they were read and split; with forcings also the weights
    of `nowcasts.regression`, so that a verification has it beside the model."""
    forcings = data.forcing_sample
    parts = {name: describe_periods(data.sources, getattr(data.split, name)) for name in ("train", "valid", "test")}
    return {
        "train_data_paths": train_paths,
        "valid_data_paths": valid_paths,
        "config": to_dict(config),
        "units": data.units,
        "rule": data.split.rule,
        "length": data.length,
        "sampling": describe_sampling(data.sources),
        "regression": None if forcings is None else fit_regression(data.sample, forcings).tolist(),
        **parts,
    }
