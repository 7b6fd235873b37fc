"""The fractions skill score against counting by hand and by loops, and its rules at edges and gaps."""

import numpy as np
import pytest

from predjax.verification.fields import Scoring
from predjax.verification.scores import skill, statistics
from predjax.verification.spatial import BOUNDARY_RULE, fss_skill, fss_statistics
from predjax.verification.sums import add_statistics

NAN = np.nan


def field(rows):
    """(1, 1, H, W, 1) from rows of values."""
    return np.array(rows, np.float32)[None, None, :, :, None]


def random_fields(cases=3, steps=2, missing=0.2, seed=0, shape=(13, 11, 2)):
    rng = np.random.default_rng(seed)
    forecast, observed = rng.gamma(0.5, 2.0, (2, cases, steps, *shape)).astype(np.float32)
    for values in (forecast, observed):
        values[rng.random(values.shape) < missing] = NAN
    return forecast, observed


def fss(forecast, observed, threshold=1.0, window=3, **options):
    return fss_skill(
        fss_statistics(forecast, observed, Scoring([threshold], [window]), **options)
    ).fss.values.squeeze()[()]


def test_fractions_of_a_hand_computed_example():
    # 3 x 4 pixels, windows of 3: two of them, the left and the right three columns.
    forecast = field([[1, 0, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]])
    observed = field([[0, 0, 0, 1], [0, 0, 1, 0], [0, 0, 0, 1]])
    s = fss_statistics(forecast, observed, Scoring([1.0], [3]))
    # events of the forecast 2, 1; observed 1, 3; so the sums are ((2-1)^2 + (1-3)^2) / 81, 5 / 81, 10 / 81
    assert s.fss_squared_difference.item() == 5 / 81
    assert s.fss_forecast_squared.item() == 5 / 81 and s.fss_observed_squared.item() == 10 / 81
    assert s.fss_windows.item() == 2 and s.fss_observed_events.item() == 3 and s.fss_pixels.item() == 12
    k = fss_skill(s)
    assert k.fss.item() == pytest.approx(1 - 5 / 15, rel=1e-15)
    assert k.fss_useful.item() == pytest.approx(0.5 + 3 / 12 / 2, rel=1e-15)


def fss_by_loops(forecast, observed, threshold, n, min_coverage):
    """The definition, window by window."""
    difference = squares = windows = 0
    for case, lead, channel in np.ndindex(*forecast.shape[:2], forecast.shape[4]):
        f, o = forecast[case, lead, :, :, channel], observed[case, lead, :, :, channel]
        for y in range(f.shape[0] - n + 1):
            for x in range(f.shape[1] - n + 1):
                part = slice(y, y + n), slice(x, x + n)
                valid = np.isfinite(f[part]) & np.isfinite(o[part])
                if valid.sum() < min_coverage * n * n:
                    continue
                windows += 1
                a, b = ((values[part][valid] >= threshold).mean() for values in (f, o))
                difference, squares = difference + (a - b) ** 2, squares + a * a + b * b
    return 1 - difference / squares, windows


@pytest.mark.parametrize("min_coverage", [0.5, 0.8])
@pytest.mark.parametrize("missing", [0.0, 0.08])
def test_sums_of_areas_agree_with_loops_over_windows(missing, min_coverage):
    forecast, observed = random_fields(steps=1, missing=missing)
    s = fss_statistics(forecast, observed, Scoring([0.3, 2.0], [1, 3, 9]), min_coverage=min_coverage)
    k = fss_skill(s).isel(lead_time=0)
    for threshold in (0.3, 2.0):
        for n in (1, 3, 9):
            expected, windows = fss_by_loops(forecast, observed, threshold, n, min_coverage)
            assert k.fss.sel(threshold=threshold, window=n).item() == pytest.approx(expected, rel=1e-12)
            assert k.fss_windows.sel(window=n).item() == windows


@pytest.mark.parametrize("shift", [0, 1, 3, 5, 7])
def test_one_pixel_moved_is_worth_the_overlap_of_its_windows(shift):
    # Each of the two pixels lies in n^2 windows, n (n - shift) of them are the same: FSS = 1 - shift / n.
    forecast, observed = np.zeros((2, 1, 1, 31, 31, 1), np.float32)
    forecast[0, 0, 15, 15 + shift], observed[0, 0, 15, 15] = 2, 2
    for n in (1, 3, 5, 7):
        assert fss(forecast, observed, window=n) == pytest.approx(max(0, 1 - shift / n), abs=1e-15)


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_a_perfect_forecast_is_exactly_one(missing):
    _, observed = random_fields(missing=missing)
    k = fss_skill(fss_statistics(observed, observed, Scoring([0.1, 1.0], [1, 3, 7])))
    assert (k.fss == 1).all()


def test_dry_in_both_is_undefined_and_dry_in_one_is_worth_nothing():
    dry, wet = np.zeros((1, 1, 9, 9, 1)), np.full((1, 1, 9, 9, 1), 2.0)
    assert np.isnan(fss(dry, dry))
    assert fss(wet, dry) == 0 and fss(dry, wet) == 0
    k = fss_skill(fss_statistics(dry, dry, Scoring([1.0], [3])))
    assert k.fss_windows.item() == 49 and k.fss_useful.item() == 0.5


def test_missing_everywhere_or_apart_leaves_no_window():
    forecast, observed = random_fields(missing=0)
    forecast[:, :, :, :6], observed[:, :, :, 6:] = NAN, NAN
    for f, o in ((np.full_like(forecast, NAN), observed), (forecast, observed)):
        k = fss_skill(fss_statistics(f, o, Scoring([1.0], [1, 3])))
        assert np.isnan(k.fss).all() and np.isnan(k.fss_useful).all() and (k.fss_windows == 0).all()


