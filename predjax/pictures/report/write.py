"""The report of a verification as one page: words, curves with intervals, spectra, animated cases, tables."""

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence

import xarray as xr

from predjax.files import appearing, refuse_existing
from predjax.pictures.lead_times import style_methods
from predjax.pictures.report.answer import show_answer
from predjax.pictures.report.page import render_page
from predjax.pictures.report.protocol import PublishedTable, show_protocol
from predjax.pictures.report.sections import (
    ReportCase,
    show_areas,
    show_cases,
    show_coverage,
    show_ensembles,
    show_fss,
    show_scales,
    show_scores,
)
from predjax.pictures.report.summary import show_score_cards, show_summary, show_warnings
from predjax.pictures.report.tables import show_numbers

__all__ = ["Report", "ReportCase", "write_report"]


@dataclasses.dataclass(frozen=True)
class Report:
    """The content of a report. A section without data is left out; the other sections stay the same.

    Attributes:
      title: the methods and the data.
      facts: facts by name that a reader must know (data, split, cases, blocks, event rule, versions), in order.
      warnings: the reasons to doubt the scores, such as verified windows that overlap the training data.
      common: the comparison on the pixels that all methods forecast: scores (method, lead_time), (method, lead_time,
        threshold), (method, lead_time, threshold, window), spectra (method, lead_time, wavenumber) and scores of
        ensembles, with the intervals `<score>_low`, `_high`, `_difference`, `_difference_low`, `_difference_high` and
        `_verdict` of the bootstrap; `attrs["units"]` is the unit of the data.
      whole: the comparison on each method's own pixels; its intervals are not shown.
      protocol: the scores of a published protocol; None without one.
    """

    title: str
    facts: Mapping[str, str]
    warnings: Sequence[str]
    common: xr.Dataset
    whole: xr.Dataset
    cases: Sequence[ReportCase]
    protocol: PublishedTable | None = None


def write_report(path: str | os.PathLike, report: Report, *, overwrite: bool = False) -> None:
    """Write a report: one HTML file that loads nothing from elsewhere and runs no script, whole or not at all.

    Raises:
      ValueError: the comparisons have no methods or lead times, or differ in them; a picture is neither GIF nor PNG.
      FileExistsError: `path` exists and `overwrite` is False.
    """
    refuse_existing(pathlib.Path(path), overwrite)  # before the work of drawing
    common, whole = report.common, report.whole
    _check_labels(common, whole)
    styles = style_methods(map(str, common["method"].values))
    sections = [
        show_warnings(report.warnings),
        show_answer(common),
        show_summary(common, report.facts),
        show_score_cards(common),
        show_protocol(report.protocol),
        show_scores(common, styles),
        show_fss(common, styles),
        show_coverage(common, whole, styles),
        show_scales(common, styles),
        show_ensembles(common, styles),
        show_areas(common, styles),
        show_cases(report.cases),
        show_numbers(common, whole),
    ]
    page = render_page(report.title, [section for section in sections if section])
    with appearing(path, overwrite=overwrite) as partial:
        partial.write_text(page, encoding="utf-8")


def _check_labels(common: xr.Dataset, whole: xr.Dataset) -> None:
    for name, data in (("common", common), ("whole", whole)):
        if not {"method", "lead_time"} <= set(data.coords):
            found = ", ".join(map(str, data.coords)) or "none"
            raise ValueError(f"the {name} comparison needs the coordinates method and lead_time, found {found}")
    for name in ("method", "lead_time", "threshold"):
        pair = [data[name].values.tolist() if name in data.coords else [] for data in (common, whole)]
        if pair[0] != pair[1]:
            raise ValueError(f"the two comparisons differ in {name}: {pair[0]} in common, {pair[1]} in whole")
