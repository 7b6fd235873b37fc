"""The pictures of the report with their captions, and the legend that serves all pictures of a section."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import xarray as xr

from predjax.pictures.ensembles import draw_ranks, draw_reliability, draw_roc
from predjax.pictures.figures import encode_png, new_figure
from predjax.pictures.lead_times import LeadPanel, draw_lead_panel, name_event, name_lead_unit
from predjax.pictures.panels import FAINT, label_lead_times
from predjax.pictures.report.page import Picture, embed_picture
from predjax.pictures.report.words import spell_lead
from predjax.pictures.spectra import OBSERVED_STYLE, draw_spectra, has_spectra

SCALE = 2  # pixels of a picture for each of the page: sharp on a fine screen and in print
DPI = 100 * SCALE
PANEL = (380 * SCALE, 235 * SCALE)
SMALL = (280 * SCALE, 200 * SCALE)
TALL = (380 * SCALE, 330 * SCALE)
SWATCH = (48 * SCALE, 16 * SCALE)
MOST_LEADS = 3  # lead times that get a spectrum or a curve of their own


class Legend(NamedTuple):
    """A swatch for each line of a section's pictures, and the name of the shaded bands ("" without bands)."""

    swatches: list[Picture]
    bands: str = ""


def picture_panel(panel: LeadPanel, styles: Mapping[str, Mapping], title: str = "", *, small: bool = False) -> Picture:
    """Draw a score against lead time; the caption is `title`, or else the panel's own."""
    width, height = SMALL if small else PANEL
    figure = new_figure(width, height, DPI)
    left, bottom = 44 * SCALE / width, 38 * SCALE / height  # room for the tick labels and the axis label
    axes = figure.add_axes((left, bottom, 0.98 - left, 0.965 - bottom))
    draw_lead_panel(axes, panel, styles)
    unit = name_lead_unit(panel.scores)
    axes.set_xlabel(f"lead time ({unit})", fontsize=7.5, color=FAINT, labelpad=1, parse_math=False)
    leads = panel.scores["lead_time"].values
    told = []
    for method in map(str, panel.scores["method"].values):
        values = panel.scores.sel({"method": method}).values
        ends = [f"{values[k]:.3g} at {spell_lead(leads[k], unit)}" for k in sorted({0, len(leads) - 1})]
        told.append(f"{method} {', '.join(ends)}")
    alt = f"{panel.title} against lead time: {'; '.join(told)}"
    return embed_picture(encode_png(figure), alt, title or panel.title, panel.note, scale=SCALE)


def picture_spectra(comparison: xr.Dataset, styles: Mapping[str, Mapping]) -> list[Picture]:
    """Draw the power spectra at a few lead times, without the lead times that have none."""
    pictures = []
    for lead in _choose_leads(comparison):
        if not has_spectra(comparison.isel(lead_time=lead)):
            continue
        title = _label_lead(comparison, lead)
        note = ""
        if "spectrum_frames" in comparison:
            count = int(comparison["spectrum_frames"].isel(lead_time=lead).values.max())
            note = f"{count:,} frame{'' if count == 1 else 's'}"
        png = encode_png(draw_spectra(comparison, lead, styles, TALL, DPI))
        alt = f"power spectra of the observation and the forecasts at {title}, and their ratios"
        pictures.append(embed_picture(png, alt, title, note, scale=SCALE))
    return pictures


def picture_ensemble(ensemble: xr.Dataset, method: str) -> list[Picture]:
    """Draw the rank histogram, and the reliability and ROC curves of each threshold, at a few lead times."""
    leads = _choose_leads(ensemble)
    labels = [_label_lead(ensemble, lead) for lead in leads]
    pictures = []
    if "rank_histogram" in ensemble:
        png = encode_png(draw_ranks(ensemble, leads, labels, TALL, DPI))
        alt = f"rank histogram of {method} at {', '.join(labels)}"
        note = "line: flat, as it should be"
        pictures.append(embed_picture(png, alt, "rank histogram", note, scale=SCALE))
    kinds = {
        "observed_frequency": (draw_reliability, "reliability", "observed frequency against forecast probability"),
        "roc_pod": (draw_roc, "ROC", "probability of detection against probability of false detection"),
    }
    for score, (draw, name, content) in kinds.items():
        for number, threshold in enumerate(ensemble["threshold"].values if score in ensemble else ()):
            png = encode_png(draw(ensemble.isel(threshold=number), leads, labels, TALL, DPI))
            title = f"{name}, {name_event(ensemble, threshold)}"
            alt = f"{title}: {content} of {method} at {', '.join(labels)}"
            pictures.append(embed_picture(png, alt, title, scale=SCALE))
    return pictures


def make_legend(styles: Mapping[str, Mapping], *, observed: bool = False, bands: str = "") -> Legend:
    """Make the legend of a section, which stays in sight while the section scrolls by."""
    lines = [("observed", OBSERVED_STYLE)] if observed else []
    lines += [(method, {**style, "linewidth": 1.6}) for method, style in styles.items()]
    return Legend([embed_picture(_draw_swatch(style), "", name, scale=SCALE) for name, style in lines], bands)


def _draw_swatch(style: Mapping) -> bytes:
    figure = new_figure(*SWATCH, DPI)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    axes.set(xlim=(0, 1), ylim=(-1, 1))
    axes.plot([0.02, 0.5, 0.98], np.zeros(3), markersize=4.5, markevery=[1], **style)
    return encode_png(figure)


def _choose_leads(comparison: xr.Dataset) -> list[int]:
    """Return the positions of the first lead time, the last one and some between."""
    last = comparison.sizes["lead_time"] - 1
    return sorted({round(place) for place in np.linspace(0, last, MOST_LEADS).tolist()})


def _label_lead(comparison: xr.Dataset, lead: int) -> str:
    coordinate = comparison["lead_time"]
    return label_lead_times([coordinate.values[lead]], coordinate.attrs.get("units", "1"))[0]
