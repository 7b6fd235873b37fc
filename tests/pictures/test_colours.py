"""Colours: ordered by lightness for every eye, boundaries in physical units, no coverage told apart from dry."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from skimage.color import rgb2lab

from predjax.pictures.colours import (
    DRY,
    NO_COVERAGE,
    PROBABILITY_LEVELS,
    RAIN_RATE_LEVELS,
    REFLECTIVITY_LEVELS,
    choose_scale,
    probability_scale,
    rain_colours,
)

# Machado, Oliveira & Fernandes (2009), severity 1, on linear RGB.
EYES = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def see(colours, eye):
    """CIELAB (n, 3) of sRGB colours as an eye sees them."""
    colours = np.asarray(colours)
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.transpose(EYES[eye]), 0, 1)
    return rgb2lab(np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055))


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("count", [len(RAIN_RATE_LEVELS), len(REFLECTIVITY_LEVELS)])
def test_heavier_rain_is_darker_to_every_eye(eye, count):
    lightness = see([to_rgb(DRY), *rain_colours(count)], eye)[:, 0]
    assert np.diff(lightness).max() < -4  # a difference of 2 is just noticeable


@pytest.mark.parametrize("eye", EYES)
def test_a_higher_probability_is_darker_to_every_eye(eye):
    scale = probability_scale()
    shades = scale.paint(np.array([0.0, *PROBABILITY_LEVELS]))
    np.testing.assert_array_equal(shades[-1], shades[-2])  # of one, and from 0.9 on
    assert (shades[0] == 255).all() and np.diff(see(shades[:-1] / 255, eye)[:, 0]).max() < -2


@pytest.mark.parametrize("eye", EYES)
def test_no_coverage_is_neither_dry_nor_rain(eye):
    shade = see([to_rgb(NO_COVERAGE)], eye)[0]
    others = see([to_rgb(DRY), *rain_colours(10)], eye)
    assert np.linalg.norm(others - shade, axis=1).min() > 9


def test_a_value_belongs_to_the_level_that_it_reaches():
    scale = choose_scale("mm/h", np.zeros(1))
    below, at, within, above = scale.paint(np.array([0.4999, 0.5, 0.9999, 1.0], np.float32))
    assert (at == within).all()
    assert (below != at).any() and (above != at).any()


def test_every_level_has_its_own_colour_and_what_is_below_is_dry():
    for units, levels in (("mm/h", RAIN_RATE_LEVELS), ("dBZ", REFLECTIVITY_LEVELS)):
        scale = choose_scale(units, np.zeros(1))
        colours = scale.paint(np.array([*levels, 1000.0]))
        assert len(np.unique(colours, axis=0)) == len(levels)  # beyond the last level is one class
        dry = scale.paint(np.array([levels[0] - 0.01, 0.0, -32.0]))
        assert (dry == np.round(255 * np.array(to_rgb(DRY)))).all()
        assert scale.levels == levels and units in scale.label and units in scale.dry_label


def test_rain_levels_do_not_depend_on_the_frames():
    assert choose_scale("mm/h", np.zeros(3)).levels == choose_scale("mm h-1", np.full(3, 80.0)).levels


def test_unit_data_are_drawn_from_0_to_1_and_what_leaves_it_is_shown():
    scale = choose_scale("1", np.array([0.2, 0.7]))
    assert (scale.norm.vmin, scale.norm.vmax, scale.extend) == (0, 1, "neither")
    lightness = rgb2lab(scale.paint(np.linspace(0, 1, 50)))[:, 0]
    assert np.diff(lightness).min() >= 0
    assert choose_scale("1", np.array([-0.02, 1.1])).extend == "both"
    assert choose_scale("1", np.array([0.5, 1.1])).extend == "max"


def test_other_data_are_drawn_over_their_own_range():
    scale = choose_scale("K", [np.array([260.0, np.nan]), np.array([300.0])])
    assert (scale.norm.vmin, scale.norm.vmax) == (260, 300)
    assert all(260 <= level <= 300 for level in scale.levels) and len(scale.levels) > 2
    assert "K" in scale.label


@pytest.mark.parametrize("frames", [np.full(3, np.nan), np.full(3, 7.0)])
def test_frames_without_a_range_still_have_a_scale(frames):
    scale = choose_scale("K", frames)
    assert scale.norm.vmax > scale.norm.vmin


@pytest.mark.parametrize("units", ["mm/h", "dBZ", "1"])
def test_the_palette_holds_every_colour(units):
    scale = choose_scale(units, np.array([0.0, 1.0]))
    painted = np.unique(scale.paint(np.array([np.nan, *np.linspace(-1, 120, 5000)])), axis=0)
    palette = {tuple(colour) for colour in scale.palette().tolist()}
    assert {tuple(colour) for colour in painted.tolist()} <= palette
    assert len(palette) < 150
