"""Only what a store is made of is removed."""

import pytest

from predjax.radar.store.removal import remove_store


@pytest.fixture
def store(tmp_path):
    for name in ("index.json", "run.json", "grid_0/frames.npy", "grid_0/values.npy", "grid_1/times.npy"):
        (tmp_path / "store" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "store" / name).touch()
    return tmp_path / "store"


def test_a_store_is_removed_and_no_store_is_no_error(store):
    remove_store(store)
    assert not store.exists()
    remove_store(store)


@pytest.mark.parametrize("name", ["notes.txt", "grid_0/frames.npy.bak", "grid_0/more/frames.npy", "other/frames.npy"])
def test_nothing_is_removed_where_there_is_something_else(name, store):
    (store / name).parent.mkdir(exist_ok=True)
    (store / name).touch()
    before = sorted(store.rglob("*"))
    with pytest.raises(ValueError, match=r"/(notes\.txt|frames\.npy\.bak|more|other) is no part of the store: move it"):
        remove_store(store)
    assert sorted(store.rglob("*")) == before


def test_a_store_behind_a_link_stays(store, tmp_path):
    (tmp_path / "link").symlink_to(store)
    with pytest.raises(ValueError, match="link is a link, which a store is not replaced through"):
        remove_store(tmp_path / "link")
    assert (store / "index.json").exists()


def test_a_folder_elsewhere_is_not_entered(store, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "frames.npy").touch()
    (store / "grid_2").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="grid_2 is no part of the store"):
        remove_store(store)
    assert (tmp_path / "elsewhere" / "frames.npy").exists()
