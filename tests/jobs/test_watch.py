"""A watched feed: an outcome for each frame, whatever happens to files, frames and outputs."""

import errno
import itertools
import json
import os
import pathlib
import re

import netCDF4
import numpy as np
import pytest
import xarray as xr
from chaos_feed import ChaosFeed, append_frame, write_frame
from fake_ensemble import FakeEnsemble

from predjax.jobs import watch as job
from predjax.jobs.forecast import Forecasting, Outcome
from predjax.jobs.frame_states import Clock
from predjax.jobs.journal import NAME, Journal
from predjax.jobs.options import ForecastFiles, ForecastOptions
from predjax.jobs.watch_options import WatchOptions
from predjax.locks import LOCK
from predjax.nowcasts.baselines import BASELINES, Baseline
from predjax.nowcasts.config import EnsembleOptions
from predjax.radar.config import Trust

MINUTE = np.timedelta64(1, "m")
START = np.datetime64("2026-06-01T12:00", "ns")
OFTEN = WatchOptions(poll=1e-9)


class ScriptedFeed:
    """A feed whose frames, or whose error, are written down for every scan; the last one stays."""

    def __init__(self, scans):
        self._scans, self._times, self.errors = list(scans), [], {}

    def scan(self):
        found = self._scans.pop(0) if len(self._scans) > 1 else self._scans[0]
        if isinstance(found, Exception):
            raise found
        self._times = [START + minute * MINUTE for minute in found]

    def times(self):
        return self._times

    def versions(self, init, count):
        return tuple((time, ("feed.nc",)) for time in self._times if time <= init)[-count:]

    def find_step(self, init):
        return None


@pytest.fixture
def scripted(monkeypatch, tmp_path):
    """Run the scans of a feed, with the error or the time of writing of each frame; the texts of so many outcomes."""

    def run(scans, errors, count, files=None, max_age=None, watching=OFTEN):
        def write(forecasting, init, path, files, begin):
            if error := errors.get(int((init - START) / MINUTE)):
                raise error
            begin([path.name])
            path.touch()
            return Outcome(f"{path.name} is written", details={"init_time": str(init)[:19]})

        forecasting = Forecasting(ForecastOptions("run", "feed", max_age=max_age), ScriptedFeed(scans), None, 3)
        monkeypatch.setattr(job, "open_forecasting", lambda options, stopped: forecasting)
        monkeypatch.setattr(job, "write_nowcast", write)
        texts = []
        files = files or ForecastFiles(str(tmp_path / "nowcasts"))
        for outcome in job.watch(forecasting.options, files, watching, lambda: len(texts) >= count):
            texts.append(outcome.text)
        return texts

    return run


def test_every_new_frame_has_one_outcome(scripted, tmp_path):
    """The newest of the first frames, then each that is new, the newest first; an error of the folder is said once."""
    folder = tmp_path / "nowcasts"
    folder.mkdir()
    (folder / "nowcast_20260601T121000Z.nc").touch()
    gone = OSError("the folder is away")
    scans = [gone, gone, [], [0, 5], [0, 5, 10], gone, [0, 5, 10], [0, 5, 10, 15, 20]]
    assert scripted(scans, {15: ValueError("frames\nare missing")}, 6) == [
        "the folder is away",
        "nowcast_20260601T120500Z.nc is written",
        f"{pathlib.Path(folder, 'nowcast_20260601T121000Z.nc')} is there already",
        "the folder is away",
        "nowcast_20260601T122000Z.nc is written",
        "no nowcast from 2026-06-01T12:15:00: frames\\nare missing",
    ]
    assert set(Journal(folder).entries) == {"20260601T120500Z", "20260601T122000Z"}  # what it wrote


def test_no_error_of_a_frame_ends_it(scripted):
    errors = {0: TypeError("no number"), 5: MemoryError(), 10: RuntimeError("a damaged chunk"), 15: KeyError("rain")}
    texts = scripted([[0], [0, 5], [0, 5, 10], [0, 5, 10, 15], [0, 5, 10, 15, 20]], errors, 5)
    assert [text.partition(": ")[2] for text in texts[:4]] == [
        "TypeError: no number", "there is not enough memory", "RuntimeError: a damaged chunk", "KeyError: 'rain'",
    ]  # fmt: skip
    assert texts[4] == "nowcast_20260601T122000Z.nc is written"


def test_a_restart_goes_on_where_the_process_before_it_ended(scripted, tmp_path):
    files = ForecastFiles(str(tmp_path / "nowcasts"))
    assert len(scripted([[0, 5], [0, 5, 10]], {}, 2, files)) == 2  # from 5 and 10
    journal = Journal(files.output)
    journal.begin("20260601T121500Z", ["nowcast_20260601T121500Z.nc"])  # and killed
    pathlib.Path(files.output, "nowcast_20260601T121500Z.nc").write_text("a part")
    pathlib.Path(files.output, "nowcast_20260601T121000Z.nc").unlink()  # somebody took it away
    texts = scripted([[0, 5, 10, 15, 20, 25]], {}, 3, files)
    assert texts == [f"nowcast_20260601T12{minute}00Z.nc is written" for minute in (25, 20, 15)]


