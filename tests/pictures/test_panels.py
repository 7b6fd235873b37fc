"""The parts that pictures share: grids, labels, sizes of panels, the place of frames in them."""

import numpy as np
import pytest
import xarray as xr

from predjax.pictures.colours import choose_scale
from predjax.pictures.figures import new_figure
from predjax.pictures.panels import (
    check_frames,
    describe_grid,
    fit_panel,
    fit_size,
    head_columns,
    label_forecast,
    label_lead_times,
    mark_sides,
    paint_panel,
    place_axes,
    place_title,
)


def test_distances_come_from_the_outer_edges_of_the_pixels():
    centres = 500.0 + 1000.0 * np.arange(40)
    assert describe_grid(centres, -centres[:30], "m").km == pytest.approx((40.0, 30.0))
    for units in ("km", "kilometres"):
        assert describe_grid(centres / 1000, centres / 1000, units).km == pytest.approx((40.0, 40.0))
    assert describe_grid(np.arange(40), np.arange(40), "1") == (None, False, False, None, ())
    assert describe_grid(np.arange(40), np.arange(40), "degrees") == (None, True, False, None, ())
    assert describe_grid(None, None, "").km is None


def test_lead_times_are_spelt_with_their_sign():
    assert label_lead_times([-10, 0, 90]) == ["−10 min", "0 min", "+90 min"]
    assert label_lead_times([-1, 0, 2], "1") == ["frame −1", "frame 0", "frame +2"]
    assert label_lead_times([30], "seconds") == ["+30 s"]


def test_a_forecast_labels_its_frames_and_those_before_it():
    init = np.datetime64("2020-05-01T23:50", "ns")
    coordinates = {
        "lead_time": ("lead_time", [10, 20], {"units": "minutes"}),
        "valid_time": ("lead_time", init + np.array([10, 20], "timedelta64[m]")),
        "init_time": ((), init),
        "x": ("x", [0.0, 1.0], {"units": "km"}),
        "y": ("y", [0.0, 1.0]),
    }
    labels = label_forecast(xr.Dataset(coords=coordinates, attrs={"title": "a nowcast"}), "dBZ", input_length=3)
    assert labels.lead_labels == ["+10 min", "+20 min"]
    assert labels.input_labels == ["−20 min", "−10 min", "0 min"]
    assert labels.valid_labels[0] == "2020-05-01 23:30 UTC" and labels.valid_labels[-1] == "2020-05-02 00:10 UTC"
    inputs, leads = head_columns(labels)
    assert inputs == ["−20 min\n23:30 UTC", "−10 min\n23:40 UTC", "0 min\n2020-05-01 23:50 UTC"]
    assert leads == ["+10 min\n2020-05-02 00:00 UTC", "+20 min\n2020-05-02 00:10 UTC"]
    numbers = {"valid_time": ("lead_time", [5, 6]), "init_time": ((), 4)}
    labels = label_forecast(xr.Dataset(coords=coordinates | numbers, attrs={"title": "a nowcast"}), "dBZ", 3)
    assert head_columns(labels) == (labels.input_labels, labels.lead_labels) and not labels.valid_labels
    assert (labels.units, labels.title, labels.xy_units) == ("dBZ", "a nowcast", "km")
    np.testing.assert_array_equal(labels.x, [0, 1])


def test_frames_of_another_shape_are_named():
    np.testing.assert_array_equal(check_frames("a", [[[1.0]]], (-1, 1, 1)), [[[1.0]]])
    for frames in (np.zeros((2, 3)), np.zeros((0, 3, 3)), np.zeros((2, 3, 4))):
        with pytest.raises(ValueError, match=r"frames of 'a' must have the shape \(T, 3, 3\), found \("):
            check_frames("a", frames, (-1, 3, 3))


@pytest.mark.parametrize(
    ("shape", "found"),
    [((40, 50), (320, 400)), ((7, 3), (637, 273)), ((800, 1000), (320, 400)), ((1000, 100), (640, 64))],
)
def test_small_frames_are_magnified_by_whole_numbers(shape, found):
    assert fit_panel(*shape, target=400) == found


def test_a_long_text_is_made_as_small_as_its_place():
    assert fit_size("short", 400, 100, 10) == 10
    assert fit_size("x" * 100, 400, 100, 10) == pytest.approx(400 * 72 / 100 / 62)
    figure = new_figure(400, 100, 100)
    place_title(figure, 5, "a nowcast of rain " * 5)
    box = figure.texts[0].get_window_extent()
    assert box.x0 > 0 and box.x1 < 400 and (box.x0 + box.x1) / 2 == pytest.approx(200, abs=1)


def test_a_frame_is_turned_and_shrunk_as_its_grid_says():
    frame, scale = np.array([[0.0, 30.0], [7.0, np.nan]]), choose_scale("mm/h", np.zeros(1))
    turned = describe_grid(np.array([1.0, 0.0]), np.array([0.0, 1.0]), "km")
    np.testing.assert_array_equal(paint_panel(frame, scale, turned, 9, 9), scale.paint(frame[::-1, ::-1]))
    (small,) = paint_panel(frame[:1], scale, describe_grid(None, None, ""), 1, 1)
    np.testing.assert_allclose(small[0], scale.paint(frame[0]).mean(0), atol=1)


def test_distances_are_marked_within_the_panel():
    figure = new_figure(500, 300, 100)
    axes = place_axes(figure, 50, 20, 400, 200)
    assert axes.bbox.extents == pytest.approx((50, 80, 450, 280), abs=0.01)
    axes.set(xlim=(0, 80), ylim=(0, 40))
    mark_sides(axes, describe_grid(np.arange(80), np.arange(40), "km"))
    assert axes.get_xticks().tolist() == [0, 10, 20, 30, 40, 50, 60, 70, 80]
    assert axes.get_yticks().tolist() == [0, 10, 20, 30, 40] and axes.get_xlabel() == "km"
