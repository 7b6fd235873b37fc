"""Evaluate a model, the forecasts of others or baselines alone: cases and methods in, scores out."""

import dataclasses
import functools
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from predjax import run_file
from predjax.files import refuse_files
from predjax.flags import from_dict
from predjax.jobs.areas import score_areas
from predjax.jobs.cases import USUAL_INPUT, CaseRequest, choose_cases
from predjax.jobs.cluster import map_parts
from predjax.jobs.data import read_sources, spread
from predjax.jobs.networks import check_comparable, choose_lengths, find_scaling, load_networks
from predjax.jobs.options import EvaluateOptions, EvaluationFiles, read_keywords
from predjax.jobs.published import add_protocol
from predjax.messages import one_line_messages, show_wait, suggest
from predjax.nowcasts.baselines import Setting, choose_baselines, make_baselines
from predjax.nowcasts.forecast import to_forecast
from predjax.nowcasts.model import TrainedModel, make_nowcast
from predjax.nowcasts.pysteps import find_sampling
from predjax.radar.areas.config import AreaScoringOptions
from predjax.radar.config import DataConfig
from predjax.radar.forecasts import match_forecasts, read_forecasts
from predjax.radar.grid import Grid
from predjax.radar.movies import is_series
from predjax.radar.remarks import list_changes
from predjax.radar.windows.batches import Batch
from predjax.radar.windows.provenance import count_overlaps, find_other_sampling
from predjax.radar.writers import rename_for_pysteps
from predjax.verification.cases import Cases, Method, add_scoring, forecast_by, split
from predjax.verification.protocols.config import ProtocolOptions
from predjax.verification.skill import FILE_ATTRS
from predjax.verification.totals import Totals, Verification, measure_cases
from predjax.verification.verify import verify

LOG = logging.getLogger("predjax")
_LOCK = threading.Lock()  # the threads of a worker share what one of them has found


class Comparison(NamedTuple):
    """The methods that an evaluation compares, and the cases.

    `overlaps` counts, for each network, the cases that overlap its training data.
    """

    models: Mapping[str, TrainedModel]  # the networks among the methods
    methods: dict[str, Method]
    cases: Cases
    overlaps: Mapping[str, int]  # by network


class Evaluation(NamedTuple):
    """The scores of a comparison, and warnings about them, a line each."""

    options: EvaluateOptions
    comparison: Comparison
    verification: Verification
    warnings: list[str]


@one_line_messages()
def evaluate(checkpoint: Any, data: Any = None, **options: Any) -> xr.Dataset:
    """Return the skill of trained models beside baselines, or of baselines alone: what `skill.nc` holds.

    Args:
      checkpoint: a file, or a run's folder, or a list of them; None for the baselines alone.
      data: what `predjax.read_movies` reads: files, folders and globs, datasets of xarray, Movies, or an array with its
        `layout`; None for the data that the run held out.
      options: fields of `jobs.options.EvaluateOptions`, such as `baselines` and `thresholds`, of
        `radar.areas.config.AreaScoringOptions`, such as `areas`, of `ProtocolOptions` (whose scores `jobs.evaluate.run`
        returns), and of `DataConfig`, such as `crop`, `units` and `window_stride`, where data are not read as in
        training.

    Returns:
      A Dataset of scores by `method` and `lead_time`, with intervals of the differences to the reference. Its attribute
      `warning` and the log tell of windows that overlap the training data, and the like.

    Raises:
      ValueError, OSError: one line: an option that is not possible, data that do not fit the model or cannot be read.
    """
    if "data_path" in options:
        raise ValueError("evaluate has no data_path: give the data as its second argument, data")
    classes = EvaluateOptions, AreaScoringOptions, ProtocolOptions, DataConfig
    own, areas, protocol, reading = read_keywords("evaluate", classes, options)
    on_areas = AreaScoringOptions(**areas)
    nested: dict[str, Any] = {"on_areas": on_areas, "on_protocol": ProtocolOptions(**protocol)}
    networks: Any = tuple(checkpoint) if isinstance(checkpoint, list) else checkpoint
    chosen = EvaluateOptions(networks, data, **own, **nested, reading=tuple(reading.items()))
    evaluation = run(chosen)
    for warning in evaluation.warnings:
        LOG.warning("%s", warning)
    return evaluation.verification.common.assign_attrs(FILE_ATTRS)


