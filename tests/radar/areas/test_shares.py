"""Shares of pixels in polygons: exact, against areas that are known and against exactextract."""

import numpy as np
import pytest

from predjax.radar.areas.shares import find_shares, measure_ring, orient

SHAPE = (14, 17)


def make_ring(*places):
    return np.array([*places, places[0]], float)


def make_box(left, top, right, bottom, hole=False):
    return orient(make_ring((left, top), (right, top), (right, bottom), (left, bottom)), hole)


def spread(rings):
    """The shares as a frame."""
    pixels, shares = find_shares(rings, SHAPE)
    frame = np.zeros(SHAPE)
    frame.flat[pixels] = shares
    return frame


def overlap(low, high, size):
    """The share of each of the pixels 0 ... size - 1 between two places on a line."""
    first = np.arange(size)
    return np.clip(np.minimum(high, first + 1) - np.maximum(low, first), 0, 1)


@pytest.mark.parametrize("box", [(2, 3, 5, 7), (2.25, 3.5, 4.75, 6.1), (0.2, 0.3, 0.6, 0.4), (-3, -2, 4.5, 2.5)])
def test_boxes_have_the_product_of_their_sides(box):
    left, top, right, bottom = box
    expected = np.outer(overlap(top, bottom, SHAPE[0]), overlap(left, right, SHAPE[1]))
    np.testing.assert_allclose(spread([make_box(*box)]), expected, atol=1e-12)


def test_a_box_outside_touches_no_pixel():
    assert find_shares([make_box(100, 100, 120, 120)], SHAPE)[0].size == 0
    assert spread([make_box(-9, -9, 40, 40)]).sum() == SHAPE[0] * SHAPE[1]


def test_a_triangle_has_half_of_the_pixels_on_its_side():
    frame = spread([orient(make_ring((2, 2), (6, 2), (2, 6)), False)])
    assert frame[2, 5] == pytest.approx(0.5) and frame[3, 4] == pytest.approx(0.5) and frame[2, 2] == pytest.approx(1)
    assert frame.sum() == pytest.approx(8)


def test_holes_and_parts_add_with_their_signs():
    parts = [make_box(1, 1, 9, 9), make_box(2.5, 2.5, 6.5, 6.5, hole=True), make_box(10, 10, 12.5, 12)]
    frame = spread(parts)
    assert frame.sum() == pytest.approx(64 - 16 + 5)
    assert frame[4, 4] == 0 and frame[2, 2] == pytest.approx(0.75)
    assert sum(map(measure_ring, parts)) == pytest.approx(53)


def test_shares_of_a_ragged_polygon_add_to_its_area():
    angle = np.linspace(0, 2 * np.pi, 80, endpoint=False)
    radius = np.random.default_rng(0).uniform(2, 6, 80)
    places = np.stack([8 + radius * np.cos(angle), 7 + radius * np.sin(angle)], axis=1)
    ring = orient(make_ring(*places), False)
    frame = spread([ring])
    assert frame.sum() == pytest.approx(measure_ring(ring), abs=1e-12)
    # Moved by whole pixels, the shares move along.
    np.testing.assert_allclose(spread([ring + np.array([1, -1])])[:-1, 1:], frame[1:, :-1], atol=1e-12)


def test_rings_that_cross_or_overlap_are_refused():
    bow = make_ring((2, 2), (6, 6), (6, 2), (2, 6))
    for rings in ([bow], [make_box(1, 1, 5, 5), make_box(3, 3, 8, 8)]):
        with pytest.raises(ValueError, match=r"outlines cross or overlap: it has the share (-|2)"):
            find_shares(rings, SHAPE)
