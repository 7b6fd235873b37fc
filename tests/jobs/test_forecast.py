"""`predjax.forecast`, and the frames that are watched: a line for each, also where there is no forecast."""

import pathlib

import numpy as np
import pytest
import xarray as xr
from fake_ensemble import FakeEnsemble
from tiny import ROOT

import predjax
from predjax.jobs import forecast as job
from predjax.jobs.options import ForecastFiles, ForecastOptions
from predjax.nowcasts.baselines import BASELINES, Baseline
from predjax.nowcasts.config import EnsembleOptions

SAMPLE = str(ROOT / "data" / "radar_movies.nc")
MINUTE = np.timedelta64(1, "m")


@pytest.fixture(scope="module")
def sample():
    with xr.open_dataset(SAMPLE) as dataset:
        yield dataset


def test_forecast_takes_a_dataset_of_frames(tiny_run, sample, tmp_path):
    """The same from the file, from the dataset that was opened from it, and from an array of its frames."""
    movie = sample.isel(movie=3)
    path = tmp_path / "movie.nc"
    movie.to_netcdf(path)
    of_file = predjax.forecast(tiny_run, path, lead_time=10)
    assert isinstance(of_file, xr.Dataset) and of_file["reflectivity"].dims == ("lead_time", "y", "x", "channel")
    for data in (movie, movie["reflectivity"], [movie.isel(time=slice(0, 7)), movie.isel(time=slice(7, None))]):
        found = predjax.forecast(tiny_run, data, lead_time=10)
        xr.testing.assert_equal(found, of_file if "crs" in found else of_file.drop_vars("crs"))  # no part of an array
    early = predjax.forecast(tiny_run, movie, init_time=movie["time"].values[5], num_steps=1)
    assert early["valid_time"].values == movie["time"].values[6]


def test_forecast_refuses_datasets_in_one_line(tiny_run, sample):
    array = sample["reflectivity"][3]
    for data, options, message in (
        (array.assign_attrs(units="K"), {}, "is in K, the model was trained on dBZ"),
        (array[:2], {}, "are missing"),
        (array[::2], {}, "a step of 600 s"),
        (array, {"lead_tim": 10}, "'lead_tim' is no option"),
        (array, {"lead_time": 7}, "no multiple"),
    ):
        with pytest.raises(ValueError, match=message) as error:
            predjax.forecast(tiny_run, data, **options)
        assert "\n" not in str(error.value)


class ScriptedFeed:
    """A feed whose frames, or whose error, are written down for every scan."""

    def __init__(self, scans):
        self._scans, self._times = iter(scans), []

    def scan(self):
        found = next(self._scans)
        if isinstance(found, OSError):
            raise found
        self._times = [np.datetime64("2026-06-01T12:00", "ns") + minute * MINUTE for minute in found]

    def times(self):
        return self._times


def test_every_new_frame_has_one_outcome(monkeypatch, tmp_path):
    """The newest of the first frames, then each that is new; an error of the folder is said once."""
    gone = OSError("the folder is away")
    scans = [gone, gone, [], [0, 5], [0, 5, 10], gone, [0, 5, 10, 15, 20]]
    asked = []

    def write(forecasting, init, path, files):
        asked.append(path.name)
        if path.name == "nowcast_20260601T121500Z.nc":
            raise ValueError("frames\nare missing")
        return job.Outcome(f"{path.name} is written")

    forecasting = job.Forecasting(None, ScriptedFeed(scans), None)
    monkeypatch.setattr(job, "open_forecasting", lambda options, stopped: forecasting)
    monkeypatch.setattr(job, "write_nowcast", write)
    folder = tmp_path / "nowcasts"
    folder.mkdir()
    (folder / "nowcast_20260601T121000Z.nc").touch()
    texts = []
    files = ForecastFiles(str(folder))
    for outcome in job.watch(ForecastOptions("run", "feed"), files, 0.0, lambda: len(texts) == 5):
        texts.append(outcome.text)
    assert texts == [
        "the folder is away",
        "nowcast_20260601T120500Z.nc is written",
        f"{pathlib.Path(folder, 'nowcast_20260601T121000Z.nc')} is there already",
        "no nowcast from 2026-06-01T12:15:00: frames are missing",
        "nowcast_20260601T122000Z.nc is written",
    ]
    assert asked == [f"nowcast_20260601T12{minute:02d}00Z.nc" for minute in (5, 15, 20)]


def test_every_new_frame_has_its_members(monkeypatch, tmp_path):
    """A watched folder of an ensemble: a file for each frame, the same members again after a restart."""
    monkeypatch.setitem(BASELINES, "fake", Baseline(FakeEnsemble, ensemble=True))
    feed, output = tmp_path / "incoming", tmp_path / "nowcasts"
    feed.mkdir()
    texts = []

    def arrive(number):
        time = np.datetime64("2026-06-01T12:00", "ns") + 5 * number * MINUTE
        frame = np.full((1, 4, 5), number, np.float32)
        data = xr.DataArray(frame, {"time": [time]}, ("time", "y", "x"), "rain", {"units": "mm h-1"})
        data.to_netcdf(feed / f"{number}.nc")

    for number in range(4):
        arrive(number)
    options = ForecastOptions("fake", str(feed), num_steps=2, ensemble=EnsembleOptions(members=3, statistic=("mean",)))
    for outcome in job.watch(options, ForecastFiles(str(output)), 0.0, lambda: len(texts) == 2):
        texts.append(outcome.text)
        if len(texts) == 1:
            arrive(4)
    assert [path.name for path in sorted(output.iterdir())] == [f"nowcast_20260601T12{m}00Z.nc" for m in (15, 20)]
    for number, path in zip((3, 4), sorted(output.iterdir())):
        newest = np.full((1, 1, 4, 5, 1), number, np.float32)
        mean = FakeEnsemble.of(3, 0)(newest, 2)[0, ..., 0].mean(axis=0)
        with xr.open_dataset(path, decode_timedelta=False) as found:
            np.testing.assert_array_equal(found["rain"].values, mean)


def test_a_signal_stops_before_the_next_frame(monkeypatch, tmp_path):
    forecasting = job.Forecasting(None, ScriptedFeed([[0], [0, 5, 10]]), None)
    monkeypatch.setattr(job, "open_forecasting", lambda options, stopped: forecasting)
    monkeypatch.setattr(job, "write_nowcast", lambda forecasting, init, *rest: job.Outcome(str(init)))
    texts = []
    files = ForecastFiles(str(tmp_path))
    for outcome in job.watch(ForecastOptions("run", "feed"), files, 0.0, lambda: len(texts) == 2):
        texts.append(outcome.text[11:16])
    assert texts == ["12:00", "12:05"]


def test_a_folder_of_nowcasts_has_one_watcher(monkeypatch, tmp_path):
    monkeypatch.setattr(
        job, "open_forecasting", lambda options, stopped: job.Forecasting(None, ScriptedFeed([[0]]), None)
    )
    watch = (ForecastOptions("run", "feed"), ForecastFiles(str(tmp_path)), 0.0, lambda: True)
    first = job.watch(*watch)
    with pytest.raises(ValueError, match=r"process \d+ on .* writes to this folder"):
        job.watch(*watch)
    assert list(first) == [] == list(job.watch(*watch)) and list(tmp_path.iterdir()) == []
