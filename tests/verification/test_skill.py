"""Methods side by side: skill against a reference, the printed table, the files."""

import json
import re

import numpy as np
import pytest
import xarray as xr

from predjax.verification.bootstrap import Draws, bootstrap
from predjax.verification.case_blocks import stack_blocks, sum_blocks
from predjax.verification.fields import Scoring
from predjax.verification.measure import measure, score
from predjax.verification.scores import skill, statistics
from predjax.verification.skill import compare, skill_against, write_skill
from predjax.verification.table import _spell_leads, format_table

LEADS = [5, 10, 15]


def scored(error, *, thresholds=(0.5, 99.0), **options):
    """Scores of a forecast that is off by `error` (one number a lead time) on rain of 0, 1, 2, 3."""
    observed = np.tile(np.arange(4.0).reshape(1, 1, 2, 2, 1), (2, len(error), 1, 1, 1))
    forecast = observed + np.asarray(error, float)[:, None, None, None]
    labels = {"lead_times": LEADS[: len(error)], "units": "mm/h"} | options
    return skill(statistics(forecast, observed, Scoring(thresholds, **labels)))


def words(row):
    """The cells of a row of the table with one space between them."""
    return " ".join(row.replace("|", " ").split())


@pytest.fixture
def comparison():
    return compare({"predrnn_v2": scored([0.1, 0.4, 0.9]), "persistence": scored([0.2, 0.4, 0.6])})


def test_skill_is_one_minus_the_ratio_to_the_reference(comparison):
    result = skill_against(comparison, "persistence")
    # RMSE ratios 0.1/0.2, 0.4/0.4, 0.9/0.6; the MSE has their squares
    model = result.sel({"method": "predrnn_v2"})
    np.testing.assert_allclose(model.rmse_skill, [0.5, 0, -0.5], atol=1e-12)
    np.testing.assert_allclose(model.mae_skill, [0.5, 0, -0.5], atol=1e-12)
    np.testing.assert_allclose(model.mse_skill, [0.75, 0, -1.25], atol=1e-12)
    assert result.attrs["reference"] == "persistence" and result.rmse_skill.attrs["units"] == "1"


def test_against_a_perfect_reference_skill_is_undefined():
    result = skill_against(compare({"a": scored([0.1]), "perfect": scored([0.0])}), "perfect")
    assert np.isnan(result.rmse_skill).all()


def test_methods_keep_their_order_and_their_counts(comparison):
    assert comparison.method.values.tolist() == ["predrnn_v2", "persistence"]
    assert comparison.pairs.values.tolist() == [[8] * 3] * 2
    assert comparison.rmse.attrs["units"] == "mm/h" and comparison.attrs["event_rule"] == "value >= threshold"


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (scored([0.1, 0.2]), r"lead times differ: \[5, 10, 15\] in a, \[5, 10\] in b"),
        (scored([0.1, 0.2, 0.3], thresholds=[1.0]), r"thresholds differ: \[0\.5, 99\.0\] in a, \[1\.0\] in b"),
        (scored([0.1, 0.2, 0.3], units="dBZ"), "mm/h in a, dBZ in b"),
        (scored([0.1, 0.2, 0.3], lead_units="1"), "units of the lead times differ: minutes in a, 1 in b"),
    ],
)
def test_methods_of_different_labels_are_not_compared(other, named):
    with pytest.raises(ValueError, match=named):
        compare({"a": scored([0.1, 0.2, 0.3]), "b": other})


def test_a_reference_that_is_not_there_is_an_error(comparison):
    with pytest.raises(ValueError, match="'extrapolation' is not among the methods predrnn_v2, persistence"):
        skill_against(comparison, "extrapolation")


def test_the_table_of_two_methods(comparison):
    table = format_table(comparison)
    lines = table.splitlines()
    assert lines[:4] == [
        "Skill by lead time: predrnn_v2, persistence",
        "mm/h; event: value >= threshold; sums pooled over cases; 2 cases; 8 pairs at every lead time",
        "",
        "errors, mm/h",
    ]
    assert words(lines[5]) == "min RMSE MAE ME skill RMSE MAE ME"
    assert words(lines[6]) == "5 0.1000* 0.1000* 0.1000* 0.500 0.2000 0.2000 0.2000"
    # Equal at 10 minutes: nobody gets the star.
    assert "*" not in lines[7]
    assert words(lines[8]) == "15 0.9000 0.9000 0.9000 -0.500 0.6000* 0.6000* 0.6000*"


