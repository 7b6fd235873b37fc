"""Arrays in files: parts are those of numpy, little more than a part is read, and a file that changes is named."""

import os
import re

import numpy as np
import pytest

from predjax.radar.formats import disk_array
from predjax.radar.formats.npy import open_npy

VALUES = np.random.default_rng(0).integers(0, 2**15, (3, 7, 40, 50), np.int16)


@pytest.fixture
def path(tmp_path):
    np.save(tmp_path / "a.npy", VALUES)
    return tmp_path / "a.npy"


@pytest.mark.parametrize("skipping", [0, 60, 2**14])
@pytest.mark.parametrize("fortran", [False, True])
@pytest.mark.parametrize(
    "key",
    [
        (),
        (1,),
        (-1, 2, 3, 4),
        (slice(None), slice(2, 6), slice(5, 9), slice(7, 19)),
        (2, slice(None, None, -2), slice(30, 10, -3), slice(None, None, 5)),
        (slice(None), 3, slice(None), 49),
        (None, slice(1, 2), None, slice(4), slice(None), slice(50, 60)),
    ],
    ids=str,
)
def test_parts_are_those_of_numpy(key, fortran, skipping, path, monkeypatch):
    monkeypatch.setattr(disk_array, "_WORTH_SKIPPING", skipping)
    monkeypatch.setattr(disk_array, "_MOST", 3000)  # so that large parts are halved
    np.save(path, np.asfortranarray(VALUES) if fortran else VALUES)
    part = open_npy(path)[key]
    expected = VALUES[key]
    assert (part.shape, part.ndim, part.size) == (expected.shape, expected.ndim, expected.size)
    np.testing.assert_array_equal(part, expected)
    axes = list(range(part.ndim))[::-1]
    np.testing.assert_array_equal(part.transpose(axes), expected.transpose(axes))


def test_the_first_axis_is_divided(path):
    frames = open_npy(path).transpose([1, 0, 2, 3])[slice(6),]
    np.testing.assert_array_equal(frames.divide(2)[1, 2], VALUES[:, 5])
    with pytest.raises(ValueError, match=r"a\.npy: the 6 frames are not 4 movies of equal length"):
        frames.divide(4)


@pytest.mark.parametrize(
    ("key", "most"),
    [((0, slice(2, 4)), 2), ((slice(None), slice(3, 4), slice(0, 2)), 4), ((slice(None), slice(None), 3, 3), 4000)],
)
def test_little_more_than_a_part_is_read(key, most, tmp_path, monkeypatch):
    """At most `most` times the part, where rows that lie close together are read along."""
    values = np.zeros((3, 9, 200, 100), np.uint8)
    np.save(tmp_path / "a.npy", values)
    read = []
    method = disk_array.DiskArray._read_bytes
    monkeypatch.setattr(
        disk_array.DiskArray,
        "_read_bytes",
        lambda self, file, first, data: (read.append(len(data)), method(self, file, first, data)),
    )
    part = np.asarray(open_npy(tmp_path / "a.npy")[key])
    assert 0 < sum(read) <= most * part.nbytes


@pytest.mark.parametrize("size", [200, VALUES.nbytes // 2, VALUES.nbytes + 1000])
def test_a_file_of_another_size_is_named(size, path):
    array = open_npy(path)
    before = path.stat().st_size
    os.truncate(path, size)
    rule = f"{path}: the file was changed while it was in use: it had {before} bytes, now it has {size}"
    with pytest.raises(ValueError, match=re.escape(rule)):
        np.asarray(array[2])


def test_a_file_that_is_gone_or_broken_is_named(path):
    array = open_npy(path)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"a\.npy"):
        np.asarray(array[2])
    if os.path.exists("/proc/self/mem"):  # which answers as a broken disk does
        status = os.stat("/proc/self/mem")
        state = status.st_size, status.st_mtime_ns
        with pytest.raises(OSError, match=r"Input/output error: '/proc/self/mem'"):
            np.asarray(disk_array.DiskArray("/proc/self/mem", state, np.dtype("u1"), 0, (9,), (1,)))