def test_a_signal_stops_before_the_next_frame(scripted):
    assert scripted([[0], [0, 5, 10]], {}, 2) == [f"nowcast_20260601T12{m}00Z.nc is written" for m in ("00", "10")]


def test_a_folder_of_nowcasts_has_one_watcher(monkeypatch, tmp_path):
    forecasting = Forecasting(ForecastOptions("run", "feed"), ScriptedFeed([[0]]), None, 3)
    monkeypatch.setattr(job, "open_forecasting", lambda options, stopped: forecasting)
    watch = (ForecastOptions("run", "feed"), ForecastFiles(str(tmp_path)), OFTEN, lambda: True)
    first = job.watch(*watch)
    with pytest.raises(ValueError, match=r"process \d+ on .* writes to this folder"):
        job.watch(*watch)
    assert list(first) == [] == list(job.watch(*watch)) and list(tmp_path.iterdir()) == []


def test_every_new_frame_has_its_members(monkeypatch, tmp_path):
    """A watched folder of an ensemble: a file for each frame, the same members again after a restart."""
    monkeypatch.setitem(BASELINES, "fake", Baseline(FakeEnsemble, ensemble=True))
    feed, output = tmp_path / "incoming", tmp_path / "nowcasts"
    feed.mkdir()
    texts = []

    def arrive(number):
        frame = np.full((1, 4, 5), number, np.float32)
        coords = {"time": [START + 5 * number * MINUTE]}
        xr.DataArray(frame, coords, ("time", "y", "x"), "rain", {"units": "mm h-1"}).to_netcdf(feed / f"{number}.nc")

    for number in range(4):
        arrive(number)
    options = ForecastOptions(
        "fake",
        str(feed),
        num_steps=2,
        ensemble=EnsembleOptions(members=3, statistic=("mean",)),
        trust=Trust(trust_files=True),
    )
    for outcome in job.watch(options, ForecastFiles(str(output)), OFTEN, lambda: len(texts) == 2):
        texts.append(outcome.text)
        if len(texts) == 1:
            arrive(4)
    names = [f"nowcast_20260601T12{m}00Z.nc" for m in (15, 20)]
    assert [path.name for path in sorted(output.iterdir())] == [NAME, *names]
    for number, name in zip((3, 4), names):
        newest = np.full((1, 1, 4, 5, 1), number, np.float32)
        mean = FakeEnsemble.of(3, 0)(newest, 2)[0, ..., 0].mean(axis=0)
        with xr.open_dataset(output / name, decode_timedelta=False) as found:
            np.testing.assert_array_equal(found["rain"].values, mean)


def watch_persistence(feed, output, stopped, **options):
    """The outcomes of a watch of short nowcasts."""
    options = (
        ForecastOptions("persistence", str(feed), num_steps=1),
        ForecastFiles(str(output)),
        WatchOptions(watch=True, poll=1e-9, **options),
    )
    return job.watch(*options, stopped)


def test_late_frames_are_made_up_for_and_revised(tmp_path):
    feed, output = tmp_path / "feed", tmp_path / "nowcasts"
    feed.mkdir()
    for number in (0, 1, 2, 3, 5):
        write_frame(feed / f"{number}.nc", number)
    arrivals, texts = {1: (8,), 2: (4, 6, 7)}, []

    def stopped():
        for number in arrivals.pop(len(texts), ()):
            write_frame(feed / f"{number}.nc", number)
        return len(texts) == 7

    for outcome in watch_persistence(feed, output, stopped, revise=True):
        texts.append(outcome.text)
    assert texts[1].startswith("no nowcast from 2026-06-01T00:40:00: 2 of the 4 frames")
    minutes = [int(re.search(r"after 2026-06-01T00:(\d\d)", text)[1]) for text in (texts[0], *texts[2:])]
    assert minutes == [25, 40, 35, 30, 25, 20]  # once more from 25, whose frame before it was made up


def test_frames_that_came_late_are_known_after_a_restart(tmp_path):
    feed, output = tmp_path / "feed", tmp_path / "nowcasts"
    feed.mkdir()
    for number in (0, 1, 2, 4):
        write_frame(feed / f"{number}.nc", number)
    for late, expected in (((), "00:20"), ((3, 5), "00:25 00:20")):
        for number in late:
            write_frame(feed / f"{number}.nc", number)
        looks = iter(range(20))
        found = watch_persistence(feed, output, lambda looks=looks: next(looks, None) is None, revise=True)
        texts = [outcome.text for outcome in found]
        assert re.findall(r"after 2026-06-01T(\d\d:\d\d)", " ".join(texts)) == expected.split()
        assert ["interpolated" in text for text in texts] == [not late] * len(texts)


