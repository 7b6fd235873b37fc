"""The sections of the report with pictures: scores, FSS, coverage, scales, ensembles, cases."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from predjax.pictures.lead_times import (
    LeadPanel,
    choose_panels,
    find_ensembles,
    make_panel,
    name_event,
    name_lead_unit,
    name_score,
)
from predjax.pictures.report.page import Picture, Section, embed_picture
from predjax.pictures.report.pictures import Legend, make_legend, picture_ensemble, picture_panel, picture_spectra
from predjax.pictures.report.words import has_intervals, spell_lead, spell_list
from predjax.pictures.spectra import has_spectra

RATIOS = ("mean_ratio", "variance_ratio", "q99_ratio")
MOST_AREAS = 12  # named in a sentence
FEW_WINDOWS = 3  # more FSS panels stand four in a row


class ReportCase(NamedTuple):
    """One nowcast to show: the reason to show it, its init time, its score, and the bytes of a GIF or PNG."""

    label: str
    name: str
    note: str
    picture: bytes


class PictureGroup(NamedTuple):
    """Pictures side by side, with a heading, a note and a sentence; an empty text is left out."""

    pictures: list[Picture]
    heading: str = ""
    note: str = ""
    text: str = ""
    four: bool = False  # small pictures, four in a row


def show_scores(common: xr.Dataset, styles: Mapping) -> Section | None:
    """Show the errors, and the CSI of each threshold."""
    panels = choose_panels(common)
    if not panels:
        return None
    text = "On the pixels that all methods forecast."
    if "csi" in common:
        rule = common.attrs.get("event_rule")
        text += f" Events are observed pixels of a lead time{f'; an event is {rule}' if rule else ''}."
    groups = [PictureGroup([picture_panel(panel, styles) for panel in panels])]
    legend = make_legend(styles, bands=_name_bands(common))
    return _show_pictures("scores", "Scores by lead time", legend, groups, text)


def show_fss(common: xr.Dataset, styles: Mapping) -> Section | None:
    """Show the FSS of each threshold and window."""
    if "fss" not in common or not common["fss"].notnull().any():
        return None
    text = "The share of events in square windows of several sizes, on the pixels that all methods forecast."
    useful = "fss_useful" in common
    text += " Dotted: above it a window is useful (0.5 + half the observed frequency)." if useful else ""
    groups = []
    four = common.sizes["window"] > FEW_WINDOWS
    for number, threshold in enumerate(common["threshold"].values):
        one = common.isel(threshold=number)
        level = one["fss_useful"].isel(method=0) if useful else None
        heading = f"FSS, {name_event(common, threshold)}"
        pictures = []
        for place, side in enumerate(common["window"].values):
            title = f"{side} × {side} pixels"
            panel = make_panel(one.isel(window=place), "fss", f"{heading}, {title}", level=level)
            pictures.append(picture_panel(panel, styles, title, small=four))
        groups.append(PictureGroup(pictures, heading, four=four))
    legend = make_legend(styles, bands=_name_bands(common))
    return _show_pictures("fss", "Fractions skill score", legend, groups, text)


def show_coverage(common: xr.Dataset, whole: xr.Dataset, styles: Mapping) -> Section | None:
    """Show the share of the observed pixels that each method forecasts, and that all methods forecast."""
    data = whole if "coverage" in whole else common
    if "coverage" not in data or not data["coverage"].notnull().any():
        return None
    level, note, texts = None, "", []
    if data is whole and "coverage" in common:
        shared = 100 * common["coverage"]
        if np.allclose(shared, shared[:1], equal_nan=True):
            leads, unit = common["lead_time"].values, name_lead_unit(common)
            level, note = shared.isel(method=0), "dotted: all methods"
            ends = [f"{float(level[k]):.3g} % at {spell_lead(leads[k], unit)}" for k in sorted({0, len(leads) - 1})]
            texts.append(f"All methods together forecast {' and '.join(ends)} of the observed pixels.")
    texts.append("Scores of different methods compare only on the pixels that all of them forecast.")
    panel = LeadPanel("observed pixels that are forecast (%)", 100 * data["coverage"], note=note, level=level)
    content = {"picture": picture_panel(panel, styles), "legend": make_legend(styles), "texts": texts}
    return Section("coverage", "Coverage", "coverage", content)


def show_scales(common: xr.Dataset, styles: Mapping) -> Section | None:
    """Show blur by scale: power spectra, and the ratios of mean, variance and 99 % quantile to the observed ones."""
    ratios = [name for name in RATIOS if name in common and common[name].notnull().any()]
    spectra = has_spectra(common)
    if not ratios and not spectra:
        return None
    groups = []
    if spectra:
        text = "Radially averaged power, long waves on the left; below, forecast / observed."
        missing = common["wavenumber"].attrs.get("missing_rule")
        text += f" Missing pixels: {missing}." if missing else ""
        groups.append(PictureGroup(picture_spectra(common, styles), "Power spectra", text))
    if ratios:
        units = common.attrs.get("units", "1")
        pictures = [picture_panel(make_panel(common, name, name_score(name, units)), styles) for name in ratios]
        blur = _describe_blur(common) if "variance_ratio" in ratios else ""
        groups.append(PictureGroup(pictures, "Amounts", "1 is right; less variance than observed is blur.", blur))
    legend = make_legend(styles, observed=spectra)
    return _show_pictures("scales", "Is the forecast blurred?", legend, groups)


def show_ensembles(common: xr.Dataset, styles: Mapping) -> Section | None:
    """Show CRPS, spread, Brier score and ROC area, and of each ensemble its ranks, reliability and ROC curves."""
    ensembles = find_ensembles(common)
    if not ensembles:
        return None
    units = common.attrs.get("units", "1")
    members = {str(method): int(n) for method, n in zip(common["method"].values, common["members"].values)}
    text = f"{spell_list([f'{name} has {members[name]} members' for name in ensembles])}. A single forecast is an "
    text += "ensemble of one member: its CRPS is its MAE. On the diagonal, forecast probabilities come true; a "
    text += "U-shaped rank histogram is an ensemble too narrow, and a ROC curve on the diagonal is luck."
    panels = [make_panel(common, "crps", name_score("crps", units))]
    if common["crps_area"].notnull().any() if "crps_area" in common else False:
        title = name_score("crps_area", common["crps_area"].attrs.get("units", "1"))
        panels.append(make_panel(common, "crps_area", title))
    panels.append(make_panel(common.sel({"method": ensembles}), "spread_ratio", name_score("spread_ratio", units)))
    for number, threshold in enumerate(common["threshold"].values):
        for name in ("brier", "roc_area"):
            title = f"{name_score(name, units)}, {name_event(common, threshold)}"
            panels.append(make_panel(common.isel(threshold=number), name, title))
    groups = [PictureGroup([picture_panel(panel, styles) for panel in panels], text=_describe_totals(common))]
    for method in ensembles:
        own = slice(members[method] + 1)
        one = common.sel({"method": method}).isel(members_above=own, rank=own)
        groups.append(PictureGroup(picture_ensemble(one, method), method))
    legend = make_legend(styles, bands=_name_bands(common))
    return _show_pictures("ensemble", "Ensembles", legend, groups, text)


def show_areas(common: xr.Dataset, styles: Mapping) -> Section | None:
    """Show the scores of the totals of rain on areas."""
    if "areal_crps" not in common:
        return None
    names = ", ".join(map(str, common["area"].values[:MOST_AREAS]))
    more = common.sizes["area"] - MOST_AREAS
    text = f"Rain from the init time to each lead time, on {names}{f' and {more} more' if more > 0 else ''}. "
    text += "Each area counts alike; the CRPS of a single forecast is its mean absolute error."
    panels = [make_panel(common, name, name_score(name, "mm")) for name in ("areal_crps", "areal_bias")]
    for number, threshold in enumerate(common["areal_threshold"].values):
        one, title = common.isel(areal_threshold=number), f"{name_score('areal_brier', 'mm')}, ≥ {threshold:g} mm"
        panels.append(make_panel(one, "areal_brier", title))
    groups = [PictureGroup([picture_panel(panel, styles) for panel in panels])]
    return _show_pictures("areas", "Rain on areas", make_legend(styles, bands=_name_bands(common)), groups, text)


def show_cases(cases: Sequence[ReportCase]) -> Section | None:
    """Show pictures of single nowcasts. A ValueError names a picture that is neither GIF nor PNG."""
    if not cases:
        return None
    names = [f"{case.label}, {case.name}" for case in cases]
    pictures = [embed_picture(case.picture, name, name, case.note) for case, name in zip(cases, names)]
    return Section("cases", "Cases", "cases", {"pictures": pictures})


def _show_pictures(name: str, heading: str, legend: Legend, groups: Sequence[PictureGroup], note: str = "") -> Section:
    return Section(name, heading, "pictures", {"note": note, "legend": legend, "groups": groups})


def _name_bands(common: xr.Dataset) -> str:
    """Return the name of the shaded bands, or "" where there are none."""
    if not has_intervals(common):
        return ""
    level = common.attrs.get("interval_level")
    return f"shaded: {100 * level:g} % intervals" if level else "shaded: intervals"


def _describe_blur(common: xr.Dataset) -> str:
    """Return a sentence on the share of the observed variance in each method, at the last lead time with a value."""
    ratio = common["variance_ratio"]
    last = int(np.flatnonzero(ratio.notnull().any("method").values)[-1])
    variance = ratio.isel(lead_time=last).values
    quantile = common["q99_ratio"].isel(lead_time=last).values if "q99_ratio" in common else None
    texts = []
    for number, method in enumerate(map(str, common["method"].values)):
        text = f"{method} has {_percent(variance[number])} of the observed variance"
        texts.append(text if quantile is None else f"{text} and {_percent(quantile[number])} of the 99 % quantile")
    return f"At {spell_lead(common['lead_time'].values[last], name_lead_unit(common))} {'; '.join(texts)}."


def _describe_totals(common: xr.Dataset) -> str:
    """Return a sentence on the CRPS of each method's accumulation, with its interval; "" without accumulations."""
    if "crps_accumulation" not in common:
        return ""
    score = common["crps_accumulation"]
    texts = []
    for number, method in enumerate(map(str, common["method"].values)):
        text = f"{method} {float(score[number]):.3g}"
        if "crps_accumulation_low" in common:
            low, high = (float(common[f"crps_accumulation_{end}"][number]) for end in ("low", "high"))
            text += f" ({low:.3g} to {high:.3g})" if np.isfinite(low) and np.isfinite(high) else ""
        texts.append(text)
    last = spell_lead(common["lead_time"].values[-1], name_lead_unit(common))
    return f"CRPS of the accumulation until {last}, in {score.attrs.get('units', '1')}: {', '.join(texts)}."


def _percent(ratio: float) -> str:
    return f"{100 * ratio:.0f} %" if np.isfinite(ratio) else "an undefined part"
