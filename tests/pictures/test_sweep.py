"""The picture of a sweep: a panel by trial, and one for each flag that was searched."""

import numpy as np
import pytest

from predjax.pictures import sweep as pictures
from predjax.pictures.sweep import ScoredTrial, SearchedAxis, draw_sweep

SEARCHED = [SearchedAxis("lr", log=True), SearchedAxis("num_hidden", ("16,16", "32,32"))]


@pytest.fixture
def drawn(monkeypatch):
    found = []
    monkeypatch.setattr(pictures, "save_png", lambda figure, path, overwrite: found.append(figure))
    return found


def make_trials(scores):
    rates = np.geomspace(1e-4, 1e-2, len(scores))
    chosen = [{"lr": rate, "num_hidden": ("16,16", "32,32")[n % 2]} for n, rate in enumerate(rates)]
    return [ScoredTrial(n, score, n != 1, chosen[n]) for n, score in enumerate(scores)]


@pytest.mark.parametrize("more_is_better, so_far", [(False, [3.0, 2.0, 2.0]), (True, [3.0, 3.0, 4.0])])
def test_the_line_is_the_best_so_far_of_finished_trials(drawn, more_is_better, so_far):
    draw_sweep("x.png", make_trials([3.0, 9.0, 2.0, 4.0]), SEARCHED, "rmse", more_is_better)
    [figure] = drawn
    by_trial, by_rate, by_hidden = figure.axes
    np.testing.assert_array_equal(by_trial.lines[0].get_ydata(), so_far)
    pruned, finished, best = by_rate.collections
    np.testing.assert_allclose(best.get_offsets(), [[1e-2, 4.0]] if more_is_better else [[10**-2.6666667, 2.0]])
    assert (len(pruned.get_offsets()), len(finished.get_offsets())) == (1, 3)
    assert by_rate.get_xscale() == "log" and by_hidden.get_xscale() == by_trial.get_yscale() == "linear"
    assert [text.get_text() for text in by_hidden.get_xticklabels()] == ["16,16", "32,32"]
    np.testing.assert_array_equal(by_hidden.collections[1].get_offsets()[:, 0], [0, 0, 1])


def test_scores_far_apart_have_a_logarithmic_axis(drawn):
    draw_sweep("x.png", make_trials([0.01, 0.02, 5.0, 0.03]), SEARCHED[:1], "loss", False)
    assert [axes.get_yscale() for axes in drawn[0].axes if axes.get_visible()] == ["log", "log"]
