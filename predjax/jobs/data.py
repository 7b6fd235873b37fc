"""Open the windows of movies that paths and options name, and describe them for the checkpoint."""

import dataclasses
import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from predjax.flags import to_dict
from predjax.jobs.train_options import IN_MEMORY, describe_paths
from predjax.nowcasts.regression import fit_regression
from predjax.radar.config import READING, DataConfig
from predjax.radar.movies import Sources, check_together, is_series
from predjax.radar.readers import expand_paths, read_movies
from predjax.radar.windows.bad_windows import tolerate
from predjax.radar.windows.batches import Batch, read_windows
from predjax.radar.windows.index import Window, WindowIndex
from predjax.radar.windows.provenance import describe_periods, describe_sampling
from predjax.radar.windows.runs import Period, find_longest, find_periods
from predjax.radar.windows.splits import Split, split_periods

LOG = logging.getLogger("predjax")


class DataSet(NamedTuple):
    """Sources, and how their periods are split for windows of `length` frames."""

    sources: Sources
    split: Split
    length: int
    sample: np.ndarray  # `(N, C)`, pixels of a few training windows
    forcing_sample: np.ndarray | None  # `(N, A)`, their forcings

    @property
    def units(self) -> str:
        return self.sources[0].frames.attrs["units"]


def read_sources(data: Any, config: DataConfig) -> Sources:
    """Read the movies of paths or Datasets as `config` says."""
    return read_movies(data, **{name: getattr(config, name) for name in READING})


def check_recorded(paths: str, origin: Any, config: DataConfig) -> str:
    """Return `paths`, which the checkpoint `origin` recorded. Errors: FileNotFoundError, which names `origin`."""
    try:
        if paths == IN_MEMORY:
            raise FileNotFoundError("they were in memory")
        expand_paths(paths, config.engine)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"the training data of {origin} are not there ({error}): give --data_path") from None
    return paths


def read_data(train_data: Any, valid_data: Any, config: DataConfig, length: int) -> DataSet:
    """Read training and validation data for windows of `length` frames; 0: as many as the longest run of frames has.

    With data for validation all of `train_data` is for training; else parts of it are held out.
    """
    sources = read_sources(train_data, config)
    periods = find_periods(sources)
    length = length or max(period.frames for period in periods)
    if valid_data is not None:
        count = len(sources)
        sources = check_together(sources + read_sources(valid_data, config))
        valid = [period for period in find_periods(sources) if period.source >= count]
        split = Split(periods, valid, [], f"validation on {describe_paths(valid_data)}")
    else:
        split = split_periods(periods, length, config)
    windows = find_cases(sources, split.train, length, dataclasses.replace(config, crop_mode="centre"))
    if not windows:
        longest = find_longest(split.train or periods)
        assert longest is not None, "there are periods"
        raise ValueError(
            f"total_length {length} is longer than the longest run of frames to train on, "
            f"{longest.frames} frames of {sources[longest.source].attrs['source']}"
        )
    chosen = spread(windows, 256 if is_series(sources[0]) else 8)
    bad = tolerate(config.on_bad_window)
    batches = [read_windows(sources, [window], length, config.crop, bad) for window in chosen]
    return DataSet(sources, split, length, *_pair_pixels(batches))


def _pair_pixels(batches: Sequence[Batch]) -> tuple[np.ndarray, np.ndarray | None]:
    """Return all pixels of some batches `(N, C)`, and the forcings of each pixel `(N, A)`, or None without forcings."""
    frames = np.concatenate([batch.frames.reshape(-1, batch.frames.shape[-1]) for batch in batches])
    forcings = []
    for batch in batches:
        if batch.forcings is None:
            return frames, None
        found = batch.forcings if batch.forcings.ndim == 5 else batch.forcings[:, :, None, None]
        spread_out = np.broadcast_to(found, (*batch.frames.shape[:-1], found.shape[-1]))
        forcings.append(spread_out.reshape(-1, found.shape[-1]))
    return frames, np.concatenate(forcings)


def find_cases(
    sources: Sources, periods: Sequence[Period], length: int, config: DataConfig, stride: int = 0
) -> WindowIndex:
    """Return windows at fixed places, `stride` frames apart; where training draws random crops, the central crop."""
    mode = "centre" if config.crop_mode == "random" else config.crop_mode
    config = dataclasses.replace(config, crop_mode=mode, window_stride=stride or config.window_stride)
    return WindowIndex(sources, periods, length, config)


def spread(windows: Sequence[Window], count: int) -> list[Window]:
    """Return at most `count` windows, evenly spread from the first to the last."""
    if len(windows) <= count:
        return list(windows)
    return [windows[number] for number in np.linspace(0, len(windows) - 1, count).round().astype(int).tolist()]


def describe_data(data: DataSet, config: DataConfig, train_paths: str, valid_paths: str | None) -> dict[str, Any]:
    """Return JSON values for the checkpoint: where the data are, and how they were read and split.

    With forcings these include the weights of `nowcasts.regression`, a baseline of the verification.
    """
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
