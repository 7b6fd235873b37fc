"""Frames by time from files that arrive, and one that is missing made from its neighbours."""

import errno
import os

import numpy as np
import pytest
import xarray as xr

from predjax.radar.feed import Feed
from predjax.radar.formats.open_files import OPEN_FILES
from predjax.radar.readers import read_movies, read_unsaid
from predjax.radar.step import Step

START, STEP = np.datetime64("2026-06-01T12:00", "ns"), np.timedelta64(300, "s")


def write(folder, number, *, name=None, value=None, size=8, units="mm h-1", mapping=None, init=None):
    """A file with one frame, whose pixels are its number."""
    path = folder / (name or f"frame_{number:02d}.nc")
    frame = np.full((1, size, size), float(number) if value is None else value, np.float32)
    axes = {axis: (axis, 1000.0 * np.arange(size), {"units": "m"}) for axis in ("y", "x")}
    coords = {"time": [START + number * STEP], **axes}
    data = xr.Dataset({"rain": (("time", "y", "x"), frame, {"units": units})}, coords)
    if init is not None:
        data["reference"] = ((), START + init * STEP, {"standard_name": "forecast_reference_time"})
    if mapping:
        data["rain"].attrs["grid_mapping"] = "crs"
        data["crs"] = ((), 0, {"grid_mapping_name": "mercator", "standard_parallel": mapping})
    data.to_netcdf(path)
    return path


def mean(before, after, units):
    return (before + after) / 2


def values(movies):
    return movies["frames"].values[0, :, 0, 0, 0].tolist()


def take(feed, number, count=3):
    return feed.take(START + number * STEP, count, Step(300.0), mean)


