"""The top of the report: warnings, what the scores say in words, the facts, and the score cards."""

from collections.abc import Mapping, Sequence

import xarray as xr

from predjax.pictures.lead_times import name_lead_unit
from predjax.pictures.report.page import Markup, Section, element, join
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


def show_warnings(warnings: Sequence[str]) -> Section | None:
    """What makes the scores doubtful."""
    if not warnings:
        return None
    lines = [element("li", warning) for warning in warnings]
    return Section("warning", "⚠ Warnings" if len(lines) > 1 else "⚠ Warning", element("ul", *lines))


def show_summary(common: xr.Dataset, facts: Mapping[str, str]) -> Section:
    """Each method against the reference in words, which one is best, and the facts."""
    leads, unit = common["lead_time"].values, name_lead_unit(common)
    reference = find_reference(common)
    parts: list[Markup] = []
    for method, contests in _all_contests(common, reference).items():
        first, *others = [contest for contest in contests if contest.score != "fss"] or contests
        parts.append(element("p", headline(first, method, reference, leads, unit), class_="lead"))
        parts.append(_list_said(merge_contests(others, leads, unit)))
    if not parts and "rmse" in common:
        parts.append(element("p", f"RMSE of {'; '.join(describe_growth(common))}.", class_="lead"))
    if common.sizes["method"] > 2 and (best := describe_best(common)):
        parts.append(element("p", "The best of all methods, by the number alone:", class_="lead"))
        parts.append(_list_said(best))
    entries = [element(tag, text) for name, value in facts.items() for tag, text in (("dt", name), ("dd", value))]
    if entries:
        parts += [element("h3", "What was verified"), element("dl", *entries)]
    return Section("summary", "Summary", join(*parts))


def show_score_cards(common: xr.Dataset) -> Section | None:
    """For each method a table of signs: where it is better than the reference, by score and lead time."""
    reference = find_reference(common)
    contests = _all_contests(common, reference)
    if not contests:
        return None
    cards = [
        element("div", element("h3", f"{method} against {reference}"), _make_card(own, common))
        for method, own in contests.items()
    ]
    narrow = common.sizes["lead_time"] <= MOST_NARROW and len(cards) > 1
    found = dict.fromkeys(finding for own in contests.values() for contest in own for finding in contest.findings)
    signs = sorted({f"{mark_finding(one)} {spell_finding(one)}" for one in found}, key=_order_sign)
    content = join(
        element("p", "; ".join(signs), ".", class_="note"),
        element("p", _explain_intervals(common, reference), class_="note"),
        element("div", *cards, class_="cards two" if narrow else "cards"),
    )
    return Section("cards", "Score card", content)


def _all_contests(common: xr.Dataset, reference: str) -> dict[str, list[Contest]]:
    """Of every method but the reference; none where there is no reference or no score."""
    methods = [str(method) for method in common["method"].values if reference and method != reference]
    contests = {method: hold_contests(common, method, reference) for method in methods}
    return {method: own for method, own in contests.items() if own}


def _list_said(said: Sequence[tuple[str, str]]) -> Markup:
    if not said:
        return Markup("")
    return element("ul", *(element("li", element("strong", names), f": {text}.") for names, text in said))


def _make_card(contests: Sequence[Contest], common: xr.Dataset) -> Markup:
    """A row for each score and a column for each lead time."""
    numbers = [element("th", f"{lead:g}", scope="col") for lead in common["lead_time"].values]
    head = element("tr", element("th", f"lead time ({name_lead_unit(common)})", scope="col"), *numbers)
    rows = [
        element("tr", element("th", contest.name, scope="row"), *map(_mark_cell, contest.findings))
        for contest in contests
    ]
    table = element("table", element("thead", head), element("tbody", *rows), class_="card")
    return element("div", table, class_="scroll", tabindex=0)


def _mark_cell(finding: Finding) -> Markup:
    sure = " sure" if finding.verdict == "resolved" else ""
    look = f"{finding.outcome}{sure}" if finding.outcome in (BETTER, WORSE) else "none"
    spoken = element("span", spell_finding(finding), class_="hidden")
    return element("td", mark_finding(finding), spoken, class_=look, title=spell_finding(finding))


def _order_sign(text: str) -> tuple[int, str]:
    return MARKS.index(text.strip("(")[0]), text


def _explain_intervals(common: xr.Dataset, reference: str) -> str:
    """What "resolved" rests on."""
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
