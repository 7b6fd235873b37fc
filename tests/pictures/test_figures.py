"""Figures and their PNG: whole pixels, the same bytes, texts as they are."""

import io

import numpy as np
import pytest
from PIL import Image

from predjax.pictures.figures import encode_png, new_figure, save_png


def write_text(text):
    figure = new_figure(301.4, 99.6, 130)
    figure.text(0.5, 0.5, text, ha="center")
    return figure


def test_a_figure_has_whole_pixels_and_its_own_file(tmp_path):
    path = tmp_path / "a.png"
    save_png(write_text("rain"), path, overwrite=False)
    with Image.open(path) as saved, Image.open(io.BytesIO(encode_png(write_text("rain")))) as encoded:
        assert saved.size == encoded.size == (301, 100)
        np.testing.assert_array_equal(saved, encoded)
        assert "Software" not in encoded.info
    with pytest.raises(FileExistsError, match=r"a\.png"):
        save_png(write_text("rain"), path, overwrite=False)


def test_equal_figures_give_equal_bytes():
    assert encode_png(write_text("rain")) == encode_png(write_text("rain")) != encode_png(write_text("snow"))


@pytest.mark.parametrize("text", ["$x$", "$\\frac{"])
def test_a_dollar_is_shown_as_it_is(text):
    figure = write_text(text)
    axes = figure.add_axes((0.2, 0.2, 0.5, 0.5))
    axes.plot([0, 1], label=text)
    axes.set_title(text)
    axes.legend()
    axes.set_yscale("log")
    encode_png(figure)  # which fails for a formula that is none
    assert not any(t.get_parse_math() for t in (*figure.texts, axes.title, *axes.get_legend().get_texts()))
    assert all(label.get_parse_math() for label in axes.get_yticklabels())  # powers of ten
