"""The scores of `ensembles.py`, and what they say about an ensemble: the table of its targets."""

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import xarray as xr
from ensemble_scores import EVENTS as THRESHOLDS
from ensemble_scores import MINUTES, Sums

from predjax.verification.amounts import amount_skill
from predjax.verification.bootstrap import DRAWS, FEWEST_BLOCKS, draw_blocks, widen_level
from predjax.verification.ensembles import ensemble_skill
from predjax.verification.scores import skill

STEPS = ("pysteps_steps", "pysteps_steps_auto")
# CSI in "Events left out" of docs/skill.md, after MINUTES: means of the events there that are events here.
DOCUMENTED = ("knmi_20100826", "fmi_20160928", "fmi_20170509", "mch_20160711")
DOCUMENTED_CSI = {1.0: (0.627, 0.461, 0.347), 5.0: (0.331, 0.140, 0.055)}

Scores = dict[str, dict[str, xr.Dataset]]  # by event and method


class Row(NamedTuple):
    """A line of the table of targets; `met` is None where it cannot be told."""

    what: str
    target: str
    found: str
    met: bool | None


def find_scores(sums: Sums) -> xr.Dataset:
    """Return the scores of the sums of an event's cases, by lead time where nothing else is said.

    crps, spread_ratio, rmse (of the mean), brier (threshold, lead_time); crps_area, crps_accumulation (one number);
    brier_near; mae_median; csi_matched (threshold, lead_time); power (members over observed); rank_histogram (rank) and
    the counts said and came (threshold, members_above) of the reliability diagram, of all lead times together; pixels.
    """
    pixels, near, power = ensemble_skill(sums["pixels"]), ensemble_skill(sums["near"]), sums["power"]
    counts, ranks = (sums[name].sum("lead_time") for name in ("pixels", "ranks"))
    chosen = {"threshold": list(THRESHOLDS)}
    return xr.Dataset(
        {name: pixels[name] for name in ("crps", "spread_ratio")}
        | {name: amount_skill(sums["amounts"])[name] for name in ("crps_area", "crps_accumulation")}
        | {
            "rmse": pixels.ensemble_rmse,
            "brier": pixels.brier.sel(chosen),
            "brier_near": near.brier.sel(chosen),
            "mae_median": skill(sums["median"]).mae,
            "csi_matched": skill(sums["matched"]).csi.sel(chosen),
            "power": power.power_members / power.power_observed.where(power.power_observed > 0),
            "rank_histogram": ranks.ranks / ranks.rank_pixels,
            "said": counts.member_events.sel(chosen),
            "came": counts.member_events_observed.sel(chosen),
            "pixels": pixels.ensemble_pairs,
        }
    ).drop_attrs()


def find_steps(scores: Scores) -> dict[str, str]:
    """Return for each event the variant of STEPS with the smaller CRPS."""
    found = {}
    for event, by_method in scores.items():
        variants = [name for name in STEPS if name in by_method]
        found[event] = min(variants, key=lambda name: float(by_method[name].crps.mean()))
    return found


def choose_by_others(scores: Scores, candidates: list[str], trained: Collection[str]) -> dict[str, str]:
    """Return for each event the candidate with the smallest geometric mean of CRPS on the other `trained` events."""
    crps = {
        event: np.log([by_method[name].crps.mean() for name in candidates])
        for event, by_method in scores.items()
        if event in trained
    }
    return {
        event: candidates[int(np.argmin(sum(values for other, values in crps.items() if other != event)))]
        for event in scores
    }


def find_ratios(scores: Scores, name: str, method: str, other: dict[str, str]) -> dict[str, float]:
    """Return a score's mean over lead times, of the method over that of the `other` method of each event."""
    return {
        event: float(by_method[method][name].mean() / by_method[other[event]][name].mean())
        for event, by_method in scores.items()
    }


def average_ratios(ratios: dict[str, float]) -> tuple[float, tuple[float, float] | None]:
    """Return the geometric mean of ratios by event, and its interval by a bootstrap of events, if they are enough."""
    logarithms = np.log(list(ratios.values()))
    count = len(logarithms)
    if count < FEWEST_BLOCKS:
        return float(np.exp(logarithms.mean())), None
    draws = draw_blocks(count, DRAWS.resamples, DRAWS.seed) @ logarithms / count
    low, high = np.exp(np.quantile(draws, widen_level(DRAWS.level, count)))
    return float(np.exp(logarithms.mean())), (float(low), float(high))


def judge(scores: Scores, method: str) -> list[Row]:
    """Return the table of targets of a method; `scores` are of the events that are in the means."""
    steps = find_steps(scores)
    rows = [
        _judge_ratios("CRPS", find_ratios(scores, "crps", method, steps), 0.88, worst=1.0),
        _judge_spread(scores, method),
        _judge_ranks(scores, method),
        _judge_ratios("CRPS of 16x16 means", find_ratios(scores, "crps_area", method, steps), 0.90),
        _judge_ratios("CRPS of hourly totals", find_ratios(scores, "crps_accumulation", method, steps), 0.90),
    ]
    for name, where in (("brier", "at pixels"), ("brier_near", "within 10 km")):
        for threshold in THRESHOLDS:
            rows.append(_judge_brier(scores, method, steps, name, threshold, where))
    power = _average(scores, method, "power")
    met = None if np.isnan(power).any() else _within(power, 0.75, 1.25)
    rows.append(Row("power at 4 to 32 pixels, of the observed", "0.75 to 1.25", _join(power), met))
    rows.append(_judge_error(scores, method, steps, "rmse", "RMSE of the mean"))
    rows.append(_judge_error(scores, method, steps, "mae_median", "MAE of the median"))
    rows += [_judge_csi(scores, method, threshold) for threshold in THRESHOLDS]
    return rows


