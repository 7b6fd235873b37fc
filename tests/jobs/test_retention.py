"""Old nowcasts are removed, and no file that the journal does not name."""

import numpy as np

from predjax.jobs.journal import Journal
from predjax.jobs.retention import remove_old


def test_files_of_the_journal_alone_are_removed(tmp_path):
    journal = Journal(tmp_path)
    for hour in (0, 1, 2, 3):
        init = f"20260601T{hour:02d}0000Z"
        names = [f"nowcast_{init}.nc", f"nowcast_{init}.png"]
        journal.begin(init, names)
        for name in names:
            (tmp_path / name).touch()
        journal.end(init)
    journal.begin("20360601T000000Z", ["ahead.nc"])  # by a wrong date of a frame
    now = np.datetime64("2026-06-01T03:00", "ns")
    journal.begin("00012Z", ["numbered.nc"])
    (tmp_path / "nowcast_20260531T000000Z.nc").touch()  # somebody else's
    (tmp_path / "nowcast_20260601T000000Z.png").unlink()  # taken away
    kept = tmp_path / "kept.nc"
    kept.touch()
    (tmp_path / "nowcast_20260601T010000Z.png").unlink()
    (tmp_path / "nowcast_20260601T010000Z.png").symlink_to(kept)
    assert remove_old(tmp_path, journal, 3 * 3600.0, now) == []
    removed = remove_old(tmp_path, journal, 1.5 * 3600.0, now)
    assert removed == ["nowcast_20260601T000000Z.nc", "nowcast_20260601T010000Z.nc"]
    assert {path.name for path in tmp_path.glob("*Z.nc")} == {
        "nowcast_20260531T000000Z.nc", "nowcast_20260601T020000Z.nc", "nowcast_20260601T030000Z.nc",
    }  # fmt: skip
    left = ["20260601T020000Z", "20260601T030000Z", "20360601T000000Z", "00012Z"]
    assert kept.exists() and list(Journal(tmp_path).entries) == left
    assert remove_old(tmp_path, Journal(tmp_path / "empty"), 1.0, now) == []