def test_the_columns_of_the_table_are_aligned(comparison):
    table = format_table(comparison)
    for part in table.split("\n\n")[1:-1]:
        rows = [line for line in part.splitlines() if "|" in line]
        assert len(rows) == 2 + len(LEADS)
        assert len({tuple(m.start() for m in re.finditer(r"\|", row)) for row in rows}) == 1
        ends = {tuple(m.end() for m in re.finditer(r"\.\d+", row)) for row in rows[2:]}
        assert len(ends) == 1


def test_each_threshold_has_its_observed_events_and_undefined_scores_are_dashes(comparison):
    table = format_table(comparison)
    # Three of the four values reach 0.5, in two cases; none reaches 99.
    part = table.split("events: value >= 0.5 mm/h\n")[1].splitlines()
    assert part[1].split()[:2] == ["min", "observed"] and part[2].split()[:2] == ["5", "6"]
    part = table.split("events: value >= 99 mm/h\n")[1].splitlines()
    assert part[2].split() == ["5", "0", "|", "-", "-", "-", "-", "|", "-", "-", "-", "-"]


def test_the_closing_lines_say_where_persistence_is_not_beaten(comparison):
    closing = format_table(comparison).split("\n\n")[-1].splitlines()
    assert "predrnn_v2: not better than persistence at lead times 10, 15 min: RMSE." in closing
    # 0 + 0.9 is an event at 0.5, which lowers the CSI at 15 minutes to 6/8; so it does for 0 + 0.6.
    assert "predrnn_v2: not better than persistence at any lead time: CSI at 0.5 mm/h." in closing
    assert "predrnn_v2: undefined at every lead time: CSI at 99 mm/h." in closing
    better = compare({"a": scored([0.1, 0.1, 0.1]), "persistence": scored([0.2, 0.4, 0.6])})
    assert "a: better than persistence at every lead time: RMSE." in format_table(better)


def test_without_the_reference_the_table_says_so(comparison):
    table = format_table(comparison, reference="extrapolation")
    assert "No extrapolation among the methods: no skill is given." in table and "skill = " not in table


def test_bias_is_best_nearest_to_one_and_far_where_it_is_low():
    observed = np.arange(8.0).reshape(1, 1, 2, 4, 1)
    half = np.where(observed >= 6, observed, 0)  # 2 of 4 events at 4: bias 0.5, FAR 0
    double = np.where(observed >= 1, observed + 3, 0)  # 7 of 4 events: bias 1.75, FAR 3/7
    sets = {"half": half, "double": double}
    table = format_table(compare({k: skill(statistics(v, observed, Scoring([4.0]))) for k, v in sets.items()}))
    row = table.split("events: value >= 4\n")[1].splitlines()[2]
    # CSI 2/4 and 4/7, POD 2/4 and 1, FAR 0 and 3/7, bias 0.5 = 1/2 and 1.75 = 1/0.571
    assert words(row) == "1 4 0.500 0.500 0.000* 0.500 0.571* 1.000* 0.429 1.750*"


def test_methods_scored_on_different_pairs_are_marked():
    observed = np.ones((1, 2, 2, 2, 1))
    holed = observed.copy()
    holed[0, 1, 0, 0] = np.nan
    sets = {"extrapolation": holed, "persistence": observed}
    table = format_table(compare({k: skill(statistics(v, observed, Scoring([0.5]))) for k, v in sets.items()}))
    assert "scored on different pairs: compare with care" in table
    assert words(table.splitlines()[8]).startswith("2 3 ")


def test_many_methods_fold_at_the_width():
    names = ["action_cond_predrnn_v2", "predrnn_v2", "extrapolation", "persistence"]
    table = format_table(compare({name: scored([0.1, 0.2, 0.3]) for name in names}))
    assert max(len(line) for line in table.splitlines()) <= 110
    assert all(f" {name} " in table for name in names) and table.isascii()


