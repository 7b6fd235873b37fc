"""The scores of methods beside each other as text, and sentences about where a method is not better than another."""

import math
import textwrap
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from predjax.verification.skill import skill_against

BETTER = {  # what the stars and the closing lines compare; smaller is better
    "rmse": lambda value: value,
    "mae": lambda value: value,
    "mean_error": abs,
    "csi": lambda value: -value,
    "pod": lambda value: -value,
    "far": lambda value: value,
    "bias": lambda value: abs(math.log(value)) if value > 0 else math.inf,
    "ssim": lambda value: -value,
    "psnr": lambda value: -value,
    "crps": lambda value: value,
    "spread_ratio": lambda value: abs(math.log(value)) if value > 0 else math.inf,
    "areal_crps": lambda value: value,
    "areal_mean_error": abs,
    "areal_bias": lambda value: abs(math.log(value)) if value > 0 else math.inf,
    "areal_brier": lambda value: value,
}
HEADINGS = {"rmse": "RMSE", "mae": "MAE", "mean_error": "ME", "rmse_skill": "skill", "bias": "bias"}
HEADINGS |= {name: name.upper() for name in ("csi", "pod", "far", "ssim", "psnr", "crps")}
HEADINGS |= {"spread_ratio": "spread/err"}
HEADINGS |= {"areal_crps": "CRPS", "areal_mean_error": "ME", "areal_bias": "bias", "areal_brier": "Brier"}


class Column(NamedTuple):
    """A column of the table: its heading, and its cells by lead time."""

    heading: str
    cells: list[str]


def format_table(comparison: xr.Dataset, *, reference: str = "persistence", width: int = 110) -> str:
    """Return a plain-text table of the scores by lead time, at most `width` wide, with a group of columns a method.

    The first part has the errors, and the skill in RMSE against `reference` where it is among the methods. Where one of
    the methods is an ensemble, the next part has the CRPS and the spread over the error; then there is a part for each
    threshold. A star marks the best method of a score. The closing lines say at which lead times a
    method is not better than the reference.
    """
    methods = comparison.method.values.tolist()
    with_reference = reference in methods
    if with_reference:
        comparison = skill_against(comparison, reference)
    units, lead_units = comparison.attrs["units"], comparison.lead_time.attrs["units"]
    unit_text = "" if units == "1" else f" {units}"
    lead_heading = {"minutes": "min", "seconds": "s"}.get(lead_units, "frames")
    lead = Column(lead_heading, [f"{value:.6g}" for value in comparison.lead_time.values])

    lines = [f"Skill by lead time: {', '.join(methods)}", _rules(comparison, unit_text)]
    shared, own = [], []
    for name in ("cases", "pairs"):
        values = comparison[name].values
        if (values != values[:1]).any():
            own.append(name)
            lines.append(f"The methods were scored on different {name}: compare with care.")
        elif (values != values[0, 0]).any():
            shared.append(Column(name, [str(value) for value in values[0]]))
        else:
            lines[1] += f"; {values[0, 0]} {name}" + (" at every lead time" if name == "pairs" else "")

    errors = ["rmse", "mae", "mean_error", "ssim", "psnr"]
    errors = [name for name in errors if name in comparison] + ["rmse_skill"] * with_reference
    lines += ["", f"errors{f', {units}' if unit_text else ''}"]
    lines += _lay_out([lead, *shared], _groups(comparison, errors, own, reference), width)
    if _has_ensembles(comparison):
        sizes = ", ".join(f"{m} {n}" for m, n in zip(methods, comparison.members.values) if n > 1)
        lines += ["", f"CRPS{f', {units}' if unit_text else ''} (a single forecast: MAE); members: {sizes}"]
        lines += _lay_out([lead], _groups(comparison, ["crps", "spread_ratio"], [], reference), width)
    for threshold in comparison.threshold.values:
        part = comparison.sel(threshold=threshold)
        part = part.assign(events=part.hits + part.misses)
        events = part.events.values
        same = (events == events[:1]).all()
        left = [lead, Column("observed", [str(value) for value in events[0]])] if same else [lead]
        lines += ["", f"events: value >= {threshold:g}{unit_text}"]
        groups = _groups(part, ["csi", "pod", "far", "bias"], [] if same else ["events"], reference)
        lines += _lay_out(left, groups, width)
    if "areal_crps" in comparison:
        lines += _show_areas(comparison, lead, reference, width)
    lines += ["", *_closing_lines(comparison, reference, unit_text, lead_heading)]
    # Only sentences are folded at the width, not the rows of a table.
    folded = [line if " | " in line else textwrap.fill(line, width, subsequent_indent="  ") for line in lines]
    return "\n".join(folded) + "\n"


