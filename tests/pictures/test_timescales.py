"""The picture of timescales: its lines are the spectra, its bars the periods."""

import numpy as np
import pytest

from predjax.analysis.timescales import find_eigenmodes, find_spectrum
from predjax.pictures import timescales
from predjax.pictures.timescales import plot_timescales


def rotate(period, modulus=1.0):
    angle = 2 * np.pi / period
    return modulus * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


@pytest.fixture
def data():
    """A rotation of 40 steps and one of 8, mixed; spectra, eigenmodes, and periods of V."""
    blocks = np.zeros((5, 5))
    blocks[:2, :2], blocks[2:4, 2:4], blocks[4, 4] = rotate(40), rotate(8, 0.9), 0.5
    modes = find_eigenmodes(blocks)
    time = np.arange(400)[:, None]
    slow, fast = np.sin(2 * np.pi * time / 40), np.sin(2 * np.pi * time / 8)
    series = {"x": slow + fast, "r": np.concatenate([slow, fast + slow], 1), "r2": slow**2, "w": fast**2}
    series["z"] = np.concatenate([0.5 * fast * slow, slow, slow, fast, fast], 1)
    spectra = {name: find_spectrum([values]) for name, values in series.items()}
    return spectra, modes, np.array([40.0, 40.0, 8.0, 8.0, 8.0, 8.0, np.inf, 1e9])


def test_lines_are_spectra_by_period_and_modes_have_their_names(data, assert_readable):
    spectra, modes, periods = data
    figure = plot_timescales(spectra, modes, periods, title="timescales of a run")
    assert_readable(figure)
    panels = {axes.get_title(loc="left"): axes for axes in figure.axes}
    for name, title in timescales.PANELS.items():
        axes = panels[title]
        assert axes.get_xlim() == (400, 2)  # slow on the left
        marks, lines = [line for line in axes.lines if line.get_linestyle() == ":"], axes.get_lines()
        lines = [line for line in lines if line not in marks]
        assert sorted(line.get_xdata()[0] for line in marks) == pytest.approx([8, 40])
        assert len(lines) == spectra[name].power.shape[1]
        for line, dominant in zip(lines, spectra[name].dominant):
            shown = line.get_xdata()[np.nanargmax(line.get_ydata())]
            assert shown == pytest.approx(dominant, rel=0.04)
    labels = [text.get_text() for text in panels["eigenmodes of the mean V"].get_legend().get_texts()]
    assert labels == ["no rotation, |λ| 0.50", "40 steps, |λ| 1.00", "8 steps, |λ| 0.90"]
    colours = [line.get_color() for line in panels["eigenmodes of the mean V"].lines if line.get_linestyle() == "-"]
    assert [colours.index(colour) for colour in colours] == [0, 1, 1, 3, 3]


def test_bars_are_shares_of_the_periods(data):
    spectra, modes, periods = data
    axes = plot_timescales(spectra, modes, periods).axes[-1]
    values, edges, _ = axes.patches[0].get_data()
    for period, share in ((40, 25), (8, 50)):
        number = np.searchsorted(edges, period) - 1
        assert values[number] == pytest.approx(share)
    assert values.sum() == pytest.approx(75) and axes.texts[0].get_text().startswith("25% rotate slower")


def test_neighbours_share_their_mean_power(data):
    periods = 400 / np.arange(1, 201)
    shown, power = timescales._join(periods, np.arange(200.0))
    assert len(shown) < 130 and (np.diff(shown) < 0).all()
    np.testing.assert_allclose(shown[:10], periods[:10])
    assert np.isnan(power[0]) and power[5] == 5 and (np.diff(power[1:]) > 0).all() and 190 < power[-1] < 200
