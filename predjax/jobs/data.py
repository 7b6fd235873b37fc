"""From paths and options to windows of movies, and what a checkpoint says about them."""

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from predjax.flags import to_dict
from predjax.jobs.train_options import describe_paths
from predjax.nowcasts.regression import fit_regression
from predjax.radar.config import DataConfig
from predjax.radar.movies import Movies, check_together, is_series
from predjax.radar.readers import read_movies
from predjax.radar.windows.bad_windows import tolerate
from predjax.radar.windows.batches import Batch, read_windows
from predjax.radar.windows.index import Period, Split, Window, find_periods, find_windows, split_periods
from predjax.radar.windows.record import describe_periods, describe_sampling

LOG = logging.getLogger("predjax")


class DataSet(NamedTuple):
    """Sources, and how their periods are split for windows of `length` frames.

    `sample` `(N, C)` are pixels of a few training windows, `forcing_sample` `(N, A)` their forcings, or None.
    """

    sources: list[Movies]
    split: Split
    length: int
    sample: np.ndarray
    forcing_sample: np.ndarray | None

    @property
    def units(self) -> str:
        return self.sources[0].frames.attrs["units"]


def read_sources(data: Any, config: DataConfig) -> list[Movies]:
    """Read the movies of paths or Datasets, checked one by one and together."""
    names = ("layout", "variable", "units", "forcings", "path_length")
    return check_together(read_movies(data, **{name: getattr(config, name) for name in names}))


def read_data(train_data: Any, valid_data: Any, config: DataConfig, length: int) -> DataSet:
    """Read training and validation data for windows of `length` frames; 0: as many as the longest run of frames has.

    With data for validation all of `train_data` is for training; else parts of it are held out.
    """
    sources = read_sources(train_data, config)
    periods = find_periods(sources)
    length = length or max(period.stop - period.start for period in periods)
    if valid_data is not None:
        count = len(sources)
        sources = check_together(sources + read_sources(valid_data, config))
        valid = [period for period in find_periods(sources) if period.source >= count]
        split = Split(periods, valid, [], f"validation on {describe_paths(valid_data)}")
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


def _pair_pixels(batches: Sequence[Batch]) -> tuple[np.ndarray, np.ndarray | None]:
    """All pixels of some batches `(N, C)`, and the forcings of each pixel `(N, A)`, or None without any."""
    frames = np.concatenate([batch.frames.reshape(-1, batch.frames.shape[-1]) for batch in batches])
    if batches[0].forcings is None:
        return frames, None
    forcings = []
    for batch in batches:
        found = batch.forcings if batch.forcings.ndim == 5 else batch.forcings[:, :, None, None]
        found = np.broadcast_to(found, (*batch.frames.shape[:-1], found.shape[-1]))
        forcings.append(found.reshape(-1, found.shape[-1]))
    return frames, np.concatenate(forcings)


def find_cases(
    sources: Sequence[Movies], periods: Sequence[Period], length: int, config: DataConfig, stride: int = 0
) -> list[Window]:
    """Return windows at fixed places, `stride` frames apart: in the centre where training crops lie anywhere."""
    mode = "centre" if config.crop_mode == "random" else config.crop_mode
    return find_windows(sources, periods, length, stride or config.window_stride, config.crop, mode)


def spread(items: Sequence[Any], count: int) -> list[Any]:
    """Return at most `count` items, evenly spread from the first to the last."""
    if len(items) <= count:
        return list(items)
    return [items[i] for i in np.linspace(0, len(items) - 1, count).round().astype(int)]


def describe_data(data: DataSet, config: DataConfig, train_paths: str, valid_paths: str | None) -> dict[str, Any]:
    """Return JSON values for the checkpoint: where the data are, and how they were read and split.

    With forcings also the weights of `nowcasts.regression`, the baseline of a verification.
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
