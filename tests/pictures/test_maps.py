"""Strips: the right value at the right place in the right colour, north up, readable."""

import dataclasses

import numpy as np
import pytest
from matplotlib.colors import to_hex

from predjax.pictures import maps
from predjax.pictures.colours import DRY, NO_COVERAGE, choose_scale
from predjax.pictures.maps import choose_columns, draw_strip
from predjax.pictures.panels import MapLabels, label_lead_times

SHADE = tuple(int(NO_COVERAGE[i : i + 2], 16) for i in (1, 3, 5))
RAIN = choose_scale("mm/h", np.zeros(1))


def colour_of(value):
    return RAIN.paint(np.array([value]))[0]


def cells(pixels, area, shape):
    """The colour in the middle of each of the (H, W) cells of a panel."""
    rows, columns = (
        np.round(side.start + (np.arange(count) + 0.5) * (side.stop - side.start) / count).astype(int)
        for side, count in zip(area, shape)
    )
    return pixels[np.ix_(rows, columns)]


def panels_of(tmp_path, read_pixels, find_areas, shape, labels):
    """Where the panels of a strip lie, found with frames of one colour."""
    rows = {"observed": np.full(shape, 7.0), "nowcast": np.full(shape, 7.0)}
    draw_strip(tmp_path / "areas.png", rows, labels)
    return find_areas(read_pixels(tmp_path / "areas.png"), colour_of(7.0), least=5000)


def test_every_pixel_has_the_colour_of_its_level(tmp_path, read_pixels, find_areas):
    labels = MapLabels("mm/h", ["+5 min", "+10 min"])
    areas = panels_of(tmp_path, read_pixels, find_areas, (2, 5, 6), labels)
    frames = np.random.default_rng(0).choice([0.0, 0.15, 0.3, 0.7, 1.5, 3, 7, 15, 30, 70, 150], (2, 2, 5, 6))
    frames[1, 0, 2, 3] = np.nan
    draw_strip(tmp_path / "strip.png", {"observed": frames[0], "nowcast": frames[1]}, labels)
    pixels = read_pixels(tmp_path / "strip.png")
    assert len(areas) == 4
    for area, frame in zip(areas, frames.reshape(4, 5, 6)):
        np.testing.assert_array_equal(cells(pixels, area, (5, 6)), RAIN.paint(frame))
    assert tuple(cells(pixels, areas[2], (5, 6))[2, 3]) == SHADE


def test_the_shade_is_explained_where_it_occurs(drawn):
    def legend(frame):
        rows = {"observed": frame[None]}
        figure = drawn(maps, lambda path: draw_strip(path, rows, MapLabels("mm/h", ["+5 min"])))
        patches = [to_hex(patch.get_facecolor()) for patch in figure.legends[0].get_patches()]
        return dict(zip([text.get_text() for text in figure.legends[0].get_texts()], patches))

    frame = np.zeros((4, 4))
    assert legend(frame) == {"dry (under 0.1 mm/h)": DRY}
    frame[0, 0] = np.nan
    assert legend(frame) == {"dry (under 0.1 mm/h)": DRY, "no coverage": NO_COVERAGE}


def test_north_is_up_and_west_is_left(tmp_path, read_pixels, find_areas):
    x = y = np.arange(4) * 1e3
    south_first = MapLabels("mm/h", [""], x=x, y=y, xy_units="m")
    frame = np.zeros((1, 4, 4))
    frame[0, 0, 0] = 30.0  # south-west
    areas = panels_of(tmp_path, read_pixels, find_areas, (1, 4, 4), south_first)
    draw_strip(tmp_path / "a.png", {"observed": frame, "nowcast": frame}, south_first)
    found = cells(read_pixels(tmp_path / "a.png"), areas[0], (4, 4))
    assert (found[3, 0] == colour_of(30.0)).all()
    turned = dataclasses.replace(south_first, x=x[::-1], y=y[::-1])
    draw_strip(tmp_path / "b.png", {"observed": frame, "nowcast": frame}, turned)
    found = cells(read_pixels(tmp_path / "b.png"), areas[0], (4, 4))
    assert (found[0, 3] == colour_of(30.0)).all()


