"""Data sets of an HDF5 file as one array: parts, other shapes, and the two libraries that open them."""

import importlib.util

import h5py
import numpy as np
import pytest

from predjax.radar.formats.archives.data_sets import list_names, stack_data_sets
from predjax.radar.formats.hdf5 import HDF5
from predjax.radar.formats.open_files import OPEN_FILES

FRAMES = np.arange(4 * 3 * 5, dtype="i2").reshape(4, 3, 5)
NAMES = ["a", "b", "c", "d"]


@pytest.fixture(params=["h5py", "netCDF4"])
def library(request, monkeypatch, as_in_a_new_process):
    if request.param == "netCDF4":
        find = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "h5py" else find(name))
    return request.param


def write(path, compression=None):
    with h5py.File(path, "w") as file:
        group = file.create_group("train")
        for name, frame in zip(NAMES, FRAMES):
            group.create_dataset(name, data=frame, compression=compression)
    return str(path)


def test_parts_are_those_of_the_stacked_array(tmp_path, library):
    path = write(tmp_path / "a.h5")
    assert (list_names(path, HDF5), list_names(path, HDF5, "train")) == (["train"], NAMES)
    found = stack_data_sets(path, [f"train/{name}" for name in NAMES], 2)
    assert (found.shape, found.dtype) == (FRAMES.shape, FRAMES.dtype)
    for key in [(), (2,), (slice(1, 3), 1), (slice(0, 4, 2), slice(1, 3), 4), (slice(2, 2), 0, slice(1, 3))]:
        np.testing.assert_array_equal(found.read(key), FRAMES[key])


def test_lzf_is_read_by_h5py_and_else_refused_with_its_name(tmp_path, library):
    found = stack_data_sets(write(tmp_path / "a.h5", "lzf"), ["train/a"], 2)
    if library == "h5py":
        np.testing.assert_array_equal(found.read(()), FRAMES[:1])
    else:
        with pytest.raises(ValueError, match=r"a\.h5: train/a: it is compressed with LZF, which needs h5py: pip inst"):
            found.read(())


def test_what_cannot_be_one_array_is_refused(tmp_path, library):
    path = str(tmp_path / "a.h5")
    with h5py.File(path, "w") as file:
        file["a"], file["b"], file["c"] = np.zeros((2, 3), "u1"), np.zeros((2, 4), "u1"), np.zeros((2, 3), "i2")
    found = stack_data_sets(path, NAMES[:3], 2)
    for number, what in ((1, r"uint8 of \(2, 4\)"), (2, r"int16 of \(2, 3\)")):
        message = rf"a\.h5: {NAMES[number]}: it must be uint8 of the shape \(2, 3\) like a, found {what}"
        with pytest.raises(ValueError, match=message):
            found.read((number,))
    with pytest.raises(ValueError, match=r"a\.h5: a: a data set must have 3 axes, its shape is \(2, 3\)"):
        stack_data_sets(path, ["a"], 3)


def test_a_damaged_file_is_named(tmp_path, library):
    path = write(tmp_path / "a.h5")
    OPEN_FILES.close()
    (tmp_path / "a.h5").write_bytes((tmp_path / "a.h5").read_bytes()[:900])
    with pytest.raises(ValueError, match=r"a\.h5: the (HDF5|netCDF) file is truncated or damaged"):
        list_names(path, HDF5)


def test_other_files_have_no_data_sets(tmp_path):
    assert list_names(str(tmp_path / "none.nc"), HDF5) == list_names(str(tmp_path / "none.h5"), b"CDF\x01") == []