def test_files_hold_every_number_and_null_for_undefined(tmp_path, comparison):
    write_skill(tmp_path / "skill", skill_against(comparison, "persistence"))
    with xr.open_dataset(tmp_path / "skill" / "skill.nc", decode_timedelta=False) as found:
        found.load()
    assert found.method.values.tolist() == ["predrnn_v2", "persistence"]
    np.testing.assert_array_equal(found.rmse, comparison.rmse)
    np.testing.assert_array_equal(found.hits, comparison.hits)
    assert found.hits.dtype == np.int64 and found.attrs["Conventions"] == "CF-1.11"
    assert found.rmse.attrs["units"] == "mm/h" and found.lead_time.attrs["units"] == "minutes"
    assert all("units" in v.attrs and "long_name" in v.attrs for v in found.data_vars.values())

    def refuse(text):
        raise AssertionError(f"{text} is no JSON")

    text = (tmp_path / "skill" / "skill.json").read_text()
    written = json.loads(text, parse_constant=refuse)
    assert written["lead_time"] == {"units": "minutes", "values": LEADS}
    model = written["methods"]["predrnn_v2"]
    assert model["rmse"] == comparison.rmse.sel({"method": "predrnn_v2"}).values.tolist()
    assert model["csi"]["99"] == [None] * 3 and model["hits"]["0.5"] == [6, 6, 6]
    assert written["attributes"]["event_rule"] == "value >= threshold" and written["units"]["rmse"] == "mm/h"


def test_scores_of_windows_and_wave_numbers_are_written_with_their_intervals(tmp_path):
    observed = np.random.default_rng(0).random((6, 2, 9, 9, 1))
    observed[:, 1] = 0  # nothing at the second lead time
    options = {"thresholds": [0.5], "windows": [3, 5], "lead_times": [5, 10]}
    sums = stack_blocks(
        {b: measure(observed[b : b + 1] / 2, observed[b : b + 1], Scoring(**options)) for b in range(6)}
    )
    methods = {"half": sums, "persistence": sums}
    scores = compare({name: score(sum_blocks(s)) for name, s in methods.items()})
    intervals = bootstrap(methods, score, reference="persistence", names=["fss"], draws=Draws(20))
    together = xr.merge([scores, intervals], join="exact", compat="no_conflicts", combine_attrs="drop_conflicts")
    write_skill(tmp_path, together)
    with xr.open_dataset(tmp_path / "skill.nc", decode_timedelta=False) as found:
        found.load()
    np.testing.assert_array_equal(found.fss, together.fss)
    assert found.fss_verdict.values[:, 0, 0, 0].tolist() == ["not resolved", "reference"]
    assert found.window.attrs["boundary_rule"] == "only windows that lie inside the field"
    half = json.loads((tmp_path / "skill.json").read_text())["methods"]["half"]
    assert half["fss"]["0.5"]["3"] == [together.fss.values[0, 0, 0, 0], None]
    assert half["fss_verdict"]["0.5"]["5"] == ["not resolved", "undefined"]
    assert set(half["rapsd_ratio"]) == {"1", "2", "3", "4"} and half["coverage"] == [1, 1]


def test_scores_without_thresholds_are_written_and_printed(tmp_path):
    comparison = compare({"persistence": scored([0.1, 0.2, 0.3], thresholds=[])})
    write_skill(tmp_path, comparison)
    with xr.open_dataset(tmp_path / "skill.nc", decode_timedelta=False) as found:
        assert found.sizes["threshold"] == 0 and found.rmse.shape == (1, 3)
    assert "events" not in format_table(comparison)


@pytest.mark.parametrize("name", ["skill.nc", "skill.json"])
def test_existing_files_are_replaced_only_when_asked(tmp_path, comparison, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(FileExistsError, match=rf"{name} exists") as error:
        write_skill(tmp_path, comparison)
    assert "\n" not in str(error.value)
    assert [p.name for p in tmp_path.iterdir()] == [name] and (tmp_path / name).read_text() == "mine"
    write_skill(tmp_path, comparison, overwrite=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["skill.json", "skill.nc"]


def test_many_lead_times_that_follow_each_other_are_told_as_a_range():
    every = list(range(10, 310, 10))
    assert _spell_leads([10, 20], every) == "10, 20"
    assert _spell_leads([10, 30, 40, 50, 60, 70, 300], every) == "10, 30 to 70, 300"