def _show_areas(comparison: xr.Dataset, lead: Column, reference: str, width: int) -> list[str]:
    """Return the part of the table with the totals on areas: their errors, and the Brier score of each threshold."""
    lines = [
        "",
        f"totals on {comparison.sizes['area']} areas until each lead time, mm (CRPS of a single forecast: MAE)",
    ]
    counts = Column("totals", [str(value) for value in comparison["areal_totals"].values[0]])
    scores = ["areal_crps", "areal_mean_error", "areal_bias"]
    lines += _lay_out([lead, counts], _groups(comparison, scores, [], reference), width)
    for threshold in comparison["areal_threshold"].values:
        part = comparison.sel(areal_threshold=threshold)
        events = Column("observed", [str(value) for value in part["areal_events"].values[0]])
        lines += ["", f"totals on areas >= {threshold:g} mm"]
        lines += _lay_out([lead, events], _groups(part, ["areal_brier"], [], reference), width)
    return lines


def _has_ensembles(comparison: xr.Dataset) -> bool:
    return "members" in comparison and bool((comparison.members > 1).any())


def _rules(comparison: xr.Dataset, unit_text: str) -> str:
    event = f" event: {comparison.attrs['event_rule']};" if comparison.threshold.size else ""
    return f"{unit_text.strip() or 'no unit'};{event} sums pooled over cases"


def _groups(data: xr.Dataset, scores: list[str], counts: list[str], reference: str) -> list[tuple[str, list[Column]]]:
    """Return a group of columns for each method."""
    values = {name: data[name].transpose("method", "lead_time").values for name in (*scores, *counts)}
    best = {name: _find_best(name, values[name]) for name in scores}
    decimals = {name: _decimals(name, values[name]) for name in scores}
    decimals |= {name: decimals["rmse"] for name in ("mae", "mean_error") if name in decimals}  # in one unit
    groups = []
    for row, method in enumerate(data.method.values):
        columns = [Column("observed" if n == "events" else n, [str(v) for v in values[n][row]]) for n in counts]
        for name in scores:
            if name == "rmse_skill" and method == reference:
                continue
            numbers = ("-" if math.isnan(v) else f"{v:.{decimals[name]}f}" for v in values[name][row])
            cells = [number + "* "[not star] for number, star in zip(numbers, best[name][row])]
            columns.append(Column(HEADINGS[name] + " ", cells))
        groups.append((method, columns))
    return groups


def _find_best(name: str, values: np.ndarray) -> np.ndarray:
    """Return (method, lead_time), whether the method alone has the best value; false if there is no other method."""
    if name not in BETTER or len(values) == 1:
        return np.zeros(values.shape, bool)
    missing = np.isnan(values)
    rank = np.vectorize(BETTER[name], otypes=[float])(np.where(missing, np.inf, values))
    rank[missing] = np.inf
    first, second = np.sort(rank, axis=0)[:2]
    return (rank == first) & (first < second)


def _decimals(name: str, values: np.ndarray) -> int:
    """Return the number of decimals that shows the largest value with four digits; three decimals for ratios."""
    if name in ("csi", "pod", "far", "bias", "rmse_skill", "ssim", "spread_ratio"):
        return 3
    largest = np.max(np.abs(values), initial=0, where=np.isfinite(values))
    return int(np.clip(3 - np.floor(np.log10(largest)), 0, 9)) if largest > 0 else 3


def _lay_out(left: list[Column], groups: list[tuple[str, list[Column]]], width: int) -> list[str]:
    """Return the lines of a table: `left` and as many groups as fit; the other groups are in further tables below."""
    lines = []
    while groups:
        blocks = [_block("", left)]
        while groups and (len(blocks) == 1 or _width(blocks) + 3 + len(_block(*groups[0])[0]) <= width):
            blocks.append(_block(*groups.pop(0)))
        lines += [" | ".join(row).rstrip() for row in zip(*blocks)] + [""] * bool(groups)
    return lines


def _width(blocks: list[list[str]]) -> int:
    return len(" | ".join(block[0] for block in blocks))


