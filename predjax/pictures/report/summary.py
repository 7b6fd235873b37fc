"""The top of the report: warnings, the scores in words, the facts of the verification, and the score cards."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import xarray as xr

from predjax.pictures.lead_times import name_lead_unit
from predjax.pictures.report.answer import find_answers
from predjax.pictures.report.page import Section
from predjax.pictures.report.words import (
    BETTER,
    WORSE,
    Contest,
    Finding,
    describe_best,
    describe_growth,
    find_reference,
    headline,
    hold_contests,
    mark_finding,
    merge_contests,
    spell_finding,
)

MARKS = "▲△▽▼=–"  # as the note explains them
MOST_NARROW = 14  # lead times that fit in a card of half the page's width


class Mark(NamedTuple):
    """A cell of a score card: its sign, the finding in words, and its classes in the stylesheet."""

    sign: str
    words: str
    look: str


def show_warnings(warnings: Sequence[str]) -> Section | None:
    """Show the reasons to doubt the scores."""
    if not warnings:
        return None
    return Section("warning", "⚠ Warnings" if len(warnings) > 1 else "⚠ Warning", "warning", {"warnings": warnings})


def show_summary(common: xr.Dataset, facts: Mapping[str, str]) -> Section:
    """Show the best method and the facts. Without the first page, also compare the methods with the reference."""
    leads, unit = common["lead_time"].values, name_lead_unit(common)
    reference = find_reference(common)
    statements: list[tuple[str, list[tuple[str, str]]]] = []  # a sentence, and (scores, what is said) in a list
    answered = bool(find_answers(common))
    contests_of = {} if answered else _all_contests(common, reference)
    for method, contests in contests_of.items():
        first, *others = [contest for contest in contests if contest.score != "fss"] or contests
        statements.append((headline(first, method, reference, leads, unit), merge_contests(others, leads, unit)))
    if not statements and not answered and "rmse" in common:
        statements.append((f"RMSE of {'; '.join(describe_growth(common))}.", []))
    if common.sizes["method"] > 2 and (best := describe_best(common)):
        statements.append(("The best of all methods, by the number alone:", best))
    return Section("summary", "Summary", "summary", {"statements": statements, "facts": facts})


def show_score_cards(common: xr.Dataset) -> Section | None:
    """Show a table of signs for each method: is it better than the reference, by score and lead time?"""
    reference = find_reference(common)
    contests = _all_contests(common, reference)
    if not contests:
        return None
    cards = [
        (f"{method} against {reference}", [(one.name, [_mark(finding) for finding in one.findings]) for one in own])
        for method, own in contests.items()
    ]
    found = dict.fromkeys(finding for own in contests.values() for contest in own for finding in contest.findings)
    signs = sorted({f"{mark_finding(one)} {spell_finding(one)}" for one in found}, key=_order_sign)
    leads = common["lead_time"].values
    content = {
        "notes": [f"{'; '.join(signs)}.", _explain_intervals(common, reference)],
        "heads": [f"lead time ({name_lead_unit(common)})", *(f"{lead:g}" for lead in leads)],
        "cards": cards,
        "two": len(leads) <= MOST_NARROW and len(cards) > 1,
    }
    return Section("cards", "Score card", "cards", content)


def _all_contests(common: xr.Dataset, reference: str) -> dict[str, list[Contest]]:
    """Return the contests of every method but the reference; none where there is no reference or no score."""
    methods = [str(method) for method in common["method"].values if reference and method != reference]
    contests = {method: hold_contests(common, method, reference) for method in methods}
    return {method: own for method, own in contests.items() if own}


def _mark(finding: Finding) -> Mark:
    sure = " sure" if finding.verdict == "resolved" else ""
    look = f"{finding.outcome}{sure}" if finding.outcome in (BETTER, WORSE) else "none"
    return Mark(mark_finding(finding), spell_finding(finding), look)


def _order_sign(text: str) -> tuple[int, str]:
    return MARKS.index(text.strip("(")[0]), text


def _explain_intervals(common: xr.Dataset, reference: str) -> str:
    """Explain the word "resolved" in the report."""
    lows = [values for name, values in common.data_vars.items() if str(name).endswith("_low")]
    if not lows:
        return f"There are no intervals: whether a difference to {reference} is luck cannot be told."
    level, blocks, draws = (common.attrs.get(f"interval_{name}") for name in ("level", "blocks", "resamples"))
    origin = (
        f"block bootstrap over {blocks} block{'' if blocks == 1 else 's'} of cases" if blocks else "block bootstrap"
    )
    if not any(values.notnull().any() for values in lows):
        return f"Too few cases for intervals ({origin}): whether a difference to {reference} is luck cannot be told."
    share = f"{100 * level:g} % " if level else ""
    return (
        f"Resolved: the {share}interval of the difference to {reference} does not hold zero ({origin}"
        f"{f', {draws:,} resamples' if draws else ''}; all methods are drawn together)."
    )
