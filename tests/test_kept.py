"""What is kept between processes is found by all that it depends on, and by nothing else; damage is not read."""

import os

import jax
import pytest

from predjax import kept


@pytest.fixture
def folder(tmp_path):
    """The cache folder of the test, where small programs are kept as well."""
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    yield tmp_path
    jax.config.update("jax_compilation_cache_dir", before)


def test_a_content_is_found_by_its_kind_and_key(folder):
    assert kept.read_kept("shapes", [1, {"a": 2}]) is None
    kept.keep("shapes", [1, {"a": 2}], b"content")
    assert kept.read_kept("shapes", [1, {"a": 2}]) == b"content"
    assert kept.read_kept("program", [1, {"a": 2}]) is None and kept.read_kept("shapes", [1, {"a": 3}]) is None


def test_nothing_of_another_source_version_or_option_is_found(folder, monkeypatch):
    kept.keep("shapes", 1, b"content")
    with jax.enable_x64(True):
        assert kept.read_kept("shapes", 1) is None
    with monkeypatch.context() as patch:
        patch.setattr(kept, "_hash_source", lambda: "of an edited file")
        assert kept.read_kept("shapes", 1) is None
        patch.setattr(kept, "_hash_source", lambda: None)
        kept.keep("shapes", 2, b"content")
    assert kept.read_kept("shapes", 1) == b"content" and kept.read_kept("shapes", 2) is None


def test_the_hash_of_the_source_follows_versions_and_files(monkeypatch, tmp_path):
    def find_hash():
        return kept._hash_source.__wrapped__()

    (tmp_path / "part").mkdir()
    module = tmp_path / "part" / "module.py"
    module.write_text("a = 1\n")
    monkeypatch.setattr(kept, "__file__", str(tmp_path / "kept.py"))
    first = find_hash()
    module.write_text("a = 2\n")
    assert first != find_hash() is not None
    module.write_text("a = 1\n")
    assert first == find_hash()
    monkeypatch.setattr("importlib.metadata.version", lambda name: "99")
    assert first != find_hash()
    module.unlink()
    assert find_hash() is None


@pytest.mark.parametrize("damage", [b"", b"short", b"0" * 40])
def test_a_damaged_file_is_not_read_and_is_written_again(folder, damage):
    kept.keep("shapes", 1, b"content")
    [path] = folder.iterdir()
    path.write_bytes(damage)
    assert kept.read_kept("shapes", 1) is None
    kept.keep("shapes", 1, b"content")
    assert kept.read_kept("shapes", 1) == b"content" and [*folder.iterdir()] == [path]


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="the system has no such rights")
def test_a_folder_that_others_can_write_to_keeps_nothing(folder):
    kept.keep("shapes", 1, b"content")
    folder.chmod(0o777)
    assert kept.read_kept("shapes", 1) is None
    kept.keep("shapes", 2, b"content")
    assert len([*folder.iterdir()]) == 1
    folder.chmod(0o700)
    assert kept.read_kept("shapes", 1) == b"content"


def test_without_a_folder_nothing_is_kept(folder):
    for none in (None, "gs://bucket/programs"):
        jax.config.update("jax_compilation_cache_dir", none)
        kept.keep("shapes", 1, b"content")
        assert kept.read_kept("shapes", 1) is None
    assert not [*folder.iterdir()]
