"""Batches: a pure function of (seed, step), shared out in slices, with enough coverage."""

import numpy as np
import pytest
import xarray as xr

from predjax.radar.config import DataConfig
from predjax.radar.formats.lazy import read_later
from predjax.radar.movies import check_together
from predjax.radar.windows import batches
from predjax.radar.windows.batches import BatchSource, read_windows
from predjax.radar.windows.index import Window, WindowIndex
from predjax.radar.windows.runs import find_periods

CROPS = DataConfig(crop=4)


def build(movies=2, frames=9, height=10, width=12, *, channels=1, source="a.nc", units="dBZ", forcings=None):
    """Movies whose pixel values tell their own movie, frame, row and column."""
    shape = (movies, frames, height, width, channels)
    place = np.indices(shape)
    values = (place[0] * 1e6 + place[1] * 1e4 + place[2] * 100 + place[3]).astype(np.float32)
    variables = {"frames": (("movie", "time", "y", "x", "channel"), values, {"units": units})}
    coords = {
        "time": (("movie", "time"), np.broadcast_to(np.arange(frames), (movies, frames)).copy(), {"units": "1"}),
        "channel": np.arange(channels),
    }
    if forcings == "map":
        variables["forcings"] = (("movie", "time", "y", "x", "forcing"), np.repeat(-values[..., :1], 2, -1))
    elif forcings == "vector":
        variables["forcings"] = (("movie", "time", "forcing"), -values[:, :, 0, 0, :1].repeat(2, -1))
    if forcings:
        coords["forcing"] = ["u", "v"]
    return xr.Dataset(variables, coords, {"source": source, "files": [source]})


def open_source(*sources, length=3, batch_size=4, config=DataConfig(), seed=0):  # noqa: B008, frozen
    sources = check_together(sources)
    return BatchSource(WindowIndex(sources, find_periods(sources), length, config), batch_size, seed)


def assert_same(one, other):
    assert one.windows == other.windows
    np.testing.assert_array_equal(one.frames, other.frames)


def test_frames_are_those_of_the_windows():
    batch = open_source(build(), config=CROPS).batch(5)
    assert batch.frames.shape == (4, 3, 4, 4, 1) and batch.frames.dtype == np.float32 and batch.forcings is None
    for frames, window in zip(batch.frames, batch.windows):
        movie, start, y, x = window[1:]
        for i in range(3):
            expected = movie * 1e6 + (start + i) * 1e4 + np.add.outer(np.arange(y, y + 4) * 100, np.arange(x, x + 4))
            np.testing.assert_array_equal(frames[i, :, :, 0], expected.astype(np.float32))


def test_a_batch_depends_on_seed_and_step_alone():
    one, other = open_source(build(), config=CROPS, seed=3), open_source(build(), config=CROPS, seed=3)
    for step in (40, 0, 7):
        assert_same(one.batch(step), other.batch(step))
    other.batch(1)
    assert_same(one.batch(7), other.batch(7))
    assert one.batch(7).windows != one.batch(8).windows
    assert one.batch(7).windows != open_source(build(), config=CROPS, seed=4).batch(7).windows


