"""Files appear whole or not at all, and replace no other file unasked."""

import pytest

from predjax.files import appearing, refuse_existing, refuse_files


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
