"""The comparison of methods in words: where a method is better than the reference, and with what certainty."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from predjax.pictures.lead_times import find_ensembles, name_event, name_lead_unit

SIGNS = {"rmse": -1, "mae": -1, "csi": 1, "fss": 1, "ssim": 1, "psnr": 1}  # 1: more is better
SHORT = {name: name.upper() for name in SIGNS}
OF_ENSEMBLES = ("crps", "crps_area", "brier")  # without an ensemble among the methods they tell nothing new
SIGNS |= dict.fromkeys(OF_ENSEMBLES, -1)
SHORT |= {"crps": "CRPS", "crps_area": "CRPS of areas", "brier": "Brier"}
BETTER, EQUAL, WORSE, UNDEFINED = "better", "equal", "worse", "undefined"


class Finding(NamedTuple):
    """The comparison of a method with the reference at one lead time, and the verdict of the bootstrap ("" = none)."""

    outcome: str
    verdict: str


class Contest(NamedTuple):
    """The comparison of a method with the reference in one score, by lead time, with the score's name and words."""

    name: str
    score: str
    findings: list[Finding]


def find_reference(comparison: xr.Dataset) -> str:
    """Return the method to compare the others with: the reference of the bootstrap, else persistence, else ""."""
    methods = [str(method) for method in comparison["method"].values]
    for name in comparison.data_vars:
        if str(name).endswith("_verdict"):
            verdicts = comparison[name].values.reshape(len(methods), -1)
            return next((m for m, own in zip(methods, verdicts) if (own == "reference").any()), "")
    return "persistence" if "persistence" in methods and len(methods) > 1 else ""


def has_intervals(comparison: xr.Dataset) -> bool:
    """Return whether any score has an interval; scores of too few cases have none."""
    return any(str(name).endswith("_low") and values.notnull().any() for name, values in comparison.data_vars.items())


def hold_contests(comparison: xr.Dataset, method: str, reference: str) -> list[Contest]:
    """Return the comparison of a method with the reference in each score of SIGNS, by threshold and window."""
    return [
        Contest(name, score, judge(comparison, score, method, reference, where))
        for name, score, where in _list_scores(comparison)
    ]


def judge(comparison: xr.Dataset, score: str, method: str, reference: str, where: dict | None = None) -> list[Finding]:
    """Return the findings of a score at every lead time; `where` gives the positions of a threshold and a window."""
    part = comparison.isel(where or {})
    own, other = (part[score].sel({"method": name}).values for name in (method, reference))
    gain = SIGNS[score] * (own - other)
    words = np.full(gain.shape, "", dtype=object)
    if f"{score}_verdict" in part:
        words = part[f"{score}_verdict"].sel({"method": method}).values
    return [Finding(_name_outcome(value), "" if np.isnan(value) else str(word)) for value, word in zip(gain, words)]


def describe_contest(findings: Sequence[Finding], leads: Sequence[float] | np.ndarray, unit: str) -> str:
    """Say where a method is better or worse: "better at 5–30 min (resolved), worse at 60 min (not resolved)"."""
    texts = []
    for outcome in (BETTER, EQUAL, WORSE, UNDEFINED):
        chosen = [finding.outcome == outcome for finding in findings]
        if any(chosen):
            where = "at every lead time" if all(chosen) else f"at {spell_leads(leads, chosen, unit)}"
            sure = _describe_verdicts(findings, chosen, leads, unit) if outcome in (BETTER, WORSE) else ""
            texts.append(f"{outcome} {where}{sure}")
    return ", ".join(texts)


def headline(contest: Contest, method: str, reference: str, leads: Sequence[float] | np.ndarray, unit: str) -> str:
    """Return a contest as a sentence.

    An example: "predrnn_v2 is better than persistence in RMSE at every lead time (resolved).".
    """
    text = describe_contest(contest.findings, leads, unit)
    for outcome, preposition in ((BETTER, "than"), (WORSE, "than"), (EQUAL, "to")):
        if text.startswith(outcome):
            rest = text.removeprefix(outcome)
            return f"{method} is {outcome} {preposition} {reference} in {contest.name}{rest}."
    return f"{method} against {reference}: {contest.name} is {text}."


def merge_contests(
    contests: Iterable[Contest], leads: Sequence[float] | np.ndarray, unit: str
) -> list[tuple[str, str]]:
    """Return pairs (scores, where a method is better or worse); scores with the same text share an entry."""
    said: dict[str, list[str]] = {}
    for contest in contests:
        said.setdefault(describe_contest(contest.findings, leads, unit), []).append(contest.name)
    return [(spell_list(names), text) for text, names in said.items()]


