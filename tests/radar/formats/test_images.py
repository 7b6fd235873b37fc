"""Grey images: HKO-7's table and dates, folders of one movie, and what is said about both."""

import numpy as np
import pytest
from PIL import Image

from predjax.radar.readers import expand_paths, read_movies

pytestmark = pytest.mark.usefixtures("as_in_a_new_process")
GREYS = np.random.default_rng(0).integers(0, 256, (12, 4, 6)).astype("u1")

NUMBERED = "there are no coordinates of the pixels: rows and columns are numbered, row 0 on top"


@pytest.fixture
def save(tmp_path):
    """Write images with names; return their folder."""

    def write(names, images=GREYS, folder="images"):
        (tmp_path / folder).mkdir(exist_ok=True)
        for name, image in zip(names, images):
            Image.fromarray(image).save(tmp_path / folder / name)
        return tmp_path / folder

    return write


@pytest.mark.parametrize("pattern", ["", "/*.png"])
def test_hko_has_its_table_and_its_dates(save, pattern):
    folder = save(["RAD160101001200.png", "RAD160101000600.png", "RAD151231235400.png"])
    (movies,) = read_movies(f"{folder}{pattern}")
    assert movies.frames.attrs["units"] == "dBZ"
    np.testing.assert_allclose(movies.frames.values[0, ..., 0], GREYS[[2, 1, 0]] * (70 / 255) - 10, atol=1e-5)
    minutes = ["2015-12-31T23:54", "2016-01-01T00:06", "2016-01-01T00:12"]
    assert movies.time.values[0].astype("M8[m]").astype(str).tolist() == minutes
    assert movies.attrs["remarks"] == [
        "HKO-7, by its description: the grey level p is p * 70 / 255 - 10 dBZ; what no radar sees is not marked, and "
        "counts as seen",
        "times from the names of the files, taken as UTC",
        NUMBERED,
    ]


@pytest.mark.parametrize("name", ["{}.png", "echo_{}.gif", "a9_{}_v2.png"])
@pytest.mark.parametrize("stamp", ["202606011200", "20260601_1200", "20260601-120000", "20260601T1200"])
def test_dates_of_names_order_the_frames(save, name, stamp):
    first = stamp.replace("1200", "1155") if stamp.endswith("1200") else stamp.replace("120000", "115500")
    (movies,) = read_movies(save([name.format(stamp), name.format(first)]))
    np.testing.assert_array_equal(movies.frames.values[0, ..., 0], GREYS[[1, 0]])
    assert movies.attrs["step_seconds"] == 300
    assert movies.frames.attrs["units"] == "1"
    assert movies.attrs["remarks"] == [
        "values are the grey levels of the images",
        "times from the names of the files, taken as UTC",
        "no unit is stated: values are kept as they are; --source_units would state their unit",
        NUMBERED,
    ]


def test_a_folder_without_dates_is_a_movie_in_the_order_of_its_numbers(save, tmp_path):
    names = [f"image-{number}_4x6.png" for number in range(12)]
    folder = save(names)
    save(names[:5], GREYS[5:], "other")
    (folder / ".DS_Store").write_text("")
    one, other = read_movies(tmp_path / "*")
    np.testing.assert_array_equal(one.frames.values[0, ..., 0], GREYS)
    np.testing.assert_array_equal(one.frames[0, 9, 1, 2:4].values[..., 0], GREYS[9, 1, 2:4])
    assert other.sizes["time"] == 5
    assert one.attrs["remarks"][1] == (
        "no dates in the names of the files: frames are numbered in the order of the names"
    )


def test_pictures_beside_data_are_not_read(save, tmp_path):
    folder = save(["202606011200.png"])
    np.save(tmp_path / "movies.npy", np.zeros((4, 5, 5)))
    np.save(folder / "movies.npy", np.zeros((4, 5, 5)))
    assert [path.name for path in expand_paths(tmp_path)] == ["movies.npy"]
    assert [path.name for path in expand_paths(folder)] == ["movies.npy"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["a.png", "202606011200.png"],
            r"a\.png: its name has no date, but .*202606011200\.png has one: keep them apa",
        ),
        (["202613011200.png"], r"202613011200\.png: a date must be YYYYmmddHHMM, found '202613011200'"),
        (["202606011200.png", "202606011200.gif"], "times must increase"),
    ],
)
def test_names_that_do_not_tell_are_refused(save, names, message):
    with pytest.raises(ValueError, match=message):
        read_movies(save(names))


def test_what_is_wrong_is_named(save, tmp_path):
    folder = save(["a.png"])
    with pytest.raises(ValueError, match=r"a\.png: its name has no date like 202606011205 .*: name its folder instead"):
        read_movies(folder / "a.png")
    with pytest.raises(ValueError, match="there is no variable 'rain', only image"):
        read_movies(folder, variable="rain")
    Image.fromarray(np.zeros((4, 7), "u1")).save(folder / "b.png")
    with pytest.raises(
        ValueError, match=r"b\.png: an image must be uint8 of \(4, 6\) like a\.png, found uint8 of \(4, 7"
    ):
        read_movies(folder)
