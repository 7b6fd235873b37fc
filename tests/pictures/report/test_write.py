"""The report: one file that needs nothing else, says what the data say, and trusts no text."""

import html.parser
import io
import re

import numpy as np
import pytest
import xarray as xr
from PIL import Image

from predjax.pictures.report.write import Report, ReportCase, write_report
from predjax.verification.blocks import stack_blocks, sum_blocks
from predjax.verification.bootstrap import VERDICTS, bootstrap
from predjax.verification.common_domain import keep_common
from predjax.verification.ensembles import ensemble_skill, ensemble_statistics
from predjax.verification.measure import measure, score
from predjax.verification.skill import compare

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
    """By block the observation and two forecasts of rain (case, T, H, W, C); the model has gaps and the true rain."""
    draw = np.random.default_rng(seed)
    for _ in range(blocks):
        observed = draw.gamma(0.6, 3.0, (1, len(LEADS), 14, 14, 1)).astype(np.float32)
        model = observed + draw.normal(0, 0.5, observed.shape).astype(np.float32)
        model[:, :, :2] = np.nan
        yield observed, {"predrnn_v2": model, "persistence": draw.permuted(observed, axis=2)}


def measure_all(blocks=6, windows=(1, 3)):
    """The comparisons on the common and on each method's own pixels as the verification makes them."""
    sums = {where: {"predrnn_v2": {}, "persistence": {}} for where in ("common", "whole")}
    for block, (observed, forecasts) in enumerate(fields(blocks)):
        for where, chosen in (("common", keep_common(forecasts, observed)), ("whole", forecasts)):
            for method, forecast in chosen.items():
                sums[where][method][block] = measure(
                    forecast, observed, [0.1, 5.0], windows, fill=0.0, pixel_size=1000.0, **LABELS
                )
    stacked = {where: {m: stack_blocks(s) for m, s in of.items()} for where, of in sums.items()}
    common, whole = (compare({m: score(sum_blocks(s)) for m, s in of.items()}) for of in stacked.values())
    names = ["rmse", "mae", "mean_error", "csi", "fss"]
    intervals = bootstrap(stacked["common"], score, reference="persistence", names=names, resamples=50)
    return xr.merge([common, intervals], join="exact", combine_attrs="no_conflicts"), whole


def measure_ensemble():
    observed, forecasts = next(fields())
    members = np.stack([forecasts["predrnn_v2"], forecasts["persistence"], 0.9 * observed], axis=1)
    return ensemble_skill(ensemble_statistics(members, observed, [0.1, 5.0], **LABELS))


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


@pytest.fixture(scope="module")
def measured():
    return measure_all()


