"""The folder of compiled programs, which are run, belongs to one user; too small a memory is said before jax starts."""

import os

import jax
import pytest

from predjax.jobs import session

pytestmark = pytest.mark.skipif(not hasattr(os, "getuid"), reason="the system has no such rights")


@pytest.fixture
def cache(monkeypatch):
    """No cache is set yet; the one that is set during the test."""
    monkeypatch.delenv("PREDJAX_COMPILATION_CACHE", raising=False)
    monkeypatch.delenv("PREDJAX_HEARTBEAT", raising=False)
    before = jax.config.jax_compilation_cache_dir
    seconds = jax.config.jax_persistent_cache_min_compile_time_secs
    jax.config.update("jax_compilation_cache_dir", None)
    yield lambda: jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", before)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", seconds)


def test_the_default_folder_is_made_private(cache, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "predjax").mkdir(mode=0o775)
    (tmp_path / "predjax").chmod(0o775)  # of a version that left it so
    session.start()
    assert cache() == str(tmp_path / "predjax") and (tmp_path / "predjax").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(("mode", "used"), [(0o755, True), (0o775, False), (0o757, False), (0o1777, False)])
def test_a_folder_that_others_can_write_to_is_not_used(mode, used, cache, tmp_path, monkeypatch, caplog):
    tmp_path.chmod(mode)
    monkeypatch.setenv("PREDJAX_COMPILATION_CACHE", str(tmp_path))
    session.start()
    assert cache() == (str(tmp_path) if used else None)
    assert ("other users can write to this folder" in caplog.text) != used
    tmp_path.chmod(0o700)


def test_an_address_space_in_which_jax_would_abort_is_refused(cache, monkeypatch):
    monkeypatch.setattr("resource.getrlimit", lambda kind: (2**31 - 1, -1))
    with pytest.raises(MemoryError, match="ulimit -v leaves 2 GiB of address space, at least 3 are needed"):
        session.start(least_gib=3)
    monkeypatch.setattr("resource.getrlimit", lambda kind: (-1, -1))
    session.start(least_gib=3)
