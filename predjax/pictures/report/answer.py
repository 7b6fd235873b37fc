"""The first page of the report, which answers: may I use the forecast, at which thresholds, and until when?"""

import textwrap
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from predjax.pictures.lead_times import find_ensembles, name_event, name_lead_unit
from predjax.pictures.report.page import Section
from predjax.pictures.report.words import has_intervals, spell_lead, spell_leads, spell_list

QUESTION = "May I use it?"
NOTHING = "No event was observed."
PLAIN = ("persistence", "linear")  # are there to compare with, and judged only where there is nothing else
SIGNS = {"better and useful": "yes", "perhaps better": "?", "useful": "=", "not useful": "no", "no event": "-"}
WIDTH = 110


class Cell(NamedTuple):
    """A cell of the matrix: its sign, the state in words, its class in the stylesheet, the side of the window."""

    sign: str
    words: str
    look: str
    size: str = ""


class Answer(NamedTuple):
    """The answer for one method: a sentence, and a line and the states by lead time for each threshold."""

    method: str
    sentence: str
    lines: list[tuple[str, str]]  # (event, what is said of it)
    rows: list[list[tuple[str, str]]]  # [threshold][lead time]: the state, and the window in which it is useful or ""


def find_answers(common: xr.Dataset) -> list[Answer]:
    """Return the answers for the methods in `attrs["judged"]`, else for all but the reference; [] without verdicts."""
    if "use" not in common:
        return []
    methods = [str(method) for method in common["method"].values]
    others = [method for method in methods if method != common.attrs["reference"]]
    chosen = [method for method in others if method in np.atleast_1d(common.attrs.get("judged", ()))]
    return [_answer(common, method) for method in chosen or [m for m in others if m not in PLAIN] or others]


def show_answer(common: xr.Dataset) -> Section | None:
    """Show the answers: sentences, the matrix of states by threshold and lead time, and a line on each of its rows."""
    answers = find_answers(common)
    if not answers:
        return None
    words = _explain_signs(common)
    groups = []
    for answer in answers:
        cells = [[_make_cell(state, words, side) for state, side in row] for row in answer.rows]
        groups.append((answer.method, [(event, row) for (event, _), row in zip(answer.lines, cells)]))
    found = {state for answer in answers for row in answer.rows for state, _ in row}
    unit = "km" if "pixel_size" in common.attrs else "pixels"
    sized = any(window for answer in answers for row in answer.rows for _, window in row)
    sizes = [f"Small numbers: the side, in {unit}, of the smallest window that is useful."] if sized else []
    reference = common.attrs["reference"]
    sure = (
        [f"Resolved: the interval of the difference to {reference} does not hold zero."]
        if has_intervals(common)
        else []
    )
    content = {
        "doubt": _describe_doubt(common),
        "answers": answers,
        "heads": [f"{lead:g}" for lead in common["lead_time"].values],
        "unit": name_lead_unit(common),
        "groups": groups,
        "legend": [_make_cell(state, words) for state in SIGNS if state in found],
        "notes": [*sure, *sizes, *_explain_rules(answers, find_ensembles(common))],
    }
    return Section("use", QUESTION, "answer", content)


def _make_cell(state: str, words: Mapping[str, str], window: str = "") -> Cell:
    return Cell(SIGNS[state].replace("-", "–"), words[state], state.replace(" ", "-"), window.split(" ")[0])


def format_answer(common: xr.Dataset) -> list[str]:
    """Return the lines of the same answers for a terminal: sentences, and a table of the signs."""
    answers = find_answers(common)
    if not answers:
        return []
    leads = [f"{lead:g}" for lead in common["lead_time"].values]
    lines = [QUESTION, " ".join([*filter(None, [_describe_doubt(common)]), _plain(answers[0].sentence)])]
    lines += [_plain(answer.sentence) for answer in answers[1:]]
    size = max(len(_plain(event)) for answer in answers for event, _ in answer.lines)
    size = max(size, len(head := f"lead time, {name_lead_unit(common)}"))
    wide = max(3, *map(len, leads))
    for answer in answers:
        lines += ["", *([answer.method] if len(answers) > 1 else [])]
        lines.append(" ".join([head.ljust(size), *(lead.rjust(wide) for lead in leads)]))
        for (event, _), row in zip(answer.lines, answer.rows):
            lines.append(" ".join([_plain(event).ljust(size), *(SIGNS[state].rjust(wide) for state, _ in row)]))
    found = {state for answer in answers for row in answer.rows for state, _ in row}
    told = [f"{SIGNS[state]}: {text}" for state, text in _explain_signs(common).items() if state in found]
    lines += ["", f"{_plain('; '.join(told))}.", *_explain_rules(answers, find_ensembles(common))]
    is_row = [not line or line.startswith((head, *(_plain(event) for event, _ in answers[0].lines))) for line in lines]
    return [line.rstrip() if row else textwrap.fill(line, WIDTH) for line, row in zip(lines, is_row)]


