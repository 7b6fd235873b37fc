"""May a method be used: states by hand, from scores that are given."""

import numpy as np
import xarray as xr

from predjax.verification.usefulness import judge_usefulness


def compared(fss, verdict="resolved", members=(1, 1, 1), **changes):
    """Scores of three methods at one lead time and one threshold, with two windows of 17 and 5 pixels."""
    by_event, by_window = ("method", "lead_time", "threshold"), ("method", "lead_time", "threshold", "window")
    ones = np.ones((3, 1, 1))
    data = {
        "hits": (by_event, ones),
        "misses": (by_event, ones),
        "fss": (by_window, np.reshape(fss, (3, 1, 1, 2))),
        "fss_useful": (by_event, 0.6 * ones),
        "fss_verdict": (by_window, np.full((3, 1, 1, 2), verdict)),
        "brier": (by_event, np.reshape([0.1, 0.2, 0.3], (3, 1, 1))),
        "brier_reliability": (by_event, 0.1 * ones),
        "brier_resolution": (by_event, 0.2 * ones),
        "brier_verdict": (by_event, np.full((3, 1, 1), "resolved")),
        "members": ("method", list(members)),
    }
    coords = {"method": ["net", "extrapolation", "other"], "lead_time": [5], "threshold": [1.0], "window": [17, 5]}
    return xr.Dataset(data, coords).assign({name: (by_event, value * ones) for name, value in changes.items()})


def judged(*arguments, **options):
    found = judge_usefulness(compared(*arguments, **options), "extrapolation").squeeze()
    assert found.use[1] in ("reference", "no event")
    return found.use[0].item(), found.use_window[0].item(), found.use_rival[0].item()


def test_the_smallest_useful_window_decides():
    fss = [[0.9, 0.7], [0.8, 0.8], [0.5, 0.5]]  # of 17 pixels better than the reference, of 5 pixels useful and worse
    assert judged(fss) == ("useful", 5, "extrapolation")
    assert judged([[0.9, 0.5], *fss[1:]]) == ("better and useful", 17, "extrapolation")
    assert judged([[0.6, 0.5], *fss[1:]]) == ("not useful", 0, "extrapolation")  # at the level, not above it


def test_yes_needs_a_resolved_difference_and_no_better_method():
    fss = [[0.9, 0.9], [0.8, 0.8], [0.85, 0.85]]
    assert judged(fss) == ("better and useful", 5, "other")
    for verdict in ("not resolved", "too few cases"):
        assert judged(fss, verdict)[0] == "perhaps better"
    assert judged([*fss[:2], [0.9, 0.9]])[0] == "useful"  # no better than the other method
    assert judged([*fss[:2], [np.nan, np.nan]])[0] == "better and useful"


def test_nothing_is_said_where_no_event_was_observed():
    assert judged([[0.9, 0.9]] * 3, hits=0, misses=0) == ("no event", 0, "extrapolation")


def test_an_ensemble_is_judged_by_its_probabilities():
    fss = [[0.1, 0.1], [0.9, 0.9], [0.9, 0.9]]
    assert judged(fss, members=(24, 1, 1)) == ("better and useful", 0, "extrapolation")
    assert judged(fss, members=(24, 1, 1), brier_reliability=0.2)[0] == "not useful"


def test_data_without_windows_have_no_answer():
    data = compared([[0.9, 0.9]] * 3)
    assert not judge_usefulness(data.drop_vars("fss"), "extrapolation").data_vars
    assert not judge_usefulness(data.isel(window=[]), "extrapolation").data_vars
