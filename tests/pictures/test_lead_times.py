"""Scores against lead time: the panels of a comparison, the words beside them, and the limits of each score."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_rgb

from predjax.pictures.figures import new_figure
from predjax.pictures.lead_times import (
    LeadPanel,
    choose_panels,
    draw_lead_panel,
    name_event,
    name_lead_unit,
    name_score,
    spell_range,
    style_methods,
)

METHODS = ["net", "persistence"]
STYLES = style_methods(METHODS)


def scores(name, values, leads=(5, 10)):
    coords = {"method": METHODS, "lead_time": ("lead_time", list(leads), {"units": "minutes"})}
    return xr.DataArray(values, coords, ("method", "lead_time"), name)


def draw(panel):
    axes = new_figure(400, 300, 100).add_axes((0.1, 0.1, 0.8, 0.8))
    draw_lead_panel(axes, panel, STYLES)
    return axes


def test_persistence_is_grey_and_all_others_differ():
    styles = style_methods(["a", "persistence", *"bcdef"])
    assert len(set(to_rgb(styles["persistence"]["color"]))) == 1
    looks = {(style["color"], style["marker"]) for style in styles.values()}
    assert len(looks) == len(styles)


def test_panels_are_the_scores_that_a_comparison_has():
    rmse = scores("rmse", [[1.0, 2.0], [2.0, 3.0]])
    comparison = xr.Dataset({"rmse": rmse, "rmse_low": rmse - 0.1, "rmse_high": rmse + 0.1, "ssim": rmse * np.nan})
    events = xr.concat([rmse / 10, rmse / 20], xr.DataArray([0.1, 5.0], dims="threshold", name="threshold"))
    comparison = comparison.assign(csi=events, hits=1000 * events, misses=0 * events).assign_attrs(units="mm/h")
    panels = choose_panels(comparison)
    assert [panel.title for panel in panels] == ["RMSE (mm/h)", "CSI, ≥ 0.1 mm/h", "CSI, ≥ 5 mm/h"]
    xr.testing.assert_equal(panels[0].low, comparison.rmse_low)
    assert panels[0].note == "" and [panel.note for panel in panels[1:]] == ["100 to 300 events", "50 to 150 events"]
    assert panels[1].low is None


def test_curves_bands_and_the_level_are_the_numbers():
    rmse = scores("rmse", [[1.0, 2.0], [2.0, 3.0]])
    level = xr.DataArray([0.5, 0.6], dims="lead_time")
    axes = draw(LeadPanel("RMSE", rmse, rmse - 0.1, rmse + 0.2, level=level))
    lines = {line.get_label(): line.get_ydata() for line in axes.lines}
    np.testing.assert_array_equal([lines[method] for method in METHODS], rmse)
    np.testing.assert_array_equal(lines["level"], level)
    for number, band in enumerate(axes.collections):
        y = band.get_paths()[0].vertices[:, 1]
        assert (y.min(), y.max()) == pytest.approx((number + 0.9, number + 2.2))


def test_one_lead_time_alone_has_bars():
    rmse = scores("rmse", [[1.0], [2.0]], leads=(5,))
    axes = draw(LeadPanel("RMSE", rmse, rmse - 0.1, rmse + 0.2))
    assert [bar.get_segments()[0].tolist() for bar in axes.collections] == [
        [[5, pytest.approx(0.9)], [5, pytest.approx(1.2)]],
        [[5, pytest.approx(1.9)], [5, pytest.approx(2.2)]],
    ]


@pytest.mark.parametrize(
    ("name", "limits"),
    [
        ("rmse", (0, 2.2)),
        ("mean_error", (-2.2, 2.2)),
        ("variance_ratio", (0, 2.2)),
        ("fss", (0, 1.04)),
        ("coverage", (0, 104)),
    ],
)
def test_the_axis_suits_the_score(name, limits):
    axes = draw(LeadPanel(name, scores(name, [[1.0, 2.0], [np.nan, -2.0]])))
    assert axes.get_ylim() == pytest.approx(limits)
    guides = {"mean_error": 0, "variance_ratio": 1}
    drawn = [line.get_ydata()[0] for line in axes.lines if line.get_label() not in METHODS]
    assert drawn == ([guides[name]] if name in guides else [])


@pytest.mark.parametrize(("name", "text"), [("csi", "undefined: no event"), ("rmse", "undefined")])
def test_a_score_that_is_undefined_is_said_to_be(name, text):
    axes = draw(LeadPanel(name, scores(name, np.full((2, 2), np.nan))))
    assert [t.get_text() for t in axes.texts] == [text] and not len(axes.get_yticks())


def test_words():
    assert (name_score("rmse", "dBZ"), name_score("rmse", "1")) == ("RMSE (dBZ)", "RMSE")
    assert name_score("ssim", "dBZ") == "SSIM"
    plain = xr.Dataset(coords={"lead_time": ("lead_time", [1], {"units": "1"})})
    assert (name_event(plain, 0.5), name_event(plain.assign_attrs(units="mm/h"), 0.5)) == ("≥ 0.5", "≥ 0.5 mm/h")
    assert name_lead_unit(plain) == "frames" and name_lead_unit(scores("rmse", np.zeros((2, 2)))) == "min"
    assert spell_range(np.array([2005.0, 2000.0])) == "2,000 to 2,005" and spell_range(np.array([7, 7])) == "7"
