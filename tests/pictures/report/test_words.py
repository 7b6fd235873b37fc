"""The words of the report: what is better where, and how sure that is."""

import numpy as np
import pytest
import xarray as xr

from predjax.pictures.report.words import (
    Contest,
    Finding,
    describe_best,
    describe_contest,
    find_reference,
    headline,
    hold_contests,
    judge,
    mark_finding,
    merge_contests,
    spell_leads,
)

LEADS = [5, 10, 15, 20]


def findings(*pairs):
    return [Finding(outcome, verdict) for outcome, verdict in pairs]


def comparison(rmse, csi=None, verdicts=None, methods=("net", "persistence")):
    data = {"rmse": (("method", "lead_time"), rmse)}
    if csi is not None:
        data["csi"] = ("method", "lead_time", "threshold"), np.asarray(csi)[..., None]
    if verdicts is not None:
        data["rmse_verdict"] = ("method", "lead_time"), np.array(verdicts, dtype=object)
    leads = ("lead_time", LEADS[: np.shape(rmse)[1]], {"units": "minutes"})
    coords = {"method": np.array(methods, dtype=object), "lead_time": leads, "threshold": [1.0]}
    return xr.Dataset(data, coords, {"units": "mm/h"})


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ([("better", "")] * 4, "better at every lead time"),
        ([("better", "resolved")] * 4, "better at every lead time (resolved)"),
        (
            [("better", "resolved")] * 2 + [("better", "not resolved")] * 2,
            "better at every lead time (resolved at 5–10 min, not resolved at 15–20 min)",
        ),
        (
            [("better", "too few cases"), ("worse", "resolved"), ("equal", "not resolved"), ("undefined", "undefined")],
            "better at 5 min (too few cases to be sure), equal at 15 min, worse at 10 min (resolved), "
            "undefined at 20 min",
        ),
    ],
)
def test_a_contest_in_words(found, text):
    assert describe_contest(findings(*found), LEADS, "min") == text


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        ("better", "net is better than persistence in RMSE at every lead time."),
        ("worse", "net is worse than persistence in RMSE at every lead time."),
        ("equal", "net is equal to persistence in RMSE at every lead time."),
        ("undefined", "net against persistence: RMSE is undefined at every lead time."),
    ],
)
def test_the_headline_is_a_sentence(outcome, text):
    contest = Contest("RMSE", "rmse", findings(*[(outcome, "")] * 4))
    assert headline(contest, "net", "persistence", LEADS, "min") == text


def test_less_error_and_more_csi_is_better():
    data = comparison([[1.0, 3.0], [2.0, 2.0]], csi=[[0.2, 0.4], [0.3, np.nan]])
    assert [finding.outcome for finding in judge(data, "rmse", "net", "persistence")] == ["better", "worse"]
    found = judge(data, "csi", "net", "persistence", {"threshold": 0})
    assert [finding.outcome for finding in found] == ["worse", "undefined"]
    assert [contest.name for contest in hold_contests(data, "net", "persistence")] == ["RMSE", "CSI ≥ 1 mm/h"]


def test_scores_of_which_the_same_is_said_share_an_entry():
    same, other = findings(*[("better", "")] * 4), findings(*[("worse", "")] * 4)
    contests = [Contest("MAE", "mae", same), Contest("CSI", "csi", other), Contest("SSIM", "ssim", same)]
    said = merge_contests(contests, LEADS, "min")
    assert said == [("MAE and SSIM", "better at every lead time"), ("CSI", "worse at every lead time")]


def test_the_reference_is_the_bootstraps_or_persistence():
    values = np.ones((2, 1))
    assert find_reference(comparison(values)) == "persistence"
    assert find_reference(comparison(values, verdicts=[["reference"], ["resolved"]])) == "net"
    assert find_reference(comparison(values, methods=("a", "b"))) == ""
    assert find_reference(comparison(values[:1], methods=("persistence",))) == ""


def test_the_best_method_is_told_where_one_is_best():
    data = comparison([[1.0, 2.0, np.nan, 5.0], [1.0, 3.0, 3.0, 4.0]])
    assert describe_best(data) == [("RMSE", "net at 10 min, persistence at 15–20 min")]


@pytest.mark.filterwarnings("error")
def test_nobody_is_best_at_what_is_undefined():
    assert describe_best(comparison(np.full((2, 2), np.nan))) == []


def test_lead_times_in_words():
    assert spell_leads([5, 10, 15, 20, 25], [True, True, False, False, True], "min") == "5–10 and 25 min"
    assert spell_leads([1, 2, 3], [True, False, False], "frames") == "frame 1"
    assert spell_leads([1, 2, 3], [True, True, False], "frames") == "frames 1–2"


def test_signs_tell_all_findings_apart():
    outcomes = [("better", v) for v in ("resolved", "not resolved", "too few cases")]
    outcomes += [("worse", v) for v in ("resolved", "not resolved", "too few cases")]
    outcomes += [("equal", ""), ("undefined", "")]
    assert len({mark_finding(finding) for finding in findings(*outcomes)}) == len(outcomes)
