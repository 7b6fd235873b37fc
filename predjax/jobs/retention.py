"""The removal of old nowcasts, and only of files that the journal of their folder names."""

import contextlib
import datetime
import pathlib

import numpy as np

from predjax.jobs.journal import Journal

_NAME = "%Y%m%dT%H%M%SZ"


def remove_old(folder: pathlib.Path, journal: Journal, seconds: float, now: np.datetime64) -> list[str]:
    """Remove the nowcasts whose init times are `seconds` before the newest one, and return the names of the files.

    The newest nowcast counts that is not dated after `now`: the clock and the dates of frames may be wrong. A file is
    removed only where it is no link. What cannot be removed stays in the journal.
    """
    dates: dict[str, datetime.datetime] = {}
    for init in journal.entries:
        with contextlib.suppress(ValueError):  # the number of a frame without a date
            dates[init] = datetime.datetime.strptime(init, _NAME)
    past = [date for date in dates.values() if np.datetime64(date) <= now]
    if not past:
        return []
    first = max(past) - datetime.timedelta(seconds=seconds)
    removed, done = [], []
    for init in [init for init, date in dates.items() if date < first]:
        try:
            for path in (folder / name for name in journal.entries[init].files):
                if path.is_file() and not path.is_symlink():
                    path.unlink(missing_ok=True)
                    removed.append(path.name)
            done.append(init)
        except OSError:
            continue
    if done:
        journal.forget(done)
    return removed
