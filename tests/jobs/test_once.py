"""One forecast of a service: its status, and the command that is run when the feed stops and goes on."""

import json
import sys

import numpy as np
import pytest
import xarray as xr

import predjax
from predjax.commands.forecast import TOO_OLD, main


def test_a_timer_sees_a_feed_that_stops_and_goes_on(tmp_path, capsys):
    """Once each, though the command runs again and again; the exit code tells, too."""
    feed, hooks, status = tmp_path / "feed", tmp_path / "hooks", tmp_path / "status.json"
    feed.mkdir()
    program = "import os, sys; open(sys.argv[1], 'a').write(os.environ['PREDJAX_FEED'] + ' ')"
    now = np.datetime64("now", "ns")

    def arrive(age):
        times = now - np.arange(4)[::-1] * np.timedelta64(5, "m") - np.timedelta64(age, "m")
        frames = xr.DataArray(
            np.ones((4, 4, 5), "f4"), {"time": times}, ("time", "y", "x"), "rain", {"units": "mm h-1"}
        )
        frames.to_netcdf(feed / f"{age}.nc")

    def run(*more):
        flags = ["--checkpoint", "persistence", "--data_path", str(feed), "--output", str(tmp_path / "n.nc")]
        flags += ["--overwrite", "--num_steps", "1", "--max_age", "30", "--status", str(status), "--trust_files"]
        code = main([*flags, "--on_stale", f'{sys.executable} -S -c "{program}" {hooks}', *more])
        return code, json.loads(status.read_text()), capsys.readouterr()

    arrive(50)
    for _ in range(2):
        code, found, said = run()
        assert (code, found["state"], found["stale"], hooks.read_text()) == (TOO_OLD, "failed", True, "stale ")
        assert "min old: max_age is 30" in said.err and said.err.count("\n") == 1
    assert found["last_nowcast"] is None and 49 < found["age_minutes"] < 52
    arrive(0)
    for _ in range(2):
        code, found, said = run("--log_json")
        assert (code, found["state"], found["stale"], hooks.read_text()) == (0, "made", False, "stale recovered ")
    event = json.loads(said.out)
    assert event["event"] == "made" and event["file"].endswith("n.nc") and event["level"] == "info"
    assert found["last_nowcast"]["init_time"] == event["init_time"] and found["files_left_out"] == 0
    arrive(-600)  # by a clock that is ten hours ahead
    code, found, _ = run()
    assert (code, found["state"]) == (0, "made") and found["last_nowcast"]["init_time"] == event["init_time"]
    assert found["age_minutes"] < 30
    with pytest.raises(ValueError, match="every frame is dated more than 30 min ahead, the first one 20"):
        predjax.forecast("persistence", str(feed / "-600.nc"), num_steps=1, max_age=30)
    with pytest.raises(ValueError, match=r"5\d\.\d min old: max_age is 30"):
        predjax.forecast("persistence", str(feed / "50.nc"), num_steps=1, max_age=30)
    for path in feed.iterdir():
        path.unlink()
    (feed / "a.nc").write_bytes(b"CDF\x01")
    code, found, said = run()
    assert (code, found["state"], found["errors"]["frame"], found["files_left_out"]) == (2, "failed", 1, 1)
    code, found, said = run("--checkpoint", str(tmp_path / "none.npz"))
    assert (code, found["state"]) == (2, "failed") and "none.npz" in found["last_error"]["message"]


def test_what_a_service_needs_is_said(tmp_path, capsys):
    flags = ["--checkpoint", "persistence", "--data_path", "x", "--output"]
    for more, message in (
        ([str(tmp_path / "n.nc"), "--on_stale", "true"], "on_stale needs max_age"),
        (
            [str(tmp_path / "n.nc"), "--on_stale", "mail 'me", "--max_age", "9"],
            'on_stale must be a command, "mail \'me" has no',
        ),
        ([str(tmp_path / "n.nc"), "--revise"], "revise needs --watch"),
        ([str(tmp_path / "n.nc"), "--keep", "48h"], "keep must be a time such as 48h or 7d, with --watch, not '48h'"),
        (
            [str(tmp_path), "--watch", "--keep", "long"],
            "keep must be a time such as 48h or 7d, with --watch, not 'long'",
        ),
    ):
        assert main([*flags, *more]) == 2
        assert message in capsys.readouterr().err


def test_a_command_is_never_taken_from_a_file(tmp_path, caplog):
    (tmp_path / "flags.json").write_text(json.dumps({"on_stale": "touch here", "checkpoint": "persistence"}))
    flags = ["--config", str(tmp_path / "flags.json"), "--data_path", str(tmp_path), "--output", str(tmp_path / "n.nc")]
    assert main(flags) == 2 and "on_stale is not taken from a file" in caplog.text
