"""The journal of a folder of nowcasts survives what may happen to its process."""

import os

import numpy as np
import pytest

from predjax.jobs.journal import NAME, Entry, Journal


def test_what_was_written_is_known_again(tmp_path):
    journal = Journal(tmp_path)
    journal.begin("a", ["a_05.nc", "a.nc"])
    assert Journal(tmp_path).entries == {"a": Entry(("a_05.nc", "a.nc"), whole=False)}
    inputs = ((np.datetime64("2026-06-01T12:00", "ns"), ("feed/1.nc", 1_700_000_000_000_000_001, 9)), (7, ("2.nc",)))
    journal.end("a", inputs)
    assert Journal(tmp_path).entries == {"a": Entry(("a_05.nc", "a.nc"), True, inputs)}
    journal.begin("b", ["b.nc"])
    journal.begin("a", ["a.nc", "a.png"])  # made again
    assert Journal(tmp_path).entries == journal.entries
    assert journal.entries["a"] == Entry(("a_05.nc", "a.nc", "a.png"), whole=False) and list(journal.entries)[-1] == "a"
    journal.shorten(1)
    assert list(Journal(tmp_path).entries) == ["a"]
    journal.forget(["a"])
    assert Journal(tmp_path).entries == {}


def test_lines_that_are_cut_or_foreign_are_left_out(tmp_path):
    journal = Journal(tmp_path)
    journal.begin("a", ["a.nc"])
    whole = (tmp_path / NAME).read_bytes()
    undated = b'\n{"init": "b", "files": [], "whole": true, "inputs": [["x"]]}'
    for damage in (b'\n{"init": "b", "fil', b"\n[1]", b'\n{"init": 1}', undated, b"\n\xff\xfe", b"\n" * 9):
        (tmp_path / NAME).write_bytes(whole + damage)
        journal = Journal(tmp_path)
        journal.begin("c", ["c.nc"])
        assert list(Journal(tmp_path).entries) == ["a", "c"]
    with (tmp_path / NAME).open("a") as file:
        file.write('\n{"init": "d", "files": ["../d.nc", "d.nc"], "whole": true}')
    assert Journal(tmp_path).entries["d"] == Entry(("d.nc",), whole=True)  # nothing outside the folder is ours


def test_what_cannot_be_written_leaves_the_journal_as_it_was(tmp_path, monkeypatch):
    journal = Journal(tmp_path)
    journal.begin("a", ["a.nc"])
    before = (tmp_path / NAME).read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        journal.end("a")
    assert (tmp_path / NAME).read_bytes() == before and not journal.entries["a"].whole


def test_a_link_in_the_place_of_the_journal_is_not_followed(tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    (tmp_path / NAME).symlink_to("precious.txt")
    with pytest.raises(OSError, match="this is a link"):
        Journal(tmp_path).begin("a", ["a.nc"])
    assert (tmp_path / "precious.txt").read_text() == "mine"
