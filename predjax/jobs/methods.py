"""What an evaluation compares, and on which cases: the model, the baselines, the forecasts of others."""

import argparse
import functools
import json
import logging
import threading
from typing import Any, NamedTuple

from predjax.flags import from_dict, parse_values, typed
from predjax.nowcasts.baselines import Setting, choose_baselines, make_baselines
from predjax.radar.config import DataConfig

LOG = logging.getLogger("predjax")


class Compared(NamedTuple):
    """A `nowcasts.model.TrainedModel` or None, methods by name, `cases.Cases`, and how many were trained on."""

    model: Any
    methods: dict
    cases: Any
    leaks: int


def parse_baselines(options) -> tuple[str, ...] | None:
    """The baselines that were asked for; None: the usual ones."""
    return None if options.baselines is None else parse_values(str, options.baselines)


def find_methods(options) -> Compared:
    """What the flags of `predjax evaluate` ask for. Errors: ValueError, OSError, one line."""
    model = load(options.checkpoint)
    if options.forecasts:
        cases, methods = _given_forecasts(options)
        leaks = 0
    else:
        cases, leaks = choose_cases(options, model)
        methods = {}
    if model:
        from predjax.nowcasts.model import make_nowcast
        from predjax.verification.cases import forecast_by

        name = model.forecaster.config.model_name
        methods[name] = forecast_by(make_nowcast(model.forecaster, model.params), cases)
    methods |= _find_baselines(options, cases, model)
    if not methods:
        raise ValueError("nothing to evaluate: give --checkpoint, --forecasts or --baselines")
    if options.latents and (not model or not model.forecaster.config.spec.latents):
        name = model.forecaster.config.model_name if model else "a baseline"
        raise ValueError(f"{name} has no latents: --latents is for tidhy")
    return Compared(model, methods, cases, leaks)


def measure_part(options, numbers):
    """The sums of the cases of these numbers, in another process: models and data are found there once."""
    from predjax.verification.totals import measure_cases

    with _LOCK:
        compared = _find_again(json.dumps(vars(options), sort_keys=True))
    return measure_cases(compared.methods, compared.cases, [numbers])


_LOCK = threading.Lock()  # threads of a worker share what is found


@functools.lru_cache(1)
def _find_again(options: str) -> Compared:
    return find_methods(argparse.Namespace(**json.loads(options)))


def _find_baselines(options, cases, model) -> dict:
    """The baselines that were asked for, or the usual ones, as methods of the cases."""
    from predjax.radar.movies import is_series
    from predjax.verification.cases import forecast_by

    first = cases.sources[0]
    task = {"sequence": not cases.input_length, "series": is_series(first), "source": first.attrs["source"]}
    setting = Setting(cases.units, model.record["data"].get("regression") if model else None)
    found = make_baselines(choose_baselines(parse_baselines(options), **task), setting)
    return {name: forecast_by(nowcast, cases) for name, nowcast in found.items()}


def _given_forecasts(options):
    """Cases and a method of the forecasts of others: each file belongs to the window that it forecasts."""
    import numpy as np

    from predjax.jobs.data import read_sources
    from predjax.radar.forecasts import match_forecasts, read_forecasts
    from predjax.verification.cases import Cases, add_scoring

    given = typed(DataConfig, options)
    data = from_dict(DataConfig, given)
    sources = read_sources(options.data_path, data)
    forecasts = read_forecasts(options.forecasts, units=data.units)
    input_length = options.input_length or 4
    matches = match_forecasts(forecasts, sources, input_length)
    by_window = {match.window: match for match in matches}
    length = matches[0].forecast.movies.sizes["time"]
    steps = options.num_steps or length
    if not 1 <= steps <= length:
        raise ValueError(f"num_steps {steps}: the forecasts have {length} lead times")
    windows = list(by_window)
    cases = add_scoring(Cases(sources, windows, input_length, steps), *_parse_scoring(options))

    def run(batch):
        frames = np.stack([by_window[window].read(steps, batch.frames.shape[2:4]) for window in batch.windows])
        return frames[:, 0] if frames.shape[1] == 1 else frames

    return cases, {"forecast": run}


def load(path, member=None):
    if not path:
        return None
    from predjax.nowcasts.model import load_model

    model = load_model(path, member)
    LOG.info("model %s from %s", model.forecaster.config.model_name, model.path)
    return model


def choose_cases(options, model):
    """The cases to verify, and how many of them overlap what the model was trained on."""
    from predjax.jobs.data import find_cases, read_sources, spread
    from predjax.nowcasts.model import check_fits
    from predjax.radar.windows.provenance import count_overlaps, restore_periods
    from predjax.radar.windows.runs import find_periods
    from predjax.verification.cases import Cases, add_scoring

    record, config = (model.record["data"], model.forecaster.config) if model else ({}, None)
    given = typed(DataConfig, options)
    data = from_dict(DataConfig, {**record.get("config", {}), "crop": 0, **given})
    if config and config.sequence and options.input_length:
        raise ValueError(f"input_length {options.input_length}: {config.model_name} was trained to observe no frame")
    input_length = options.input_length or (config.input_length if config else 4)
    num_steps = config.total_length - config.input_length if config else 12
    num_steps = num_steps if options.num_steps is None else options.num_steps
    if num_steps < 1:
        raise ValueError(f"num_steps must be positive, got {num_steps}")
    if options.data_path:
        sources = read_sources(options.data_path, data)
        periods = find_periods(sources)
    else:
        part = "test" if record["test"] else "valid"
        sources = read_sources(record["train_data_paths"], data)
        if record["valid_data_paths"]:
            sources += read_sources(record["valid_data_paths"], data)
        periods = restore_periods(sources, record[part])
        LOG.info("the run's %s data: %s", part, record["rule"])
    if config:
        check_fits(sources[0], config)
    length = input_length + num_steps
    windows = find_cases(sources, periods, length, data, given.get("window_stride", num_steps))
    if not windows:
        longest = max((p.stop - p.start for p in periods), default=0)
        raise ValueError(
            f"{sources[0].attrs['source']}: no window of {input_length} observed and {num_steps} forecast frames, the "
            f"longest run has {longest} frames"
        )
    if options.max_cases:
        windows = spread(windows, options.max_cases)
    leaks = count_overlaps(sources, windows, length, record["train"]) if record else 0
    cases = Cases(sources, windows, input_length, num_steps, data.crop, data.on_bad_window)
    return add_scoring(cases, *_parse_scoring(options), config.scaling if config else None), leaks


def _parse_scoring(options) -> tuple[tuple[float, ...], tuple[int, ...]]:
    thresholds = parse_values(float, options.thresholds or "", "thresholds")
    return thresholds, parse_values(int, options.windows, "windows")
