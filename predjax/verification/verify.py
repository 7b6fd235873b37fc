"""Forecasts against observations: from windows to the scores of every method, case after case in bounded memory."""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from tqdm import tqdm

from predjax.flags import parse_values
from predjax.messages import show_wait
from predjax.radar.grid import Grid
from predjax.radar.movies import Sources, is_series
from predjax.radar.windows.bad_windows import tolerate
from predjax.radar.windows.batches import Batch, read_windows
from predjax.radar.windows.index import Window
from predjax.radar.windows.prefetch import prefetch
from predjax.units import RANGES, find_ranges
from predjax.verification.blocks import accumulate, assign_blocks, stack_blocks, sum_blocks
from predjax.verification.bootstrap import bootstrap
from predjax.verification.common_domain import keep_common
from predjax.verification.ensembles import ensemble_skill, ensemble_statistics
from predjax.verification.measure import measure, score, score_compared
from predjax.verification.skill import compare, skill_against

THRESHOLDS = {"mm/h": (0.1, 1.0, 5.0), "dBZ": (10.0, 20.0, 35.0)}
INTERVALS = ("rmse", "mae", "mean_error", "csi", "fss")
PIXELS_A_BATCH = 2_000_000

Method = Callable[[Batch], np.ndarray]  # forecast frames (B, T, H, W, C), or (B, E, T, H, W, C) of an ensemble


class Cases(NamedTuple):
    """What is verified: windows of `input_length` observed and `num_steps` forecast frames.

    `floor`: values below count as the floor, in every forecast and in the observation (no echo in dBZ); None: no floor.
    `data_range`: of [0, 1] data, for SSIM and PSNR; None leaves them out. `sides`: windows of the FSS in pixels.
    `on_bad_window`: "skip" leaves out windows that cannot be read.
    """

    sources: Sources
    windows: Sequence[Window]
    input_length: int
    num_steps: int
    crop: int
    thresholds: tuple[float, ...]
    sides: tuple[int, ...]
    floor: float | None = None
    data_range: float | None = None
    on_bad_window: str = "stop"

    @property
    def length(self) -> int:
        return self.input_length + self.num_steps

    @property
    def units(self) -> str:
        return self.sources[0].frames.attrs["units"]


class Verification(NamedTuple):
    """The scores of all methods: `common` on the pixels that all of them forecast, with intervals and verdicts;
    `whole` on each method's own pixels; `ensembles` of those with members, or None. `errors`: the RMSE of each window
    over all lead times, of the first method, in the order of the windows."""

    common: xr.Dataset
    whole: xr.Dataset
    ensembles: xr.Dataset | None
    errors: np.ndarray


def make_cases(sources, windows, config, input_length, num_steps, crop, thresholds: str, sides: str = "5,17") -> Cases:
    """Cases with the usual thresholds of the unit unless some are given, and what the model's scaling asks for.

    Vector series have no usual thresholds, and no windows of pixels.
    """
    units, series = sources[0].frames.attrs["units"], is_series(sources[0])
    chosen = parse_values(float, thresholds or "", "thresholds") or (() if series else THRESHOLDS.get(units, (0.5,)))
    low, high = find_ranges(units).thresholds
    for threshold in chosen:
        if not low <= threshold <= high or (low == 0 == threshold):
            raise ValueError(f"threshold {threshold:g} {units} tells nothing: choose above {low:g} and up to {high:g}")
    floor = config.scaling.low if config and config.scaling.kind == "dBZ" else None
    data_range = 1.0 if config and config.scaling.kind == "none" else None
    sides = () if series else parse_values(int, sides, "windows")
    return Cases(sources, windows, input_length, num_steps, crop, chosen, sides, floor, data_range)


def find_baseline(methods) -> str | None:
    """The baseline that others are held against, of the names of methods."""
    return next((name for name in ("persistence", "linear") if name in methods), None)


def forecast_by(nowcast: Callable, cases: Cases) -> Method:
    """A nowcast as a method: it sees the observed frames of the windows, and the forcings where there are any."""

    def run(batch: Batch) -> np.ndarray:
        forcings = {} if batch.forcings is None else {"forcings": batch.forcings}
        return nowcast(batch.frames[:, : cases.input_length], cases.num_steps, **forcings)

    return run