def _judge_ratios(what: str, ratios: dict[str, float], limit: float, worst: float = np.inf) -> Row:
    mean, interval = average_ratios(ratios)
    resolved = "not resolved: too few events"
    if interval:
        verdict = "resolved" if interval[1] < 1 or interval[0] > 1 else "not resolved"
        resolved = f"95 % {interval[0]:.3f} to {interval[1]:.3f}, {verdict}"
    each = ", ".join(f"{event} {ratio:.3f}" for event, ratio in ratios.items())
    target = f"at most {limit:.2f}" + (f", no event above {worst:.1f}" if np.isfinite(worst) else "")
    met = mean <= limit and max(ratios.values()) <= worst
    return Row(f"{what}, ratio to STEPS", target, f"{mean:.3f} ({resolved}); {each}", met)


def _judge_spread(scores: Scores, method: str) -> Row:
    spread = np.array([_pick(by_method[method].spread_ratio) for by_method in scores.values()])
    means = np.exp(np.log(spread).mean(0))
    found = f"{_join(means)}; events {spread.min():.2f} to {spread.max():.2f}"
    met = _within(means, 0.9, 1.1) and _within(spread, 0.75, 1.25)
    return Row("spread over error", "mean 0.9 to 1.1, every event 0.75 to 1.25", found, met)


def _judge_ranks(scores: Scores, method: str) -> Row:
    shares = np.mean([by_method[method].rank_histogram for by_method in scores.values()], 0)
    relative = shares * len(shares)
    found = f"{relative.min():.2f} (rank {relative.argmin()}) to {relative.max():.2f} (rank {relative.argmax()})"
    return Row("rank histogram, share of each rank over 1/25", "0.7 to 1.3", found, _within(relative, 0.7, 1.3))


def _judge_brier(scores: Scores, method: str, steps: dict[str, str], name: str, threshold: float, where: str) -> Row:
    pairs = [(by_method[method], by_method[steps[event]]) for event, by_method in scores.items()]
    own, other = (np.mean([one[name].sel(threshold=threshold) for one in side], 0) for side in zip(*pairs))
    ratio = np.divide(own, other, out=np.full(len(own), np.nan), where=other > 0)
    found = f"below at {(ratio < 1).sum()} of {len(ratio)}; ratio {ratio.min():.2f} to {ratio.max():.2f}"
    what = f"Brier score at {threshold:g} mm/h {where}"
    return Row(what, "below STEPS at every lead time", found, bool((ratio < 1).all()))


def _judge_error(scores: Scores, method: str, steps: dict[str, str], name: str, what: str) -> Row:
    rivals = {"S-PROG": dict.fromkeys(scores, "pysteps_sprog"), "STEPS": steps}
    rivals["network of today"] = dict.fromkeys(scores, "network")
    own = _average(scores, method, name)
    texts, lower = [_join(own, 3)], []
    for label, rival in rivals.items():
        if all(rival[event] in scores[event] for event in scores):
            other = _average({event: {label: scores[event][rival[event]]} for event in scores}, label, name)
            texts.append(f"{label} {_join(other, 3)}")
            lower.append((own < other).all())
    return Row(what, "below S-PROG, STEPS, the network of today", "; ".join(texts), all(lower) if lower else None)


def _judge_csi(scores: Scores, method: str, threshold: float) -> Row:
    target = np.array(DOCUMENTED_CSI[threshold]) - 0.005
    what, wanted = f"CSI at {threshold:g} mm/h of `matched`, four events", f"at least {_join(target, 3)}"
    if any(event not in scores for event in DOCUMENTED):
        return Row(what, wanted, "not all of them are measured", None)
    documented = {event: scores[event] for event in DOCUMENTED}
    csi = _average(documented, method, "csi_matched", threshold=threshold)
    return Row(what, wanted, _join(csi, 3), bool((csi >= target).all()))


def _pick(values: xr.DataArray) -> np.ndarray:
    return values.sel(lead_time=list(MINUTES)).values


def _average(scores: Scores, method: str, name: str, **chosen: float) -> np.ndarray:
    """Return a score's mean over events after MINUTES; an event without a value at a lead time is left out there."""
    values = np.ma.masked_invalid([_pick(by_method[method][name].sel(chosen)) for by_method in scores.values()])
    return values.mean(0).filled(np.nan)


def _within(values: np.ndarray, low: float, high: float) -> bool:
    return bool(((values >= low) & (values <= high)).all())


def _join(values: np.ndarray, digits: int = 2) -> str:
    return " / ".join(f"{value:.{digits}f}" for value in values)