def test_a_missing_pixel_is_not_a_dry_one():
    # The four valid pixels of the window agree; counted as dry the forecast would have 2/9 and the observation 4/9.
    forecast = field([[2, 2, NAN], [2, 2, NAN], [NAN, NAN, NAN]])
    observed = field([[2, 2, 2], [2, 2, 2], [0, 0, 0]])
    assert fss(forecast, observed, min_coverage=4 / 9) == 1


def test_a_window_counts_from_half_valid_on():
    frame = np.ones((1, 1, 3, 3, 1))
    frame.reshape(-1)[:4] = NAN  # 5 of 9 valid
    assert fss_statistics(frame, frame, Scoring([1.0], [3])).fss_windows.item() == 1
    frame.reshape(-1)[4] = NAN  # 4 of 9
    assert fss_statistics(frame, frame, Scoring([1.0], [3])).fss_windows.item() == 0
    assert fss_statistics(frame, frame, Scoring([1.0], [3]), min_coverage=4 / 9).fss_windows.item() == 1


def test_a_value_on_the_threshold_is_an_event_in_its_own_precision():
    forecast, observed = field([[0.7]]), field([[0.7]])
    assert fss(forecast, observed, threshold=0.7, window=1) == 1
    # float32(0.7) is below the float64 0.7, so this observation is dry
    assert fss(forecast, observed.astype(np.float64), threshold=0.7, window=1) == 0


def test_a_window_larger_than_the_field_counts_nowhere():
    k = fss_skill(fss_statistics(*random_fields(shape=(5, 9, 1)), Scoring([1.0], [5, 7, 99])))
    assert np.isfinite(k.fss.sel(window=5)).all() and np.isnan(k.fss.sel(window=[7, 99])).all()
    assert (k.fss_windows.sel(window=[7, 99]) == 0).all()


def test_windows_of_one_pixel_follow_from_the_csi():
    # FSS(1) = 2H / (2H + M + F) = 2 CSI / (1 + CSI)
    forecast, observed = random_fields()
    csi = skill(statistics(forecast, observed, Scoring([0.5]))).csi
    found = fss_skill(fss_statistics(forecast, observed, Scoring([0.5], [1]))).fss.isel(window=0)
    np.testing.assert_allclose(found, 2 * csi / (1 + csi), rtol=1e-12)


def test_halves_add_to_the_whole_and_order_does_not_matter():
    for missing in (0.0, 0.2):
        forecast, observed = random_fields(cases=6, missing=missing)
        options = [0.3, 2.0], [1, 5, 9]
        whole = fss_statistics(forecast, observed, Scoring(*options))
        parts = [fss_statistics(forecast[p], observed[p], Scoring(*options)) for p in (slice(4, 6), slice(0, 4))]
        order = np.random.default_rng(1).permutation(6)
        for other in (add_statistics(*parts), fss_statistics(forecast[order], observed[order], Scoring(*options))):
            assert other.attrs == whole.attrs and other.window.attrs == whole.window.attrs
            for name, values in whole.data_vars.items():
                assert other[name].dtype == values.dtype
                tolerance = 0 if values.dtype == np.int64 else 1e-14
                np.testing.assert_allclose(other[name], values, rtol=tolerance, err_msg=name)


def test_working_in_blocks_changes_nothing(monkeypatch):
    forecast, observed = random_fields()
    whole = fss_statistics(forecast, observed, Scoring([1.0], [3, 5]))
    monkeypatch.setattr("predjax.verification.spatial.BLOCK_PIXELS", 1)
    parts = fss_statistics(forecast, observed, Scoring([1.0], [3, 5]))
    for name, values in whole.data_vars.items():
        np.testing.assert_allclose(parts[name], values, rtol=1e-13, err_msg=name)


def test_the_rules_are_written_beside_the_numbers():
    s = fss_statistics(*random_fields(), Scoring([1.0], [5, 3], lead_times=[10, 20], units="mm/h"))
    rules = fss_skill(s).window.attrs
    assert rules["boundary_rule"] == BOUNDARY_RULE and rules["coverage_rule"] == "at least 0.5 of the window valid"
    assert s.window.values.tolist() == [3, 5] and s.attrs["event_rule"] == "value >= threshold"
    assert s.lead_time.attrs["units"] == "minutes"
    strict = fss_statistics(
        *random_fields(), Scoring([1.0], [5, 3], lead_times=[10, 20], units="mm/h"), min_coverage=0.9
    )
    with pytest.raises(ValueError, match=r"attributes of window differ: .*0\.5 of the window"):
        add_statistics(s, strict)
    with pytest.raises(ValueError, match=r"values of window differ: \[3, 5\] in one, \[3\] in the other"):
        add_statistics(s, s.isel(window=[0]))


@pytest.mark.parametrize("coverage", [0, 1.5])
def test_a_coverage_that_no_window_can_have_is_refused(coverage):
    with pytest.raises(ValueError, match=f"min_coverage must be above 0 and at most 1, not {coverage}"):
        fss_statistics(*random_fields(), Scoring([1.0], [3]), min_coverage=coverage)


def test_infinite_values_are_refused():
    forecast, observed = random_fields()
    forecast[0, 1, 0, 0, 0] = np.inf
    with pytest.raises(ValueError, match="infinite value in frame 2"):
        fss_statistics(forecast, observed, Scoring([1.0], [3]))