def test_a_full_disk_is_named_and_waited_for(monkeypatch, tmp_path):
    """The netCDF library reports it as missing permission; where there is room again the nowcast is made."""
    feed, output = tmp_path / "feed", tmp_path / "nowcasts"
    feed.mkdir()
    for number in range(4):
        write_frame(feed / f"{number}.nc", number)
    texts, full = [], [True]
    seconds = itertools.count(0.0, 3.0)
    monkeypatch.setattr(job, "read_clock", lambda: Clock(next(seconds), START))
    sync = os.fsync

    def fsync(handle):
        if full and ".jsonl" not in os.readlink(f"/proc/self/fd/{handle}"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    for outcome in watch_persistence(feed, output, lambda: len(texts) == 2):
        texts.append(outcome.text)
        full.clear()
    assert texts[0] == f"no nowcast from 2026-06-01T00:15:00: {output}: No space left on device"
    assert "1 frames after 2026-06-01T00:15:00" in texts[1] and not list(output.glob("*.tmp"))


def test_a_service_says_how_it_is_and_removes_what_is_old(scripted, monkeypatch, tmp_path):
    """The feed stops and goes on; old nowcasts go, and frames whose nowcasts would go at once have none."""
    status, folder = tmp_path / "status.json", tmp_path / "nowcasts"
    scans = [[0], *[[0, 10]] * 6, *[[0, 2, 10, 50]] * 2, [0, 2, 10, 50, 58], [0, 2, 5, 10, 50, 58]]
    looks = itertools.count()
    scan = ScriptedFeed.scan
    monkeypatch.setattr(ScriptedFeed, "scan", lambda feed: (scan(feed), next(looks)))
    monkeypatch.setattr(job, "read_date", lambda: START + 6 * MINUTE * int(re.search(r"\d+", repr(looks))[0]))
    watching = WatchOptions(watch=True, poll=1e-9, keep="30min", status=str(status))
    texts = scripted(scans, {50: ValueError("frames are missing")}, 9, max_age=20.0, watching=watching)
    assert texts == [
        "nowcast_20260601T120000Z.nc is written",
        "nowcast_20260601T121000Z.nc is written",
        "the feed stopped: the newest frame is of 2026-06-01T12:10:00",
        "no nowcast from 2026-06-01T12:02:00: it is 46.0 min old: max_age is 20",
        "the feed goes on: the newest frame is of 2026-06-01T12:50:00",
        "no nowcast from 2026-06-01T12:50:00: frames are missing",
        "nowcast_20260601T125800Z.nc is written",
        f"{folder}: removed nowcast_20260601T120000Z.nc and 1 more",
        "no nowcast from 2026-06-01T12:05:00: its nowcast would be removed at once",
    ]
    found = json.loads(status.read_text())
    assert [path.name for path in folder.glob("*.nc")] == ["nowcast_20260601T125800Z.nc"]
    assert found["state"] == "ended" and found["newest_frame"] == "2026-06-01T12:58:00Z" and not found["stale"]
    assert found["errors"]["frame"] == 2 and found["last_nowcast"]["init_time"] == "2026-06-01T12:58:00"


@pytest.mark.parametrize("max_age", [None, 30.0])
def test_a_frame_that_is_dated_far_ahead_removes_no_nowcasts(scripted, monkeypatch, tmp_path, max_age):
    folder, year = tmp_path / "nowcasts", 365 * 1440
    monkeypatch.setattr(job, "read_date", lambda: START + 12 * MINUTE)
    scans, watching = [[0, year], [0, 5, year], [0, 5, 10, year]], WatchOptions(watch=True, poll=1e-9, keep="30min")
    texts = scripted(scans, {}, 3, max_age=max_age, watching=watching)
    made = ["nowcast_20260601T120000Z.nc", "nowcast_20260601T120500Z.nc", "nowcast_20260601T121000Z.nc"]
    made = made if max_age else ["nowcast_20270601T120000Z.nc", *made[1:]]  # the first is that of the newest frame
    assert sorted(path.name for path in folder.glob("*.nc")) == sorted(made), texts


def append(path, number):
    with netCDF4.Dataset(path, "a") as file:
        append_frame(file, number)


def test_all_that_happens_at_once(tmp_path, caplog):
    """A cycle of everything: every nowcast that can be made is made, each bad file is named in one line."""
    pytest.importorskip("h5py")
    feed, output = ChaosFeed(tmp_path / "feed", 16, append), tmp_path / "nowcasts"
    feed.step()
    expected, texts, looks = feed.expect(0, 4), [], [0]

    def stopped():
        if not feed.over:
            feed.step()
        looks[0] += feed.over
        return looks[0] > 20

    for outcome in watch_persistence(tmp_path / "feed", output, stopped):
        texts.append(outcome.text)
    assert {path.name for path in output.glob("*.nc")} == expected and len(expected) == 11
    assert not (output / LOCK).exists() and not list(output.glob("*.tmp"))
    left_out = [record.getMessage() for record in caplog.records if "left out" in record.getMessage()]
    assert all("\n" not in line and "feed/" in line for line in left_out) and len(left_out) == len(set(left_out))
    for name in ("rain_0003.nc", "zz_0003.nc", "zz_0009.nc", "zz_0009_loop.nc", "zz_0010.nc", "zz_0006.nc"):
        assert sum(f"{name}: " in line for line in left_out) == 1, name
