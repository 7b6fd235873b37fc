"""The tables: the numbers of the comparisons, with their intervals, verdicts and counts."""

import pytest
from reports import LEADS, write

from predjax.pictures.report.tables import show_numbers


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


def test_own_pixels_that_are_the_common_ones_are_not_repeated(tmp_path, measured):
    common = measured[0][["rmse", "pairs"]]
    text = " ".join(write(tmp_path / "a.html", common, common)[1].texts)
    assert "On their own pixels all methods have the same numbers." in text
    assert "each method's own pixels" not in text


def test_lead_times_in_frames_and_one_of_them(tmp_path, small):
    few = [of.isel(lead_time=[0]).assign_coords(lead_time=("lead_time", [1], {"units": "1"})) for of in small]
    text = " ".join(write(tmp_path / "a.html", *few)[1].texts)
    assert "frame 1" in text and "lead time (frames)" in text and " min" not in text


def test_a_score_in_another_unit_than_the_table_says_so(measured):
    common, whole = (of.copy(deep=True).assign_attrs(units="dBZ") for of in measured)
    for of in (common, whole):
        of["crps"].attrs["units"] = "dBZ"
    tables = {table.heading: table for table in show_numbers(common, whole).content["tables"]}
    below = {column.heading: column.below for column in tables["Ensembles, dBZ"].groups[0].columns}
    assert below["CRPS of areas"] == "mm/h" and below["CRPS"] == ""