def run(
    options: EvaluateOptions,
    files: EvaluationFiles | None = None,
    begin: Callable[[Comparison], object] = lambda comparison: None,
) -> Evaluation:
    """Score every method on the same cases, here or on a dask cluster.

    `begin` is called with the comparison before the scoring. No files are written here, but what would prevent writing
    them is found before hours of work.

    Errors: ValueError, OSError, one line, see `compare`; files that exist, a model without latents.
    """
    if files:
        _refuse_existing(files)
    with show_wait("reading the data"):
        comparison = compare(options)
    models, methods, cases, overlaps = comparison
    if files and files.latents:
        _check_latents(models)
    if files and files.export:
        _check_export(cases, files.format)
    begin(comparison)
    if options.dask_scheduler:
        parts = map_parts(options.dask_scheduler, measure_part, options, split(cases), "verifying")
        verification = sum(parts, Totals()).skill(cases, options.reference)
    else:
        verification = verify(methods, cases, options.reference, keep=bool(files and (files.output or files.export)))
    if models or options.forecasts:
        judged = list(models) or list(methods)[:1]
        verification.common.attrs["judged"] = judged[0] if len(judged) == 1 else judged
    warnings = []
    for name, model in models.items():
        named = len(models) > 1
        if overlaps[name]:
            whose = f" of {name}" if named else ""
            seen = f"{overlaps[name]} of {len(cases.windows)} verified windows overlap the training data{whose}"
            warnings.append(f"{seen}: no skill")
        warnings += [f"{name}: {text}" if named else text for text in describe_other_sampling(model, cases)]
    if warnings:
        verification.common.attrs["warning"] = "; ".join(warnings)
    if "unreadable" in verification.common.attrs:
        warnings.append(verification.common.attrs["unreadable"])
    warnings += list_changes(cases.sources)
    return Evaluation(options, comparison, verification, warnings)


def compare(options: EvaluateOptions) -> Comparison:
    """Find the model, the cases and the methods that are asked for.

    Raises:
      ValueError, OSError: one line: what cannot be read or does not fit, a baseline that the data cannot have, nothing
        to evaluate.
    """
    models = load_networks(options.checkpoint) if options.checkpoint else {}
    methods: dict[str, Method] = {}
    overlaps: dict[str, int] = {}
    if options.forecasts:
        cases, methods["forecast"] = _read_given(options)
    else:
        cases, overlaps = _choose_cases(options, models)
        cases = _add_scoring(cases, options, models)
    if options.on_areas.areas:
        cases = score_areas(cases, options.on_areas)
    drawn = {"members": options.members, "seed": options.seed}
    for name, model in models.items():
        nowcast = make_nowcast(model.forecaster, model.params, **drawn)
        methods[name] = forecast_by(nowcast, cases, options.input_length or model.forecaster.config.input_length)
    methods |= _find_baselines(options, cases, next(iter(models.values()), None))
    if not methods:
        raise ValueError("nothing to evaluate: give --checkpoint, --forecasts or --baselines")
    if options.reference not in (None, *methods):
        near = suggest(str(options.reference), methods)
        raise ValueError(f"--reference {options.reference} is not one of the methods {', '.join(methods)}{near}")
    return Comparison(models, methods, cases, overlaps)


def _choose_cases(options: EvaluateOptions, models: Mapping[str, TrainedModel]) -> tuple[Cases, dict[str, int]]:
    """Return cases without scoring, and how many of them overlap the training data of each network."""
    if len(models) > 1:
        check_comparable(models, options.data is None, dict(options.reading))
    lengths = choose_lengths(models, options.input_length, options.num_steps)
    request = CaseRequest(options.data, options.reading, *lengths, options.max_cases)
    cases, of_first = choose_cases(request, next(iter(models.values()), None))
    overlaps = dict.fromkeys(list(models)[:1], of_first)
    for name in list(models)[1:]:
        trained = models[name].record["data"]["train"]
        overlaps[name] = count_overlaps(cases.sources, cases.windows, cases.length, trained)
    return cases, overlaps


def measure_part(options: EvaluateOptions, numbers: list[int]) -> Totals:
    """Return the totals over the cases of these numbers, in a process of a cluster; it reads models and data once."""
    with _LOCK:
        comparison = _compare_once(options)
    return measure_cases(comparison.methods, comparison.cases, [numbers])


@functools.lru_cache(1)
def _compare_once(options: EvaluateOptions) -> Comparison:
    return compare(options)


def _refuse_existing(files: EvaluationFiles) -> None:
    own = run_file.find_own(files.output) if files.output else None
    skill = ("skill.*", "report.html", *([own.name] if own else []))
    for folder, patterns in (files.output, skill), (files.export, ("nowcast_*",)), (files.latents, ("latents_*",)):
        if folder:
            refuse_files(folder, patterns, files.overwrite)


