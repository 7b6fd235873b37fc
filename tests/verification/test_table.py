"""The printed table: its columns, its stars and its closing lines."""

import re

import numpy as np
import pytest
import xarray as xr
from scored import LEADS, scored

from predjax.verification.fields import Scoring
from predjax.verification.scores import skill, statistics
from predjax.verification.skill import compare
from predjax.verification.table import _spell_leads, format_table


def words(row):
    """The cells of a row of the table with one space between them."""
    return " ".join(row.replace("|", " ").split())


@pytest.fixture
def comparison():
    return compare({"predrnn_v2": scored([0.1, 0.4, 0.9]), "persistence": scored([0.2, 0.4, 0.6])})


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


def test_an_ensemble_among_the_methods_adds_crps_and_spread(comparison):
    assert "CRPS" not in format_table(comparison)
    crps = xr.DataArray([[0.1, 0.3, 0.8], [0.2, 0.4, 0.6]], dims=("method", "lead_time"))
    spread = xr.DataArray([[0.8, 1.0, 1.25], [np.nan] * 3], dims=("method", "lead_time"))
    with_members = comparison.assign(crps=crps, spread_ratio=spread, members=("method", [24, 1]))
    table = format_table(with_members)
    part = table.split("CRPS, mm/h (a single forecast: MAE); members: predrnn_v2 24\n")[1].splitlines()
    assert words(part[1]) == "min CRPS spread/err CRPS spread/err"
    assert words(part[2]) == "5 0.1000* 0.800* 0.2000 -" and words(part[4]) == "15 0.8000 1.250* 0.6000* -"
    assert "predrnn_v2: not better than persistence at lead time 15 min: CRPS." in table
    assert "CRPS" not in format_table(with_members.assign(members=("method", [1, 1])))


def test_many_methods_fold_at_the_width():
    names = ["action_cond_predrnn_v2", "predrnn_v2", "extrapolation", "persistence"]
    table = format_table(compare({name: scored([0.1, 0.2, 0.3]) for name in names}))
    assert max(len(line) for line in table.splitlines()) <= 110
    assert all(f" {name} " in table for name in names) and table.isascii()


def test_many_lead_times_that_follow_each_other_are_told_as_a_range():
    every = list(range(10, 310, 10))
    assert _spell_leads([10, 20], every) == "10, 20"
    assert _spell_leads([10, 30, 40, 50, 60, 70, 300], every) == "10, 30 to 70, 300"