def _block(title: str, columns: list[Column]) -> list[str]:
    """Return the lines of one group, all of one length: title, headings, cells."""
    sizes = [max(len(c.heading), *(len(cell) for cell in c.cells)) for c in columns]
    rows = zip(*([c.heading, *c.cells] for c in columns))
    lines = ["  ".join(cell.rjust(size) for cell, size in zip(row, sizes)) for row in rows]
    size = max(len(title) + 4, len(lines[0])) if title else len(lines[0])
    return [f" {title} ".center(size, "-") if title else " " * size, *(line.rjust(size) for line in lines)]


def _closing_lines(comparison: xr.Dataset, reference: str, unit_text: str, unit: str) -> list[str]:
    """Return lines on the meaning of the marks, and on the lead times at which each method beats the reference."""
    methods = comparison.method.values.tolist()
    legend = "- undefined (0/0)" if len(methods) == 1 else "* the best of the methods; - undefined (0/0)"
    if reference not in methods:
        return [legend, f"No {reference} among the methods: no skill is given."]
    lines = [f"{legend}; skill = 1 - RMSE / RMSE of {reference}"]
    if "use" in comparison:  # the answer to "may I use it?" says more
        return lines
    scores = [("RMSE", "rmse", comparison.rmse)]
    if _has_ensembles(comparison):
        scores.append(("CRPS", "crps", comparison.crps))
    for threshold in comparison.threshold.values:
        scores.append((f"CSI at {threshold:g}{unit_text}", "csi", comparison.csi.sel(threshold=threshold)))
    for method in [name for name in methods if name != reference]:
        verdicts: dict[str, list[str]] = {}
        for what, name, values in scores:
            pair = values.sel({"method": method}), values.sel({"method": reference})
            verdict = _verdict(*pair, BETTER[name], reference, unit)
            if f"{name}_verdict" in comparison:
                told = comparison[f"{name}_verdict"].sel({"method": method})
                told = told.sel(threshold=values.threshold) if "threshold" in told.dims else told
                verdict += _certainty(told, unit)
            verdicts.setdefault(verdict, []).append(what)
        lines += [f"{method}: {verdict}: {', '.join(names)}." for verdict, names in verdicts.items()]
    return lines


def _verdict(own: xr.DataArray, other: xr.DataArray, rank: Callable, reference: str, unit: str) -> str:
    """Say at which lead times one score of a method is not better than the same score of the reference."""

    def named(leads: np.ndarray) -> str:
        return f"lead time{'s' * (len(leads) > 1)} {_spell_leads(leads, own.lead_time.values)} {unit}"

    leads = own.lead_time.values
    undefined = np.isnan(own.values) | np.isnan(other.values)
    if undefined.all():
        return "undefined at every lead time"
    worse = ~undefined & [not rank(a) < rank(b) for a, b in zip(own.values, other.values)]
    everywhere = not worse.any() or worse.all()
    verdict = f"{'not ' * bool(worse.any())}better than {reference} at "
    everywhere_text = "any lead time" if worse.any() else "every lead time"
    verdict += everywhere_text if everywhere else named(leads[worse])
    return verdict + (f" (undefined at {named(leads[undefined])})" if undefined.any() else "")


def _certainty(verdicts: xr.DataArray, unit: str) -> str:
    """Say at which lead times the bootstrap resolves the difference."""
    found: dict[str, list] = {}
    for lead, verdict in zip(verdicts.lead_time.values, verdicts.values):
        found.setdefault(str(verdict), []).append(lead)
    if len(found) == 1:
        return f" ({next(iter(found))})"
    every = verdicts.lead_time.values
    told = (f"{verdict} at {_spell_leads(leads, every)} {unit}" for verdict, leads in found.items())
    return f" ({'; '.join(told)})"


def _spell_leads(leads: Sequence[float] | np.ndarray, every: np.ndarray) -> str:
    """Return the lead times as text; five and more that follow each other in `every` are written as "5 to 30"."""
    runs: list[list] = []
    for place in np.flatnonzero(np.isin(every, leads)):
        if runs and runs[-1][-1] == place - 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    spelled = (f"{every[run[0]]} to {every[run[-1]]}" if len(run) > 4 else ", ".join(str(every[i]) for i in run)
               for run in runs)  # fmt: skip
    return ", ".join(spelled)
