"""Reliability, ROC and ranks as drawn: the numbers of the ensemble's scores."""

import numpy as np
import xarray as xr

from predjax.pictures.ensembles import draw_ranks, draw_reliability, draw_roc

LABELS = ["+5 min", "+30 min"]
SIZE = (760, 660)


def ensemble(members=4):
    count = np.arange(members + 1)
    frequency = np.stack([count / members, np.where(count == members, np.nan, 0.5 * count / members)])
    share = np.stack([np.full(members + 1, 1 / (members + 1)), np.r_[np.full(members, 1 / members), 0]])
    ranks = np.stack([share[0], np.r_[0.5, np.full(members, 0.5 / members)]])
    return xr.Dataset(
        {
            "observed_frequency": (("lead_time", "members_above"), frequency),
            "forecast_share": (("lead_time", "members_above"), share),
            "rank_histogram": (("lead_time", "rank"), ranks),
        },
        {"lead_time": [5, 30], "members_above": count, "rank": count},
    )


def lines_of(axes):
    return {line.get_label(): line.get_xydata() for line in axes.lines}


def test_reliability_is_drawn_against_probability(assert_readable):
    data = ensemble()
    figure = draw_reliability(data, [0, 1], LABELS, SIZE, 200)
    assert_readable(figure)
    upper, lower = map(lines_of, figure.axes)
    for lead, label in enumerate(LABELS):
        np.testing.assert_allclose(upper[label][:, 0], [0, 0.25, 0.5, 0.75, 1])
        np.testing.assert_allclose(upper[label][:, 1], data.observed_frequency[lead])
    np.testing.assert_allclose(lower["+5 min"][:, 1], 0.2)
    assert np.isnan(lower["+30 min"][-1, 1])  # never forecast: no point on a logarithmic axis


def test_ranks_are_steps_with_the_flat_line(assert_readable):
    data = ensemble()
    figure = draw_ranks(data, [0, 1], LABELS, SIZE, 200)
    assert_readable(figure)
    axes = figure.axes[0]
    steps = [patch.get_data().values for patch in axes.patches]
    np.testing.assert_allclose(steps, data.rank_histogram)
    np.testing.assert_allclose(lines_of(axes)["flat: 1/5"][:, 1], 0.2)
    assert axes.get_ylim()[1] > 0.5


def test_roc_curves_go_from_corner_to_corner(assert_readable):
    pod, pofd = np.array([1.0, 0.9, 0.7, 0.4, 0.1]), np.array([1.0, 0.4, 0.2, 0.1, 0.0])
    by = ("lead_time", "members_above")
    undefined = np.full(5, np.nan)
    data = xr.Dataset(
        {
            "roc_pod": (by, np.stack([pod, undefined])),
            "roc_pofd": (by, np.stack([pofd, undefined])),
            "roc_area": ("lead_time", [0.83, np.nan]),
        },
        {"lead_time": [5, 30], "members_above": range(5)},
    )
    figure = draw_roc(data, [0, 1], LABELS, SIZE, 200)
    assert_readable(figure)
    lines = lines_of(figure.axes[0])
    assert list(lines) == ["luck: area 0.5", "+5 min: area 0.830"]  # no event at the second lead time: no curve
    np.testing.assert_array_equal(lines["+5 min: area 0.830"], np.c_[[*pofd, 0], [*pod, 0]])


def test_a_lead_time_without_observations_has_no_ranks():
    data = ensemble()
    data["rank_histogram"] = data.rank_histogram.where(data.lead_time == 5)
    axes = draw_ranks(data, [0, 1], LABELS, SIZE, 200).axes[0]
    assert len(axes.patches) == 1
