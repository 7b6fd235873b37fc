"""The status file of a service says what works, and that the process is alive."""

import json

import numpy as np

from predjax.jobs.status import HEARTBEAT, Status, read_stale

DATE = np.datetime64("2026-06-01T12:00", "ns")
NEWEST = DATE - np.timedelta64(150, "s")
FOUND = {"state": "running", "stale": True, "frames": {"made": 3}, "files_left_out": 1}


def read(path):
    return json.loads(path.read_text())


def test_what_has_happened_is_in_one_file(tmp_path):
    path = tmp_path / "status.json"
    status = Status(str(path), DATE)
    status.count_error("output", "no space", DATE)
    for latency in (1.0, 5.0, 2.0, None):
        status.note_nowcast({"init_time": "t", "file": "n.nc", "seconds": 1.5, "latency_seconds": latency}, DATE)
    status.write(FOUND, NEWEST, DATE, 0.0)
    found = read(path)
    assert found["time"] == "2026-06-01T12:00:00Z" and found["newest_frame"] == "2026-06-01T11:57:30Z"
    assert (found["age_minutes"], found["state"], found["frames"]) == (2.5, "running", {"made": 3})
    assert found["latency_seconds"] == {"count": 3, "median": 2.0, "worst": 5.0}
    assert found["errors"] == {"feed": 0, "frame": 0, "output": 1}
    assert found["last_error"]["message"] == "no space" and found["last_nowcast"]["file"] == "n.nc"
    assert read_stale(str(path)) is True


def test_it_is_written_when_something_has_changed_and_as_a_sign_of_life(tmp_path):
    path = tmp_path / "status.json"
    status, seconds = Status(str(path), DATE), []
    for second in range(25):
        found = FOUND if second < 7 else FOUND | {"state": "stale"}
        path.unlink(missing_ok=True)
        status.write(found, NEWEST, DATE, float(second))
        seconds += [second] if path.exists() else []
    assert seconds == [0, 7, 7 + HEARTBEAT]


def test_without_a_path_or_with_another_file_there_is_no_state(tmp_path):
    Status(None, DATE).write(FOUND, None, DATE, 0.0)
    Status(str(tmp_path / "b"), DATE).write(FOUND, 17, DATE, 0.0)  # frames without dates
    assert read(tmp_path / "b")["newest_frame"] == 17 and read(tmp_path / "b")["age_minutes"] is None
    (tmp_path / "a").write_text("[1]")
    assert read_stale(None) is read_stale(str(tmp_path / "missing")) is read_stale(str(tmp_path / "a")) is None
