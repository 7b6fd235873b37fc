"""Files appear whole or not at all, and replace no other file unasked."""

import errno
import multiprocessing
import os

import pytest

from predjax.files import appearing, refuse_existing, refuse_files, remove_stale, true_write_errors, write_text


def test_a_file_appears_when_its_block_ends(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with appearing(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists() and temporary.parent == path.parent
    assert path.read_text() == "whole" and list(path.parent.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), appearing(path, overwrite=True) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
    with appearing(path, overwrite=True) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"


def test_a_file_that_came_meanwhile_is_not_replaced(tmp_path):
    path = tmp_path / "a.txt"
    with pytest.raises(FileExistsError, match=r"a\.txt exists; --overwrite replaces it"), appearing(path) as temporary:
        temporary.write_text("mine")
        path.write_text("theirs")
    assert path.read_text() == "theirs" and list(tmp_path.iterdir()) == [path]


def test_what_exists_is_refused_unless_it_may_be_replaced(tmp_path):
    path = tmp_path / "skill.nc"
    refuse_existing(path, False)
    refuse_files(tmp_path, ("skill.*", "*.png"), False)
    refuse_files(tmp_path / "missing", ("*",), False)
    path.touch()
    with pytest.raises(FileExistsError, match=r"skill\.nc exists; --overwrite replaces it"):
        refuse_existing(path, False)
    with pytest.raises(FileExistsError, match=r"skill\.nc exists; choose another folder or --overwrite"):
        refuse_files(tmp_path, ("*.png", "skill.*"), False)
    refuse_existing(path, True)
    refuse_files(tmp_path, ("skill.*",), True)


def test_a_file_is_not_replaced_where_the_file_system_has_no_links(tmp_path, monkeypatch):
    def no_links(*paths):
        raise OSError(errno.EPERM, "no links")

    monkeypatch.setattr(os, "link", no_links)
    path = tmp_path / "a.txt"
    with appearing(path) as temporary:
        temporary.write_text("mine")
    with pytest.raises(FileExistsError), appearing(path) as temporary:
        pass
    assert path.read_text() == "mine" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_link_is_never_followed(tmp_path, overwrite):
    target, path = tmp_path / "target.txt", tmp_path / "a.txt"
    target.write_text("theirs")
    path.symlink_to(target)
    if overwrite:
        write_text(path, "mine")
        assert path.read_text() == "mine" and not path.is_symlink()
    else:
        with pytest.raises(FileExistsError), appearing(path):
            pass
    assert target.read_text() == "theirs"


def _write_often(path, letter, failures):
    """Writes 150 files of one name with the number that the other writer has, too."""
    os.getpid = lambda: 7
    for _ in range(150):
        try:
            write_text(path, letter * 10_000)
        except OSError as error:
            failures.put(str(error))


def test_two_writers_of_equal_number_do_not_meet(tmp_path):
    path, failures = tmp_path / "best.npz", multiprocessing.get_context("spawn").SimpleQueue()
    path.write_text("a" * 10_000)
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_often, args=(path, letter, failures)) for letter in "ab"]
    for writer in writers:
        writer.start()
    reads = 0
    while any(writer.is_alive() for writer in writers):
        reads += path.read_text() in ("a" * 10_000, "b" * 10_000) or pytest.fail("half a file")
    for writer in writers:
        writer.join()
    assert reads > 0 and failures.empty() and list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_removed_after_an_hour(tmp_path):
    names = [f".predjax-{'0' * 16}.tmp", f".predjax-{'1' * 16}.tmp", ".predjax-of-mine.tmp", "a.nc"]
    for name in names:
        (tmp_path / name).touch()
        if name != names[1]:
            os.utime(tmp_path / name, (0, 0))
    (tmp_path / f".predjax-{'2' * 16}.tmp").symlink_to(tmp_path / "a.nc")
    remove_stale(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*names[1:], f".predjax-{'2' * 16}.tmp"}


def test_an_error_of_a_full_disk_is_named_by_the_system(tmp_path, monkeypatch):
    with pytest.raises(PermissionError, match="as it was"), true_write_errors(tmp_path, 100):
        raise PermissionError("as it was")
    with pytest.raises(FileExistsError), true_write_errors(tmp_path / "missing", 100):
        raise FileExistsError
    sizes = []

    def full(handle):
        sizes.append(os.fstat(handle).st_size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=f"No space left on device: '{tmp_path}'"), true_write_errors(tmp_path, 2**21 + 1):
        raise PermissionError("as the netCDF library says it")
    assert sizes == [3 * 2**20]
