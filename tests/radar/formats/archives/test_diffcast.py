"""Shanghai, CIKM and MeteoNet as DiffCast has them: a data set for each movie."""

import h5py
import numpy as np
import pytest

from predjax.radar.readers import read_movies

pytestmark = pytest.mark.usefixtures("as_in_a_new_process")


def write(path, parts, name="{}", compression="lzf"):
    """Movies whose grey levels tell their number."""
    number = 0
    with h5py.File(path, "w") as file:
        for part, count in parts.items():
            file[f"{part}_len"] = count
            for place in range(count):
                movie = np.full((3, 4, 5), number, "u1")
                file.create_dataset(f"{part}/{name.format(place)}", data=movie, compression=compression)
                number += 1
    return path


@pytest.mark.parametrize("name", ["{}", "sample_{}"])  # of Shanghai, of CIKM
def test_movies_come_in_order_of_their_numbers_to_train_first(tmp_path, name):
    (movies,) = read_movies(write(tmp_path / "shanghai.h5", {"train": 12, "test": 2, "valid": 1}, name))
    assert movies.frames.shape == (15, 3, 4, 5, 1)
    assert movies.frames.values[:, 2, 3, 4, 0].tolist() == [*range(12), 14, 12, 13]
    assert movies.frames.attrs["units"] == "1"
    order, grey, *_ = movies.attrs["remarks"]
    assert order == (
        "movies in the order of DiffCast's parts: 12 of train, 1 of valid, 2 of test; --variable train takes one part "
        "alone"
    )
    assert grey == "values are the grey levels of the file"


def test_a_part_can_be_chosen(tmp_path):
    path = write(tmp_path / "cikm.h5", {"train": 3, "test": 2})
    (movies,) = read_movies(path, variable="test")
    assert movies.frames.values[:, 0, 0, 0, 0].tolist() == [3, 4]
    with pytest.raises(ValueError, match=r"cikm\.h5: there is no group 'valid'; there are train, test"):
        read_movies(path, variable="valid")


def test_all_len_of_a_group_is_no_movie_and_a_group_needs_movies(tmp_path):
    with h5py.File(path := tmp_path / "shanghai.h5", "w") as file:
        file["train/all_len"], file["train/7"] = 1, np.full((3, 4, 5), 9, "u1")
    assert read_movies(path)[0].frames.values.min() == 9
    with h5py.File(path := tmp_path / "none.h5", "w") as file:
        file["train/all_len"] = 0
    with pytest.raises(ValueError, match=r"none\.h5: a movie must be a data set named by its number, found none in"):
        read_movies(path)