@pytest.mark.parametrize("count", [1, 2, 9, 10, 11, 13, 20, 24, 100])
def test_columns_are_evenly_spaced_and_end_with_the_last(count):
    columns = choose_columns(count)
    assert columns[-1] == count - 1 and min(5, count) <= len(columns) <= 10
    assert len(set(np.diff(columns))) <= 1 and columns[0] >= 0


def test_all_of_a_long_nowcast_is_summed_up_in_at_most_ten_columns(drawn):
    frames = {"nowcast": np.zeros((24, 8, 8))}
    labels = label_lead_times(range(5, 125, 5))
    figure = drawn(maps, lambda path: draw_strip(path, frames, MapLabels("dBZ", labels)))
    heads = [text.get_text() for text in figure.texts if text.get_text().endswith(" min")]
    assert heads == ["+15 min", "+30 min", "+45 min", "+60 min", "+75 min", "+90 min", "+105 min", "+120 min"]


@pytest.mark.parametrize("shape", [(24, 765, 700), (10, 40, 40), (1, 12, 30), (6, 20, 200), (3, 122, 76)])
def test_nothing_is_written_over_anything_else(drawn, assert_readable, shape):
    frames = np.zeros(shape, np.float32)
    frames[:, 0, 0] = np.nan
    figure = drawn(
        maps,
        lambda path: draw_strip(
            path,
            {"observed": frames, "action_cond_predrnn_v2": frames * np.nan, "persistence": frames},
            MapLabels(
                "mm/h",
                label_lead_times(range(5, 5 * shape[0] + 5, 5)),
                title="init 2024-05-01 12:00 UTC, radar_movies.nc",
                x=np.arange(shape[2]) * 1e3,
                y=np.arange(shape[1]) * -1e3,
                xy_units="m",
            ),
            observed_input=frames[:4],
        ),
    )
    assert_readable(figure)
    ratios = [axes.bbox.width / axes.bbox.height for axes in figure.axes[:-1]]  # the last is the colour bar
    assert np.allclose(ratios, shape[2] / shape[1], rtol=0.02)


def test_the_ticks_of_the_colour_bar_are_the_levels(drawn):
    frames = {"nowcast": np.zeros((1, 8, 8))}
    figure = drawn(maps, lambda path: draw_strip(path, frames, MapLabels("mm/h", ["+5 min"])))
    figure.canvas.draw()
    bar = figure.axes[-1]
    labels = [label.get_text() for label in bar.get_xticklabels()]
    assert labels == ["0.1", "0.2", "0.5", "1", "2", "5", "10", "20", "50", "100"]
    assert "rain rate (mm/h)" in [text.get_text() for text in figure.texts]


def test_an_existing_picture_is_replaced_only_when_asked(tmp_path):
    path = tmp_path / "strip.png"
    path.write_bytes(b"mine")
    rows = {"observed": np.zeros((1, 8, 8))}
    with pytest.raises(FileExistsError, match=r"strip\.png"):
        draw_strip(path, rows, MapLabels("mm/h", ["+5 min"]))
    assert path.read_bytes() == b"mine"
    draw_strip(path, rows, MapLabels("mm/h", ["+5 min"]), overwrite=True)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert list(tmp_path.iterdir()) == [path]


def test_what_does_not_fit_is_named(tmp_path):
    good = np.zeros((2, 8, 8))

    def draw(rows, input_labels=(), **options):
        draw_strip(tmp_path / "a.png", rows, MapLabels("mm/h", ["+1", "+2"], input_labels), **options)

    with pytest.raises(ValueError, match=r"'nowcast' must have the shape \(2, 8, 8\), found \(2, 8, 9\)"):
        draw({"observed": good, "nowcast": np.zeros((2, 8, 9))})
    with pytest.raises(ValueError, match=r"'observed' must have the shape \(2, 8, 8\), found \(3, 8, 8\)"):
        draw({"observed": np.zeros((3, 8, 8))})
    with pytest.raises(ValueError, match="2 input frames need as many labels, found 1"):
        draw({"observed": good}, observed_input=good, input_labels=["0"])
    with pytest.raises(ValueError, match="at least one row"):
        draw({})
    assert not list(tmp_path.iterdir())
