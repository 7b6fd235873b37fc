"""The cases of a report: chosen by their errors, and kept in bounded memory."""

import numpy as np

from predjax.verification.shown import FEWEST, ShownCases, choose_shown

ERRORS = [5.0, 1.0, np.nan, 4.0, 2.0, 3.0, 6.0]


def keep(errors, most_bytes):
    shown = ShownCases(most_bytes)
    for number, error in enumerate(errors):  # frames of 2 x 4 float32: 32 bytes a method
        frames = np.full((1, 1, 2, 4, 1), number, float)
        shown.add([number], [error], {"net": frames, "steps": np.stack([frames, frames + 2], axis=1)})
    return shown.kept


def test_the_median_the_best_and_the_worst_case_are_shown_each_once():
    shown = choose_shown(np.array(ERRORS), {})
    assert [tuple(one) for one in shown] == [("median case", 3), ("best case", 1), ("worst case", 6)]
    assert [tuple(one) for one in choose_shown(np.array([np.nan, 1.0]), {})] == [("median case", 1)]
    assert choose_shown(np.array([np.nan]), {}) == []


def test_what_is_shown_of_few_cases_is_kept():
    kept = keep(ERRORS, 10 * 64)
    assert sorted(kept) == [0, 1, 3, 4, 5, 6]
    assert kept[3]["net"].dtype == kept[3]["steps"].dtype == np.float32
    assert (kept[3]["net"] == 3).all() and (kept[3]["steps"] == 4).all()  # the mean of the members


def test_of_many_cases_few_are_kept_and_one_is_near_the_median():
    errors = np.random.default_rng(0).permutation(101).astype(float)
    for most_bytes, most in ((0, FEWEST), (8 * 64, 8)):
        kept = keep(errors, most_bytes)
        assert len(kept) == most
        near, best, worst = choose_shown(errors, kept)
        assert near.label in ("median case", "case near the median") and abs(errors[near.number] - 50) < 10
        assert (errors[best.number], errors[worst.number]) == (0, 100) and {n for _, n in (near, best, worst)} <= set(
            kept
        )
