"""The decoupling picture: every layer and chosen step, both kinds of points, the method named."""

import numpy as np
import pytest

from predjax.pictures import decoupling
from predjax.pictures.decoupling import COLOUR_C, COLOUR_M, draw_decoupling


def deltas(steps=3, layers=2, points=30, features=4, seed=0):
    return np.random.default_rng(seed).normal(size=(2, steps, layers, points, features))


def texts_of(figure):
    return [text.get_text() for text in figure.texts]


def test_a_panel_for_each_layer_and_step_with_all_points(drawn, assert_readable):
    delta_c, delta_m = deltas()
    figure = drawn(decoupling, lambda path: draw_decoupling(path, delta_c, delta_m, method="PCA", title="a run"))
    assert_readable(figure)
    assert len(figure.axes) == 6
    for axes in figure.axes:
        assert [(line.get_color(), len(line.get_xdata())) for line in axes.lines] == [(COLOUR_C, 30), (COLOUR_M, 30)]
    texts = texts_of(figure)
    assert texts.index("layer 2") < texts.index("layer 1")  # the first layer is below
    assert {"step 1", "step 2", "step 3"} <= set(texts)


def test_many_steps_and_points_are_sampled_and_the_picture_says_so(drawn, assert_readable):
    delta_c, delta_m = deltas(steps=19, layers=1, points=1000)
    figure = drawn(decoupling, lambda path: draw_decoupling(path, delta_c, delta_m, method="PCA"))
    assert_readable(figure)
    assert [text for text in texts_of(figure) if text.startswith("step")] == ["step 4", "step 9", "step 14", "step 19"]
    assert "PCA of 120 of 1,000 points of ΔC and of ΔM in each panel" in texts_of(figure)
    assert all(len(line.get_xdata()) == 120 for axes in figure.axes for line in axes.lines)


def test_the_similarity_of_a_panel_is_that_of_its_deltas(drawn):
    delta_c, _ = deltas(steps=1, layers=2)
    delta_m = np.stack([2 * delta_c[:, 0], np.zeros_like(delta_c[:, 1])], axis=1)
    texts = texts_of(drawn(decoupling, lambda path: draw_decoupling(path, delta_c, delta_m, method="PCA")))
    assert [text for text in texts if "cos" in text] == ["|cos| = 0.00", "|cos| = 1.00"]


def test_deltas_that_are_far_apart_are_drawn_apart(drawn):
    delta_c, delta_m = deltas(steps=1, layers=1)
    figure = drawn(decoupling, lambda path: draw_decoupling(path, delta_c, delta_m + 50, method="PCA"))
    of_c, of_m = (line.get_xdata() for line in figure.axes[0].lines)
    assert of_c.max() < of_m.min() or of_m.max() < of_c.min()


def test_memories_that_never_changed_are_drawn_as_one_point(drawn):
    still = np.zeros((1, 1, 10, 4))
    figure = drawn(decoupling, lambda path: draw_decoupling(path, still, still))
    assert "PCA of 10 points of ΔC and of ΔM in each panel" in texts_of(figure)


def test_the_picture_is_written_once(tmp_path, read_pixels):
    path = tmp_path / "decoupling.png"
    draw_decoupling(path, *deltas(), method="PCA")
    pixels = read_pixels(path)
    assert (pixels == (213, 94, 0)).all(axis=-1).sum() > 50
    with pytest.raises(FileExistsError, match=r"decoupling\.png"):
        draw_decoupling(path, *deltas(), method="PCA")


def test_what_does_not_fit_is_named(tmp_path):
    delta_c, delta_m = deltas()
    with pytest.raises(ValueError, match=r"one shape .* found \(3, 2, 30, 4\) and \(3, 2, 30, 3\)"):
        draw_decoupling(tmp_path / "a.png", delta_c, delta_m[..., :3])
    with pytest.raises(ValueError, match="finite"):
        draw_decoupling(tmp_path / "a.png", delta_c * np.nan, delta_m, method="PCA")
