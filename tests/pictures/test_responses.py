"""Responses over what drives them."""

import numpy as np

from predjax.pictures.responses import plot_responses
from predjax.pictures.series import SeriesLabels

TIMES = np.linspace(0, 6, 50)[:, None]
STRAIN = 0.02 * np.sin(TIMES * [1.0, 1.5, 2.0])
ROWS = {"observed": 3000 * STRAIN, "physical": 2900 * STRAIN + 1, "linear": 2500 * STRAIN}
NAMES = ["strain xx", "strain yy", "strain xy"]
LABELS = SeriesLabels(["xx", "yy", "xy"], range(1, 51), units="MPa", title="path 3")


def test_each_component_is_drawn_over_its_own_forcing():
    figure = plot_responses(STRAIN, ROWS, NAMES, LABELS)
    assert len(figure.axes) == 3
    for number, axes in enumerate(figure.axes):
        assert axes.get_xlabel() == NAMES[number]
        lines = {line.get_label(): line for line in axes.get_lines()}
        assert set(ROWS) < set(lines)
        for name, values in ROWS.items():
            np.testing.assert_array_equal(lines[name].get_xdata(), STRAIN[:, number])
            np.testing.assert_array_equal(lines[name].get_ydata(), values[:, number])
    texts = [text.get_text() for text in figure.texts]
    assert "path 3" in texts and any("values in MPa" in text for text in texts)


def test_features_beyond_the_fourth_are_counted():
    wide = {name: np.tile(values, 2) for name, values in ROWS.items()}
    labels = SeriesLabels([f"y{i}" for i in range(6)], range(1, 51))
    figure = plot_responses(np.tile(STRAIN, 2), wide, [f"f{i}" for i in range(6)], labels)
    assert len(figure.axes) == 4 and "2 more features not shown" in figure.texts[0].get_text()
