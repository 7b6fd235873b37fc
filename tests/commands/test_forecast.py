"""`predjax forecast`: a nowcast from the newest frames, or a line that says why not."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import xarray as xr
from fake_ensemble import FakeEnsemble
from tiny import QUICK, ROOT, without_scores

import predjax
from predjax.commands.evaluate import main as evaluate
from predjax.commands.forecast import main
from predjax.commands.train import main as train
from predjax.jobs.journal import NAME
from predjax.nowcasts.baselines import BASELINES, Baseline

START, STEP, SIZE = np.datetime64("2026-06-01T12:00", "ns"), np.timedelta64(300, "s"), 16


def write(path, numbers, *, step=STEP, pixel=1000.0, size=SIZE):
    """Frames of rain that drifts, some of it without coverage."""
    rows, columns = np.mgrid[:size, :size]
    frames = [10 * np.exp(-((rows - 8) ** 2 + (columns - 3 - 0.5 * n) ** 2) / 9) for n in numbers]
    frames = np.round(np.array(frames), 1).astype(np.float32)
    frames[:, :2, :2] = np.nan
    axes = {axis: (axis, pixel * np.arange(size), {"units": "m"}) for axis in ("y", "x")}
    data = xr.Dataset(
        {"rain": (("time", "y", "x"), frames, {"units": "mm h-1", "standard_name": "rainfall_rate"})},
        {"time": [START + n * step for n in numbers], **axes},
    )
    temporary = path.with_name(f".{path.name}.part")
    data.to_netcdf(temporary, encoding={"rain": {"_FillValue": -1.0}})
    os.replace(temporary, path)
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A tiny model of three observed frames, five minutes and a kilometre apart."""
    folder = tmp_path_factory.mktemp("model")
    data = write(folder / "rain.nc", range(60))
    flags = [*QUICK, "--data_path", str(data), "--crop", "0", "--max_iterations", "1"]
    flags += ["--save_dir", str(folder / "run")]
    with without_scores():
        assert train(flags) == 0
    return folder / "run"


@pytest.fixture
def feed(tmp_path):
    folder = tmp_path / "incoming"
    folder.mkdir()
    for number in range(5):
        write(folder / f"rain_{number:02d}.nc", [number])
    return folder


def forecast(run, feed, output, *flags):
    return main(["--checkpoint", str(run), "--data_path", str(feed), "--output", str(output), *map(str, flags)])


def test_the_newest_frames_become_a_nowcast(run, feed, tmp_path, capsys):
    path = tmp_path / "nowcast.nc"
    assert forecast(run, feed, path, "--lead_time", 20, "--per_lead", "--pictures") == 0
    said = r"rain_04\.nc\n  format     netCDF\n.*\n.*nowcast\.nc: 4 frames after 2026-06-01T12:20:00 in \d+\.\d s; "
    said += r"the observed frames are training data.*\n"
    assert re.fullmatch(said, capsys.readouterr().out, re.DOTALL)
    with xr.open_dataset(path) as found:
        assert found["rain"].shape == (4, SIZE, SIZE) and found["rain"].attrs["units"] == "mm h-1"
        np.testing.assert_array_equal(found["time"].values, START + (5 + np.arange(4)) * STEP)
        np.testing.assert_array_equal(found["forecast_period"].values, [5, 10, 15, 20])
        assert found["forecast_reference_time"].values == START + 4 * STEP
        assert np.isnan(found["rain"].values[:, -1, 0]).all()  # y falls: the corner without coverage
        whole = found["rain"].values
    for i, name in enumerate(("05", "10", "15", "20")):
        with xr.open_dataset(tmp_path / f"nowcast_{name}.nc") as part:
            np.testing.assert_array_equal(part["rain"].values, whole[i : i + 1])
    assert (tmp_path / "nowcast.png").is_file() and (tmp_path / "nowcast.gif").is_file()

    same = predjax.forecast(run, str(feed), lead_time=20)
    np.testing.assert_array_equal(same["rain"].values[:, ::-1, :, 0], whole)
    from_movies = predjax.forecast(run, predjax.read_movies(feed), num_steps=4)
    np.testing.assert_array_equal(from_movies["rain"].values, same["rain"].values)


