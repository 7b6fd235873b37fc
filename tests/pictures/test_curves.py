"""Curves: what is drawn are the numbers of the log and of the comparison, with their counts."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_rgb

from predjax.pictures import curves
from predjax.pictures.curves import draw_losses, draw_skill, holds_losses


def lines_of(axes):
    return {line.get_label(): line.get_xydata() for line in axes.lines}


def comparison(methods=("predrnn_v2", "persistence"), steps=6, thresholds=(0.1, 5.0), units="mm/h"):
    shape = len(methods), steps
    values = np.arange(1.0, 1 + np.prod(shape)).reshape(shape) / np.prod(shape)
    plain, events = ("method", "lead_time"), ("method", "lead_time", "threshold")
    csi = values[..., None] * np.ones(len(thresholds))
    count = np.full(csi.shape, 1000)
    return xr.Dataset(
        {
            "rmse": (plain, values),
            "mae": (plain, values / 2),
            "mean_error": (plain, -values / 10),
            "ssim": (plain, values * np.nan),
            "csi": (events, csi),
            "hits": (events, count),
            "misses": (events, count + np.arange(steps)[:, None]),
            "cases": (plain, np.full(shape, 37)),
        },
        {
            "method": np.array(methods, dtype=object),
            "lead_time": ("lead_time", 5 * np.arange(1, steps + 1), {"units": "minutes"}),
            "threshold": np.array(thresholds),
        },
        {"units": units},
    )


def test_losses_are_drawn_as_they_were_logged(drawn):
    records = [{"iteration": k, "loss": 0.5 - 0.01 * k, "frames_per_second": 9.0} for k in (1, 2, 3)]
    records += [{"iteration": 2, "valid_loss": 0.6}, {"iteration": 3, "valid_loss": 0.55}]
    axes = drawn(curves, lambda path: draw_losses(path, records)).axes[0]
    lines = lines_of(axes)
    np.testing.assert_allclose(lines["training"], [(1, 0.49), (2, 0.48), (3, 0.47)])
    np.testing.assert_allclose(lines["validation"], [(2, 0.6), (3, 0.55)])
    np.testing.assert_allclose(lines["least validation: 0.55 at 3"], [(3, 0.55)])


def test_of_a_repeated_iteration_the_last_counts_and_order_does_not_matter(drawn):
    records = [{"iteration": 20, "loss": 9.0}, {"iteration": 10, "loss": 2.0}, {"iteration": 20, "loss": 1.0}]
    axes = drawn(curves, lambda path: draw_losses(path, records)).axes[0]
    np.testing.assert_array_equal(lines_of(axes)["training"], [(10, 2.0), (20, 1.0)])


@pytest.mark.parametrize(("last", "scale"), [(0.11, "linear"), (0.1, "log"), (-0.1, "linear")])
def test_the_axis_is_logarithmic_where_losses_span_a_decade(drawn, last, scale):
    records = [{"iteration": 1, "loss": 1.0}, {"iteration": 2, "loss": last}]
    assert drawn(curves, lambda path: draw_losses(path, records)).axes[0].get_yscale() == scale


def test_losses_that_are_not_finite_are_left_out(tmp_path, drawn):
    records = [{"iteration": 1, "loss": float("nan")}, {"iteration": 2, "loss": 0.3}, {"iteration": 3, "loss": None}]
    axes = drawn(curves, lambda path: draw_losses(path, records)).axes[0]
    np.testing.assert_array_equal(lines_of(axes)["training"], [(2, 0.3)])
    with pytest.raises(ValueError, match=r"loss\.png: no finite loss to draw in 1 records"):
        draw_losses(tmp_path / "loss.png", records[:1])
    assert holds_losses(records) and holds_losses([{"iteration": 4, "valid_loss": 0.2}])
    assert not (holds_losses(records[:1]) or holds_losses(records[2:]) or holds_losses([]))


def test_many_losses_have_a_running_mean(drawn):
    records = [{"iteration": k, "loss": 1.0 + (-1) ** k * 0.5} for k in range(1, 1001)]
    lines = lines_of(drawn(curves, lambda path: draw_losses(path, records)).axes[0])
    means = lines["training (running mean)"]
    assert np.abs(means[:, 1] - 1).max() < 0.03
    assert means[0, 0] > 1 and means[-1, 0] < 1000  # only whole windows


def test_a_panel_for_each_score_and_threshold_with_every_method(drawn, assert_readable):
    scores = comparison()
    figure = drawn(curves, lambda path: draw_skill(path, scores, title="test events"))
    assert_readable(figure)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    expected = ["RMSE (mm/h)", "MAE (mm/h)", "mean error (mm/h)", "CSI, ≥ 0.1 mm/h", "CSI, ≥ 5 mm/h"]
    assert titles == expected
    for axes, values in zip(figure.axes, [scores.rmse, scores.mae, scores.mean_error]):
        for method in ("predrnn_v2", "persistence"):
            line = lines_of(axes)[method]
            np.testing.assert_array_equal(line[:, 0], scores.lead_time)
            np.testing.assert_array_equal(line[:, 1], values.sel({"method": method}))
    csi = lines_of(figure.axes[-1])["persistence"][:, 1]
    np.testing.assert_array_equal(csi, scores.csi.sel({"method": "persistence", "threshold": 5.0}))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["predrnn_v2", "persistence"]


def test_counts_of_cases_and_events_stand_beside_the_scores(drawn):
    figure = drawn(curves, lambda path: draw_skill(path, comparison()))
    texts = [text.get_text() for text in figure.texts]
    assert any(text.startswith("37 cases per lead time") for text in texts)
    assert figure.axes[-1].get_title(loc="right") == "2,000 to 2,005 events"


def test_a_score_without_events_says_so(drawn, assert_readable):
    scores = comparison(steps=1)
    scores["csi"] = scores.csi * np.nan
    figure = drawn(curves, lambda path: draw_skill(path, scores))
    assert [text.get_text() for text in figure.axes[-1].texts] == ["undefined: no event"]
    assert_readable(figure)


def test_errors_start_at_zero_and_the_mean_error_has_zero_in_the_middle(drawn):
    figure = drawn(curves, lambda path: draw_skill(path, comparison()))
    rmse, _, mean_error, *_ = (axes.get_ylim() for axes in figure.axes)
    assert rmse[0] == 0
    assert mean_error[0] == -mean_error[1]


def test_methods_can_be_told_apart(drawn, assert_readable):
    methods = ("a_long_model_name", "predrnn", "extrapolation", "pysteps_lk", "pysteps_sprog", "persistence")
    figure = drawn(curves, lambda path: draw_skill(path, comparison(methods, steps=24, thresholds=(0.1, 0.5, 1, 5))))
    assert_readable(figure)
    looks = {(line.get_color(), line.get_marker()) for line in figure.axes[0].lines}
    assert len(looks) == len(methods)


def test_data_without_a_unit_get_none(drawn):
    figure = drawn(curves, lambda path: draw_skill(path, comparison(units="1", thresholds=(0.5,))))
    assert [axes.get_title(loc="left") for axes in figure.axes][::3] == ["RMSE", "CSI, ≥ 0.5"]


def with_interval(scores, name, width):
    ends = {f"{name}_low": scores[name] - width, f"{name}_high": scores[name] + width}
    return scores.assign(ends)


def test_intervals_are_bands_of_the_colour_of_their_curve(drawn, assert_readable):
    scores = with_interval(with_interval(comparison(), "rmse", 0.05), "csi", 0.02)
    figure = drawn(curves, lambda path: draw_skill(path, scores))
    assert_readable(figure)
    rmse, mae, _, first_csi, _ = figure.axes
    assert len(rmse.collections) == len(first_csi.collections) == 2 and not mae.collections
    for band, line, method in zip(rmse.collections, rmse.lines, ("predrnn_v2", "persistence")):
        edge = band.get_paths()[0].vertices
        for lead, value in zip(scores.lead_time.values, scores.rmse.sel({"method": method}).values):
            around = edge[edge[:, 0] == lead, 1]
            np.testing.assert_allclose([around.min(), around.max()], [value - 0.05, value + 0.05])
        assert to_rgb(band.get_facecolor()[0]) == to_rgb(line.get_color())


def test_an_interval_of_a_single_lead_time_is_a_bar(drawn):
    scores = with_interval(comparison(steps=1), "rmse", 0.1)
    axes = drawn(curves, lambda path: draw_skill(path, scores)).axes[0]
    value = float(scores.rmse[0, 0])
    np.testing.assert_allclose(axes.collections[0].get_segments()[0], [(5, value - 0.1), (5, value + 0.1)])


def test_intervals_that_are_not_there_are_not_drawn(drawn):
    scores = with_interval(comparison(), "rmse", np.nan)
    assert not drawn(curves, lambda path: draw_skill(path, scores)).axes[0].collections


def test_a_wide_interval_does_not_flatten_the_curves(drawn):
    scores = with_interval(comparison(), "rmse", 100.0)
    top = drawn(curves, lambda path: draw_skill(path, scores)).axes[0].get_ylim()[1]
    assert float(scores.rmse.max()) < top < 2 * float(scores.rmse.max())


def test_names_are_not_read_as_mathematics(drawn, assert_readable):
    scores = comparison(methods=("run$a$b", "$\\frac{"), units="$x{")
    figure = drawn(curves, lambda path: draw_skill(path, scores, title="$\\bad{"))
    assert_readable(figure)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["run$a$b", "$\\frac{"]


@pytest.mark.parametrize("draw", [lambda p: draw_losses(p, []), lambda p: draw_skill(p, xr.Dataset())])
def test_an_existing_picture_is_refused_before_anything_else(tmp_path, draw):
    path = tmp_path / "a.png"
    path.write_bytes(b"mine")
    with pytest.raises(FileExistsError, match=r"a\.png"):
        draw(path)
    assert path.read_bytes() == b"mine"


def test_a_comparison_without_scores_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"a\.png: the comparison has no score to draw, found \['cases'\]"):
        draw_skill(tmp_path / "a.png", xr.Dataset({"cases": 3}))


def test_pictures_are_written(tmp_path, read_pixels):
    draw_losses(tmp_path / "loss.png", [{"iteration": 1, "loss": 0.3}, {"iteration": 2, "loss": 0.2}])
    draw_skill(tmp_path / "skill.png", comparison())
    for name, colour in (("loss.png", (0, 114, 178)), ("skill.png", (0, 114, 178))):
        pixels = read_pixels(tmp_path / name)
        assert (pixels == colour).all(axis=-1).sum() > 50  # the first curve is there
        assert (pixels[0] == 255).all() and (pixels[-1] == 255).all()  # and nothing is cut off
