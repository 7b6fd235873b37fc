"""Which cases are verified, and how they are scored."""

import numpy as np
import pytest
from verified import make_cases, rain

from predjax.models.scaling import Scaling
from predjax.radar.windows.batches import read_windows
from predjax.verification import cases as cases_module
from predjax.verification.cases import Cases, add_scoring, find_baseline, forecast_by, split


def test_cases_in_mm_per_hour_have_the_usual_thresholds_and_labels():
    cases = make_cases(rain())
    scoring = cases.scoring
    assert (
        scoring.thresholds == (0.1, 1.0, 5.0) and scoring.windows == (3, 5) and scoring.units == cases.units == "mm/h"
    )
    assert scoring.lead_times == (5, 10) and scoring.lead_units == "minutes"
    assert scoring.fill == 0.0 and scoring.pixel_size == 1000.0 and scoring.side is None
    assert cases.floor is None and scoring.data_range is None and cases.length == 4


def test_the_floor_of_a_model_in_dbz_is_the_floor_of_all_fields():
    scaling = Scaling("dBZ", 5.0, 60.0, units="dBZ")
    cases = make_cases(rain(units="dBZ"), scaling=scaling)
    assert cases.floor == cases.scoring.fill == 5.0 and cases.scoring.thresholds == (10.0, 20.0, 35.0)
    assert make_cases(rain(units="dBZ")).scoring.fill == -32.0 and make_cases(rain(units="dBZ")).floor is None
    high = Scaling("dBZ", 10.0, 60.0, units="dBZ")  # all pixels would reach its floor: CSI and FSS of 1
    assert make_cases(rain(units="dBZ"), scaling=high).scoring.thresholds == (20.0, 35.0)
    for threshold in (5.0, 10.0):
        with pytest.raises(ValueError, match=f"threshold {threshold:g} dBZ tells nothing: choose above 10 and up to"):
            make_cases(rain(units="dBZ"), scaling=high, thresholds=(threshold,))


def test_data_of_a_model_in_the_unit_interval_have_a_range():
    cases = make_cases(rain(units="1"), scaling=Scaling())
    assert cases.scoring.data_range == 1.0 and cases.scoring.fill is None and cases.scoring.thresholds == (0.5,)


def test_a_vector_series_has_neither_usual_thresholds_nor_windows():
    series = make_cases(rain(size=1, units="1"))
    assert series.scoring.thresholds == series.scoring.windows == ()
    assert make_cases(rain(size=1, units="1"), thresholds=(0.5,)).scoring.thresholds == (0.5,)


@pytest.mark.parametrize(
    ("units", "threshold", "message"),
    [
        ("mm/h", 0.0, "threshold 0 mm/h tells nothing: choose above 0 and up to 2000"),
        ("mm/h", -1.0, "threshold -1 mm/h"),
        ("dBZ", 500.0, "threshold 500 dBZ tells nothing: choose above -32 and up to 100"),
    ],
)
def test_a_threshold_that_tells_nothing_is_refused(units, threshold, message):
    with pytest.raises(ValueError, match=message):
        make_cases(rain(units=units), thresholds=(threshold,))


def test_sources_of_different_steps_are_counted_in_frames():
    cases = make_cases(rain(step=300), rain(step=600))
    assert cases.scoring.lead_times == (1, 2) and cases.scoring.lead_units == "1"
    assert make_cases(rain(step=90)).scoring.lead_times == (1.5, 3.0)
    assert make_cases(rain(step=None)).scoring.lead_units == "1"


def test_spectra_of_sources_of_different_sizes_are_of_the_square_that_fits_into_all():
    small, large = rain(size=8), rain(size=12)
    assert make_cases(small, large).scoring.side == 8 and make_cases(small, large, crop=6).scoring.side is None


def test_batches_are_of_one_source_hold_every_window_once_and_few_pixels(monkeypatch):
    cases = make_cases(rain(size=8), rain(size=12))
    monkeypatch.setattr(cases_module, "PIXELS_A_BATCH", 2 * 12 * 12 * 4)
    batches = split(cases)
    assert sorted(number for batch in batches for number in batch) == list(range(len(cases.windows)))
    for batch in batches:
        source = {cases.windows[number].source for number in batch}
        assert len(source) == 1 and len(batch) <= {0: 4, 1: 2}[source.pop()]


def test_the_reference_is_extrapolation_else_persistence_else_the_regression():
    assert find_baseline(["a", "persistence", "extrapolation"]) == "extrapolation"
    assert find_baseline(["persistence", "extrapolation"]) == "persistence"
    assert find_baseline(["a", "linear", "persistence"]) == "persistence"
    assert find_baseline({"a": 1, "linear": 2}) == "linear" and find_baseline(["a"]) is None


def test_a_method_sees_the_observed_frames_alone():
    cases = make_cases(rain())
    batch = read_windows(cases.sources, cases.windows[:3], cases.length)
    seen = []
    result = forecast_by(lambda *arguments: seen.append(arguments) or "forecast", cases)(batch)
    [(observed, num_steps)] = seen
    np.testing.assert_array_equal(observed, batch.frames[:, :2])
    assert num_steps == 2 and result == "forecast"


def test_cases_say_what_add_scoring_makes_of_them():
    plain = Cases([rain()], make_cases(rain()).windows, 2, 2)
    scored = add_scoring(plain, (1.0,), (7,))
    assert scored[:6] == plain[:6] and scored.scoring.windows == (7,) and plain.scoring.thresholds == ()
