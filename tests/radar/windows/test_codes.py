"""Frames as they are stored: the bits of frames decoded on the host, and only where the file can vouch for them."""

import netCDF4
import numpy as np
import pytest

from predjax.radar.config import DataConfig
from predjax.radar.formats.catalogue import Reading
from predjax.radar.formats.lazy import find_codes
from predjax.radar.readers import read_gridded, read_movies
from predjax.radar.windows import batches
from predjax.radar.windows.batches import BatchSource, read_windows
from predjax.radar.windows.codes import CodedFrames, decode
from predjax.radar.windows.index import WindowIndex
from predjax.radar.windows.runs import find_periods

MISSING = -32768
PACKING = {"scale_factor": 0.01, "add_offset": 12.5, "_FillValue": np.int16(MISSING), "units": "dBZ"}


def count(seed=0, shape=(12, 10, 14), dtype=np.int16):
    """Stored numbers, of frames (time, y, x); a tenth of int16 is missing."""
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).itemsize == 1:
        return rng.integers(0, 256, shape).astype(dtype)
    return np.where(rng.random(shape) < 0.1, MISSING, rng.integers(-3000, 5000, shape)).astype(dtype)


def write(path, stored, first=0, **attrs):
    with netCDF4.Dataset(path, "w") as file:
        for name, size in zip(("time", "y", "x"), stored.shape):
            file.createDimension(name, size)
        time = file.createVariable("time", "i4", ("time",))
        time.units, time[:] = "minutes since 2020-01-01", 5 * (first + np.arange(len(stored)))
        attrs = PACKING | attrs
        fill = attrs.pop("_FillValue")
        variable = file.createVariable("rain", stored.dtype, ("time", "y", "x"), zlib=True, fill_value=fill)
        variable.set_auto_maskandscale(False)
        variable.setncatts(attrs)
        variable[:] = stored
    return path


def write_single_frames(folder, stored):
    for number, frame in enumerate(stored):
        write(folder / f"f{number:02d}.nc", frame[None], number)
    return folder


def open_source(sources, **config):
    config = DataConfig(**{"crop": 5, "min_coverage": 0.5} | config)
    return BatchSource(WindowIndex(sources, find_periods(sources), 3, config), 4, 0)


def assert_same_bits(one, other):
    assert one.dtype == other.dtype == np.float32
    np.testing.assert_array_equal(np.ascontiguousarray(one).view("u4"), np.ascontiguousarray(other).view("u4"))


def save(path, array):
    np.save(path, array)
    return path


FILES = {
    "uint8 npy": lambda folder: save(folder / "a.npy", count(dtype=np.uint8)),
    "int8 npy": lambda folder: save(folder / "a.npy", count(dtype=np.int8)),
    "big-endian npy": lambda folder: save(folder / "a.npy", count(dtype=">i2")),
    "Fortran npy": lambda folder: save(folder / "a.npy", np.asfortranarray(count(dtype=np.uint16))),
    "npz": lambda folder: np.savez(folder / "a.npz", count(dtype=np.uint8)) or folder / "a.npz",
    "packed netCDF": lambda folder: write(folder / "a.nc", count()),
    "valid range": lambda folder: write(folder / "a.nc", count(), valid_range=np.array([-2900, 4900], "i2")),
    "two codes missing": lambda folder: write(folder / "a.nc", count(), missing_value=np.int16(7)),
    "small files": lambda folder: write_single_frames(folder, count()),
}


@pytest.mark.parametrize("limit", [2**30, 0], ids=["in memory", "window by window"])
@pytest.mark.parametrize(("kind", "units"), [*((kind, "file") for kind in FILES), ("packed netCDF", "mm/h")])
def test_stored_frames_are_the_frames(kind, units, limit, tmp_path, monkeypatch):
    """Whatever turns the numbers into values, also a Z-R relation: to the bit, and half or a quarter of the bytes."""
    monkeypatch.setattr(batches, "MEMORY_LIMIT", limit)
    sources = read_movies(FILES[kind](tmp_path), units=units, layout="time,y,x")
    source = open_source(sources)
    for step in range(3):
        stored, plain = source.batch(step, as_codes=True), source.batch(step)
        assert isinstance(stored.frames, CodedFrames)
        assert stored.frames.codes.dtype == {256: np.uint8, 65536: np.uint16}[len(source.table)]
        assert stored.windows == plain.windows
        assert_same_bits(decode(stored.frames), plain.frames)
        assert_same_bits(plain.frames, read_windows(sources, plain.windows, 3, 5).frames)