def test_what_an_evaluation_would_forecast(run, feed, tmp_path):
    """The same frames as the exported case of a verification that starts there."""
    found = predjax.forecast(run, str(feed), init_time=START + 2 * STEP, num_steps=2)
    flags = ["--data_path", str(feed), "--num_steps", "2", "--baselines", "persistence", "--window_stride", "1"]
    assert evaluate(["--checkpoint", str(run), *flags, "--export", str(tmp_path / "frames")]) == 0
    (path,) = (tmp_path / "frames").glob("nowcast_20260601T1210Z.nc")
    with xr.open_dataset(path) as exported:
        np.testing.assert_allclose(found["rain"].values[:, ::-1, :, 0], exported["rain"].values, rtol=1e-5, atol=1e-6)


def test_a_missing_frame_is_filled_in_and_said(run, feed, tmp_path, capsys):
    (feed / "rain_03.nc").unlink()
    assert forecast(run, feed, tmp_path / "n.nc") == 0
    said = "the frame of 2026-06-01T12:15:00 was missing; it was interpolated from its neighbours"
    assert said in capsys.readouterr().out
    with xr.open_dataset(tmp_path / "n.nc") as found:
        assert found.attrs["comment"].startswith(f"{said}; ")  # these are frames of the training too


def refuse(message, capsys, *arguments, code=2):
    assert forecast(*arguments) == code
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and re.search(message, error), error


def test_what_is_not_possible_is_one_line(run, feed, tmp_path, capsys):
    path = tmp_path / "n.nc"
    refuse("lead_time 7 min is no multiple of the time step of 5 min", capsys, run, feed, path, "--lead_time", 7)
    refuse("min old: max_age is 10", capsys, run, feed, path, "--max_age", 10, code=3)
    with pytest.raises(SystemExit, match="2"):
        forecast(run, feed, path, "--max_age", "nan")
    assert "--max_age: expected a finite number, got 'nan'" in capsys.readouterr().err
    refuse("--output is a .nc file", capsys, run, feed, tmp_path / "folder")
    refuse("with --watch --output is a folder", capsys, run, feed, path, "--watch")
    refuse("no file matches", capsys, run, tmp_path / "*.nc", path)
    for number in (2, 3):
        (feed / f"rain_{number:02d}.nc").unlink()
    refuse("2 of the 3 frames up to 2026-06-01T12:20:00 are missing", capsys, run, feed, path)
    shutil.rmtree(feed)
    feed.mkdir()
    (feed / "a.nc").write_bytes(b"CDF\x01 but nothing else")
    refuse(r"a\.nc", capsys, run, feed, path)
    assert not path.exists()


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"step": 2 * STEP}, "a step of 600 s where the model was trained on 300"),
        ({"pixel": 500.0}, "pixels of 500 m where the model was trained on 1000"),
    ],
)
def test_another_step_or_pixel_size_is_refused_unless_asked_for(run, tmp_path, capsys, other, message):
    data = write(tmp_path / "other.nc", range(12), **other)
    refuse(message, capsys, run, data, tmp_path / "n.nc")
    assert forecast(run, data, tmp_path / "n.nc", "--any_step") == 0
    command = ["--checkpoint", str(run), "--data_path", str(data), "--baselines", "persistence", "--max_cases", "2"]
    assert evaluate(command) == 0
    assert f"warning: other.nc has {message}" in capsys.readouterr().out


def test_any_size_of_frames(run, tmp_path):
    """No size is cut or tiled: frames that are no multiple of the patch forecast as they are."""
    for size in (13, 37):
        data = write(tmp_path / f"{size}.nc", range(4), size=size)
        found = predjax.forecast(run, str(data))
        assert found["rain"].shape == (3, size, size, 1) and np.isfinite(found["rain"].values[:, 5:, 5:]).all()


class Watcher:
    """The command at work in another process."""

    def __init__(self, run, feed, output):
        command = [sys.executable, "-m", "predjax", "forecast", "--checkpoint", str(run), "--data_path", f"{feed}/*.nc"]
        self.output, self._said = output, feed.with_name("said.txt")
        with open(self._said, "w") as said:
            self._process = subprocess.Popen(
                [*command, "--watch", "--poll", "0.1", "--output", str(output)], cwd=ROOT, stdout=said, stderr=said
            )

    def wait_for(self, number):
        """Until there is a nowcast from this frame."""
        path = self.output / f"nowcast_{np.datetime_as_string(START + number * STEP, 's')}Z.nc".replace(":", "")
        path = path.with_name(path.name.replace("2026-06-01", "20260601"))
        self._wait_until(path.exists, path)

    def wait_for_line(self, text):
        """Until a line with this text was printed."""
        self._wait_until(lambda: text in self._said.read_text(), text)

    def _wait_until(self, happened, what):
        deadline = time.monotonic() + 100
        while not happened() and self._process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert happened(), what

    def stop(self) -> str:
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(timeout=60)
        said = self._said.read_text()
        assert code == 143, said
        return said


