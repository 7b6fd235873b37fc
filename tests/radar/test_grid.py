"""Grids: the same pixels, a part of others, and how large a pixel is."""

import numpy as np
import pytest
import xarray as xr

from predjax.radar.grid import Grid, Part
from predjax.radar.movies import build_movies

MERCATOR = {"grid_mapping_name": "mercator", "standard_parallel": 30.0}


def make(height=6, width=8, pixel=1000.0, units="m", mapping=MERCATOR, first=0.0):
    y = xr.Variable("y", first + pixel * np.arange(height)[::-1], {"units": units})
    x = xr.Variable("x", pixel * np.arange(width), {"units": units})
    return Grid((height, width), y, x, "crs" if mapping else "", mapping)


def test_a_grid_of_movies_is_the_one_that_they_were_built_on():
    grid, attrs = make(), {"units": "dBZ", "grid_mapping": "crs"}
    movies = build_movies(np.ones((1, 2, 6, 8, 1), np.float32), grid.coords, attrs=attrs, source="a", files=["a"])
    found = Grid.of(movies)
    assert found.same(grid) and (found.shape, found.mapping_name) == ((6, 8), "crs")
    assert Grid.of(movies.drop_vars("crs")).mapping == {}


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ({}, True),
        ({"first": 0.9}, True),  # less than a thousandth of a pixel
        ({"first": 1.1}, False),
        ({"width": 7}, False),
        ({"mapping": MERCATOR | {"standard_parallel": 31.0}}, False),
        ({"mapping": {}}, False),
        ({"units": "km"}, False),
    ],
)
def test_grids_are_the_same_to_a_thousandth_of_a_pixel(other, same):
    assert make().same(make(**other)) == make(**other).same(make()) == same


def test_coordinates_that_a_file_does_not_have_are_another_grid():
    assert not make().same(make()._replace(y=None)) and make()._replace(y=None).same(make()._replace(y=None))


@pytest.mark.parametrize(
    ("units", "size"), [("m", 1000.0), ("kilometres", 1e6), ("metre", 1000.0), ("degrees_east", None), ("1", None)]
)
def test_the_size_of_a_pixel_is_in_metres(units, size):
    assert make(units=units).pixel_size == size
    assert make(width=1).pixel_size is None


def test_a_part_is_found_in_km_and_turned():
    part = make(3, 4, 1.0, "km", {}, first=1.0)
    assert make().locate(part) == Part((2, 0), (False, False))
    turned = part._replace(y=part.y[::-1], x=part.x[::-1] + 3)
    assert make().locate(turned) == Part((2, 3), (True, True))
    assert make().locate(part._replace(y=part.y + 0.005)) == Part((2, 0), (False, False))
    assert make().locate(part._replace(y=part.y + 0.02)) is None
    assert make().locate(part._replace(x=part.x + 6)) is None  # beyond the edge


def test_the_extent_is_in_metres():
    assert make(pixel=1.0, units="km").extent == make().extent == [6, 8, 5000.0, 0.0, 0.0, 7000.0]
    assert str(make(pixel=1.0, units="km")) == "6x8, y 5000..0, x 0..7000"
