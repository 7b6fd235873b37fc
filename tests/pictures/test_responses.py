"""Responses over what drives them."""

import numpy as np
import pytest

from predjax.pictures.responses import draw_responses, plot_responses

TIMES = np.linspace(0, 6, 50)[:, None]
STRAIN = 0.02 * np.sin(TIMES * [1.0, 1.5, 2.0])
ROWS = {"observed": 3000 * STRAIN, "physical": 2900 * STRAIN + 1, "linear": 2500 * STRAIN}
NAMES = {"forcing_names": ["strain xx", "strain yy", "strain xy"], "features": ["xx", "yy", "xy"]}


def test_each_component_is_drawn_over_its_own_forcing():
    figure = plot_responses(STRAIN, ROWS, units="MPa", title="path 3", **NAMES)
    assert len(figure.axes) == 3
    for number, axes in enumerate(figure.axes):
        assert axes.get_xlabel() == NAMES["forcing_names"][number]
        lines = {line.get_label(): line for line in axes.get_lines()}
        assert set(ROWS) < set(lines)
        for name, values in ROWS.items():
            np.testing.assert_array_equal(lines[name].get_xdata(), STRAIN[:, number])
            np.testing.assert_array_equal(lines[name].get_ydata(), values[:, number])
    texts = [text.get_text() for text in figure.texts]
    assert "path 3" in texts and any("values in MPa" in text for text in texts)


def test_features_beyond_the_fourth_are_counted(tmp_path):
    wide = {name: np.tile(values, 2) for name, values in ROWS.items()}
    labels = {"forcing_names": [f"f{i}" for i in range(6)], "features": [f"y{i}" for i in range(6)]}
    figure = plot_responses(np.tile(STRAIN, 2), wide, **labels)
    assert len(figure.axes) == 4 and "2 more features not shown" in figure.texts[0].get_text()
    path = tmp_path / "a.png"
    draw_responses(path, STRAIN, ROWS, **NAMES)
    with pytest.raises(FileExistsError):
        draw_responses(path, STRAIN, ROWS, **NAMES)
