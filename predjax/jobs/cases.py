"""The cases that a model is verified on or analysed from: windows of data that it was not trained on."""

import itertools
import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

from predjax.flags import from_dict
from predjax.jobs.data import check_recorded, find_cases, read_sources, spread
from predjax.jobs.options import Reading
from predjax.models.config import ModelConfig
from predjax.nowcasts.model import TrainedModel, check_fits, load_model
from predjax.nowcasts.nowcaster import USUAL_INPUT, USUAL_STEPS
from predjax.radar.config import DataConfig
from predjax.radar.movies import Sources, check_together
from predjax.radar.windows.provenance import count_overlaps, restore_periods
from predjax.radar.windows.runs import Period, find_longest, find_periods
from predjax.verification.cases import Cases

LOG = logging.getLogger("predjax")


class CaseRequest(NamedTuple):
    """The choice of the windows that are cases."""

    data: Any  # anything that `radar.readers.read_movies` takes; None for the data that the run of the model held out
    reading: Reading = ()  # the fields of `DataConfig` that differ from training
    input_length: int | None = None  # observed frames; None for the number of the model, or 4 without a model
    num_steps: int | None = None  # frames to forecast; None for the number of the model, or 12 without a model
    max_cases: int = 0  # the greatest number of windows, evenly spread; 0 for all


def load(path: Any, member: int | None = None) -> TrainedModel:
    """Load a model and log where it comes from. Errors: see `nowcasts.model.load_model`."""
    model = load_model(path, member)
    LOG.info("model %s from %s", model.forecaster.config.model_name, model.path)
    return model


def choose_cases(request: CaseRequest, model: TrainedModel | None) -> tuple[Cases, int]:
    """Return cases without scoring, and how many of them overlap the training data of the model.

    Raises:
      ValueError, OSError: one line: lengths that are not possible, data that cannot be read or do not fit the model, no
        window that is long enough.
    """
    record, config = (model.record["data"], model.forecaster.config) if model else ({}, None)
    given = dict(request.reading)
    data = from_dict(DataConfig, {**record.get("config", {}), "crop": 0, **given})
    input_length, num_steps = _choose_lengths(request, config)
    if request.data is not None and "layout" not in given and data.layout != "auto":
        LOG.info("arrays are read with the layout of the training, %s", data.layout)
    sources, periods = _find_data(request.data, model, data)
    if config:
        check_fits(sources[0], config)
    length = input_length + num_steps
    windows = find_cases(sources, periods, length, data, given.get("window_stride", num_steps))
    if not windows:
        longest = find_longest(periods)
        raise ValueError(
            f"{sources[0].attrs['source']}: no window of {input_length} observed and {num_steps} forecast frames, the "
            f"longest run has {longest.frames if longest else 0} frames"
        )
    if request.max_cases:
        windows = spread(windows, request.max_cases)
    overlaps = count_overlaps(sources, windows, length, record["train"]) if record else 0
    cases = Cases(sources, windows, input_length, num_steps, data.crop, data.on_bad_window)
    return cases, overlaps


def _choose_lengths(request: CaseRequest, config: ModelConfig | None) -> tuple[int, int]:
    """Return the numbers of observed and of forecast frames in a case."""
    if config and config.sequence and request.input_length:
        raise ValueError(f"input_length {request.input_length}: {config.model_name} was trained to observe no frame")
    input_length = request.input_length or (config.input_length if config else USUAL_INPUT)
    num_steps = request.num_steps
    if num_steps is None:
        num_steps = config.total_length - config.input_length if config else USUAL_STEPS
    if num_steps < 1:
        raise ValueError(f"num_steps must be positive, got {num_steps}")
    return input_length, num_steps


def _find_data(data: Any, model: TrainedModel | None, config: DataConfig) -> tuple[Sources, list[Period]]:
    """Return the movies, which are given or come from the run of the model, and the periods to verify on."""
    if data is not None:
        sources = read_sources(data, config)
        return sources, find_periods(sources)
    assert model, "without a model there are data"
    record: Mapping[str, Any] = model.record["data"]
    part = "test" if record["test"] else "valid"
    paths = [record[name] for name in ("train_data_paths", "valid_data_paths") if record[name]]
    found = [read_sources(check_recorded(one, model.path, config), config) for one in paths]
    sources = check_together(itertools.chain(*found))
    LOG.info("the run's %s data: %s", part, record["rule"])
    return sources, restore_periods(sources, record[part])