def test_files_arrive_and_change(tmp_path, caplog):
    for number in (0, 1, 3):
        write(tmp_path, number)
    feed = Feed(tmp_path)
    feed.scan()
    assert feed.times() == [START + n * STEP for n in (0, 1, 3)] and feed.find_step(START + 3 * STEP) == Step(300.0)
    half = write(tmp_path, 2).read_bytes()
    (tmp_path / "frame_02.nc").write_bytes(half[: len(half) // 2])  # still being written
    feed.scan()
    feed.scan()
    assert list(feed.errors) == [str(tmp_path / "frame_02.nc")] and caplog.text.count("left out") == 1
    assert len(feed.times()) == 3
    (tmp_path / "frame_02.nc").write_bytes(half)
    (tmp_path / "frame_00.nc").unlink()
    feed.scan()
    assert not feed.errors and feed.times() == [START + n * STEP for n in (1, 2, 3)]
    movies, filled = take(feed, 3)
    assert values(movies) == [1, 2, 3] and not filled
    np.testing.assert_array_equal(movies["time"].values[0], feed.times())
    assert movies.attrs["step_seconds"] == 300 and movies["x"].attrs["units"] == "m"
    assert movies.attrs["source"] == "frame_01.nc, frame_02.nc, frame_03.nc"


def test_of_two_frames_of_a_time_the_first_file_counts(tmp_path, caplog):
    for number in range(3):
        write(tmp_path, number)
    write(tmp_path, 1, name="frame_01_again.nc", value=99.0)
    feed = Feed(tmp_path)
    feed.scan()
    feed.scan()
    assert values(take(feed, 2)[0]) == [0, 1, 2]
    assert caplog.text.count("another frame of 2026-06-01T12:05") == 1


def test_forecasts_are_no_observations(tmp_path):
    write(tmp_path, 0)
    write(tmp_path, 1, init=1)  # an analysis
    for number in (1, 2):
        write(tmp_path, number, name=f"nowcast_{number}.nc", init=0)
    feed = Feed(tmp_path)
    feed.scan()
    assert feed.times() == [START, START + STEP] and len(feed.errors) == 2
    assert feed.errors[str(tmp_path / "nowcast_2.nc")].endswith("nowcast_2.nc: a forecast, no observation")
    observed, forecast = read_movies(tmp_path)
    assert [one["time"].size for one in (observed, forecast)] == [2, 2]
    assert forecast.attrs["init_time"] == str(START) and "init_time" not in observed.attrs
    assert "frames of a forecast (forecast_reference_time), no observations" in forecast.attrs["remarks"]


def test_frames_without_dates_do_not_stop_a_feed(tmp_path, caplog):
    np.save(tmp_path / "array.npy", np.ones((4, 24, 24), np.float32))
    feed = Feed(tmp_path)
    feed.scan()
    assert feed.times() == [0, 1, 2, 3]
    write(tmp_path, 0)
    for _ in range(2):
        feed.scan()
    assert feed.times() == [START] and list(feed.errors) == [str(tmp_path / "array.npy")]
    assert caplog.text.count("array.npy: its frames have no dates, those of other files have; left out") == 1
    (tmp_path / "frame_00.nc").unlink()
    feed.scan()
    assert feed.times() == [0, 1, 2, 3] and not feed.errors


def test_one_missing_frame_is_filled_in(tmp_path):
    for number in (0, 1, 3, 4):
        write(tmp_path, number)
    feed = Feed(tmp_path)
    feed.scan()
    for last in (3, 4):  # in the middle, and the first of three
        movies, filled = take(feed, last)
        assert filled == [START + 2 * STEP] and 2.0 in values(movies)


@pytest.mark.parametrize(
    ("there", "message"),
    [
        ((0, 1, 4), "2 of the 3 frames up to 2026-06-01T12:20:00 are missing .2026-06-01T12:10:00, 2026-06-01T12:15"),
        ((3, 4), "1 of the 3 frames.*are missing .2026-06-01T12:10:00"),  # nothing before it
    ],
)
def test_more_is_refused(tmp_path, there, message):
    for number in there:
        write(tmp_path, number)
    feed = Feed(tmp_path)
    feed.scan()
    with pytest.raises(ValueError, match=message):
        take(feed, 4)


@pytest.mark.parametrize("other", [{"size": 9}, {"units": "dBZ"}, {"mapping": 31.0}, {"mapping": None}])
def test_frames_of_another_kind_are_not_joined(tmp_path, other):
    for number in range(3):
        write(tmp_path, number, **({"mapping": 30.0} | (other if number == 1 else {})))
    feed = Feed(tmp_path)
    feed.scan()
    with pytest.raises(ValueError, match=r"frame_01\.nc and frame_02\.nc have different grids, units or channels"):
        take(feed, 2)


def test_times_may_be_off_a_little(tmp_path):
    _, path, _ = (write(tmp_path, number) for number in range(3))
    with xr.open_dataset(path) as data:
        shifted = data.load().assign_coords(time=data["time"] + np.timedelta64(2, "s"))
    shifted.to_netcdf(path)
    feed = Feed(tmp_path)
    feed.scan()
    assert values(take(feed, 2)[0]) == [0, 1, 2]


def test_movies_and_arrays_are_feeds_too(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(5.0)[:, None, None] * np.ones((8, 8)))
    feed = Feed(tmp_path / "a.npy")
    feed.scan()
    assert feed.times() == list(range(5)) and values(feed.take(4, 3, Step(1.0), mean)[0]) == [2, 3, 4]
    write(tmp_path, 0)
    feed = Feed(read_movies(tmp_path / "frame_00.nc"))
    feed.scan()
    assert feed.times() == [START]


def test_what_many_files_are_taken_for_is_said_once(tmp_path, caplog):
    for number in range(3):
        write(tmp_path, number, value=np.where(np.arange(8) == 0, -3.0, number))
    feed = Feed(tmp_path)
    feed.scan()
    feed.scan()
    said = "frame_00.nc: -3 is taken as no coverage, though nothing declares it: 8 of 64 pixels so far"
    assert [record.getMessage() for record in caplog.records] == [said]
    assert np.isnan(take(feed, 2)[0]["frames"].values).sum() == 24


def test_a_feed_whose_times_jitter_is_followed(tmp_path, caplog):
    for number, late in enumerate((0, 12, 3, 19, 7)):
        path = write(tmp_path, number)
        with xr.open_dataset(path) as data:
            shifted = data.load().assign_coords(time=data["time"] + np.timedelta64(late, "s"))
        shifted.to_netcdf(path)
    feed = Feed(tmp_path)
    feed.scan()
    newest = feed.times()[-1]
    step = feed.find_step(newest)
    feed.find_step(newest)
    assert step.seconds == 300 and caplog.text.count("times may be off by 45 s") == 1
    movies, filled = feed.take(newest, 4, step, mean)
    assert values(movies) == [1, 2, 3, 4] and not filled
    np.testing.assert_array_equal(movies["time"].values[0], feed.times()[1:])
    given = Feed(tmp_path, step="5min")
    given.scan()
    assert given.find_step(newest) == Step.given(300.0)


def test_a_file_is_open_only_while_it_is_read(tmp_path):
    for number in range(3):
        write(tmp_path, number)
    feed = Feed(tmp_path)
    feed.scan()
    assert len(OPEN_FILES) == 0
    take(feed, 2, count=2)
    assert len(OPEN_FILES) == 0


def test_a_file_that_cannot_be_read_after_all_is_left_out(tmp_path, caplog):
    """Its frame is missing then, until the file changes."""
    path = [write(tmp_path, number) for number in range(5)][3]
    whole = path.read_bytes()
    feed = Feed(tmp_path)
    feed.scan()
    versions = feed.versions(START + 4 * STEP, 2)
    assert [time for time, _ in versions] == [START + 3 * STEP, START + 4 * STEP]
    os.truncate(path, 100)  # between the scan and the reading
    movies, filled = take(feed, 4)
    assert filled == [START + 3 * STEP] and values(movies) == [2, 3, 4]
    assert list(feed.errors) == [str(path)] and caplog.text.count("left out") == 1
    write(tmp_path, 3, name="other.nc").replace(path)
    feed.scan()
    os.truncate(path, 100)
    with pytest.raises(ValueError, match=r"frame_03\.nc"):  # the newest frame itself
        take(feed, 3)
    path.write_bytes(whole)
    feed.scan()
    assert not take(feed, 4)[1] and not feed.errors and feed.versions(START + 4 * STEP, 2) != versions


@pytest.mark.parametrize("took, times", [(0, [0, 10, 30, 70, 150]), (3, [0, 63, 186])])  # seconds
def test_an_unchanged_file_is_tried_again_in_longer_and_longer_pauses(took, times, tmp_path, monkeypatch):
    """The error may be one of its disk; all other files wait for one that takes long."""
    write(tmp_path, 0)
    path = write(tmp_path, 1)
    tried, seconds = [], [0.0]

    def read(paths, **options):
        if paths == [str(path)]:
            tried.append(seconds[0])
            seconds[0] += took
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return read_unsaid(paths, **options)

    monkeypatch.setattr("predjax.radar.feed.read_unsaid", read)
    monkeypatch.setattr("predjax.radar.feed.monotonic", lambda: seconds[0])
    feed = Feed(tmp_path)
    while seconds[0] < 200:
        feed.scan()
        seconds[0] += 5
    assert tried == times and feed.errors == {str(path): f"{path}: Input/output error"}
    monkeypatch.setattr("predjax.radar.feed.read_unsaid", read_unsaid)
    os.utime(path)
    feed.scan()
    assert len(feed.times()) == 2 and not feed.errors


@pytest.mark.parametrize("pattern", ["", "/*.nc"])
def test_a_link_to_itself_or_to_nothing_is_left_out(tmp_path, caplog, pattern):
    write(tmp_path, 0)
    for name, target in (("loop.nc", "loop.nc"), ("lost.nc", "nothing.nc")):
        (tmp_path / name).symlink_to(target)
    feed = Feed(f"{tmp_path}{pattern}")
    feed.scan()
    feed.scan()
    assert feed.times() == [START] and caplog.text.count("left out") == 2
    assert feed.errors[str(tmp_path / "loop.nc")].endswith("Too many levels of symbolic links")
    assert feed.errors[str(tmp_path / "lost.nc")].endswith("No such file or directory")
    (tmp_path / "lost.nc").unlink()
    feed.scan()
    assert list(feed.errors) == [str(tmp_path / "loop.nc")]


def test_hidden_files_of_a_folder_are_left_alone(tmp_path):
    """Programs write to such names before they rename the file."""
    write(tmp_path, 0)
    (tmp_path / ".frame_01.nc").write_bytes(b"a part")
    feed = Feed(tmp_path)
    feed.scan()
    assert feed.times() == [START] and not feed.errors


def test_a_changed_file_that_fails_again_is_read_by_a_new_process(tmp_path, monkeypatch):
    """The library may remember the file as it was; once for each change, so that a damaged file costs little."""
    path = write(tmp_path, 0)
    stale, closed = [True], []

    class Reader:
        def expect(self, files):
            pass

        def close(self):
            closed.append(path.stat().st_size)
            stale.clear()

    def read(paths, reader=None, **options):
        if stale:
            raise ValueError(f"{paths[0]}: damaged")
        return read_unsaid(paths, **options)

    monkeypatch.setattr("predjax.radar.feed.read_unsaid", read)
    feed = Feed(tmp_path, reader=Reader())
    feed.scan()
    feed.scan()
    assert feed.errors and not closed
    os.utime(path, (1, 1))
    feed.scan()
    assert feed.times() == [START] and not feed.errors and len(closed) == 1
    for second in (2, 3):
        stale.append(True)
        os.utime(path, (second, second))
        monkeypatch.setattr(Reader, "close", lambda reader: closed.append(0))
        feed.scan()
        feed.scan()
    assert feed.errors and len(closed) == 3