def test_a_nowcast_is_repeated_by_the_flags_beside_it(run, feed, tmp_path, capsys):
    assert forecast(run, feed, tmp_path / "one.nc", "--lead_time", 10) == 0
    again = tmp_path / "again.nc"
    assert main(["--config", str(tmp_path / "one.run.json"), "--output", str(again)]) == 0
    xr.testing.assert_identical(xr.load_dataset(tmp_path / "one.nc")["rain"], xr.load_dataset(again)["rain"])
    again.unlink()
    capsys.readouterr()
    assert forecast(run, feed, again) == 2  # the flags are a file of the user's as any other
    assert f"{again.with_suffix('.run.json')} exists" in capsys.readouterr().err


@pytest.fixture
def fake(monkeypatch):
    """An ensemble among the baselines."""
    monkeypatch.setitem(BASELINES, "fake", Baseline(FakeEnsemble, moves_maps=True, ensemble=True))


def test_a_baseline_is_issued_by_its_name(feed, tmp_path, capsys):
    path = tmp_path / "n.nc"
    assert forecast("persistence", feed, path, "--lead_time", 10) == 0
    with xr.open_dataset(path, decode_timedelta=False) as found:
        assert found["rain"].dims == ("time", "y", "x") and found.attrs["source"].endswith(", persistence")
        newest = xr.load_dataset(feed / "rain_04.nc")["rain"].values
        np.testing.assert_array_equal(found["rain"].values[:, ::-1], np.repeat(newest, 2, axis=0))
        whole = found["rain"].values
    assert json.loads((tmp_path / "n.run.json").read_text())["checkpoint"] == "persistence"
    again = ["--config", str(tmp_path / "n.run.json"), "--output", str(tmp_path / "again.nc")]
    assert main(again) == 0
    np.testing.assert_array_equal(xr.load_dataset(tmp_path / "again.nc")["rain"], whole)
    refuse("--members 2: persistence draws none", capsys, "persistence", feed, tmp_path / "m.nc", "--members", 2)
    refuse("--members must be at least 1, not 0", capsys, "persistence", feed, tmp_path / "m.nc", "--members", 0)
    with pytest.raises(ValueError, match="members must be a whole number"):
        predjax.forecast("persistence", str(feed), members=2.5)


def test_members_and_their_products_are_one_file(fake, feed, tmp_path, capsys):
    """The numbers that Python gives, in a file that nothing of the scratch space is left beside."""
    folder, options = tmp_path / "out", {"members": 5, "seed": 2, "probability": [2.0], "radius": 3.0}
    ask = ["--statistic", "members,mean", "--percentiles", "50", "--accumulation", "1", "--per_lead", "--pictures"]
    ask += ["--members", 5, "--seed", 2, "--probability", "2", "--radius", 3, "--lead_time", 30]
    assert forecast("fake", feed, folder / "n.nc", *ask) == 0
    assert "6 frames of 5 members after 2026-06-01T12:20:00" in capsys.readouterr().out
    parts = {f"n_{lead:02d}.nc" for lead in range(5, 31, 5)}
    assert {path.name for path in folder.iterdir()} == {"n.nc", "n.png", "n.gif", "n.run.json", *parts}
    same = predjax.forecast("fake", str(feed), lead_time=30, statistic=["members", "mean"], percentiles=[50],
                            accumulation=[1], **options)  # fmt: skip
    with xr.open_dataset(folder / "n.nc", decode_timedelta=False) as found:
        assert list(found["realization"].values) == [1, 2, 3, 4, 5]
        assert found["realization"].attrs["standard_name"] == "realization"
        assert set(found.data_vars) == set(same.data_vars)
        for name in same.data_vars:
            np.testing.assert_array_equal(found[name].values[..., ::-1, :], same[name].values[..., 0], name)
        whole = found["rain"].values
    newest = xr.load_dataset(feed / "rain_04.nc")["rain"].values[None, :, :, :, None]
    drawn = FakeEnsemble.of(5, 2)(newest, 6)[0, ..., 0]
    np.testing.assert_array_equal(whole[..., ::-1, :], drawn)
    with xr.open_dataset(folder / "n_10.nc", decode_timedelta=False) as part:
        np.testing.assert_array_equal(part["rain"].values, whole[:, 1:2])
        assert "probability_of_accumulation_above_threshold" not in part
    (one,) = predjax.forecast("fake", str(feed), num_steps=1, seed=2).data_vars.values()
    assert one.dims == ("lead_time", "y", "x", "channel")  # one drawn member, without its number
    np.testing.assert_array_equal(one.values[0, ..., 0], FakeEnsemble.of(1, 2)(newest, 1)[0, 0, 0, ..., 0])


