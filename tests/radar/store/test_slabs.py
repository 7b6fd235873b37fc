"""Slabs of an archive: frames as they are stored, and what other files say of the same times."""

import pickle

import numpy as np
import pytest
import xarray as xr

from predjax.radar.config import DataConfig
from predjax.radar.store.archive import scan_archive
from predjax.radar.store.slabs import cut_reader, open_reader, read_slab

START, STEP = np.datetime64("2026-06-01", "ns"), np.timedelta64(300, "s")


def write(path, numbers, values):
    frames = np.stack([np.full((4, 5), value, np.float32) for value in values])
    axes = {axis: (axis, 1000.0 * np.arange(size), {"units": "m"}) for axis, size in (("y", 4), ("x", 5))}
    coords = {"time": START + np.array(numbers) * STEP, **axes}
    xr.Dataset({"rain": (("time", "y", "x"), frames, {"units": "mm/h"})}, coords).to_netcdf(path)
    return path


def open_archive(folder, dtype="float32"):
    (source,), bad = scan_archive(sorted(folder.glob("*.nc")), DataConfig(), skip=True)
    assert not bad
    return open_reader(source, dtype)


@pytest.fixture
def archive(tmp_path):
    """Two files that share two times: frame 2 is the same in both, frame 3 is not."""
    write(tmp_path / "a.nc", [0, 1, 2, 3], [0, 1, 2, 3])
    write(tmp_path / "b.nc", [2, 3, 4, 5], [2, 30, 4, 5])
    return tmp_path


def test_the_first_file_of_a_time_counts_and_differences_are_counted(archive):
    slab = read_slab(open_archive(archive), 1, 6, skip=False)
    assert slab.values[:, 0, 0, 0].tolist() == [1, 2, 3, 4, 5] and slab.kept.tolist() == [1, 2, 3, 4, 5]
    assert (slab.differing, slab.clipped, slab.bad) == (1, 0, [])
    assert read_slab(open_archive(archive), 4, 6, skip=False).differing == 0


def test_values_beyond_the_ladder_are_counted(archive):
    slab = read_slab(open_archive(archive, "uint8"), 0, 4, skip=False)
    assert slab.numbers.dtype == np.uint8 and slab.clipped == 0
    np.testing.assert_allclose(slab.values[:, 0, 0, 0], [0, 1, 2, 3], rtol=0.02)


def test_a_piece_for_another_process_is_the_slab(archive):
    reader = open_archive(archive)
    expected = read_slab(reader, 2, 5, skip=False)
    sent = pickle.dumps(cut_reader(reader, 2, 5))
    assert str(archive / "b.nc").encode() in sent
    piece, start, stop = pickle.loads(sent)
    found = read_slab(piece, start, stop, skip=False)
    np.testing.assert_array_equal(found.values, expected.values)
    assert found.differing == expected.differing == 1 and (start, stop) == (0, 3)
    assert str(archive / "b.nc").encode() not in pickle.dumps(
        cut_reader(reader, 0, 2)
    )  # the first two frames are in the other file


def test_an_impossible_value_is_named(tmp_path):
    write(tmp_path / "a.nc", range(4), [0, 1, 2, 3000])
    (source,), _ = scan_archive([tmp_path / "a.nc"], DataConfig(), skip=True)
    reader = open_reader(source, "float32")
    with pytest.raises(ValueError, match=r"values in mm/h must be between -0\.01 and 2000, but one is 3000"):
        read_slab(reader, 0, 4, skip=False)
    slab = read_slab(reader, 0, 4, skip=True)
    assert slab.kept.tolist() == [0, 1, 2] and len(slab.bad) == 1 and "3000" in slab.bad[0][1]
