"""The tables of the report: all scores by lead time, with counts, intervals and verdicts."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from predjax.pictures.lead_times import find_ensembles, name_event, name_lead_unit, spell_range
from predjax.pictures.report.page import Section
from predjax.pictures.report.words import SIGNS, find_reference, judge, mark_finding, spell_finding, spell_lead

COUNTS = ("hits", "misses", "false_alarms", "pairs", "areal_totals", "areal_events")
IN_UNITS = ("rmse", "mae", "mean_error", "crps", "crps_area", "spread", "ensemble_rmse")  # have as many decimals
AMOUNTS = ("mean_forecast", "mean_observed", "q99_forecast", "q99_observed", "psnr")
_CAPITALS = ("rmse", "mae", "ssim", "psnr", "csi", "pod", "far", "ets", "hss", "fss", "crps")
HEADINGS = {name: name.upper() for name in _CAPITALS}  # a score without an entry has its own name
HEADINGS |= {
    "mean_error": "ME",
    "correlation": "corr.",
    "pairs": "pixel pairs",
    "false_alarms": "false alarms",
    "mean_forecast": "mean, forecast",
    "mean_observed": "mean, observed",
    "variance_ratio": "variance, fcst / obs",
    "q99_forecast": "99 % quantile, forecast",
    "q99_observed": "99 % quantile, observed",
    "crps_area": "CRPS of areas",
    "ensemble_rmse": "RMSE of the mean",
    "spread_ratio": "spread / error",
    "areal_crps": "CRPS",
    "areal_mean_error": "ME",
    "areal_bias": "bias",
    "areal_brier": "Brier",
    "areal_totals": "totals",
    "areal_events": "observed events",
    "brier": "Brier",
    "brier_reliability": "reliability",
    "brier_resolution": "resolution",
    "brier_uncertainty": "uncertainty",
    "roc_area": "ROC area",
}
ERRORS = ("rmse", "mae", "mean_error", "correlation", "ssim", "psnr")
EVENTS = ("hits", "misses", "false_alarms", "csi", "pod", "far", "bias", "ets", "hss")
DISTRIBUTION = ("mean_forecast", "mean_observed", "variance_ratio", "q99_forecast", "q99_observed")
ENSEMBLE = ("crps", "crps_area", "spread", "ensemble_rmse", "spread_ratio")
AREAS = ("areal_totals", "areal_crps", "areal_mean_error", "areal_bias")
PROBABILITIES = ("brier", "brier_reliability", "brier_resolution", "brier_uncertainty", "roc_area")
ON_COMMON, ON_OWN = "pixels that all methods forecast", "each method's own pixels"


class Cell(NamedTuple):
    """A number, and the lines in small print below it."""

    text: str
    below: tuple[str, ...] = ()


class Column(NamedTuple):
    """A column: its cells, its heading, and a line in small print below the heading ("" = none)."""

    cells: list[list[Cell]]  # [method][lead time]
    heading: str
    below: str = ""


class ColumnGroup(NamedTuple):
    """Columns that stand together under one heading."""

    heading: str
    columns: list[Column]


class Table(NamedTuple):
    """A table with a block of rows for each lead time and in it a row for each method."""

    heading: str
    groups: list[ColumnGroup]
    leads: list[tuple[str, str]]  # the lead time in words, and a note
    methods: list[str]


def show_numbers(common: xr.Dataset, whole: xr.Dataset) -> Section:
    """Show errors, events by threshold, FSS by threshold and window, amounts, and the scores of ensembles."""
    reference = find_reference(common)
    same = all(name in whole and common[name].equals(whole[name]) for name in ("pairs", "rmse") if name in common)
    units = common.attrs.get("units", "1")
    suffix = "" if units == "1" else f", {units}"
    own = [] if same else _score_columns(_bare(whole), ("pairs", *ERRORS[:3]))
    errors = [name for name in ERRORS if name in common and common[name].notnull().any()]
    groups = [_group(common, errors, reference), ColumnGroup(ON_OWN, own)]
    tables = [_make_table(f"Errors{suffix}", common, groups, _count_cases)]
    for number, threshold in enumerate(common["threshold"].values if "csi" in common else ()):
        one = common.isel(threshold=number)
        own = [] if same else _score_columns(_bare(whole.isel(threshold=number)), ("csi", "pod", "far", "bias"))
        groups = [_group(one, EVENTS, reference), ColumnGroup(ON_OWN, own)]
        tables.append(_make_table(f"Events, {name_event(common, threshold)}", one, groups, _count_events))
    with_fss = "fss" in common and bool(common["fss"].notnull().any())
    for number, threshold in enumerate(common["threshold"].values if with_fss else ()):
        one = common.isel(threshold=number)
        groups = [
            ColumnGroup(f"{side} × {side} pixels", _score_columns(one.isel(window=place), ("fss",), reference))
            for place, side in enumerate(common["window"].values)
        ]
        tables.append(_make_table(f"FSS by window, {name_event(common, threshold)}", one, groups, _name_useful))
    tables.append(_make_table(f"Amounts{suffix}", common, [_group(common, DISTRIBUTION, "")]))
    if find_ensembles(common):
        own = [] if same else _score_columns(_bare(whole), ("crps", "crps_area", "spread_ratio"))
        groups = [_group(common, ENSEMBLE, reference), ColumnGroup(ON_OWN, own)]
        tables.append(_make_table(f"Ensembles{suffix}", common, groups))
        for number, threshold in enumerate(common["threshold"].values):
            groups = [_group(common.isel(threshold=number), PROBABILITIES, reference)]
            tables.append(_make_table(f"Probabilities, {name_event(common, threshold)}", common, groups))
    if "areal_crps" in common:
        tables.append(_make_table("Totals on areas, mm", common, [_group(common, AREAS, reference)]))
        for number, threshold in enumerate(common["areal_threshold"].values):
            groups = [_group(common.isel(areal_threshold=number), ("areal_events", "areal_brier"), reference)]
            tables.append(_make_table(f"Totals on areas, ≥ {threshold:g} mm", common, groups))

    text = "In small print below a number: its interval. ME: mean error, forecast − observed. –: undefined (0/0)."
    text += " On their own pixels all methods have the same numbers." if same else ""
    return Section("tables", "Numbers", "tables", {"note": text, "tables": [one for one in tables if one.groups]})


def _make_table(
    heading: str,
    data: xr.Dataset,
    groups: Sequence[ColumnGroup],
    note: Callable[[xr.Dataset, int], str] = lambda data, lead: "",
) -> Table:
    """Make a table of the groups that have columns; `note` is the note of a lead time by its position."""
    unit = name_lead_unit(data)
    leads = [(spell_lead(lead, unit), note(data, number)) for number, lead in enumerate(data["lead_time"].values)]
    methods = [str(method) for method in data["method"].values]
    return Table(heading, [group for group in groups if group.columns], leads, methods)


def _group(data: xr.Dataset, names: Sequence[str], reference: str) -> ColumnGroup:
    return ColumnGroup(ON_COMMON, _score_columns(data, names, reference))


def _score_columns(data: xr.Dataset, names: Sequence[str], reference: str = "") -> list[Column]:
    """Make a column for each score or count (method, lead_time) in the data, with the interval below the number.

    A column with the difference to the reference and the verdict follows where the data have a verdict on the score.
    """
    columns = []
    for name in (name for name in names if name in data):
        decimals = _choose_decimals(data, name)
        ends = [data[f"{name}_{end}"] if f"{name}_{end}" in data else data[name] * np.nan for end in ("low", "high")]
        rows = zip(*(values.transpose("method", "lead_time").values for values in (data[name], *ends)))
        cells = [[_with_interval(value, low, high, decimals) for value, low, high in zip(*row)] for row in rows]
        own = data[name].attrs.get("units", "")
        other = own if name in IN_UNITS and own != data.attrs.get("units", "1") else ""  # areas of dBZ are in mm/h
        columns.append(Column(cells, HEADINGS.get(name, name), other))
        if reference and name in SIGNS and f"{name}_verdict" in data:
            columns.append(_difference_column(data, name, reference, decimals))
    return columns


def _difference_column(data: xr.Dataset, name: str, reference: str, decimals: int) -> Column:
    """Make the column of method - reference, with its interval and the verdict in words."""
    values, low, high = (data[f"{name}_difference{end}"].values for end in ("", "_low", "_high"))
    rows = []
    for number, method in enumerate(map(str, data["method"].values)):
        if method == reference:
            rows.append([Cell("", ("reference",))] * data.sizes["lead_time"])
            continue
        row = []
        for lead, finding in enumerate(judge(data, name, method, reference)):
            at = number, lead
            text, below = _with_interval(values[at], low[at], high[at], decimals, sign=True)
            row.append(Cell(text, (*below, f"{mark_finding(finding)} {spell_finding(finding)}")))
        rows.append(row)
    return Column(rows, f"{HEADINGS[name]} −", f"{reference}'s")


def _with_interval(value: float, low: float, high: float, decimals: int, sign: bool = False) -> Cell:
    """Make the cell of a number, with the interval below it where there is one."""
    text = _spell_number(value, decimals, sign)
    if not np.isfinite(low) or not np.isfinite(high):
        return Cell(text)
    return Cell(text, ("\u2009…\u2009".join(_spell_number(end, decimals, sign) for end in (low, high)),))


def _spell_number(value: float, decimals: int, sign: bool = False) -> str:
    """Spell a number with a true minus sign; an undefined one is a dash."""
    return f"{value:{'+' if sign else ''},.{decimals}f}".replace("-", "−") if np.isfinite(value) else "–"


def _choose_decimals(data: xr.Dataset, name: str) -> int:
    """Choose as many decimals as show four digits of the largest value; three for ratios, none for counts."""
    if name in COUNTS:
        return 0
    if name not in IN_UNITS + AMOUNTS:
        return 3
    first = next(other for other in IN_UNITS if other in data) if name in IN_UNITS else name
    largest = np.max(np.abs(data[first].values), initial=0, where=np.isfinite(data[first].values))
    return int(np.clip(3 - np.floor(np.log10(largest)), 0, 9)) if largest > 0 else 3


def _count_cases(data: xr.Dataset, lead: int) -> str:
    """Spell the counts of a lead time: " · 37 cases · 152,341 pixel pairs"."""
    text = ""
    for name, what in (("cases", "cases"), ("pairs", "pixel pairs")):
        if name in data:
            counts = data[name].isel(lead_time=lead).values
            text += f" · {spell_range(counts)} {what[:-1] if counts.max() == 1 else what}"
    return text


def _count_events(data: xr.Dataset, lead: int) -> str:
    """Spell the number of events of a lead time: " · 1,234 observed events"."""
    if not {"hits", "misses"} <= set(data.data_vars):
        return ""
    return f" · {spell_range((data['hits'] + data['misses']).isel(lead_time=lead).values)} observed events"


def _name_useful(data: xr.Dataset, lead: int) -> str:
    """Spell the FSS above which a window is useful: " · useful above 0.531"."""
    return f" · useful above {data['fss_useful'].values[0, lead]:.3f}" if "fss_useful" in data else ""


def _bare(data: xr.Dataset) -> xr.Dataset:
    """Drop the intervals, which belong to the common pixels."""
    return data.drop_vars([name for name in data.data_vars if str(name).endswith(("_low", "_high", "_verdict"))])