def test_frames_of_the_training_are_remarked(run, feed, tmp_path, capsys):
    remark = "the observed frames are training data of the network: its skill is not to be seen here"
    assert forecast(run, feed, tmp_path / "n.nc") == 0
    assert remark in capsys.readouterr().out
    assert xr.open_dataset(tmp_path / "n.nc").attrs["comment"] == remark
    other = write(tmp_path / "other.nc", range(5), size=SIZE + 1)
    assert "comment" not in predjax.forecast(run, str(other)).attrs
    late = write(tmp_path / "late.nc", range(900, 905))
    assert "comment" not in predjax.forecast(run, str(late)).attrs


def test_watching_leaves_the_run_json_of_a_training_alone(run, feed, monkeypatch):
    """A folder that holds a training may be the one that is watched into."""

    def watch(*arguments):
        os.kill(os.getpid(), signal.SIGTERM)
        return iter(())

    monkeypatch.setattr("predjax.jobs.watch.watch", watch)
    monkeypatch.setattr("predjax.jobs.deadline.end_within", lambda seconds: contextlib.nullcontext())  # of this process
    before = (run / "run.json").read_bytes()
    assert forecast(run, feed, run, "--watch") == 143
    assert (run / "run.json").read_bytes() == before


@pytest.mark.ci
def test_a_feed_with_all_that_happens_to_feeds(run, tmp_path):
    """One late, one corrupt, one missing, one twice, and a restart: every possible nowcast is written once, whole."""
    feed, output = tmp_path / "incoming", tmp_path / "nowcasts"
    feed.mkdir()

    def arrive(number):
        write(feed / f"rain_{number:02d}.nc", [number])

    for number in (0, 1, 2):
        arrive(number)
    watcher = Watcher(run, feed, output)
    watcher.wait_for(2)
    arrive(3)
    watcher.wait_for(3)
    arrive(5)  # 4 is late: filled in
    watcher.wait_for(5)
    arrive(4)
    watcher.wait_for(4)
    (feed / "rain_06.nc").write_bytes((feed / "rain_05.nc").read_bytes()[:3000])  # corrupt
    shutil.copy(feed / "rain_05.nc", feed / "rain_05_again.nc")  # twice
    arrive(7)
    watcher.wait_for(7)
    first = watcher.stop()
    written = {path.name: path.stat().st_mtime_ns for path in output.glob("*.nc")}
    assert len(written) == 5  # 2, 3, 5, 4 and 7; nothing half written

    watcher = Watcher(run, feed, output)
    arrive(9)  # 8 is missing
    watcher.wait_for(9)
    for number in (12, 13):  # 10 and 11 are missing
        arrive(number)
        watcher.wait_for_line(f"no nowcast from 2026-06-01T13:{5 * number - 60:02d}:00: ")
    arrive(14)
    watcher.wait_for(14)
    second = watcher.stop()

    names = {f"nowcast_20260601T12{5 * n:02d}00Z.nc" for n in (2, 3, 4, 5, 7, 9)}
    names |= {f"nowcast_20260601T13{5 * n - 60:02d}00Z.nc" for n in (14,)}
    assert {path.name for path in output.iterdir()} == {*names, "run.json", NAME}
    assert all((output / name).stat().st_mtime_ns == when for name, when in written.items())  # once
    for name in names:
        with xr.open_dataset(output / name) as found:
            init = found["forecast_reference_time"].values
            assert str(init)[:16].replace(":", "").replace("-", "") in name.replace("nowcast_", "")
            np.testing.assert_array_equal(found["time"].values, init + (1 + np.arange(3)) * STEP)
    assert "rain_06.nc" in first and first.count("left out") == 2 and "rain_05_again.nc" in first
    assert first.count("was missing; it was interpolated") == 2  # from 5 and from 7
    assert "are missing" in second and "Traceback" not in second
