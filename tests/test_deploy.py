"""The files of a service are right: systemd takes them, and their commands do what the page says."""

import datetime
import getpass
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import xarray as xr
from tiny import ROOT

DEPLOY = ROOT / "deploy"
UNITS = ("predjax-watch.service", "predjax-forecast.service", "predjax-forecast.timer")
NOWCASTS = "/var/lib/predjax"


def find_commands():
    """The commands of the files: for the watch, for one forecast, by cron, and in the container."""
    lines = {name: re.search(r"ExecStart=(.*)", (DEPLOY / name).read_text())[1] for name in UNITS[:2]}
    cron = (DEPLOY / "predjax.cron").read_text().splitlines()[-1].split(maxsplit=6)
    container = (DEPLOY / "Containerfile").read_text()
    parts = [json.loads(re.search(rf"^{name} (.*)", container, re.M)[1]) for name in ("ENTRYPOINT", "CMD")]
    return {**{name: shlex.split(line) for name, line in lines.items()}, "cron": shlex.split(cron[-1])} | {
        "container": [part for words in parts for part in words]
    }


def test_cron_and_the_container_run_the_commands_of_systemd():
    commands = find_commands()
    assert commands["cron"][:3] == ["flock", "-n", f"{NOWCASTS}/forecast.lock"]
    assert commands["cron"][3:] == commands["predjax-forecast.service"]
    places = {"/srv/radar/incoming": "/incoming", f"{NOWCASTS}/nowcasts": "/nowcasts"}
    places |= {f"{NOWCASTS}/status.json": "/nowcasts/status.json", "/opt/predjax/bin/predjax": "predjax"}
    assert commands["container"] == [places.get(word, word) for word in commands["predjax-watch.service"]]
    assert "root" not in re.findall(r"^USER (.*)", (DEPLOY / "Containerfile").read_text(), re.M)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_takes_the_units(tmp_path):
    for name in UNITS:
        text = (DEPLOY / name).read_text().replace("/opt/predjax/bin/predjax", sys.executable)
        (tmp_path / name).write_text(text.replace("User=predjax", f"User={getpass.getuser()}"))
    found = subprocess.run(
        ["systemd-analyze", "verify", *(str(tmp_path / name) for name in UNITS)], capture_output=True, text=True
    )
    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.ci
def test_the_commands_run_as_they_stand(tmp_path):
    """With other paths, and without the network, which takes a minute to compile."""
    feed, output = tmp_path / "incoming", tmp_path / "predjax"
    feed.mkdir()
    now = np.datetime64(datetime.datetime.now(datetime.UTC).replace(tzinfo=None), "s")
    with xr.open_dataset(ROOT / "data" / "fmi_20160928.nc") as event:
        frames = event.isel(y=slice(0, 64), x=slice(0, 64)).load()
    frames = frames.assign_coords(time=frames["time"].values - frames["time"].values[-1] + now)
    frames.to_netcdf(feed / "frames.nc")
    commands, status = find_commands(), output / "status.json"
    for name in UNITS[:2]:
        status.unlink(missing_ok=True)
        words = [
            word.replace(NOWCASTS, str(output)).replace("/srv/radar/incoming", str(feed)) for word in commands[name]
        ]
        words[words.index("pretrained")] = "persistence"
        command = [sys.executable, "-m", "predjax", *words[1:]]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        if "--watch" in words:
            line = next(line for line in process.stdout if json.loads(line)["event"] == "made")
            time.sleep(0.5)
            process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=200)
        assert process.returncode == (143 if "--watch" in words else 0), said
        event = json.loads(line if "--watch" in words else said.splitlines()[-1])
        found = json.loads(status.read_text())
        assert pathlib.Path(event["file"]).is_file() and found["last_nowcast"]["file"] == event["file"], name
        assert found["state"] == ("ended" if "--watch" in words else "made") and found["stale"] is False
