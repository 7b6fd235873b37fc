"""One page that tells how good nowcasts are: words, curves with intervals, spectra, animated cases, tables."""

import os
import pathlib
from collections.abc import Mapping, Sequence

import xarray as xr

from predjax.files import appearing, refuse_existing
from predjax.pictures.lead_times import style_methods
from predjax.pictures.report.page import lay_out_page
from predjax.pictures.report.sections import (
    ReportCase,
    show_cases,
    show_coverage,
    show_ensemble,
    show_fss,
    show_scales,
    show_scores,
)
from predjax.pictures.report.summary import show_score_cards, show_summary, show_warnings
from predjax.pictures.report.tables import show_numbers

__all__ = ["ReportCase", "write_report"]


def write_report(
    path: str | os.PathLike,
    *,
    title: str,
    facts: Mapping[str, str],
    warnings: Sequence[str],
    common: xr.Dataset,
    whole: xr.Dataset,
    cases: Sequence[ReportCase],
    ensemble: xr.Dataset | None = None,
    overwrite: bool = False,
) -> None:
    """Write the report: one HTML file that loads nothing from elsewhere and runs no script.

    A section appears where its data are there: without intervals, FSS, spectra, coverage or an ensemble the rest is
    the same. All text is escaped.

    Args:
      path: the HTML file to write, whole or not at all.
      title: what was verified on what.
      facts: name and text of what a reader must know (data, split, cases, blocks, event rule, versions), in order.
      warnings: what makes the scores doubtful, such as verified windows that overlap the training data.
      common: the comparison on the pixels that all methods forecast: scores (method, lead_time), (method, lead_time,
        threshold), (method, lead_time, threshold, window) and spectra (method, lead_time, wavenumber), with the
        intervals `<score>_low`, `_high`, `_difference`, `_difference_low`, `_difference_high` and `_verdict` of the
        bootstrap; `attrs["units"]` is the unit of the data.
      whole: the same on each method's own pixels; its intervals are not shown.
      cases: nowcasts to look at.
      ensemble: scores of ensembles, with or without a dimension method.
      overwrite: replace an existing file.

    Raises:
      ValueError: comparisons without methods or lead times or of different ones, a picture of another kind.
      FileExistsError: where `path` exists and `overwrite` is False.
    """
    refuse_existing(pathlib.Path(path), overwrite)  # before the work of drawing
    _check_labels(common, whole)
    if ensemble is not None and "method" not in ensemble.dims:
        ensemble = ensemble.expand_dims(method=["ensemble"])
    styles = style_methods(map(str, common["method"].values))
    sections = [
        show_warnings(warnings),
        show_summary(common, facts),
        show_score_cards(common),
        show_scores(common, styles),
        show_fss(common, styles),
        show_coverage(common, whole, styles),
        show_scales(common, styles),
        show_ensemble(ensemble),
        show_cases(cases),
        show_numbers(common, whole, ensemble),
    ]
    footer = "Written by predjax. This page is one file and loads nothing from elsewhere."
    page = lay_out_page(title, "Verification of nowcasts", [section for section in sections if section], footer)
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
