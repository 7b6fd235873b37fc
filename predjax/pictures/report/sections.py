"""The sections of the report that show pictures: scores, FSS, coverage, scales, ensembles, cases."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from predjax.pictures.lead_times import (
    LeadPanel,
    choose_panels,
    make_panel,
    name_event,
    name_lead_unit,
    name_score,
    style_methods,
)
from predjax.pictures.report.figures import (
    lay_out_panels,
    make_legend,
    picture_ensemble,
    picture_panel,
    picture_spectra,
)
from predjax.pictures.report.page import Section, element, embed_picture, join
from predjax.pictures.report.words import spell_lead
from predjax.pictures.spectra import has_spectra

RATIOS = ("mean_ratio", "variance_ratio", "q99_ratio")
FEW_WINDOWS = 3  # more FSS panels stand four in a row


class ReportCase(NamedTuple):
    """One nowcast to look at: why it is shown, its init time, its score, and the bytes of a GIF or PNG."""

    label: str
    name: str
    note: str
    picture: bytes


def show_scores(common: xr.Dataset, styles: Mapping) -> Section | None:
    """Errors, and the CSI of each threshold."""
    panels = choose_panels(common)
    if not panels:
        return None
    text = "On the pixels that all methods forecast."
    if "csi" in common:
        rule = common.attrs.get("event_rule")
        text += f" Events are observed pixels of a lead time{f'; an event is {rule}' if rule else ''}."
    pictures = lay_out_panels([picture_panel(panel, styles) for panel in panels])
    legend = make_legend(styles, bands=_name_bands(common))
    return Section("scores", "Scores by lead time", join(element("p", text, class_="note"), legend, pictures))


def show_fss(common: xr.Dataset, styles: Mapping) -> Section | None:
    """The FSS of each threshold and window."""
    if "fss" not in common or not common["fss"].notnull().any():
        return None
    text = "The share of events in square windows of several sizes, on the pixels that all methods forecast."
    useful = "fss_useful" in common
    text += " Dotted: above it a window is useful (0.5 + half the observed frequency)." if useful else ""
    parts = [element("p", text, class_="note"), make_legend(styles, bands=_name_bands(common))]
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
        parts += [element("h3", heading), lay_out_panels(pictures, four=four)]
    return Section("fss", "Fractions skill score", join(*parts))


def show_coverage(common: xr.Dataset, whole: xr.Dataset, styles: Mapping) -> Section | None:
    """Which part of the observed pixels each method forecasts, and all of them together."""
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
    beside = element("div", make_legend(styles), *(element("p", text) for text in texts))
    content = element("div", picture_panel(panel, styles), beside, class_="beside")
    return Section("coverage", "Coverage", content)


def show_scales(common: xr.Dataset, styles: Mapping) -> Section | None:
    """Blur: the power spectra, and mean, variance and 99 % quantile against the observed ones."""
    ratios = [name for name in RATIOS if name in common and common[name].notnull().any()]
    spectra = has_spectra(common)
    if not ratios and not spectra:
        return None
    parts = [make_legend(styles, observed=spectra)]
    if spectra:
        text = "Radially averaged power, long waves on the left; below, forecast / observed."
        missing = common["wavenumber"].attrs.get("missing_rule")
        text += f" Missing pixels: {missing}." if missing else ""
        parts += [element("h3", "Power spectra"), element("p", text, class_="note")]
        parts.append(lay_out_panels(picture_spectra(common, styles)))
    if ratios:
        units = common.attrs.get("units", "1")
        panels = [make_panel(common, name, name_score(name, units)) for name in ratios]
        parts += [
            element("h3", "Amounts"),
            element("p", "1 is right; less variance than observed is blur.", class_="note"),
        ]
        if "variance_ratio" in ratios:
            parts.append(element("p", _describe_blur(common)))
        parts.append(lay_out_panels([picture_panel(panel, styles) for panel in panels]))
    return Section("scales", "Is the forecast blurred?", join(*parts))


def show_ensemble(ensemble: xr.Dataset | None) -> Section | None:
    """CRPS, spread, reliability and rank histograms of ensembles (method, ...)."""
    if ensemble is None:
        return None
    styles = style_methods(map(str, ensemble["method"].values))
    units, members = ensemble.attrs.get("units", "1"), ensemble.attrs.get("members")
    text = f"{members} members. " if members else ""
    text += "On the diagonal, forecast probabilities come true; a U-shaped rank histogram is an ensemble too narrow."
    names = [name for name in ("crps", "spread_ratio") if name in ensemble]
    curves = [picture_panel(make_panel(ensemble, name, name_score(name, units)), styles) for name in names]
    parts = [element("p", text, class_="note"), make_legend(styles), lay_out_panels(curves)]
    for number, method in enumerate(styles):
        parts += [element("h3", method), lay_out_panels(picture_ensemble(ensemble.isel(method=number), method))]
    return Section("ensemble", "Ensemble", join(*parts))


def show_cases(cases: Sequence[ReportCase]) -> Section | None:
    """Pictures of single nowcasts; a ValueError names one that is neither GIF nor PNG."""
    if not cases:
        return None
    parts = []
    for case in cases:
        text = f"{case.label}, {case.name}"
        if case.picture[:4] not in (b"GIF8", b"\x89PNG"):
            raise ValueError(f"the picture of the {text} is neither GIF nor PNG: it starts with {case.picture[:8]!r}")
        movie = element("div", embed_picture(case.picture, text), class_="movie", tabindex=0)
        caption = element("figcaption", element("strong", text), element("span", case.note))
        parts.append(element("figure", caption, movie, class_="case"))
    return Section("cases", "Cases", join(*parts))


def _name_bands(common: xr.Dataset) -> str:
    """What the shaded bands are, "" where there are none."""
    if not any(str(name).endswith("_low") and values.notnull().any() for name, values in common.data_vars.items()):
        return ""
    level = common.attrs.get("interval_level")
    return f"shaded: {100 * level:g} % intervals" if level else "shaded: intervals"


def _describe_blur(common: xr.Dataset) -> str:
    """The part of the observed variance that each method has at the last lead time that has a value."""
    ratio = common["variance_ratio"]
    last = int(np.flatnonzero(ratio.notnull().any("method").values)[-1])
    variance = ratio.isel(lead_time=last).values
    quantile = common["q99_ratio"].isel(lead_time=last).values if "q99_ratio" in common else None
    texts = []
    for number, method in enumerate(map(str, common["method"].values)):
        text = f"{method} has {_percent(variance[number])} of the observed variance"
        texts.append(text if quantile is None else f"{text} and {_percent(quantile[number])} of the 99 % quantile")
    return f"At {spell_lead(common['lead_time'].values[last], name_lead_unit(common))} {'; '.join(texts)}."


def _percent(ratio: float) -> str:
    return f"{100 * ratio:.0f} %" if np.isfinite(ratio) else "an undefined part"