def _check_export(cases: Cases, layout: str) -> None:
    """Raise a ValueError if forecasts of a source have no lead times, or the layout of files cannot hold them."""
    for source, window in {window.source: window for window in cases.windows}.items():
        movies = cases.sources[source]
        shape = [cases.num_steps, *(cases.crop or movies.sizes[axis] for axis in ("y", "x")), movies.sizes["channel"]]
        empty = np.broadcast_to(np.float32(0), shape)
        forecast = to_forecast(empty, movies, window, cases.input_length, "", "")
        if layout == "pysteps":
            rename_for_pysteps(movies.attrs["source"], forecast)


def _check_latents(models: Mapping[str, TrainedModel]) -> None:
    """Raise a ValueError unless there is one network, which has latents."""
    if len(models) > 1:
        raise ValueError(f"--latents is for one network, not for {', '.join(models)}")
    config = next((model.forecaster.config for model in models.values()), None)
    if not config or not config.spec.latents:
        raise ValueError(f"{config.model_name if config else 'a baseline'} has no latents: --latents is for tidhy")


def _add_scoring(cases: Cases, options: EvaluateOptions, models: Mapping[str, TrainedModel]) -> Cases:
    """Return the cases with their scoring and protocol: the given protocol, or that which all checkpoints record."""
    scaling = find_scaling(models)
    cases = add_scoring(cases, options.thresholds, options.windows, scaling)
    chosen, recipes = options.on_protocol, {model.record.get("protocol") for model in models.values()}
    if not chosen.protocol and len(recipes) == 1:
        chosen = dataclasses.replace(chosen, protocol=recipes.pop())
    return add_protocol(cases, chosen, scaling, options.thresholds)


def _find_baselines(options: EvaluateOptions, cases: Cases, model: TrainedModel | None) -> dict[str, Method]:
    """Return the baselines that are asked for, or the usual baselines, as methods to score on the cases."""
    first = cases.sources[0]
    task = {"sequence": not cases.input_length, "series": is_series(first), "source": first.attrs["source"]}
    regression = model.record["data"].get("regression") if model else None
    steps = {movies.attrs.get("step_seconds") for movies in cases.sources}
    sampling = find_sampling(cases.scoring.pixel_size, steps.pop() if len(steps) == 1 else None)
    setting = Setting(cases.units, regression, options.steps_members, options.seed, sampling)
    found = make_baselines(choose_baselines(options.baselines, **task), setting)
    return {name: forecast_by(nowcast, cases) for name, nowcast in found.items()}


def _read_given(options: EvaluateOptions) -> tuple[Cases, Method]:
    """Read the given forecasts; return their cases, and a method that returns the forecast of each case."""
    assert options.forecasts is not None, "they are asked for"
    data = from_dict(DataConfig, dict(options.reading))
    if data.crop:
        raise ValueError(f"--forecasts are scored on whole frames, not with --crop {data.crop}")
    sources = read_sources(options.data_path, data)
    forecasts = read_forecasts(options.forecasts, units=data.units, first_lead=options.first_lead)
    input_length = options.input_length or USUAL_INPUT
    matches = match_forecasts(forecasts, sources, input_length)
    by_window = {match.window: match for match in matches}
    length = matches[0].forecast.movies.sizes["time"]
    steps = length if options.num_steps is None else options.num_steps
    if not 1 <= steps <= length:
        raise ValueError(f"num_steps {steps}: the forecasts have {length} lead times")

    def run(batch: Batch) -> np.ndarray:
        frames = np.stack([by_window[window].read(steps, batch.frames.shape[2:4]) for window in batch.windows])
        return frames[:, 0] if frames.shape[1] == 1 else frames

    windows = spread(list(by_window), options.max_cases or len(by_window))
    cases = Cases(sources, windows, input_length, steps, on_bad_window=data.on_bad_window)
    return _add_scoring(cases, options, {}), run


def describe_other_sampling(model: TrainedModel, cases: Cases) -> list[str]:
    """Return a warning for each source with another time step or pixel size than the training data of the model."""
    sampling, found = model.record["data"].get("sampling", {}), []
    for movies in cases.sources:
        other = find_other_sampling(sampling, movies.attrs.get("step_seconds"), Grid.of(movies).pixel_size)
        if other:
            found.append(f"{movies.attrs['source']} has {other}")
    return found
