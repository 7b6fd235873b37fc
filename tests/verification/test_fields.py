"""How fields are scored and what they must look like."""

import numpy as np
import pytest

from predjax.verification.fields import (
    Scoring,
    check_field,
    describe_events,
    find_valid,
    label_leads,
    label_thresholds,
    split_cases,
)


def test_thresholds_and_windows_are_kept_sorted_and_lead_times_as_they_are():
    scoring = Scoring([5, 0.1], [7, 3], units="mm/h", lead_times=np.array([10, 5]))
    assert scoring.thresholds == (0.1, 5.0) and scoring.windows == (3, 7) and scoring.lead_times == (10, 5)
    assert scoring == Scoring((0.1, 5), (3, 7), units="mm/h", lead_times=[10, 5]) and hash(scoring)
    assert describe_events(scoring) == {"event_rule": "value >= threshold", "units": "mm/h", "thresholds": [0.1, 5.0]}
    assert label_thresholds(scoring)[1].tolist() == [0.1, 5.0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"thresholds": [1, 1]}, r"thresholds must be finite and different, not \[1\.0, 1\.0\]"),
        ({"thresholds": [np.nan]}, "thresholds must be finite"),
        ({"windows": [4]}, r"windows must be different odd numbers of pixels, not \[4\]"),
        ({"windows": [3.5]}, r"not \[3\.5\]"),
        ({"windows": [3, 3]}, r"not \[3, 3\]"),
        ({"data_range": 0}, "data_range must be positive, not 0"),
        ({"fill": np.inf}, "fill must be finite, not inf"),
        ({"pixel_size": -1.0}, "pixel_size must be positive, not -1.0"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(options, message):
    with pytest.raises(ValueError, match=message) as error:
        Scoring(**options)
    assert "\n" not in str(error.value)


def test_lead_times_keep_their_kind_and_count_frames_where_there_are_none():
    dim, values, attrs = label_leads(2, Scoring(lead_times=[5, 10]))
    assert dim == "lead_time" and values.dtype == np.int64 and attrs["units"] == "minutes"
    assert label_leads(2, Scoring(lead_times=[2.5, 5]))[1].tolist() == [2.5, 5.0]
    _, values, attrs = label_leads(3, Scoring(lead_units="seconds"))
    assert values.tolist() == [1, 2, 3] and attrs["units"] == "1"
    with pytest.raises(ValueError, match="2 lead times for 3 frames"):
        label_leads(3, Scoring(lead_times=[5, 10]))


def test_pixels_count_where_both_fields_have_a_value():
    one, other = np.array([1.0, np.nan, 2.0, np.nan]), np.array([1.0, 1.0, np.nan, np.nan])
    assert find_valid(one, other, 1).tolist() == [True, False, False, False]
    with pytest.raises(ValueError, match="infinite value in frame 7 of forecast or observed"):
        find_valid(one, np.full(4, np.inf), 7)


@pytest.mark.parametrize("pixels", [1, 24, 50, 10**6])
def test_parts_hold_every_case_once_and_few_pixels(pixels):
    parts = list(split_cases((7, 2, 4, 6, 1), pixels))
    assert [case for part in parts for case in range(7)[part]] == list(range(7))
    assert max(len(range(7)[part]) for part in parts) * 24 <= max(pixels, 24)


def test_a_field_that_cannot_be_scored_is_named():
    with pytest.raises(ValueError, match=r"members must be \(case, member, T, H, W, C\).*not \(2, 3\)"):
        check_field("members", np.zeros((2, 3)), ("case", "member", "T", "H", "W", "C"))
    with pytest.raises(ValueError, match="observed must be floating point, where NaN is missing, not int64"):
        check_field("observed", np.zeros((1, 1, 1, 1, 1), np.int64))