class Sums(NamedTuple):
    """What the scores of some cases are made of: statistics by method and block, the RMSE by number of the case.

    `unreadable`: how many cases could not be read.
    """

    common: dict[str, dict]
    whole: dict[str, dict]
    ensembles: dict[str, dict]
    errors: dict[int, float]
    unreadable: int


def _no_sums(methods: Iterable[str]) -> Sums:
    common: dict[str, dict] = {name: {} for name in methods}
    return Sums(common, copy.deepcopy(common), copy.deepcopy(common), {}, 0)


def verify(methods: Mapping[str, Method], cases: Cases) -> Verification:
    """Scores every method on the same windows, streaming over them."""
    parts = split(cases)
    with tqdm(total=len(parts), desc="verifying", unit="batch", disable=None, leave=False) as bar:
        sums = measure_cases(methods, cases, parts, bar.update)
    with show_wait("computing intervals"):
        return conclude(methods, cases, [sums])


def split(cases: Cases) -> list[list[int]]:
    """The numbers of the windows in batches of bounded memory, of one source each, because grids may differ."""
    batches = []
    for source in sorted({window.source for window in cases.windows}):
        sizes = cases.sources[source].sizes
        pixels = (cases.crop or sizes["y"]) * (cases.crop or sizes["x"]) * cases.length
        size = int(np.clip(PIXELS_A_BATCH // pixels, 1, 16))
        numbers = [number for number, window in enumerate(cases.windows) if window.source == source]
        batches += [numbers[i : i + size] for i in range(0, len(numbers), size)]
    return batches


def measure_cases(
    methods: Mapping[str, Method], cases: Cases, parts: Iterable[list[int]], done: Callable[[], object] = lambda: None
) -> Sums:
    """The sums over the cases of these numbers, by block (event, or stretch of init times); `done` after each part."""
    blocks = assign_blocks(cases.windows, cases.length)
    sums = _no_sums(methods)
    bad = tolerate(cases.on_bad_window)

    def read(numbers):
        windows = [cases.windows[i] for i in numbers]
        return numbers, read_windows(cases.sources, windows, cases.length, cases.crop, bad)

    for numbers, batch in prefetch(read, parts):
        observed = _raise_to(cases.floor, batch.frames[:, cases.input_length :])
        forecasts = {name: _raise_to(cases.floor, run(batch)) for name, run in methods.items()}
        _add(sums, forecasts, observed, blocks.numbers[numbers], cases)
        sums.errors.update(zip(numbers, _measure_errors(next(iter(forecasts.values())), observed)))
        done()
    return sums._replace(unreadable=bad.count if bad else 0)


def conclude(methods: Iterable[str], cases: Cases, parts: Iterable[Sums]) -> Verification:
    """The scores of methods of these names, from the sums over parts of the cases, with intervals of the differences to
    the reference."""
    methods = list(methods)
    sums = _no_sums(methods)
    for part in parts:
        for kept, new in zip(sums[:3], part[:3]):
            for name, blocks in new.items():
                for block, statistics in blocks.items():
                    accumulate(kept[name], block, statistics)
        sums = sums._replace(errors=sums.errors | part.errors, unreadable=sums.unreadable + part.unreadable)
    described = _describe(cases, assign_blocks(cases.windows, cases.length).rule, sums.unreadable)
    stacked = {name: stack_blocks(blocks) for name, blocks in sums.common.items()}
    common = compare({name: score(sum_blocks(blocks)) for name, blocks in stacked.items()})
    names = [name for name in INTERVALS if name in common and common[name].size]
    reference = find_baseline(methods)  # without one to compare with: intervals only
    if reference:
        common = skill_against(common, reference)
    intervals = bootstrap(stacked, score_compared, reference=reference, names=names)
    common = xr.merge([common, intervals], join="exact", compat="no_conflicts", combine_attrs="drop_conflicts")
    whole = compare({name: score(sum_blocks(stack_blocks(blocks))) for name, blocks in sums.whole.items()})
    members = {name: ensemble_skill(sum_blocks(stack_blocks(b))) for name, b in sums.ensembles.items() if b}
    return Verification(
        common.assign_attrs(described | {"domain": "pixels that all methods forecast"}),
        whole.assign_attrs(described | {"domain": "pixels that the method forecasts"}),
        compare(members).assign_attrs(described) if members else None,
        np.array([sums.errors[number] for number in range(len(cases.windows))]),
    )


def _add(totals: Sums, forecasts: dict, observed: np.ndarray, blocks: np.ndarray, cases: Cases) -> None:
    """Adds the sums of some cases, whose blocks are given, to the totals; the mean stands for an ensemble."""
    labels, fields = _label_leads(cases), _describe_fields(cases)
    members = {name: frames for name, frames in forecasts.items() if frames.ndim == 6}
    forecasts = forecasts | {name: frames.mean(1) for name, frames in members.items()}
    shared, missing = keep_common(forecasts, observed), np.isnan(observed)
    for name, frames in forecasts.items():
        same = (np.isnan(shared[name]) == (np.isnan(frames) | missing)).all()
        for block in np.unique(blocks):
            chosen = blocks == block
            new = measure(shared[name][chosen], observed[chosen], cases.thresholds, cases.sides, **labels, **fields)
            accumulate(totals.common[name], block, new)
            if not same:
                new = measure(frames[chosen], observed[chosen], cases.thresholds, cases.sides, **labels, **fields)
            accumulate(totals.whole[name], block, new)
            if name in members:
                values = members[name][chosen], observed[chosen]
                new = ensemble_statistics(*values, cases.thresholds, **labels, units=cases.units)
                accumulate(totals.ensembles[name], block, new)


def _measure_errors(frames: np.ndarray, observed: np.ndarray) -> list[float]:
    """The RMSE of each case over all of its valid pixels; NaN without any."""
    square = np.square((frames.mean(1) if frames.ndim == 6 else frames) - observed)
    return [float(np.sqrt(one[np.isfinite(one)].mean())) if np.isfinite(one).any() else np.nan for one in square]


def _label_leads(cases: Cases) -> dict:
    """Lead times in minutes where all sources have one step, else in frames."""
    steps = {movies.attrs.get("step_seconds") for movies in cases.sources}
    number = np.arange(1, cases.num_steps + 1)
    step = steps.pop() if len(steps) == 1 else None
    if step is None:
        return {"lead_times": number, "lead_units": "1"}
    minutes = number * step / 60
    return {"lead_times": minutes.astype(int) if (minutes % 1 == 0).all() else minutes, "lead_units": "minutes"}


def _describe_fields(cases: Cases) -> dict:
    """What `measure` must know of the fields: units, what dry is, and the size of a pixel where there is one."""
    fields = {"units": cases.units, "data_range": cases.data_range}
    if cases.units in RANGES:
        fields["fill"] = cases.floor if cases.floor is not None else RANGES[cases.units].thresholds[0]
    sides = {Grid.of(movies).pixel_size for movies in cases.sources}
    if len(sides) == 1 and None not in sides:
        fields["pixel_size"] = sides.pop()
    shapes = {(cases.crop,) * 2 if cases.crop else (m.sizes["y"], m.sizes["x"]) for m in cases.sources}
    if len(shapes) > 1:
        fields["side"] = min(min(shape) for shape in shapes)
    return fields


def _describe(cases: Cases, blocks: str, unreadable: int) -> dict:
    described = {
        "cases": len(cases.windows) - unreadable,
        "movies": len({(window.source, window.movie) for window in cases.windows}),
        "blocks": blocks,
        "data": ", ".join(movies.attrs["source"] for movies in cases.sources),
    }
    if unreadable:
        described["unreadable"] = f"{unreadable} windows could not be read and count nowhere"
    if cases.floor is not None:
        described["floor"] = f"values below {cases.floor:g} {cases.units} count as {cases.floor:g} in all fields"
    return described


def _raise_to(floor, frames):
    return frames if floor is None else np.maximum(frames, np.asarray(floor, frames.dtype))