def test_the_code_of_missing_data_becomes_nan(tmp_path):
    stored = np.full((3, 8, 8), 250, "i2")
    stored[1, 2:4] = MISSING
    source = open_source(read_movies(write(tmp_path / "a.nc", stored)), crop=0)
    frames = decode(source.batch(0, as_codes=True).frames)
    assert np.isnan(frames[:, 1, 2:4]).all() and np.isnan(frames).sum() == 4 * 2 * 8
    np.testing.assert_array_equal(frames[:, 0], np.float32(15))


def test_coverage_is_that_of_the_values(tmp_path):
    stored = count()
    stored[:, :, :9] = MISSING
    source = open_source(read_movies(write(tmp_path / "a.nc", stored)), min_coverage=0.6)
    for step in range(4):
        assert np.isfinite(decode(source.batch(step, as_codes=True).frames)).mean((1, 2, 3, 4)).min() >= 0.6


@pytest.mark.parametrize(
    ("attrs", "dtype", "alike"),
    [({}, "i2", True), ({"scale_factor": 0.02}, "i2", False), ({"add_offset": 0.0}, "i2", False), ({}, "f4", False)],
)
def test_sources_that_differ_are_decoded_on_the_host(attrs, dtype, alike, tmp_path):
    first = write(tmp_path / "a.nc", count())
    other = write(tmp_path / "b.nc", count(1, (9, 12, 12)).astype(dtype), **attrs)
    sources = read_movies([first, other])
    source = open_source(sources)
    frames = [source.batch(step, as_codes=True) for step in range(4)]
    assert {window.source for batch in frames for window in batch.windows} == {0, 1}
    assert (source.table is not None) == alike
    for batch in frames:
        assert isinstance(batch.frames, CodedFrames) == alike
        assert_same_bits(decode(batch.frames), read_windows(sources, batch.windows, 3, 5).frames)


def test_files_of_one_movie_that_differ_are_decoded_on_the_host(tmp_path):
    stored = count()
    write(tmp_path / "a.nc", stored[:6])
    write(tmp_path / "b.nc", stored[6:], 6, scale_factor=0.005)
    sources = read_movies(tmp_path)
    assert len(sources) == 1
    batch = open_source(sources).batch(0, as_codes=True)
    assert_same_bits(batch.frames, read_windows(sources, batch.windows, 3, 5).frames)


def test_frames_that_somebody_changed_are_not_read_from_the_file(tmp_path):
    (movies,) = read_movies(write(tmp_path / "a.nc", count()))
    changed = movies.assign(frames=movies.frames * np.float32(2))
    for one in (changed, movies.load()):
        assert find_codes(one.frames) is None
        batch = open_source([one]).batch(0, as_codes=True)
        assert_same_bits(batch.frames, read_windows([one], batch.windows, 3, 5).frames)


def test_a_part_of_the_movies_stays_stored(tmp_path):
    (movies,) = read_movies(write(tmp_path / "a.nc", count()))
    part = movies.isel(time=slice(4, None), y=slice(None, None, -1))
    codes, table = find_codes(part.frames)
    assert_same_bits(table[codes.values], movies.frames.values[:, 4:, ::-1])


@pytest.mark.parametrize("dtype", ["f4", "f2", "i4"])
def test_other_types_have_no_table(dtype, tmp_path):
    sources = read_movies(save(tmp_path / "a.npy", count().astype(dtype)), layout="time,y,x")
    assert open_source(sources).table is None
    assert open_source(sources).batch(0, as_codes=True).frames.dtype == np.float32


@pytest.mark.parametrize("limit", [2**30, 0], ids=["in memory", "window by window"])
def test_an_undeclared_fill_value_is_an_error(limit, tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "MEMORY_LIMIT", limit)
    stored = np.full((4, 6, 6), 100, "i2")
    stored[1, 2, 3] = 30000  # 312.5 dBZ
    sources = read_gridded(
        [write(tmp_path / "a.nc", stored)], Reading()
    )  # without the look that `read_movies` has at a few frames
    with pytest.raises(ValueError, match=r"a\.nc: rain: holds 312\.5, .* declare it as _FillValue"):
        open_source(sources, crop=0).batch(0, as_codes=True)


def test_what_is_kept_does_not_follow_the_file(tmp_path):
    array = count(dtype=np.uint8)
    source = open_source(read_movies(save(tmp_path / "a.npy", array), layout="time,y,x"))
    before = source.batch(0).frames
    with open(tmp_path / "a.npy", "r+b") as file:
        file.seek(-array.nbytes, 2)
        file.write(b"\0" * array.nbytes)
    assert_same_bits(source.batch(0).frames, before)


def test_all_frames_of_a_packing_share_a_table_that_nobody_can_change(tmp_path):
    table = open_source(read_movies(write(tmp_path / "a.nc", count()))).table
    with pytest.raises(ValueError, match="read-only"):
        table[0] = 1
