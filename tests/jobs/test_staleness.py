"""When a feed is stale, and the command that is run then."""

import sys

import numpy as np
import pytest

from predjax.jobs import staleness
from predjax.jobs.staleness import FRESH, STALE, Hook, Staleness

START = np.datetime64("2026-06-01T12:00", "ns")
MINUTE = np.timedelta64(1, "m")


def test_each_stop_and_each_return_is_said_once():
    feed = Staleness(10)
    newest = [0, 0, 0, 0, 20, 20, 40, 45]
    changes = [feed.look(START + m * MINUTE, START + 6 * n * MINUTE) for n, m in enumerate(newest)]
    assert changes == ["", "", STALE, "", FRESH, "", "", ""]
    assert Staleness(10).look(None, START) == STALE  # no frame at all
    assert Staleness(10, stale=True).look(START, START) == FRESH  # as an earlier process left it
    assert Staleness(None).look(START, START + 1e6 * MINUTE) == "" == Staleness(10).look(7, START)


def test_a_date_in_the_future_is_no_newest_frame():
    times = [START, START + 5 * MINUTE, START + 365 * 1440 * MINUTE]
    assert Staleness(10).find_newest(times, START) == times[1] and Staleness(10).find_newest(times[2:], START) is None
    assert Staleness(None).find_newest(times, START) == times[2] and Staleness(10).find_newest([1, 2], START) == 2
    assert Staleness(10).find_newest([], START) is None


@pytest.mark.parametrize("code", [0, 4])
def test_the_command_gets_what_has_happened(tmp_path, code):
    program = f"import os, sys; open(sys.argv[1], 'w').write(os.environ['PREDJAX_FEED'] + os.environ['PREDJAX_NEWEST']); sys.exit({code})"  # noqa: E501
    hook = Hook(f"{sys.executable} -S -c \"{program}\" '{tmp_path / 'a b'}'")
    assert hook.run(STALE, "2026") == "" and hook.wait() == (
        [f"on_stale: {sys.executable} ended with 4"] if code else []
    )
    assert (tmp_path / "a b").read_text() == "stale2026" and hook.reap() == []
    assert Hook("/no/such --program").run(STALE, "") == "on_stale: /no/such: No such file or directory"
    assert Hook(None).run(STALE, "") == ""


def test_a_command_that_hangs_is_not_waited_for_for_ever(monkeypatch):
    monkeypatch.setattr(staleness, "MOST_SECONDS", 0.01)
    hook = Hook("sleep 60")
    assert hook.run(STALE, "2026") == ""
    try:
        assert hook.wait() == ["on_stale: sleep has not ended after 0.01 s and goes on by itself"]
    finally:
        (process,) = hook._running
        process.kill()
        process.wait()
