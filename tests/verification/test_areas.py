"""Scores of totals on areas, by hand: which totals count, their bias, CRPS and Brier score."""

from dataclasses import replace

import numpy as np
from nowcasts.test_areal_rain import AREAS

from predjax.units import rain_rate_to_dbz
from predjax.verification.areas import AreaScoring, area_skill, area_statistics
from predjax.verification.fields import Scoring
from predjax.verification.measure import measure, score
from predjax.verification.sums import add_statistics


def make_scoring(units="mm/h", **options):
    areas = AreaScoring(AREAS, 0.9, (1.0, 3.0), **options)
    return Scoring(units=units, lead_times=(30, 60), areas=areas)


def make_fields(rates):
    """Frames (..., 4, 5, 1) of rates (...,), the same on all pixels."""
    return np.broadcast_to(np.asarray(rates, float)[..., None, None, None], (*np.shape(rates), 4, 5, 1)).copy()


OBSERVED = make_fields([[2, 2]])  # totals of 1 and 2 mm
MEMBERS = make_fields([[[2, 4], [0, 2]]])  # of 1 and 3 mm, and of 0 and 1 mm


def find_scores(members, observed, scoring):
    return area_skill(area_statistics(members, observed, scoring))


def test_totals_of_an_ensemble():
    found = find_scores(MEMBERS, OBSERVED, make_scoring())
    assert found["areal_totals"].values.tolist() == [2, 2] and found["area"].values.tolist() == ["a", "b"]
    np.testing.assert_allclose(found["areal_mean_error"], [-0.5, 0])
    np.testing.assert_allclose(found["areal_bias"], [0.5, 1])
    # Mean of |x - y| less half of |x - x'|.
    np.testing.assert_allclose(found["areal_crps"], [0.5 - 0.5, 1 - 1])
    assert found["areal_events"].values.tolist() == [[2, 2], [0, 0]]
    # Half of the members say it: (1/2 - o)^2 less 1/4; (1 - 1)^2; 0.
    np.testing.assert_allclose(found["areal_brier"], [[0.25 - 0.25, 0], [0, 0.25 - 0.25]])
    assert found["areal_bias_by_area"].dims == ("area", "lead_time")


def test_rain_of_exactly_the_threshold_reaches_it():
    fields = make_fields([[1.4, 1.4]]).astype(np.float32)  # a little less than 1.4
    scoring = Scoring(units="mm/h", lead_times=(30, 60), areas=AreaScoring(AREAS, 0.9, (0.7,)))
    assert find_scores(fields[:, None], fields, scoring)["areal_events"].values.tolist() == [[2, 2]]


def test_a_single_forecast_has_its_mean_absolute_error():
    found = find_scores(MEMBERS[:, :1], OBSERVED, make_scoring())
    np.testing.assert_allclose(found["areal_crps"], [0, 1])
    np.testing.assert_allclose(found["areal_brier"], [[0, 0], [0, 1]])


def test_totals_count_only_where_all_their_lead_times_have_data():
    observed = OBSERVED.copy()
    observed[0, 0, 2, 4] = np.nan  # the point, at the first lead time
    found = find_scores(MEMBERS, observed, make_scoring())
    assert found["areal_totals_by_area"].values.tolist() == [[1, 1], [0, 0]]
    assert np.isnan(found["areal_crps_by_area"][1]).all() and found["areal_totals"].values.tolist() == [1, 1]
    observed[0, 1, 0, 0] = np.nan  # half of the other, at the second
    assert find_scores(MEMBERS, observed, make_scoring())["areal_totals"].values.tolist() == [1, 0]


def test_reflectivity_is_scored_as_rain():
    relation = 223.0, 1.53
    dbz = [rain_rate_to_dbz(fields, *relation) for fields in (MEMBERS + 1, OBSERVED)]
    found = find_scores(*dbz, make_scoring("dBZ", relation=relation))
    expected = find_scores(MEMBERS + 1, OBSERVED, make_scoring())
    for name in ("areal_crps", "areal_bias", "areal_brier"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-12)


def test_sums_of_cases_add_beside_the_other_scores():
    scoring = replace(make_scoring(), windows=(3,))
    one = measure(MEMBERS, OBSERVED, scoring)
    found = score(add_statistics(one, measure(MEMBERS[:, :, ::-1], OBSERVED, scoring)))
    both = find_scores(np.concatenate([MEMBERS, MEMBERS[:, :, ::-1]]), np.concatenate([OBSERVED] * 2), scoring)
    np.testing.assert_allclose(found["areal_crps"], both["areal_crps"])
    assert "rmse" in found and found["areal_totals"].values.tolist() == [4, 4]
    without = score(measure(MEMBERS, OBSERVED, Scoring(windows=(3,), lead_times=(30, 60))))
    assert not [name for name in without if "areal" in str(name)] and "area" not in without.coords


def test_dry_areas_have_no_bias_and_no_error():
    found = find_scores(MEMBERS * 0, OBSERVED * 0, make_scoring())
    np.testing.assert_allclose(found["areal_crps"], 0)
    assert np.isnan(found["areal_bias"]).all()
