"""A map of one frame has the coordinates of its pixels along its axes."""

import numpy as np
import pytest
import xarray as xr
from PIL import Image

from predjax.pictures import frame as pictures


def draw(path, values, y, x, units):
    axes = {name: (name, np.asarray(axis, float), {"units": units}) for name, axis in (("y", y), ("x", x))}
    pictures.draw_map(path, xr.DataArray(values, axes, ("y", "x"), attrs={"units": "mm/h"}), "rain.nc, 12:00 UTC")


@pytest.mark.parametrize(
    ("y", "units", "extent", "labels", "top"),
    [
        ([3000, 2000, 1000], "m", (-0.5, 3.5, 0.5, 3.5), ["x (km)", "y (km)"], 0),
        ([1, 2, 3], "km", (-500.0, 3500.0, 0.5, 3.5), ["x (km)", "y (km)"], 2),
        ([0, 1, 2], "1", (-500.0, 3500.0, 2.5, -0.5), ["column", "row"], 0),
    ],
)
def test_the_frame_lies_where_its_coordinates_say(y, units, extent, labels, top, tmp_path, monkeypatch):
    kept = []
    monkeypatch.setattr(pictures, "save_png", lambda figure, path, overwrite: kept.append(figure))
    values = np.zeros((3, 4))
    values[top] = 50
    draw(tmp_path / "a.png", values, y, 1000 * np.arange(4), units)
    axes = kept[0].axes[0]
    (image,) = axes.get_images()
    assert image.get_extent() == pytest.approx(extent) and [axes.get_xlabel(), axes.get_ylabel()] == labels
    shown = image.get_array()
    assert (shown[0] != shown[1]).any() and (shown[1] == shown[2]).all()  # the wet row is on top
    lowest, highest = axes.get_ylim()
    assert (lowest, highest) == pytest.approx(extent[2:])


def test_coasts_are_drawn_where_the_frame_lies(tmp_path, monkeypatch):
    kept = []
    monkeypatch.setattr(pictures, "save_png", lambda figure, path, overwrite: kept.append(figure))
    for units in ("degrees", "1"):  # around Sicily, and nowhere
        draw(tmp_path / "a.png", np.zeros((3, 4)), [38.5, 37.5, 36.5], [12, 13.5, 15, 16.5], units)
    assert [len(figure.axes[0].collections) for figure in kept] == [1, 0]


def test_it_is_written_once(tmp_path):
    draw(tmp_path / "a.png", np.full((3, 4), np.nan), [0, 1, 2], np.arange(4), "degrees")
    with Image.open(tmp_path / "a.png") as image:
        assert image.size[0] > 300
    with pytest.raises(FileExistsError, match=r"a\.png exists"):
        draw(tmp_path / "a.png", np.zeros((3, 4)), [0, 1, 2], np.arange(4), "degrees")