@pytest.fixture(scope="module")
def full(measured, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    cases = [
        ReportCase(label, "2010-08-26 05:00 UTC", "RMSE 1.2 mm/h", gif()) for label in ("median case", "worst case")
    ]
    extra = {"facts": {"Data": "knmi.nc", "Blocks": "6 events"}, "warnings": ["3 windows overlap"], "cases": cases}
    return write(path, *measured, ensemble=measure_ensemble(), **extra)


@pytest.fixture(scope="module")
def small(measured):
    return tuple(bare(part) for part in measured)


def find_column(page, number, heading, part=0):
    """{(lead, method): cell} of a table's column; of several with one heading the `part`-th."""
    table = page.tables[number]
    places = [place for place, text in enumerate(table[1]) if text == heading]
    cells, lead = {}, None
    for row in table[2:]:
        if len(row) == 1:
            lead = int(row[0].split(" min")[0])
        else:
            cells[lead, row[0]] = row[1 + places[part]]
    return cells


def test_the_page_loads_nothing_and_runs_nothing(full):
    text, page = full
    assert {link.split(",")[0] for link in page.links()} <= {f"#{name}" for name in page.sections} | {
        "data:",
        "data:image/png;base64",
        "data:image/gif;base64",
    }
    assert not {"script", "iframe", "object", "embed", "form", "base", "svg"} & set(page.tags)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    style = text.split("<style>")[1].split("</style>")[0]
    assert "url(" not in style and "@import" not in style
    policy = dict((name, value) for tag, name, value in page.attributes if tag == "meta")["content"]
    assert "default-src 'none'" in text and policy


def test_every_picture_is_whole_and_described(full):
    _, page = full
    sources = [value for _, name, value in page.attributes if name == "src"]
    assert len(sources) > 10 and sum(source.startswith("data:image/gif") for source in sources) == 2
    assert page.tags.count("img") == sum(name == "alt" for _, name, _ in page.attributes)


def test_with_all_data_all_sections_are_there(full):
    assert full[1].sections == [
        *("warning", "summary", "cards", "scores", "fss", "coverage", "scales", "ensemble", "cases", "tables")
    ]


@pytest.mark.parametrize(
    ("names", "section"),
    [
        (["fss", "fss_useful"], "fss"),
        (["coverage"], "coverage"),
        (["rapsd_forecast", "rapsd_observed", "rapsd_ratio"], "scales"),
        (["q99_ratio", "mean_ratio"], "scales"),
    ],
)
def test_a_section_is_there_exactly_with_its_scores(tmp_path, measured, small, names, section):
    with_data = [xr.merge([of, part[names]]) for of, part in zip(small, measured)]
    _, page = write(tmp_path / "with.html", *with_data)
    assert set(page.sections) == {"summary", "cards", "scores", "tables", section}


def test_warnings_come_first_and_cases_where_there_are_some(tmp_path, small):
    cases = [ReportCase("best case", "05:00", "", gif())]
    _, page = write(tmp_path / "a.html", *small, warnings=["beware"], cases=cases)
    assert page.sections == ["warning", "summary", "cards", "scores", "cases", "tables"]
    assert "beware" in page.texts


def test_values_that_are_all_undefined_are_no_data(tmp_path, measured, small):
    names = ["rapsd_forecast", "rapsd_observed", "rapsd_ratio", "fss", "variance_ratio", "coverage"]
    undefined = [xr.merge([of, part[names] * np.nan]) for of, part in zip(small, measured)]
    _, page = write(tmp_path / "a.html", *undefined)
    assert page.sections == ["summary", "cards", "scores", "tables"]


def test_one_method_alone_is_held_against_nothing(tmp_path, small):
    alone = [of.isel(method=[1]) for of in small]
    _, page = write(tmp_path / "a.html", *alone)
    assert page.sections == ["summary", "scores", "tables"]
    first = float(alone[0].rmse[0, 0])
    assert any(f"RMSE of persistence: {first:.3g} mm/h at 5 min" in text for text in page.texts)


def test_the_tables_hold_the_numbers(full, measured):
    common, whole = measured
    _, page = full
    numbers = [k for k, table in enumerate(page.tables) if table[0][0] == "method"]  # the others are score cards
    for number, column, values in (
        (numbers[0], "RMSE", common.rmse),
        (numbers[1], "CSI", common.csi.isel(threshold=0)),
        (numbers[2], "hits", common.hits.isel(threshold=1)),
        (numbers[2], "POD", common.pod.isel(threshold=1)),
    ):
        for (lead, method), cell in find_column(page, number, column).items():
            exact = float(values.sel({"lead_time": lead, "method": method}))
            text = cell.split("\n")[0].replace(",", "").replace("−", "-")
            decimals = len(text.partition(".")[2])
            assert float(text) == pytest.approx(exact, abs=0.5001 * 10**-decimals) and (
                decimals == 3 or column == "hits"
            )
    own = find_column(page, numbers[0], "RMSE", part=1)
    for (lead, method), cell in own.items():
        assert float(cell) == pytest.approx(float(whole.rmse.sel({"lead_time": lead, "method": method})), abs=6e-4)
    assert {row[0] for row in page.tables[numbers[0]] if len(row) == 1} == {
        f"{lead} min\n · 6 cases · {int(pairs):,} pixel pairs"
        for lead, pairs in zip(LEADS, common.pairs.isel(method=0).values)
    }


def test_intervals_and_verdicts_stand_below_the_numbers(full, measured):
    common, _ = measured
    _, page = full
    number = next(k for k, table in enumerate(page.tables) if table[0][0] == "method")
    cells = find_column(page, number, "RMSE")
    low, high = (float(common[f"rmse_{end}"].sel({"lead_time": 10, "method": "predrnn_v2"})) for end in ("low", "high"))
    assert cells[10, "predrnn_v2"].split("\n")[1] == f"{low:.3f}\u2009…\u2009{high:.3f}"
    differences = find_column(page, number, "RMSE −\npersistence's")
    assert differences[5, "persistence"] == "reference"
    verdict = str(common.rmse_verdict.sel({"lead_time": 5, "method": "predrnn_v2"}).item())
    assert verdict == "resolved" and differences[5, "predrnn_v2"].endswith("▲ better, resolved")


def test_the_score_card_marks_every_finding(full, measured):
    common, _ = measured
    _, page = full
    card = page.tables[0]
    assert card[0] == ["lead time (min)", "5", "10", "15"]
    assert [row[0] for row in card[1:]] == [
        *("RMSE", "MAE", "CSI ≥ 0.1 mm/h", "CSI ≥ 5 mm/h"),
        *("FSS ≥ 0.1 mm/h, 1 px", "FSS ≥ 0.1 mm/h, 3 px", "FSS ≥ 5 mm/h, 1 px", "FSS ≥ 5 mm/h, 3 px"),
    ]
    own = common.sel({"method": "predrnn_v2"})
    for lead, cell in enumerate(card[3][1:]):
        better = float(own.csi_difference[lead, 0]) > 0
        word = str(own.csi_verdict[lead, 0].item())
        assert cell.split("\n")[1] == f"{'better' if better else 'worse'}, {word}"
        assert (cell[0] in "▲▼") == (word == "resolved")


def test_the_summary_says_what_the_scores_say(full):
    text = " ".join(full[1].texts)
    assert "predrnn_v2 is better than persistence in RMSE at every lead time (resolved)." in text
    assert "95 % interval of the difference to persistence does not hold zero (block bootstrap over 6 blocks" in text
    assert "shaded: 95 % intervals" in text


def test_too_few_cases_are_said_to_be(tmp_path):
    _, page = write(tmp_path / "a.html", *(bare_with_verdicts(part) for part in measure_all(blocks=2, windows=(1,))))
    text = " ".join(page.texts)
    assert "predrnn_v2 is better than persistence in RMSE at every lead time (too few cases to be sure)." in text
    assert "Too few cases for intervals (block bootstrap over 2 blocks of cases)" in text
    assert "(△) better, too few cases" in text and "shaded" not in text


def bare_with_verdicts(comparison):
    return comparison[[name for name in comparison.data_vars if str(name).startswith("rmse")]]


def test_without_intervals_nothing_is_claimed(tmp_path, small):
    text = " ".join(write(tmp_path / "a.html", *small)[1].texts)
    assert "predrnn_v2 is better than persistence in RMSE at every lead time." in text
    assert "There are no intervals: whether a difference to persistence is luck cannot be told." in text
    assert not any(f"({word})" in text for word in VERDICTS)


def test_own_pixels_that_are_the_common_ones_are_not_repeated(tmp_path, measured):
    common = measured[0][["rmse", "pairs"]]
    text = " ".join(write(tmp_path / "a.html", common, common)[1].texts)
    assert "On their own pixels all methods have the same numbers." in text
    assert "each method's own pixels" not in text


def test_text_of_others_stays_text(tmp_path, small):
    nasty = "<script>alert('1')</script> & \"><img src=x onerror=alert(1)> $\\frac{"
    renamed = [of.assign_coords(method=[nasty, "persistence"]).assign_attrs(units="$\\x{<i>") for of in small]
    text, page = write(
        tmp_path / "a.html",
        *renamed,
        title=nasty,
        facts={nasty: nasty},
        warnings=[nasty],
        cases=[ReportCase(nasty, nasty, nasty, gif())],
    )
    assert "script" not in page.tags and "i" not in page.tags
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert page.texts.count(nasty) >= 6  # the title twice, the fact's two, the warning, the case's note
    assert page.tags.count("img") == len(re.findall("<img ", text))
    assert all(value.startswith("data:image/") for _, name, value in page.attributes if name == "src")


def test_what_utf_8_cannot_say_is_replaced(tmp_path, small):
    text, page = write(tmp_path / "a.html", *small, title="caf\u00e9 \udce9.nc\x00\x1b[2J")
    assert "café \ufffd.nc\ufffd\ufffd[2J" in page.texts
    assert "\x00" not in text


def test_lead_times_in_frames_and_one_of_them(tmp_path, small):
    few = [of.isel(lead_time=[0]).assign_coords(lead_time=("lead_time", [1], {"units": "1"})) for of in small]
    text = " ".join(write(tmp_path / "a.html", *few)[1].texts)
    assert "frame 1" in text and "lead time (frames)" in text and " min" not in text


def test_an_existing_report_is_refused_before_anything_else(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match=r"report\.html"):
        write(path, xr.Dataset(), xr.Dataset())
    assert path.read_text() == "mine"


def test_an_existing_report_is_replaced_when_asked(tmp_path, small):
    path = tmp_path / "report.html"
    path.write_text("mine")
    _, page = write(path, *small, overwrite=True)
    assert page.sections


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda of: (xr.Dataset(), of), "the common comparison needs the coordinates method and lead_time, found none"),
        (
            lambda of: (of, of.isel(lead_time=[0, 1])),
            r"differ in lead_time: \[5, 10, 15\] in common, \[5, 10\] in whole",
        ),
        (lambda of: (of, of.isel(method=[1, 0])), "differ in method"),
    ],
)
def test_comparisons_that_do_not_fit_are_an_error(tmp_path, small, change, message):
    with pytest.raises(ValueError, match=message):
        write(tmp_path / "a.html", *change(small[0]))
    assert not (tmp_path / "a.html").exists()


def test_an_animation_that_is_none_is_named(tmp_path, small):
    with pytest.raises(
        ValueError, match=r"the picture of the best case, 05:00 is neither GIF nor PNG: it starts with b'hello'"
    ):
        write(tmp_path / "a.html", *small, cases=[ReportCase("best case", "05:00", "", b"hello")])


def test_the_same_data_give_the_same_page(tmp_path, small):
    pages = [write(tmp_path / name, *small)[0] for name in ("a.html", "b.html")]
    assert pages[0] == pages[1]