def describe_best(comparison: xr.Dataset) -> list[tuple[str, str]]:
    """Return pairs (scores, the best method at each lead time), by the numbers alone; ties are left out."""
    leads, unit = comparison["lead_time"].values, name_lead_unit(comparison)
    methods = [str(method) for method in comparison["method"].values]
    said: dict[str, list[str]] = {}
    for name, score, where in _list_scores(comparison):
        if score == "fss":
            continue
        gains = SIGNS[score] * comparison[score].isel(where).transpose("method", "lead_time").values
        best = np.nanmax(gains, axis=0, initial=-np.inf) == gains
        best &= best.sum(axis=0) == 1
        texts = []
        for method, chosen in zip(methods, best):
            if chosen.any():
                texts.append(f"{method} at {'every lead time' if chosen.all() else spell_leads(leads, chosen, unit)}")
        if texts:
            said.setdefault(", ".join(texts), []).append(name)
    return [(spell_list(names), text) for text, names in said.items()]


def mark_finding(finding: Finding) -> str:
    """Return a sign: up is better, down is worse, filled is resolved, brackets mean too few cases."""
    if finding.outcome in (EQUAL, UNDEFINED):
        return {EQUAL: "=", UNDEFINED: "–"}[finding.outcome]
    filled, hollow = {BETTER: ("▲", "△"), WORSE: ("▼", "▽")}[finding.outcome]
    if finding.verdict == "resolved":
        return filled
    return f"({hollow})" if finding.verdict == "too few cases" else hollow


def spell_finding(finding: Finding) -> str:
    """Return a finding in words: "better, resolved"."""
    if finding.outcome in (EQUAL, UNDEFINED) or not finding.verdict:
        return finding.outcome
    return f"{finding.outcome}, {finding.verdict}"


def describe_growth(comparison: xr.Dataset, score: str = "rmse") -> list[str]:
    """Return a sentence with the error of each method at the first and the last lead time."""
    leads, unit = comparison["lead_time"].values, name_lead_unit(comparison)
    units = comparison.attrs.get("units", "1")
    suffix = "" if units == "1" else f" {units}"
    texts = []
    for method in map(str, comparison["method"].values):
        values = comparison[score].sel({"method": method}).values
        text = f"{method}: {values[0]:.3g}{suffix} at {spell_lead(leads[0], unit)}"
        if len(leads) > 1:
            text += f", {values[-1]:.3g}{suffix} at {spell_lead(leads[-1], unit)}"
        texts.append(text)
    return texts


def spell_lead(lead: float, unit: str) -> str:
    """Return a lead time in words: "5 min", or "frame 5" where lead times are counted in frames."""
    return f"frame {lead:g}" if unit == "frames" else f"{lead:g} {unit}"


def spell_leads(leads: Sequence[float] | np.ndarray, chosen: Sequence[bool] | np.ndarray, unit: str) -> str:
    """Return the chosen lead times in words, with runs as ranges.

    >>> spell_leads([5, 10, 15, 20, 25], [True, True, True, False, True], "min")
    '5–15 and 25 min'
    """
    runs = []
    for wanted, run in itertools.groupby(zip(chosen, leads), key=lambda pair: pair[0]):
        found = [lead for _, lead in run]
        if wanted:
            runs.append(f"{found[0]:g}" + (f"–{found[-1]:g}" if len(found) > 1 else ""))
    text = spell_list(runs)
    return f"{'frame' if sum(chosen) == 1 else 'frames'} {text}" if unit == "frames" else f"{text} {unit}"


def spell_list(items: Sequence[str]) -> str:
    """Return a list in words: "a, b and c"."""
    *most, last = items
    return f"{', '.join(most)} and {last}" if most else last


def _name_outcome(gain: float) -> str:
    return UNDEFINED if np.isnan(gain) else BETTER if gain > 0 else WORSE if gain < 0 else EQUAL


def _list_scores(comparison: xr.Dataset) -> Iterator[tuple[str, str, dict]]:
    """Yield each score in words, its name, and the positions of its threshold and window."""
    left_out = () if find_ensembles(comparison) else OF_ENSEMBLES
    for score in (name for name in SIGNS if name in comparison and name not in left_out):
        dims = comparison[score].dims
        if "threshold" not in dims:
            if comparison[score].notnull().any():
                yield SHORT[score], score, {}
            continue
        for number, threshold in enumerate(comparison["threshold"].values):
            text = f"{SHORT[score]} {name_event(comparison, threshold)}"
            if "window" not in dims:
                yield text, score, {"threshold": number}
                continue
            for place, side in enumerate(comparison["window"].values):  # the side of a square
                yield f"{text}, {side} px", score, {"threshold": number, "window": place}


def _describe_verdicts(
    findings: Sequence[Finding], chosen: Sequence[bool], leads: Sequence[float] | np.ndarray, unit: str
) -> str:
    """Return the verdicts at the chosen lead times: " (resolved at 5–30 min, not resolved at 35–60 min)"."""
    words = [finding.verdict for finding, wanted in zip(findings, chosen) if wanted]
    found = list(dict.fromkeys(word for word in words if word))
    if not found:
        return ""
    if len(set(words)) == 1:
        return f" ({_spell_verdict(words[0])})"
    texts = []
    for word in found:
        own = [wanted and finding.verdict == word for finding, wanted in zip(findings, chosen)]
        texts.append(f"{_spell_verdict(word)} at {spell_leads(leads, own, unit)}")
    return f" ({', '.join(texts)})"


def _spell_verdict(word: str) -> str:
    return f"{word} to be sure" if word == "too few cases" else word
