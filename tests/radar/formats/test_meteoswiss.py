"""Composites of MeteoSwiss in GIF files."""

import netCDF4
import numpy as np
import pytest
from PIL import Image

from predjax.radar.formats.meteoswiss import SHAPE, make_table
from predjax.radar.readers import read_movies

pytestmark = pytest.mark.usefixtures("as_in_a_new_process")
COLOURS = np.random.default_rng(0).integers(0, 256, 768).astype("u1").tobytes()


def save(folder, name, shape=SHAPE):
    codes = np.zeros(shape, "u1")
    codes[0] = 255
    codes[1:4, :5] = np.array([[1], [100], [252]])
    image = Image.fromarray(codes)
    image.putpalette(COLOURS)
    image.save(folder / name)
    return folder / name


def test_codes_become_rain_on_the_swiss_grid(tmp_path):
    for minute in (55, 50):
        save(tmp_path, f"AQC1619320{minute}F_00005.801.gif")
    (movies,) = read_movies(tmp_path / "*.gif")
    assert movies.frames.attrs["units"] == "mm/h"
    assert movies.time.values[0].astype("M8[m]").astype(str).tolist() == ["2016-07-11T20:50", "2016-07-11T20:55"]
    values = movies.frames.values[0, 0, ..., 0]
    assert np.isnan(values[0]).all() and np.isfinite(values[1:]).all()
    expected = 12 * (10 ** ((100 - 71.5) / 20) / 316) ** (1 / 1.5)
    np.testing.assert_allclose(values[1:4, 2], [0, expected, 0], rtol=1e-6)
    assert [float(movies[axis][end]) for axis in "yx" for end in (0, -1)] == [479500, -159500, 255500, 964500]
    assert movies.attrs["remarks"][0] == (
        "MeteoSwiss: codes of the palette are mm in 5 minutes by the table of AQC and CPC; times of the names in UTC"
    )


def test_the_table_gives_the_values_of_a_real_event(shared):
    with netCDF4.Dataset(shared / "radar" / "mch_20160711.nc") as file:
        rates, x, y = np.unique(file["rainrate"][::13].compressed()), file["x"][:], file["y"][:]
    known = 12 * make_table()[:-1]
    assert len(rates) > 100 and np.abs(rates[:, None] - known).min(axis=1).max() < 0.0009 + 1e-9  # half a packing step
    assert (len(y), len(x)) == SHAPE and (x[0], y[0]) == (255500, 479500)


@pytest.mark.parametrize(
    "name", ["RZC161932055F2.801.gif", "RZC161932055F2_00005.801.gif", "CPC161932000_00060.801.gif"]
)
def test_other_products_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match="a table is known for AQC and CPC of 5 minutes"):
        read_movies(save(tmp_path, name))


def test_a_day_that_is_none_is_refused(tmp_path):
    with pytest.raises(ValueError, match="its name must have a date yydddHHMM"):
        read_movies(save(tmp_path, "AQC173662055F_00005.801.gif"))


def test_other_sizes_and_variables_are_refused(tmp_path):
    path = save(tmp_path, "AQC161932055F_00005.801.gif", (64, 71))
    with pytest.raises(ValueError, match=r"an image must have 640 x 710 pixels, found \(64, 71\)"):
        read_movies(path)
    with pytest.raises(ValueError, match="there is no variable 'RZC', only AQC"):
        read_movies(save(tmp_path, "AQC161932055F_00005.801.gif"), variable="RZC")
