"""Reports for tests: measured comparisons, a written page, and its parts as a browser would see them."""

import html.parser
import io

import numpy as np
import xarray as xr
from PIL import Image

from predjax.pictures.report.write import Report, write_report
from predjax.verification.bootstrap import Draws, bootstrap
from predjax.verification.case_blocks import stack_blocks, sum_blocks
from predjax.verification.common_domain import keep_common
from predjax.verification.fields import Scoring
from predjax.verification.measure import measure, score
from predjax.verification.skill import compare
from predjax.verification.usefulness import judge_usefulness

VOID = {"meta", "link", "img", "br"}
LEADS = [5, 10, 15]
LABELS = {"lead_times": LEADS, "lead_units": "minutes", "units": "mm/h"}


class Page(html.parser.HTMLParser):
    """What a browser would make of a page: elements, attributes, texts; an error where tags do not balance."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts = [], [], [], []
        self.tables, self.sections = [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag == "h2":
            self.sections.append(dict(attrs)["id"])
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.texts.append(data)
        if {"td", "th"} & set(self.open):
            # The parts of a cell stand on lines of their own.
            self.tables[-1][-1][-1] += ("\n" if self.tables[-1][-1][-1] else "") + data

    def links(self):
        return [value for _, name, value in self.attributes if name in ("src", "href", "srcset", "data", "action")]


def fields(blocks=6, seed=0):
    """By block the observation and three forecasts of rain (case, T, H, W, C), or (case, member, ...) of "steps".

    The model has gaps and the true rain.
    """
    draw = np.random.default_rng(seed)
    for _ in range(blocks):
        observed = draw.gamma(0.6, 3.0, (1, len(LEADS), 14, 14, 1)).astype(np.float32)
        model = observed + draw.normal(0, 0.5, observed.shape).astype(np.float32)
        model[:, :, :2] = np.nan
        members = np.stack([model, draw.permuted(observed, axis=2), 0.9 * observed], axis=1)
        yield observed, {"predrnn_v2": model, "persistence": draw.permuted(observed, axis=2), "steps": members}


def measure_all(blocks=6, windows=(1, 3)):
    """The comparisons on the common and on each method's own pixels as the verification makes them."""
    sums = {where: {"predrnn_v2": {}, "persistence": {}, "steps": {}} for where in ("common", "whole")}
    for block, (observed, forecasts) in enumerate(fields(blocks)):
        for where, chosen in (("common", keep_common(forecasts, observed)), ("whole", forecasts)):
            for method, forecast in chosen.items():
                sums[where][method][block] = measure(
                    forecast, observed, Scoring([0.1, 5.0], windows, fill=0.0, pixel_size=1000.0, **LABELS)
                )
    stacked = {where: {m: stack_blocks(s) for m, s in of.items()} for where, of in sums.items()}
    common, whole = (compare({m: score(sum_blocks(s)) for m, s in of.items()}) for of in stacked.values())
    names = ["rmse", "mae", "mean_error", "csi", "fss", "crps", "crps_accumulation", "spread_ratio", "brier"]
    intervals = bootstrap(stacked["common"], score, reference="persistence", names=names, draws=Draws(50))
    return xr.merge([common, intervals], join="exact", combine_attrs="no_conflicts"), whole


def judge(common, **attrs):
    """The comparison on the common pixels with what may be used, and with attributes."""
    used = judge_usefulness(common, "persistence").data_vars
    return common.assign(used).assign_attrs({"reference": "persistence", "cases": 12, "movies": 6, **attrs})


def bare(comparison):
    """Two scores and nothing else."""
    return comparison[["rmse", "csi"]]


def gif(size=(40, 20)):
    buffer = io.BytesIO()
    frames = [Image.new("P", size, shade) for shade in (1, 2)]
    frames[0].save(buffer, format="GIF", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def write(path, common, whole, overwrite=False, **changes):
    given = {"title": "a title", "facts": {}, "warnings": [], "cases": [], **changes}
    write_report(path, Report(common=common, whole=whole, **given), overwrite=overwrite)
    text = path.read_text(encoding="utf-8")
    return text, Page(text)
