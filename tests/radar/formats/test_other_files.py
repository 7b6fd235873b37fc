"""HDF5 files that refer to others: told apart from those that do not, and said where that is allowed."""

import h5py
import netCDF4
import numpy as np
import pytest
from radar.elsewhere import frames_elsewhere

from predjax.messages import warn_once
from predjax.radar.formats.other_files import read_part
from predjax.radar.readers import read_unsaid


@pytest.mark.parametrize("width", [2, 400])
@pytest.mark.parametrize("how", ["virtual", "external"])
def test_that_fill_values_may_be_read_is_said(tmp_path, caplog, how, width):
    warn_once.cache_clear()
    frames_elsewhere(tmp_path / "a.h5", how, width)
    if how == "virtual":
        (tmp_path / "outside.h5").unlink()
    (movies,) = read_unsaid([tmp_path / "a.h5"])
    assert (movies.frames == (how == "external")).all()
    assert "a.h5: rain is not in the file; what its other files do not have, HDF5 reads" in caplog.text


def test_own_arrays_of_any_kind_are_in_their_file(tmp_path):
    """Also beside heaps, of texts and of old groups."""
    path = str(tmp_path / "a.h5")
    with h5py.File(path, "w") as file:
        file["ones"], file["longs"] = np.ones(500, "i4"), np.ones(500, "i8")
        file["texts"] = np.array(["one", "two"], h5py.string_dtype())
        file["group/packed"] = np.arange(999)
        file["group"].attrs["note"] = "text"
        file.create_dataset("chunks", data=np.arange(999), chunks=(9,))
    with netCDF4.Dataset(path) as file:
        for name in ("ones", "longs", "group/packed", "chunks"):
            assert read_part(path, file[name], (), True).size
    with h5py.File(path) as file:
        assert read_part(path, file["ones"], (slice(3),), True).size == 3
