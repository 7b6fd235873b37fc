"""Schedules are drawn as the training uses them, and the picture of the documentation is made by its own code."""

import re

import jax
import numpy as np
import pytest
from PIL import Image
from tiny import ROOT

from predjax.models.config import SamplingConfig
from predjax.models.sampling import truth_probabilities
from predjax.pictures import schedules
from predjax.pictures.schedules import draw_schedules

ITERATIONS = np.arange(1, 81)


def probabilities(reverse, input_length=4, total_length=9):
    sampling = SamplingConfig(reverse_scheduled_sampling=reverse).resolve(80)
    return jax.vmap(lambda n: truth_probabilities(n, sampling, input_length, total_length))(ITERATIONS)


def test_a_line_for_observed_and_one_for_later_frames(drawn, assert_readable):
    shown = {"reverse": probabilities(True), "forward": probabilities(False)}
    figure = drawn(schedules, lambda path: draw_schedules(path, ITERATIONS, shown, 4))
    assert_readable(figure)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["reverse", "forward"]
    for axes, expected in zip(figure.axes, shown.values()):
        observed, later = (line.get_xydata() for line in axes.lines)
        np.testing.assert_array_equal(observed[:, 0], ITERATIONS)
        np.testing.assert_array_equal(observed[:, 1], expected[:, 3])
        np.testing.assert_array_equal(later[:, 1], expected[:, 4])
    reverse = figure.axes[0].lines
    assert reverse[0].get_ydata()[[0, -1]].tolist() == [0.5, 1.0]
    assert reverse[1].get_ydata()[[0, -1]].tolist() == [0.5, 0.0]
    assert [line.get_label() for line in reverse] == ["frames 2 to 4, observed", "frames 5 to 8, forecast"]


@pytest.mark.parametrize(
    ("lengths", "labels"),
    [((1, 3), ["frame 2, forecast"]), ((3, 4), ["frames 2 to 3, observed"]), ((2, 3), ["frame 2, observed"])],
)
def test_a_line_without_frames_is_left_out(drawn, lengths, labels):
    shown = {"reverse": probabilities(True, *lengths)}
    figure = drawn(schedules, lambda path: draw_schedules(path, ITERATIONS, shown, lengths[0]))
    assert [line.get_label() for line in figure.axes[0].lines] == labels


def test_what_cannot_be_drawn_is_refused(tmp_path):
    path = tmp_path / "schedule.png"
    with pytest.raises(ValueError, match=r"schedule\.png: 0 schedules of 80 iterations are nothing to draw"):
        draw_schedules(path, ITERATIONS, {}, 4)
    with pytest.raises(ValueError, match=r"schedule\.png: forward has 80 rows for 3 iterations"):
        draw_schedules(path, ITERATIONS[:3], {"forward": probabilities(False)}, 4)
    path.touch()
    with pytest.raises(FileExistsError):
        draw_schedules(path, ITERATIONS, {"forward": probabilities(False)}, 4)


def test_the_picture_of_the_documentation_is_made_by_the_code_beside_it(tmp_path, monkeypatch):
    page = (ROOT / "docs" / "training.md").read_text()
    monkeypatch.chdir(tmp_path)
    exec(compile(re.search(r"```python\n(.*?)```", page, re.S)[1], "training.md", "exec"), {})
    with Image.open(tmp_path / "schedules.png") as made, Image.open(ROOT / "docs" / "schedules.png") as kept:
        assert made.size == kept.size
        differences = np.abs(np.asarray(made.convert("L"), int) - np.asarray(kept.convert("L"), int))
    assert differences.mean() < 1  # of 255: fonts may differ, lines may not