def _answer(common: xr.Dataset, method: str) -> Answer:
    one = common.sel({"method": method}).transpose("threshold", "lead_time", ...)
    leads, unit = common["lead_time"].values, name_lead_unit(common)
    events = [name_event(common, threshold) for threshold in common["threshold"].values]
    rows, lines = [], []
    said: dict[str, dict[str, list[str]]] = {state: {} for state in SIGNS}  # by state and lead times: the events
    for number, event in enumerate(events):
        states = one["use"].values[number].astype(str)
        windows = one["use_window"].values[number]
        sizes = [name_window(common, side) if side else "" for side in windows]
        rows.append(list(zip(states.tolist(), sizes)))
        texts = []
        for state in (state for state in SIGNS if (states == state).any()):
            chosen = states == state
            until = spell_until(leads, chosen, unit)
            said[state].setdefault(until, []).append(event)
            texts.append(f"{_describe_state(common, state)} {until}{_describe_more(one, number, chosen, sizes)}")
        lines.append((event, "; ".join(texts) + "."))
    parts = {
        state: spell_list([f"{spell_list(events)} {until}" for until, events in found.items()]) if found else ""
        for state, found in said.items()
    }
    return Answer(method, _conclude(common, method, parts), lines, rows)


def _conclude(common: xr.Dataset, method: str, said: Mapping[str, str]) -> str:
    """Return the answer for a method in one sentence or more."""
    reference = common.attrs["reference"]
    yes, perhaps, useful, no, _ = said.values()
    if not has_intervals(common):
        leans = {"yes": perhaps, "no gain": useful, "no": no}
        told = [f"{word} for {where}" for word, where in leans.items() if where]
        return f"The numbers of {method} against {reference} lean to {', to '.join(told)}." if told else NOTHING
    if yes:
        text = f"Yes, {method} is better than {reference} and useful for {yes}."
    elif perhaps:
        text = f"Not shown: no difference between {method} and {reference} is resolved where {method} is useful."
    elif useful:
        text = f"No gain: where {method} is useful, {reference} or another method is as good or better."
    else:
        return f"No, {method} is useful nowhere." if no else NOTHING
    rest = {"Perhaps": perhaps, "No gain": useful, "Not useful": no}
    return " ".join([text, *(f"{word} for {where}." for word, where in rest.items() if where)])


def _describe_state(common: xr.Dataset, state: str) -> str:
    reference = common.attrs["reference"]
    return {
        "better and useful": f"better than {reference} and useful",
        "perhaps better": f"useful, perhaps better than {reference}",
        "useful": "useful, but not better",
        "not useful": "not useful",
        "no event": "no event was observed",
    }[state]


def _describe_more(one: xr.Dataset, number: int, chosen: np.ndarray, sizes: Sequence[str]) -> str:
    """Name the windows in which the forecast is useful, or the methods that are better."""
    state = str(one["use"].values[number][chosen][0])
    if state == "useful":
        names = dict.fromkeys(one["use_rival"].values[number][chosen].astype(str).tolist())
        return f" ({spell_list(list(names))} {'is' if len(names) == 1 else 'are'} as good or better)"
    found = list(dict.fromkeys(size for size, wanted in zip(sizes, chosen) if wanted and size))
    return f" (in windows of {spell_list(found)})" if found else ""


def _explain_signs(common: xr.Dataset) -> dict[str, str]:
    reference, sure = common.attrs["reference"], has_intervals(common)
    luck = "the difference may be luck" if sure else "too few cases to be sure"
    return {
        "better and useful": f"better than {reference} (resolved) and than all others, and useful",
        "perhaps better": f"better by the numbers, and useful, but {luck}",
        "useful": f"useful, but {reference} or another method is as good or better",
        "not useful": "not useful",
        "no event": "no event was observed",
    }


def _explain_rules(answers: Sequence[Answer], ensembles: Sequence[str]) -> list[str]:
    """Name the scores that judge the methods."""
    judged = [answer.method for answer in answers]
    drawn, single = ([m for m in judged if (m in ensembles) == wanted] for wanted in (True, False))
    notes = []
    if single:
        notes.append(
            f"{spell_list(single)}: useful where the FSS of a window is above 0.5 + half the observed frequency of the "
            "event; methods are compared by the FSS of the smallest such window."
        )
    if drawn:
        notes.append(
            f"{spell_list(drawn)}: useful where the probabilities tell more than the observed frequency alone "
            "(reliability below resolution); methods are compared by the Brier score, in which a single forecast "
            "says 0 or 1."
        )
    return notes


def name_window(common: xr.Dataset, side: int) -> str:
    """Return the side of a window in km where the size of a pixel is known, else in pixels: "5 km", "5 px"."""
    metres = common.attrs.get("pixel_size")
    return f"{side * metres / 1000:.3g} km" if metres else f"{side} px"


def spell_until(leads: Sequence[float] | np.ndarray, chosen: np.ndarray, unit: str) -> str:
    """Return the chosen lead times in words: "up to 30 min", "from 35 min on", "at every lead time"."""
    places = np.flatnonzero(chosen)
    if len(places) == 1:
        return f"at {spell_lead(leads[places[0]], unit)}"
    if chosen.all():
        return "at every lead time"
    if len(places) == places[-1] + 1:
        return f"up to {spell_lead(leads[places[-1]], unit)}"
    if places[-1] == len(leads) - 1 and len(places) == len(leads) - places[0]:
        return f"from {spell_lead(leads[places[0]], unit)} on"
    return f"at {spell_leads(leads, chosen, unit)}"


def _describe_doubt(common: xr.Dataset) -> str:
    """Return a sentence if cases are too few, "Not enough cases to be sure: 12 cases of one event."; else ""."""
    if has_intervals(common):
        return ""
    cases, movies = common.attrs.get("cases"), common.attrs.get("movies")
    if cases is None:
        return "Not enough cases to be sure."
    events = "one event" if movies == 1 else f"{movies} events"
    return f"Not enough cases to be sure: {cases} case{'' if cases == 1 else 's'} of {events}."


def _plain(text: str) -> str:
    """Return text in ASCII for any terminal."""
    return text.replace("≥", ">=").replace("–", " to ")
