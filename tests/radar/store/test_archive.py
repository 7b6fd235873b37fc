"""An archive: its sources in the order of the files, and the files that cannot be read."""

import pickle

import numpy as np
import pytest

from predjax.radar.config import DataConfig
from predjax.radar.store.archive import scan_archive


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "a.npy", rng.integers(0, 256, (3, 4, 8, 8), np.uint8))
    np.savez(tmp_path / "b.npz", rng.random((2, 5, 8, 8)).astype(np.float32))
    (tmp_path / "c.npy").write_bytes(b"no array")
    return sorted(tmp_path.iterdir())


def test_sources_are_in_the_order_of_the_files(files):
    sources, bad = scan_archive(files[1::-1], DataConfig(), skip=False)
    assert [source.name for source in sources] == ["b.npz", "a.npy"] and not bad
    assert [(source.frames, source.mapped, source.divisible) for source in sources] == [
        (10, False, False),
        (12, True, False),
    ]
    for source in sources:  # they travel to other processes
        assert pickle.loads(pickle.dumps(source)).open()["frames"].shape == source.shape
    np.savez(files[1], np.zeros((1, 5, 8, 8)), wanted=np.ones((1, 5, 8, 8)))
    (source,), _ = scan_archive(files[1:2], DataConfig(variable="wanted"), skip=False)
    assert source.open()["frames"].values.min() == 1


def test_a_damaged_file_stops_the_scan_or_is_noted(files):
    with pytest.raises(ValueError, match=r"c\.npy: not a \.npy file"):
        scan_archive(files, DataConfig(), skip=False)
    sources, ((file, reason),) = scan_archive(files, DataConfig(), skip=True)
    assert len(sources) == 2 and file == str(files[2]) and "not a .npy file" in reason
    with pytest.raises(ValueError, match=r"none of 1 files can be read: .*c\.npy: not a \.npy file"):
        scan_archive(files[2:], DataConfig(), skip=True)


def test_sources_that_do_not_go_together_are_refused(files, tmp_path):
    np.save(tmp_path / "two.npy", np.zeros((2, 3, 8, 8, 2), np.float32))
    with pytest.raises(ValueError, match=r"a\.npy has the channels \[0\] and two\.npy has \[0, 1\]"):
        scan_archive([files[0], tmp_path / "two.npy"], DataConfig(), skip=True)
