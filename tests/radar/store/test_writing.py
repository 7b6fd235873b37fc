"""Arrays that grow, and the journal: what is on disk after a break, and what goes on from there."""

import json

import numpy as np
import pytest

from predjax.radar.store.reading import FORMAT, is_store
from predjax.radar.store.writing import GrowingArray, Journal, write_values

MADE_OF = {"dtype": "auto"}
ARCHIVE = [["a.nc", 10, 1], ["b.nc", 20, 2]]


def test_an_array_grows_and_is_whole_when_it_is_finished(tmp_path):
    rows = np.arange(24, dtype="<u2").reshape(6, 2, 2)
    array = GrowingArray(tmp_path / "a.npy", "<u2", (2, 2), 0)
    for part in (rows[:1], rows[1:1], rows[1:6]):
        array.append(part)
    assert np.load(tmp_path / "a.npy").shape == (0, 2, 2)
    assert array.finish() == (tmp_path / "a.npy").stat().st_size
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), rows)


def test_rows_that_no_journal_knows_are_cut_off(tmp_path):
    rows = np.arange(12, dtype="<f4").reshape(6, 2)
    first = GrowingArray(tmp_path / "a.npy", "<f4", (2,), 0)
    first.append(rows[:5])
    first.close()
    again = GrowingArray(tmp_path / "a.npy", "<f4", (2,), 3)
    again.append(10 + rows[3:])
    again.finish()
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), [*rows[:3], *(10 + rows[3:])])


def test_fewer_rows_than_the_journal_says_are_an_error(tmp_path):
    folder = tmp_path / ".store.part" / "store" / "grid_0"
    folder.mkdir(parents=True)
    GrowingArray(folder / "a.npy", "<f4", (2,), 0).close()
    with pytest.raises(ValueError, match=r"a\.npy: shorter than its journal says: delete .*part to start anew"):
        GrowingArray(folder / "a.npy", "<f4", (2,), 3)


def test_a_journal_goes_on_with_its_complete_lines(tmp_path):
    output = tmp_path / "store"
    with Journal(output, MADE_OF, ARCHIVE, False) as journal:
        assert not journal.resumed
        journal.add({"grid": 0, "read": 4, "rows": 3})
        journal.add({"grid": 1, "read": 2, "rows": 2})
    with open(tmp_path / ".store.part" / "journal.jsonl", "ab") as file:
        file.write(b'{"grid": 1, "re')
    with Journal(output, MADE_OF, ARCHIVE, False) as journal:
        assert journal.resumed
        assert journal.slabs == {0: [{"grid": 0, "read": 4, "rows": 3}], 1: [{"grid": 1, "read": 2, "rows": 2}]}
        journal.add({"grid": 1, "read": 9, "rows": 8})
    lines = (tmp_path / ".store.part" / "journal.jsonl").read_text().splitlines()
    assert [json.loads(line).get("read") for line in lines] == [None, 4, 2, 9]


@pytest.mark.parametrize(
    ("made_of", "archive", "difference"),
    [
        ({"dtype": "uint8"}, ARCHIVE, "with dtype 'auto', now it is 'uint8'"),
        (MADE_OF, ARCHIVE[:1], r"with b\.nc"),
        (MADE_OF, [*ARCHIVE, ["c.nc", 1, 1]], r"without c\.nc"),
        (MADE_OF, [["a.nc", 11, 1], ARCHIVE[1]], r"before a\.nc changed"),
        (MADE_OF, ARCHIVE[::-1], "with the files in another order"),
    ],
)
def test_a_journal_of_something_else_is_refused_and_replaced_when_asked(made_of, archive, difference, tmp_path):
    with Journal(tmp_path / "store", MADE_OF, ARCHIVE, False) as journal:
        journal.add({"grid": 0, "read": 4, "rows": 3})
    with pytest.raises(ValueError, match=rf"\.store\.part was begun {difference}: --overwrite starts anew"):
        Journal(tmp_path / "store", made_of, archive, False)
    with Journal(tmp_path / "store", made_of, archive, True) as journal:
        assert not journal.resumed


def test_a_finished_store_has_its_name_and_no_journal(tmp_path):
    with Journal(tmp_path / "store", MADE_OF, ARCHIVE, False) as journal:
        (journal.store / "grid_0").mkdir()
        journal.add({"grid": 0, "read": 4, "rows": 3})
        assert not is_store(tmp_path / "store")
        journal.finish(tmp_path / "store", {"format": FORMAT, "grids": [{"folder": "grid_0"}]})
    assert is_store(tmp_path / "store") and not (tmp_path / ".store.part").exists()


def test_nothing_is_left_of_a_journal_without_a_slab(tmp_path):
    with Journal(tmp_path / "store", MADE_OF, ARCHIVE, False):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    [
        "",
        "journal.jsonl",
        "store",
        "store/index.json",
        "store/grid_0",
        "store/grid_0/frames.npy",
        "store/grid_0/values.npy",
    ],
)
def test_nothing_is_written_through_a_link(name, tmp_path):
    """The names in the hidden folder are predictable: whoever can write there may have put links to other files."""
    elsewhere, link = tmp_path / "elsewhere", tmp_path / ".store.part" / name
    if "." not in name:
        elsewhere.mkdir()
        (elsewhere / "frames.npy").write_bytes(b"precious")
    else:
        elsewhere.write_bytes(b"precious")
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(elsewhere)
    before = {path: path.read_bytes() for path in (elsewhere, *elsewhere.glob("*")) if path.is_file()}
    with pytest.raises((ValueError, OSError), match=r" is (a link, |no part of the store: move it away first)"):
        Journal(tmp_path / "store", MADE_OF, ARCHIVE, overwrite=True)
    assert {path: path.read_bytes() for path in (elsewhere, *elsewhere.glob("*")) if path.is_file()} == before
    assert link.is_symlink()


def test_an_array_is_not_written_through_a_link(tmp_path):
    (tmp_path / "b.npy").write_bytes(b"precious")
    (tmp_path / "a.npy").symlink_to("b.npy")
    for write in (lambda path: GrowingArray(path, "<f4", (2,), 0), lambda path: write_values(path, np.zeros(2))):
        with pytest.raises(OSError, match=r"this is a link, and predjax writes through none: .*a\.npy"):
            write(tmp_path / "a.npy")
    assert (tmp_path / "b.npy").read_bytes() == b"precious"
