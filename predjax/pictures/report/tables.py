"""The tables of the report: all numbers by lead time, with their counts, intervals and verdicts."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from predjax.pictures.lead_times import name_event, name_lead_unit, spell_range
from predjax.pictures.report.page import Markup, Section, element, join
from predjax.pictures.report.words import SIGNS, find_reference, judge, mark_finding, spell_finding, spell_lead

COUNTS = ("hits", "misses", "false_alarms", "pairs")
IN_UNITS = ("rmse", "mae", "mean_error", "crps", "spread", "ensemble_rmse")  # share their number of decimals
AMOUNTS = ("mean_forecast", "mean_observed", "q99_forecast", "q99_observed", "psnr")
HEADINGS = {
    "rmse": "RMSE",
    "mae": "MAE",
    "mean_error": "ME",
    "correlation": "corr.",
    "ssim": "SSIM",
    "psnr": "PSNR",
    "pairs": "pixel pairs",
    "hits": "hits",
    "misses": "misses",
    "false_alarms": "false alarms",
    "csi": "CSI",
    "pod": "POD",
    "far": "FAR",
    "bias": "bias",
    "ets": "ETS",
    "hss": "HSS",
    "fss": "FSS",
    "mean_forecast": "mean, forecast",
    "mean_observed": "mean, observed",
    "variance_ratio": "variance, fcst / obs",
    "q99_forecast": "99 % quantile, forecast",
    "q99_observed": "99 % quantile, observed",
    "crps": "CRPS",
    "spread": "spread",
    "ensemble_rmse": "RMSE of the mean",
    "spread_ratio": "spread / error",
    "brier": "Brier",
    "brier_reliability": "reliability",
    "brier_resolution": "resolution",
    "brier_uncertainty": "uncertainty",
}
ERRORS = ("rmse", "mae", "mean_error", "correlation", "ssim", "psnr")
EVENTS = ("hits", "misses", "false_alarms", "csi", "pod", "far", "bias", "ets", "hss")
DISTRIBUTION = ("mean_forecast", "mean_observed", "variance_ratio", "q99_forecast", "q99_observed")
ENSEMBLE = ("crps", "spread", "ensemble_rmse", "spread_ratio")
BRIER = ("brier", "brier_reliability", "brier_resolution", "brier_uncertainty")
ON_COMMON, ON_OWN = "pixels that all methods forecast", "each method's own pixels"


class Column(NamedTuple):
    """A column: its heading, and the cell of each method at each lead time."""

    heading: Markup
    cells: list[list[Markup]]  # [method][lead time]


class Group(NamedTuple):
    """Columns that stand together under one heading."""

    heading: str
    columns: list[Column]


def show_numbers(common: xr.Dataset, whole: xr.Dataset, ensemble: xr.Dataset | None) -> Section:
    """Errors, events by threshold, FSS by threshold and window, amounts, and the scores of ensembles."""
    reference = find_reference(common)
    same = all(name in whole and common[name].equals(whole[name]) for name in ("pairs", "rmse") if name in common)
    units = common.attrs.get("units", "1")
    suffix = "" if units == "1" else f", {units}"
    tables = []

    def add(heading: str, data: xr.Dataset, groups: list[Group], note: Callable[[xr.Dataset, int], str]) -> None:
        if any(group.columns for group in groups):
            table = _make_table(data, groups, [note(data, lead) for lead in range(data.sizes["lead_time"])])
            tables.append(element("details", element("summary", heading), table, open="open"))

    own = [] if same else _score_columns(_bare(whole), ("pairs", *ERRORS[:3]))
    errors = [name for name in ERRORS if name in common and common[name].notnull().any()]
    add(f"Errors{suffix}", common, [_group(common, errors, reference), Group(ON_OWN, own)], _count_cases)
    for number, threshold in enumerate(common["threshold"].values if "csi" in common else ()):
        one = common.isel(threshold=number)
        own = [] if same else _score_columns(_bare(whole.isel(threshold=number)), ("csi", "pod", "far", "bias"))
        groups = [_group(one, EVENTS, reference), Group(ON_OWN, own)]
        add(f"Events, {name_event(common, threshold)}", one, groups, _count_events)
    with_fss = "fss" in common and bool(common["fss"].notnull().any())
    for number, threshold in enumerate(common["threshold"].values if with_fss else ()):
        one = common.isel(threshold=number)
        groups = [
            Group(f"{side} × {side} pixels", _score_columns(one.isel(window=place), ("fss",), reference))
            for place, side in enumerate(common["window"].values)
        ]
        add(f"FSS by window, {name_event(common, threshold)}", one, groups, _name_useful)
    add(f"Amounts{suffix}", common, [_group(common, DISTRIBUTION, "")], lambda data, lead: "")
    if ensemble is not None:
        groups = [Group("all values", _score_columns(ensemble, ENSEMBLE))]
        for number, threshold in enumerate(ensemble["threshold"].values if "brier" in ensemble else ()):
            columns = _score_columns(ensemble.isel(threshold=number), BRIER)
            groups.append(Group(f"Brier score, {name_event(ensemble, threshold)}", columns))
        add(f"Ensemble{suffix}", ensemble, groups, lambda data, lead: "")

    text = "In small print below a number: its interval. ME: mean error, forecast − observed. –: undefined (0/0)."
    text += " On their own pixels all methods have the same numbers." if same else ""
    return Section("tables", "Numbers", join(element("p", text, class_="note"), *tables))


def _make_table(data: xr.Dataset, groups: Sequence[Group], notes: Sequence[str]) -> Markup:
    """A table with a block for each lead time, which begins with a note, and in it a row for each method."""
    unit = name_lead_unit(data)
    groups = [group for group in groups if group.columns]
    top = [element("th", group.heading, colspan=len(group.columns), scope="colgroup") for group in groups]
    columns = [column for group in groups for column in group.columns]
    rules = [{"class_": "first"} if number == 0 else {} for group in groups for number in range(len(group.columns))]
    heads = [element("th", column.heading, scope="col", **rule) for column, rule in zip(columns, rules)]
    corner = element("th", element("span", "method", class_="hidden"), rowspan=2, scope="col")
    head = element("thead", element("tr", corner, *top, class_="top"), element("tr", *heads))
    blocks = []
    for lead, (value, note) in enumerate(zip(data["lead_time"].values, notes)):
        text = element("span", element("strong", spell_lead(value, unit)), note)
        title = element("th", text, colspan=len(columns) + 1, scope="rowgroup")
        rows = [element("tr", title, class_="group")]
        for number, method in enumerate(map(str, data["method"].values)):
            cells = [element("td", column.cells[number][lead], **rule) for column, rule in zip(columns, rules)]
            rows.append(element("tr", element("th", method, scope="row"), *cells))
        blocks.append(element("tbody", *rows))
    return element("div", element("table", head, *blocks), class_="scroll high", tabindex=0)


def _group(data: xr.Dataset, names: Sequence[str], reference: str) -> Group:
    return Group(ON_COMMON, _score_columns(data, names, reference))


def _score_columns(data: xr.Dataset, names: Sequence[str], reference: str = "") -> list[Column]:
    """A column for each score or count (method, lead_time) that the data have, with its interval below the number.

    Where more or less is better and the data have a verdict on the difference to the reference, a column with both
    follows.
    """
    columns = []
    for name in (name for name in names if name in data):
        decimals = _choose_decimals(data, name)
        ends = [data[f"{name}_{end}"] if f"{name}_{end}" in data else data[name] * np.nan for end in ("low", "high")]
        rows = zip(*(values.transpose("method", "lead_time").values for values in (data[name], *ends)))
        cells = [[_with_interval(value, low, high, decimals) for value, low, high in zip(*row)] for row in rows]
        columns.append(Column(join(HEADINGS[name]), cells))
        if reference and name in SIGNS and f"{name}_verdict" in data:
            columns.append(_difference_column(data, name, reference, decimals))
    return columns


def _difference_column(data: xr.Dataset, name: str, reference: str, decimals: int) -> Column:
    """Method - reference, its interval, and the verdict in words."""
    values, low, high = (data[f"{name}_difference{end}"].values for end in ("", "_low", "_high"))
    rows = []
    for number, method in enumerate(map(str, data["method"].values)):
        if method == reference:
            rows.append([element("small", "reference")] * data.sizes["lead_time"])
            continue
        row = []
        for lead, finding in enumerate(judge(data, name, method, reference)):
            words = element("small", f"{mark_finding(finding)} {spell_finding(finding)}")
            at = number, lead
            row.append(join(_with_interval(values[at], low[at], high[at], decimals, sign=True), words))
        rows.append(row)
    return Column(join(f"{HEADINGS[name]} −", element("small", f"{reference}'s")), rows)


def _with_interval(value: float, low: float, high: float, decimals: int, sign: bool = False) -> Markup:
    """A number and below it its interval, where there is one."""
    text = _spell_number(value, decimals, sign)
    if not np.isfinite(low) or not np.isfinite(high):
        return join(text)
    ends = "\u2009…\u2009".join(_spell_number(end, decimals, sign) for end in (low, high))
    return join(text, element("small", ends))


def _spell_number(value: float, decimals: int, sign: bool = False) -> str:
    """A number with a true minus sign; what is undefined is a dash."""
    return f"{value:{'+' if sign else ''},.{decimals}f}".replace("-", "−") if np.isfinite(value) else "–"


def _choose_decimals(data: xr.Dataset, name: str) -> int:
    """Decimals that give the largest value four digits; three for ratios, none for counts."""
    if name in COUNTS:
        return 0
    if name not in IN_UNITS + AMOUNTS:
        return 3
    first = next(other for other in IN_UNITS if other in data) if name in IN_UNITS else name
    largest = np.max(np.abs(data[first].values), initial=0, where=np.isfinite(data[first].values))
    return int(np.clip(3 - np.floor(np.log10(largest)), 0, 9)) if largest > 0 else 3


def _count_cases(data: xr.Dataset, lead: int) -> str:
    """ " · 37 cases · 152,341 pixel pairs"."""
    text = ""
    for name, what in (("cases", "cases"), ("pairs", "pixel pairs")):
        if name in data:
            counts = data[name].isel(lead_time=lead).values
            text += f" · {spell_range(counts)} {what[:-1] if counts.max() == 1 else what}"
    return text


def _count_events(data: xr.Dataset, lead: int) -> str:
    """ " · 1,234 observed events"."""
    if not {"hits", "misses"} <= set(data.data_vars):
        return ""
    return f" · {spell_range((data['hits'] + data['misses']).isel(lead_time=lead).values)} observed events"


def _name_useful(data: xr.Dataset, lead: int) -> str:
    """ " · useful above 0.531"."""
    return f" · useful above {data['fss_useful'].values[0, lead]:.3f}" if "fss_useful" in data else ""


def _bare(data: xr.Dataset) -> xr.Dataset:
    """Without intervals: they are those of the common pixels."""
    return data.drop_vars([name for name in data.data_vars if str(name).endswith(("_low", "_high", "_verdict"))])
