"""Pictures of series: a panel a feature, the forecasts begin where the observation ends."""

import numpy as np

from predjax.pictures.series import MOST_PANELS, SeriesLabels, plot_series


def label(features):
    return SeriesLabels(features, [10, 20, 30], "minutes", "m")


def make_case(features):
    rng = np.random.default_rng(0)
    return rng.random((5, features)), {name: rng.random((3, features)) for name in ("observed", "gru", "persistence")}


def test_each_feature_has_the_observation_and_every_method():
    observed, rows = make_case(2)
    figure = plot_series(observed, rows, label(["north", "south"]))
    assert [axes.get_ylabel() for axes in figure.axes] == ["north", "south"]
    for number, axes in enumerate(figure.axes):
        lines = {line.get_label(): line.get_xydata() for line in axes.lines}
        assert {"observed", "gru", "persistence"} <= set(lines)
        np.testing.assert_array_equal(lines["observed"][:, 0], [-40, -30, -20, -10, 0, 10, 20, 30])
        np.testing.assert_array_equal(lines["observed"][:, 1], [*observed[:, number], *rows["observed"][:, number]])
        np.testing.assert_array_equal(
            lines["gru"], [(0, observed[-1, number]), *zip((10, 20, 30), rows["gru"][:, number])]
        )


def test_many_features_are_counted():
    observed, rows = make_case(11)
    figure = plot_series(observed, rows, label([str(i) for i in range(11)]))
    assert len(figure.axes) == MOST_PANELS
    assert "values in m; 3 more features not shown" in [text.get_text() for text in figure.texts]