@pytest.mark.parametrize("num_shards", [1, 2, 4])
def test_shards_are_the_slices_of_the_global_batch(num_shards):
    source = open_source(build(), batch_size=8, config=CROPS)
    whole = source.batch(2)
    shards = [source.batch(2, shard, num_shards) for shard in range(num_shards)]
    assert all(len(shard.frames) == 8 // num_shards for shard in shards)
    assert [window for shard in shards for window in shard.windows] == whole.windows
    np.testing.assert_array_equal(np.concatenate([shard.frames for shard in shards]), whole.frames)


def test_a_batch_that_cannot_be_divided_is_refused():
    source = open_source(build(), batch_size=6)
    with pytest.raises(ValueError, match="batch_size 6 cannot be divided among 4 shards evenly"):
        source.batch(0, 0, 4)
    with pytest.raises(ValueError, match="shard 2 is not one of 2"):
        source.batch(0, 2, 2)


@pytest.mark.parametrize("config", [DataConfig(), DataConfig(window_stride=2), DataConfig(crop=5, crop_mode="grid")])
def test_every_window_has_one_turn_an_epoch_in_another_order(config):
    movies = build()
    windows = list(WindowIndex([movies], find_periods([movies]), 3, config))
    source = open_source(movies, batch_size=2, config=config)
    assert source.num_windows == len(windows)
    assert len(windows) % 2 == 0
    steps = len(windows) // 2
    drawn = [window for step in range(2 * steps) for window in source.batch(step).windows]
    epochs = [drawn[: len(windows)], drawn[len(windows) :]]
    assert sorted(epochs[0]) == sorted(epochs[1]) == sorted(windows)
    assert epochs[0] != epochs[1] and epochs[0] != windows


def test_a_batch_may_be_larger_than_an_epoch():
    source = open_source(build(1, 4), batch_size=5)
    starts = [window.start for window in source.batch(0).windows]
    assert source.num_windows == 2 and sorted(starts[:2]) == sorted(starts[2:4]) == [0, 1]


def test_random_crops_lie_inside_and_reach_every_edge():
    source = open_source(build(), batch_size=400, config=CROPS)
    corners = np.array([window[3:] for window in source.batch(0).windows])
    assert corners.min(0).tolist() == [0, 0] and corners.max(0).tolist() == [6, 8]


def test_windows_never_cross_a_gap():
    movies = build(1, 12)
    minutes = np.array([0, 5, 10, 15, 60, 65, 70, 75, 80, 85, 200, 205])
    movies["time"] = (("movie", "time"), np.datetime64("2020-01-01", "ns") + minutes[None] * np.timedelta64(1, "m"))
    movies.attrs["step_seconds"] = 300.0
    source = open_source(movies, batch_size=60)
    assert {window.start for window in source.batch(0).windows} == {0, 1, 4, 5, 6, 7}


def test_windows_without_coverage_give_their_turn_to_others():
    movies = build(1, 12, 10, 20)
    movies["frames"][:, :, :, :12] = np.nan
    movies["frames"][:, 4:6] = np.nan
    source = open_source(movies, batch_size=100, config=DataConfig(crop=6, min_coverage=0.6))
    batch = source.batch(0)
    assert np.isfinite(batch.frames).mean((1, 2, 3, 4)).min() >= 0.6
    assert {window.start for window in batch.windows} <= {0, 1, 2, 3, 4, 5, 6, 7, 8, 9} - {4, 5}
    assert {0, 1, 6, 9} <= {window.start for window in batch.windows}
    assert {window.x for window in batch.windows} == {10, 11, 12, 13, 14}
    assert_same(batch, source.batch(0))
    fixed = open_source(movies, batch_size=30, config=DataConfig(crop=6, crop_mode="grid", min_coverage=0.6)).batch(0)
    assert {window.x for window in fixed.windows} == {12, 14}


def test_min_coverage_zero_draws_everything():
    movies = build(1, 4)
    movies["frames"][:] = np.nan
    batch = open_source(movies, config=DataConfig(min_coverage=0.0)).batch(0)
    assert np.isnan(batch.frames).all()


def test_the_first_frame_is_read_before_the_window(monkeypatch):
    """A rejected crop costs one frame."""
    movies, read = build(1, 12, 10, 20), []
    movies["frames"][:, :, :, :12] = np.nan
    cut = batches._cut
    monkeypatch.setattr(batches, "_cut", lambda a, w, length, *size: read.append(length) or cut(a, w, length, *size))
    open_source(movies, length=5, batch_size=50, config=DataConfig(crop=6, min_coverage=0.6)).batch(0)
    frames = [length for length in read if length]
    assert frames.count(1) > 60 and frames.count(5) == 100  # each kept window: frames and the (absent) forcings


@pytest.mark.parametrize("units", ["mm/h", "dBZ"])
def test_windows_with_rain_are_taken_more_often(units):
    """Of as many wet movies as nearly dry ones: the wet ones are drawn more often, in proportion to their rain."""
    movies = build(movies=8, units=units)
    rain, little = (0.5, 0.05) if units == "mm/h" else (10 * np.log10(200 * 0.5**1.6), 10 * np.log10(200 * 0.05**1.6))
    movies["frames"].values[:4], movies["frames"].values[4:] = rain, little
    wanted = 1 - np.exp(-0.5)
    drawn = {}
    for importance in (0.0, wanted):
        source = open_source(movies, batch_size=8, config=DataConfig(importance=importance))
        windows = [window for step in range(60) for window in source.batch(step).windows]
        drawn[importance] = np.mean([window.movie < 4 for window in windows])
        assert source.batch(3).windows == windows[24:32]
    share = (1 - np.exp(-0.05)) / wanted
    assert abs(drawn[0.0] - 0.5) < 0.06
    # A dry window that is not taken gives its turn to one of any kind.
    taken = (1 + share) / 2
    assert abs(drawn[wanted] - (0.5 + 0.5 * (1 - share) * 0.5 / taken)) < 0.06


def test_importance_is_of_rain():
    with pytest.raises(ValueError, match=r"importance 0\.2 is of rain in mm/h or dBZ, not of frames in 1"):
        open_source(build(units="1"), config=DataConfig(importance=0.2))


def test_no_window_with_coverage_names_file_rule_and_value():
    movies = build(2, 6, source="sea.nc")
    movies["frames"][:, :, 3:] = np.nan
    source = open_source(movies, config=DataConfig(min_coverage=0.8))
    with pytest.raises(ValueError, match=r"^sea\.nc: .*min_coverage 0\.8 in \d+ tries: at best 0\.3 of the pixels"):
        source.batch(0)


def test_sources_of_different_grids_mix_in_one_batch_of_crops():
    sources = [build(1, 9), build(1, 5, 7, 30, source="b.nc")]
    batch = open_source(*sources, batch_size=40, config=CROPS).batch(0)
    assert {window.source for window in batch.windows} == {0, 1}
    assert batch.frames.shape == (40, 3, 4, 4, 1)
    assert max(window.x for window in batch.windows if window.source == 1) > 8
    assert_same(batch, read_windows(sources, batch.windows, 3, 4))


def test_sources_of_different_grids_need_a_crop():
    sources = build(), build(height=11, source="b.nc")
    message = "a.nc has frames of 10x12 and b.nc of 11x12: frames of different sizes are used together with --crop"
    with pytest.raises(ValueError, match=message):
        open_source(*sources)
    with pytest.raises(ValueError, match=message):
        read_windows(sources, [Window(0, 0, 0, 0, 0), Window(1, 0, 0, 0, 0)], 3, 0)
    assert read_windows(sources, [Window(1, 0, 0, 0, 0)], 3, 0).frames.shape == (1, 3, 11, 12, 1)


@pytest.mark.parametrize("difference", [{"channels": 2}, {"units": "mm/h"}, {"forcings": "map"}])
def test_sources_that_do_not_go_together_are_named(difference):
    with pytest.raises(ValueError, match=r"a\.nc.*b\.nc"):
        open_source(build(), build(source="b.nc", **difference))


def test_maps_and_numbers_are_not_mixed_as_forcings():
    with pytest.raises(ValueError, match=r"a\.nc and b\.nc: the forcings are a map in one"):
        open_source(build(forcings="map"), build(forcings="vector", source="b.nc"))


def test_wrong_sizes_are_named():
    with pytest.raises(ValueError, match=r"crop 11 is larger than the frame 10x12 of a\.nc"):
        open_source(build(), config=DataConfig(crop=11))
    with pytest.raises(ValueError, match=r"crop 11 is larger than the frame 10x12 of a\.nc"):
        read_windows([build()], [Window(0, 0, 0, 0, 0)], 3, 11)
    with pytest.raises(ValueError, match=r"a window of 10 frames is longer .* the longest has 9, in a\.nc"):
        open_source(build(), length=10)
    with pytest.raises(ValueError, match="there is no period"):
        BatchSource(WindowIndex([build()], [], 3, DataConfig()), 4, 0)
    with pytest.raises(ValueError, match="there are no windows"):
        read_windows([build()], [], 3, 0)


def test_a_missing_forcing_is_refused_by_its_place():
    movies = build(forcings="map")
    movies.forcings[1, 5, 2, 3, 1] = np.nan
    with pytest.raises(ValueError, match=r"a\.nc: forcing 1 is missing in frame 5 of movie 1; forcings must be known"):
        read_windows([movies], [Window(0, 0, 0, 0, 0), Window(0, 1, 4, 0, 0)], 3)
    source = open_source(movies)
    with pytest.raises(ValueError, match=r"a\.nc: forcing 1 is missing in frame 5 of movie 1"):
        for step in range(source.num_windows // 4 + 1):
            source.batch(step)


def test_forcings_follow_their_window():
    batch = open_source(build(forcings="map"), config=CROPS).batch(1)
    assert batch.forcings.shape == (4, 3, 4, 4, 2)
    np.testing.assert_array_equal(batch.forcings, -np.repeat(batch.frames, 2, -1))
    batch = open_source(build(forcings="vector"), config=CROPS).batch(1)
    expected = [[-(w.movie * 1e6 + (w.start + i) * 1e4) for i in range(3)] for w in batch.windows]
    np.testing.assert_array_equal(batch.forcings, np.repeat(np.array(expected)[..., None], 2, -1))


class Recorded:
    """An array that is read lazily and remembers how much."""

    reads_lists = False

    def __init__(self, values):
        self.values, self.shape, self.dtype, self.taken = values, values.shape, values.dtype, []

    def read(self, key):
        self.taken.append(self.values[key].shape)
        return self.values[key]


def test_large_sources_are_read_window_by_window(monkeypatch):
    movies = build(forcings="map")
    file = Recorded(movies.frames.values)
    lazy = movies.assign(frames=read_later(movies.frames.dims, file, movies.frames.attrs))
    kept = open_source(lazy, config=CROPS)
    assert file.taken == [file.shape]
    monkeypatch.setattr(batches, "MEMORY_LIMIT", 0)
    source = open_source(lazy, config=CROPS)
    file.taken.clear()
    for step in range(4):
        batch = source.batch(step)
        assert_same(kept.batch(step), batch)
        np.testing.assert_array_equal(kept.batch(step).forcings, batch.forcings)
        assert_same(batch, read_windows([lazy], batch.windows, 3, 4))
    assert set(file.taken) == {(1, 4, 4, 1), (3, 4, 4, 1)}  # the first frame, then the window
