"""Coastlines, borders and degrees under maps."""

import importlib.util

import numpy as np
import pytest
import xarray as xr
from PIL import Image

from predjax.pictures import ground
from predjax.pictures.colours import choose_scale
from predjax.pictures.figures import new_figure
from predjax.pictures.ground import draw_lines, find_ground, find_place, place_outlines
from predjax.pictures.panels import MapLabels, describe_grid, draw_frame, find_grid, mark_sides, place_axes

needs_pyproj = pytest.mark.skipif(
    importlib.util.find_spec("pyproj") is None, reason="pyproj is not installed (extra projection)"
)
MERCATOR = {"grid_mapping_name": "mercator", "longitude_of_projection_origin": 0.0, "standard_parallel": 0.0}
POLAR = {
    "grid_mapping_name": "polar_stereographic",
    "straight_vertical_longitude_from_pole": 0.0,
    "latitude_of_projection_origin": 90.0,
    "standard_parallel": 60.0,
}


def make_frames(x, y, units, mapping=None):
    attrs = {"grid_mapping": "crs"} if mapping else {}
    coords = {"y": ("y", y, {"units": units}), "x": ("x", x, {"units": units})}
    frames = xr.Dataset({"rain": (("y", "x"), np.zeros((len(y), len(x))), attrs)}, coords)
    return frames.assign_coords(crs=((), 0, mapping)) if mapping else frames


def around(longitude, latitude, half=1.0):
    """Frames of longitudes and latitudes around a place."""
    steps = np.linspace(-half, half, 41)
    return make_frames(longitude + steps, latitude - steps, "degrees")


def distance(lines, place):
    """From a place to the nearest point of lines, both in parts of the frame."""
    return min(np.hypot(*(line - place).T).min() for line in lines)


# Cape Agulhas, Gibraltar's Europa Point, Cape Reinga, Diomede (beside the 180th meridian): all within a few km.
@pytest.mark.parametrize("cape", [(20.0, -34.83), (-5.345, 36.11), (172.68, -34.42), (-169.65, 66.08)])
def test_capes_are_where_they_are(cape):
    found = find_ground(around(*cape))
    assert distance(found.coasts, (0.5, 0.5)) < 0.03  # of 2 degrees
    assert all(((line > -0.5) & (line < 1.5)).all() for line in found.coasts)


def test_borders_are_borders_and_the_open_sea_has_nothing():
    rhine = find_ground(around(8.1, 48.95, 0.5))  # France and Germany
    assert distance(rhine.borders, (0.5, 0.5)) < 0.15 and not rhine.coasts
    sea = find_ground(around(-140.0, 40.0))
    assert not sea.coasts and not sea.borders and sea.graticule


def test_degrees_are_marked_where_their_lines_meet_the_edges():
    found = find_ground(around(9.0, -0.25, 1.25))
    assert [text for _, text in found.longitudes] == ["8°E", "9°E", "10°E"]
    assert [text for _, text in found.latitudes] == ["1°S", "0°", "1°N"]
    np.testing.assert_allclose([where for where, _ in found.longitudes], [0.1098, 0.5, 0.8902], atol=1e-3)
    west = find_ground(around(180.0, 10.0, 1.25))
    assert [text for _, text in west.longitudes] == ["179°E", "180°", "179°W"]


@needs_pyproj
def test_the_projection_places_the_lines():
    """The same cape by two projections, in m and in km, with rows that rise and fall."""
    import pyproj

    for mapping, units in ((MERCATOR, "m"), (POLAR, "km")):
        crs = pyproj.CRS.from_cf(mapping)
        x, y = pyproj.Transformer.from_crs(crs.geodetic_crs, crs, always_xy=True).transform(-5.345, 36.11)
        size, turn = (1.0, 1) if units == "m" else (1000.0, -1)
        steps = np.linspace(-100e3, 100e3, 51) / size
        frames = make_frames(x / size + steps, y / size + turn * steps, units, mapping)
        found = find_ground(frames)
        assert distance(found.coasts, (0.5, 0.5)) < 0.02
        place = find_place(frames)
        there = place.to_degrees(np.array([[0.5, 0.5]]))
        np.testing.assert_allclose(np.ravel(there), [-5.345, 36.11], atol=1e-6)


@needs_pyproj
def test_a_frame_around_the_pole_has_all_meridians():
    steps = np.linspace(-1e6, 1e6, 21)
    found = find_ground(make_frames(steps, steps, "m", POLAR))
    assert len(found.graticule) > 5 and found.coasts


def test_frames_without_a_projection_have_no_ground():
    steps = np.arange(4.0)
    for frames in (
        make_frames(steps, steps, "1"),
        make_frames(steps, steps, "m"),
        make_frames(steps, steps, "m", {"grid_mapping_name": "unheard_of"}),
        make_frames(steps[:1], steps[:1], "degrees"),
        make_frames(steps, steps, "degrees", {"grid_mapping_name": "rotated_latitude_longitude"}),
    ):
        assert find_ground(frames) is None


def test_a_map_has_its_coast_its_degrees_and_lines_that_are_given(tmp_path):
    frames = around(20.0, -34.83)
    labels = MapLabels("mm/h", ["+5 min"], x=frames["x"].values, y=frames["y"].values, xy_units="degrees")
    pictures = []
    for given in (None, find_ground(frames)):
        grid = find_grid(labels)._replace(ground=given)
        figure = new_figure(240, 240, 100)
        axes = place_axes(figure, 40, 20, 180, 180)
        draw_frame(axes, np.zeros((41, 41)), choose_scale("mm/h", np.zeros(1)), grid)
        if given:
            mark_sides(axes, grid)
            assert [text.get_text() for text in axes.get_xticklabels()] == ["19°E", "20°E", "21°E"]
        figure.savefig(tmp_path / "a.png", dpi=100)
        pictures.append(np.asarray(Image.open(tmp_path / "a.png").convert("L"))[21:199, 41:219])
    assert pictures[0].min() > 200  # dry
    dark = np.argwhere(pictures[1] < 100)
    assert 100 < len(dark) < 3000 and np.hypot(*(dark - 89).T).min() < 8
    draw_lines(axes, place_outlines(frames, [np.array([[19.5, -35.5], [20.5, -35.5]])]), colors="#ff0000")
    figure.savefig(tmp_path / "b.png", dpi=100)
    red = np.argwhere((np.asarray(Image.open(tmp_path / "b.png").convert("RGB")) == (255, 0, 0)).all(axis=-1))
    assert np.ptp(red[:, 1]) == pytest.approx(90, abs=4) and np.ptp(red[:, 0]) <= 3


def test_outlines_are_placed_by_the_coordinates_of_the_frames():
    frames = make_frames(np.arange(5.0), np.arange(4.0)[::-1], "km")
    line, point = place_outlines(frames, [np.array([[-0.5, -0.5], [4.5, 3.5]]), np.array([[2.0, 1.5]])])
    np.testing.assert_allclose(line, [[0, 0], [1, 1]])
    np.testing.assert_allclose(point.mean(axis=0), [0.5, 0.5])
    assert place_outlines(frames, []) == ()
    assert describe_grid(None, None, "").ground is None


def test_all_lines_are_read():
    coasts, borders = ground._read_coastlines()
    for longitude, latitude, lengths in (coasts, borders):
        assert lengths.sum() == longitude.size == latitude.size and lengths.min() >= 2
        assert np.abs(longitude).max() <= 180.01 and np.abs(latitude).max() <= 90.01
    assert coasts[2].sum() > borders[2].sum() > 20_000
