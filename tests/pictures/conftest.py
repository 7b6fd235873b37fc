"""What the tests of pictures share: looking at figures and at pixels."""

import itertools

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image
from scipy import ndimage


@pytest.fixture(autouse=True)
def draw_all(request):
    """Here pictures are looked at; a report is read."""
    if request.path.parent.name == "pictures":
        request.getfixturevalue("real_pictures")


@pytest.fixture
def drawn(monkeypatch):
    """drawn(module, draw): the figure that `draw(path)` would have saved as a PNG."""

    def draw_it(module, draw):
        figures = []
        monkeypatch.setattr(module, "save_png", lambda figure, path, overwrite: figures.append(figure))
        draw("never_written.png")
        return figures[0]

    return draw_it


def labels_beyond_the_limits(axes):
    """The tick labels that exist but are not drawn."""
    for axis, place in ((axes.xaxis, 0), (axes.yaxis, 1)):
        low, high = sorted(axis.get_view_interval())
        margin = 1e-9 * (high - low)
        for label in [*axis.get_ticklabels(), *axis.get_ticklabels(minor=True)]:
            if not low - margin <= label.get_position()[place] <= high + margin:
                yield label


@pytest.fixture
def assert_readable():
    """Every text of a figure lies inside it and on no other text."""

    def check(figure):
        figure.canvas.draw()
        renderer = figure.canvas.get_renderer()
        undrawn = {label for axes in figure.axes for label in labels_beyond_the_limits(axes)}
        boxes = {}
        for text in figure.findobj(Text):
            if text.get_visible() and text.get_text().strip() and text not in undrawn:
                boxes[text] = text.get_window_extent(renderer)
        for text, box in boxes.items():
            left, bottom, right, top = box.extents
            inside = left > -1 and bottom > -1 and right < figure.bbox.width + 1 and top < figure.bbox.height + 1
            assert inside, f"{text.get_text()!r} leaves the picture"
        for (one, box), (other, other_box) in itertools.combinations(boxes.items(), 2):
            touching = box.padded(-1).overlaps(other_box.padded(-1))
            assert not touching, f"{one.get_text()!r} lies on {other.get_text()!r}"

    return check


@pytest.fixture
def read_pixels():
    """read_pixels(path): the 8-bit (rows, columns, 3) of a picture."""

    def read(path):
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGB"))

    return read


@pytest.fixture
def find_areas():
    """find_areas(pixels, colour): slices (rows, columns) of the connected areas of a colour, by row then column."""

    def find(pixels, colour, least=2000):
        labels, _ = ndimage.label((pixels == colour).all(axis=-1))
        areas = [area for area in ndimage.find_objects(labels) if pixels[area][..., 0].size >= least]
        return sorted(areas, key=lambda area: (area[0].start, area[1].start))

    return find
