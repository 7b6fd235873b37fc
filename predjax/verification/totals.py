"""The totals of a verification: sums over cases, which can be added, and the scores of the total."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import xarray as xr

from predjax.radar.windows.bad_windows import tolerate
from predjax.radar.windows.batches import Batch, read_windows
from predjax.radar.windows.prefetch import prefetch
from predjax.verification.bootstrap import bootstrap
from predjax.verification.case_blocks import assign_blocks, stack_blocks, sum_blocks
from predjax.verification.cases import Cases, Method, find_baseline
from predjax.verification.common_domain import drop_pixels, find_lacking, find_missing
from predjax.verification.fields import Scoring
from predjax.verification.measure import measure, score, score_compared
from predjax.verification.skill import compare, skill_against
from predjax.verification.sums import add_statistics
from predjax.verification.usefulness import judge_usefulness

INTERVALS = ("rmse", "mae", "mean_error", "csi", "fss")
INTERVALS += ("areal_crps", "areal_bias", "areal_brier")
INTERVALS += ("crps", "crps_area", "crps_accumulation", "brier", "spread_ratio", "roc_area")


class Verification(NamedTuple):
    """The scores of all methods.

    `common`: on the pixels that all methods forecast, with intervals and verdicts.
    `whole`: on each method's own pixels.
    `errors`: the RMSE of the first method over all lead times, for each window in the order of the windows.
    `kept`: the forecasts of each method for a few windows, by the number of the window (`shown.ShownCases`).
    `protocol`: the scores of a published protocol on each method's own pixels; None without one.
    """

    common: xr.Dataset
    whole: xr.Dataset
    errors: np.ndarray
    kept: Mapping[int, Mapping[str, np.ndarray]] = {}
    protocol: xr.Dataset | None = None


class Watch(NamedTuple):
    """The functions to call while forecasts are made and scored.

    `wait`: before each step of a batch, with the method that makes its forecasts, or "" for the scores.
    `keep`: with the numbers of the windows, the RMSE of the first method for each of them, and the forecasts of all.
    `done`: after each batch.
    """

    wait: Callable[[str], object] = lambda method: None
    keep: Callable[[list[int], list[float], Mapping[str, np.ndarray]], object] = lambda numbers, errors, forecasts: None
    done: Callable[[], object] = lambda: None


SILENT = Watch()


class Part(NamedTuple):
    """The name of a set of statistics: domain ("common", "whole" or "protocol"), method, and block of cases."""

    domain: str
    method: str
    block: int


@dataclass(frozen=True)
class Totals:
    """The sums over some cases. `a + b` has the sums over the cases of both; `Totals()` is the sum over no case.

    `sums`: the additive statistics of each part.
    `errors`: the RMSE of the first method, by the number of the window.
    `unreadable`: how many windows could not be read.
    """

    sums: Mapping[Part, xr.Dataset] = field(default_factory=dict)
    errors: Mapping[int, float] = field(default_factory=dict)
    unreadable: int = 0

    def __add__(self, other: "Totals") -> "Totals":
        """Add the totals of other cases; raises the ValueError of `sums.check_same_labels`."""
        sums = dict(self.sums)
        for part, new in other.sums.items():
            sums[part] = add_statistics(sums[part], new) if part in sums else new
        return Totals(sums, {**self.errors, **other.errors}, self.unreadable + other.unreadable)

    def skill(self, cases: Cases, reference: str | None = None) -> Verification:
        """Return the scores of all methods, with intervals of the differences to the reference.

        By default the reference is that of `cases.find_baseline`.
        """
        described = _describe(cases, self.unreadable)
        stacked = self._stack("common")
        common = compare({name: score(sum_blocks(blocks)) for name, blocks in stacked.items()})
        names = [name for name in INTERVALS if name in common and common[name].size]
        reference = reference or find_baseline(stacked)  # without one to compare with: intervals only
        if reference:
            common = skill_against(common, reference)
        intervals = bootstrap(stacked, score_compared, reference=reference, names=names)
        common = xr.merge([common, intervals], join="exact", compat="no_conflicts", combine_attrs="drop_conflicts")
        if reference:
            common = common.assign(judge_usefulness(common, reference).data_vars)
        whole = compare({name: score(sum_blocks(blocks)) for name, blocks in self._stack("whole").items()})
        return Verification(
            common.assign_attrs(described | {"domain": "pixels that all methods forecast"}),
            whole.assign_attrs(described | {"domain": "pixels that the method forecasts"}),
            np.array([self.errors[number] for number in range(len(cases.windows))]),
            protocol=self._score_protocol(cases),
        )

    def _score_protocol(self, cases: Cases) -> xr.Dataset | None:
        if cases.protocol is None:
            return None
        stacked = self._stack("protocol")
        return compare({name: cases.protocol.score(sum_blocks(blocks)) for name, blocks in stacked.items()})

    def _stack(self, domain: str) -> dict[str, xr.Dataset]:
        """Return the statistics of each method in a domain, along the dimension `block`."""
        found: dict[str, dict[int, xr.Dataset]] = {}
        for part, statistics in self.sums.items():
            if part.domain == domain:
                found.setdefault(part.method, {})[part.block] = statistics
        return {method: stack_blocks(blocks) for method, blocks in found.items()}


def measure_cases(
    methods: Mapping[str, Method], cases: Cases, parts: Iterable[list[int]], watch: Watch = SILENT
) -> Totals:
    """Return the totals over the cases whose numbers are in `parts`, one batch for each part."""
    blocks = assign_blocks(cases.windows, cases.length)
    totals = Totals()
    bad = tolerate(cases.on_bad_window)

    def read(numbers: list[int]) -> tuple[list[int], Batch]:
        windows = [cases.windows[i] for i in numbers]
        return numbers, read_windows(cases.sources, windows, cases.length, cases.crop, bad)

    for numbers, batch in prefetch(read, parts):
        observed = _raise_to(cases.floor, batch.frames[:, cases.input_length :])
        forecasts = {}
        for name, run in methods.items():
            watch.wait(name)
            forecasts[name] = _raise_to(cases.floor, run(batch))
        watch.wait("")
        errors = _measure_errors(next(iter(forecasts.values())), observed)
        watch.keep(numbers, errors, forecasts)
        scoring = cases.find_scoring(cases.windows[numbers[0]].source)
        new = _measure(forecasts, observed, blocks.numbers[numbers], scoring)
        if cases.protocol:  # blocks of cases are for intervals, which no protocol has
            new |= {Part("protocol", name, 0): cases.protocol.measure(frames, observed, scoring)
                    for name, frames in forecasts.items()}  # fmt: skip
        totals += Totals(new, dict(zip(numbers, errors)))
        watch.done()
    return replace(totals, unreadable=bad.count if bad else 0)


def _measure(
    forecasts: dict[str, np.ndarray], observed: np.ndarray, blocks: np.ndarray, scoring: Scoring
) -> dict[Part, xr.Dataset]:
    """Return the statistics of some cases in the given blocks (case,)."""
    lacking, unseen = find_lacking(forecasts, observed), np.isnan(observed)
    sums: dict[Part, xr.Dataset] = {}
    for name, frames in forecasts.items():
        same = (lacking == (find_missing(frames) | unseen)).all()
        for block in np.unique(blocks).tolist():
            chosen = blocks == block
            own, seen = frames[chosen], observed[chosen]
            new = measure(drop_pixels(own, lacking[chosen]), seen, scoring)
            sums[Part("common", name, block)] = new
            sums[Part("whole", name, block)] = new if same else measure(own, seen, scoring)
    return sums


def _measure_errors(frames: np.ndarray, observed: np.ndarray) -> list[float]:
    """Return the RMSE of each case over all of its valid pixels; NaN without a valid pixel."""
    square = np.square((frames.mean(1) if frames.ndim == 6 else frames) - observed)
    return [float(np.sqrt(one[np.isfinite(one)].mean())) if np.isfinite(one).any() else np.nan for one in square]


def _describe(cases: Cases, unreadable: int) -> dict[str, str | int | float]:
    """Return the attributes that describe the verified data."""
    described: dict[str, str | int | float] = {
        "cases": len(cases.windows) - unreadable,
        "movies": len({(window.source, window.movie) for window in cases.windows}),
        "blocks": assign_blocks(cases.windows, cases.length).rule,
        "data": ", ".join(movies.attrs["source"] for movies in cases.sources),
    }
    if unreadable:
        described["unreadable"] = f"{unreadable} windows could not be read and count nowhere"
    if cases.scoring.pixel_size is not None:
        described["pixel_size"] = cases.scoring.pixel_size
    if cases.floor is not None:
        described["floor"] = f"values below {cases.floor:g} {cases.units} count as {cases.floor:g} in all fields"
    return described


def _raise_to(floor: float | None, frames: np.ndarray) -> np.ndarray:
    return frames if floor is None else np.maximum(frames, np.asarray(floor, frames.dtype))
