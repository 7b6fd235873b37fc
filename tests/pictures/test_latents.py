"""The latent view of a series: each line is a latent state, each strip a sequence of modes."""

import numpy as np
from matplotlib.colors import to_rgb

from predjax.pictures.latents import CYCLE, MOST_FEATURES, plot_latents

STEPS = 30
LATENTS = {
    name: np.random.default_rng(number).normal(size=(STEPS, size))
    for number, (name, size) in enumerate({"x": 5, "x_bar": 5, "r": 3, "r2": 2, "w": 4}.items())
}
MODES = {"true modes": np.arange(STEPS) // 10, "found modes": np.arange(STEPS) // 15}


def test_panels_are_the_latents_and_the_strips_the_modes(assert_readable):
    figure = plot_latents(LATENTS, MODES, title="series 0")
    assert_readable(figure)
    *panels, true, found = figure.axes
    assert [axes.get_ylabel() for axes in panels] == ["x", "r", "r2", "w"]
    x = panels[0].lines
    assert len(x) == 2 * MOST_FEATURES
    for number in range(MOST_FEATURES):
        seen, predicted = x[2 * number], x[2 * number + 1]
        np.testing.assert_array_equal(seen.get_ydata(), LATENTS["x"][:, number])
        np.testing.assert_array_equal(predicted.get_ydata(), LATENTS["x_bar"][:, number])
        assert seen.get_color() == predicted.get_color() and predicted.is_dashed()
    for axes, name in zip(panels[1:], ("r", "r2", "w")):
        np.testing.assert_array_equal([line.get_ydata() for line in axes.lines], LATENTS[name].T)
    for axes, (name, modes) in zip((true, found), MODES.items()):
        assert axes.get_ylabel() == name.replace(" ", "\n")
        np.testing.assert_allclose(axes.images[0].get_array()[0], [to_rgb(CYCLE[mode]) for mode in modes])
    assert found.get_xlabel() == "time step"
