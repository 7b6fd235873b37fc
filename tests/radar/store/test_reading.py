"""Stores: what was read is what the archive holds, and only what is asked for is read."""

import json
import os
import shutil

import netCDF4
import numpy as np
import pytest
import xarray as xr
from tiny import ROOT

from predjax.commands.prepare import main as prepare
from predjax.radar.config import DataConfig
from predjax.radar.formats.lazy import find_codes
from predjax.radar.movies import check_movies
from predjax.radar.readers import read_movies
from predjax.radar.windows.batches import BatchSource
from predjax.radar.windows.index import WindowIndex
from predjax.radar.windows.runs import find_periods

MISSING = -32768


def write(path, frames, minutes, dtype="i2", **attrs):
    """A file of dBZ (time, y, x) on a projected grid, int16 hundredths with gaps in the coverage."""
    with netCDF4.Dataset(path, "w") as file:
        for name, size in zip(("time", "y", "x"), frames.shape):
            file.createDimension(name, size)
        time = file.createVariable("time", "i4", ("time",))
        time.units, time[:] = "minutes since 2020-01-01", minutes
        for name in ("y", "x"):
            axis = file.createVariable(name, "f8", (name,))
            axis.setncatts({"units": "m", "standard_name": f"projection_{name}_coordinate"})
            axis[:] = 1000.0 * np.arange(file.dimensions[name].size) + 0.1
        crs = file.createVariable("crs", "i4", ())
        crs.setncatts({"grid_mapping_name": "lambert_conformal_conic", "standard_parallel": np.array([30.0, 60.0])})
        crs.earth_radius = np.float32(6370997.3)
        variable = file.createVariable("dbz", dtype, ("time", "y", "x"), zlib=True, fill_value=MISSING)
        variable.set_auto_maskandscale(False)
        variable.setncatts({"units": "dBZ", "grid_mapping": "crs"} | attrs)
        variable[:] = frames
        file.title = "Rain"
    return path


def count(number, seed=0, size=12):
    """Frames of stored numbers, a tenth of them missing."""
    rng = np.random.default_rng(seed)
    frames = rng.integers(-1000, 5000, (number, size, size))
    return np.where(rng.random(frames.shape) < 0.1, MISSING, frames).astype("i2")


def make_store(data_path, store, *arguments):
    assert prepare(["--data_path", str(data_path), "--output", str(store), *arguments]) == 0
    return store


def same_bits(one, other):
    return one.dtype == other.dtype == np.float32 and (one.view("u4") == other.view("u4")).all()


def assert_same_movies(stores, archives):
    assert len(stores) == len(archives)
    for one, other in zip(stores, archives):
        xr.testing.assert_identical(one.drop_vars("frames"), other.drop_vars("frames"))
        assert one.frames.attrs == other.frames.attrs
        assert same_bits(one.frames.values, other.frames.values)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Frames of 5 minutes in files of one or four, with a gap, and files that share times."""
    folder = tmp_path_factory.mktemp("archive")
    frames = count(14)
    write(folder / "a.nc", frames[:4], 5 * np.arange(4), scale_factor=0.01)
    write(folder / "b.nc", frames[2:6], 5 * np.arange(2, 6), scale_factor=0.01)
    for number in range(6, 14):
        write(folder / f"c{20 - number}.nc", frames[[number]], [5 * number + 60 * (number > 9)], scale_factor=0.01)
    return folder


@pytest.fixture(scope="module")
def store(archive, tmp_path_factory):
    return make_store(archive / "*.nc", tmp_path_factory.mktemp("stores") / "store")


def test_a_store_of_many_files_is_their_movie(archive, store):
    stores, archives = read_movies(store), read_movies(archive)
    assert_same_movies(stores, archives)
    assert find_periods(stores) == find_periods(archives)
    assert [period[2:] for period in find_periods(stores)] == [(0, 10), (10, 14)]
    codes, table = find_codes(stores[0].frames)
    expected, values = find_codes(archives[0].frames)
    assert codes.dtype == np.uint16
    np.testing.assert_array_equal(codes.values, expected.values)
    assert same_bits(table, values)


def test_batches_of_a_store_are_those_of_the_archive(archive, store):
    config = DataConfig(crop=5)
    one, other = (
        BatchSource(WindowIndex(movies, find_periods(movies), 3, config), 4, 7)
        for movies in map(read_movies, (store, archive))
    )
    for step in range(3):
        (a, table, *_), (b, values, *_) = (source.batch(step, as_codes=True).frames for source in (one, other))
        assert a.dtype == np.uint16 and same_bits(table, values)
        np.testing.assert_array_equal(a, b)


def test_a_store_is_read_with_numpy_alone(archive, store):
    index = json.loads((store / "index.json").read_text())
    (grid,) = index["grids"]
    folder = store / grid["folder"]
    values = np.load(folder / "values.npy")[np.load(folder / "frames.npy", mmap_mode="r")[3:5]]
    (movies,) = read_movies(archive)
    assert same_bits(values, movies.frames[0, 3:5].values)
    times = np.load(folder / "times.npy").view("datetime64[ns]")
    np.testing.assert_array_equal(times, movies.time.values[0])
    assert grid["segments"] == [
        [0, 0, 10, "2020-01-01T00:00:00", "2020-01-01T00:45:00"],
        [0, 10, 14, "2020-01-01T01:50:00", "2020-01-01T02:05:00"],
    ]
    covered, wet, mean = np.load(folder / "statistics.npy").T
    assert index["statistics"] == ["covered", "wet", "mean"] and index["wet_threshold"] == 10
    frames = movies.frames.values[0]
    np.testing.assert_allclose(covered, np.isfinite(frames).mean((1, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(wet, (frames >= 10).mean((1, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(mean, np.nanmean(frames, (1, 2, 3)), rtol=1e-6)


def sample(folder, kind):
    rng = np.random.default_rng(1)
    if kind == "movies with times":
        return shutil.copy(ROOT / "data" / "radar_movies.nc", folder / "a.nc")
    if kind == "npz":
        np.savez(folder / "a.npz", rng.integers(0, 256, (3, 4, 8, 8), np.uint8))
        return folder / "a.npz"
    arrays = {
        "movies": rng.integers(0, 256, (3, 5, 8, 8), np.uint8),
        "times last": rng.integers(0, 256, (3, 8, 8, 5), np.uint8),
        "signed": rng.integers(-128, 128, (5, 8, 9)).astype("i1"),
        "big-endian": rng.integers(0, 999, (5, 8, 9)).astype(">i2"),
        "Fortran": np.asfortranarray(rng.integers(0, 999, (3, 5, 8, 8, 2), np.uint16)),
        "values": rng.random((2, 6, 8, 8)),
        "series": rng.random((50, 4)).astype("f4"),
        "int32": rng.integers(0, 999, (5, 8, 9)),
    }
    np.save(folder / "a.npy", arrays[kind])
    return folder / "a.npy"


KINDS = ["movies with times", "npz", "movies", "times last", "signed", "big-endian", "Fortran", "values", "series"]


@pytest.mark.parametrize("kind", [*KINDS, "int32"])
def test_movies_of_every_kind_come_back(kind, tmp_path, monkeypatch):
    monkeypatch.setattr("predjax.radar.store.grids.SLAB_BYTES", 2**20 if "times" in kind else 1000)
    path = sample(tmp_path, kind)
    store = make_store(path, tmp_path / "store")
    assert_same_movies(read_movies(store), read_movies(path))
    if kind not in ("values", "series", "int32"):
        assert find_codes(read_movies(store)[0].frames) is not None


def test_stores_stand_in_lists_and_globs(tmp_path, store):
    np.save(tmp_path / "a.npy", np.ones((4, 6, 6), np.float32))
    other = make_store(tmp_path / "a.npy", tmp_path / "one", "--units", "dBZ")
    sources = read_movies(f"{other},{tmp_path / 'a.npy'},{store}", units="dBZ")
    assert [movies.attrs["source"] for movies in sources] == ["a.npy", "a.npy", f"{sources[2].attrs['source']}"]
    (movies,) = read_movies(f"{tmp_path}/o*", units="dBZ")
    assert movies.frames.attrs["units"] == "dBZ"


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_units_are_converted_at_the_door(dtype, tmp_path, archive):
    store = make_store(archive, tmp_path / "store", "--dtype", dtype)
    (found,), (expected,) = (read_movies(path, units="mm/h") for path in (store, archive))
    assert found.frames.attrs == expected.frames.attrs
    np.testing.assert_allclose(found.frames.values, expected.frames.values, rtol=1e-5)


def test_a_unit_that_the_user_states_is_that_of_the_files(tmp_path):
    """Where a store is made, or where it is read and has none; a store with a unit is past that."""
    np.save(tmp_path / "a.npy", np.full((4, 6, 6), 2, np.uint8))
    none = make_store(tmp_path / "a.npy", tmp_path / "none")
    rate = make_store(tmp_path / "a.npy", tmp_path / "rate", "--source_units", "mm/5min")
    for path in (none, rate):
        (movies,) = read_movies(path, source_units="mm/5min")
        assert movies.frames.attrs["units"] == "mm/h" and (movies.frames.values == 24).all()
        assert sum("mm/5min" in remark for remark in movies.attrs["remarks"]) == 2
    (movies,) = read_movies(none, source_units="mm", accumulation_period="15min")
    assert (movies.frames.values == 8).all()


def test_files_of_several_packings_become_one_ladder(tmp_path):
    frames = count(4)
    write(tmp_path / "a.nc", frames[:2], [0, 5], scale_factor=0.01)
    write(tmp_path / "b.nc", frames[2:], [10, 15], scale_factor=0.005)
    (found,), (expected,) = (read_movies(p) for p in (make_store(tmp_path, tmp_path / "store"), tmp_path))
    assert find_codes(expected.frames) is None and find_codes(found.frames)[0].dtype == np.uint16
    np.testing.assert_allclose(found.frames.values, expected.frames.values, rtol=0, atol=0.0025 + 1e-6)


@pytest.fixture
def copied(store, tmp_path):
    return shutil.copytree(store, tmp_path / "copy")


@pytest.mark.parametrize("name", ["frames.npy", "times.npy", "statistics.npy", "values.npy"])
def test_a_truncated_file_is_named(name, copied):
    path = copied / "grid_0" / name
    os.truncate(path, path.stat().st_size - 2)
    with pytest.raises(ValueError, match=f"{name}: the file has .* bytes, the index of the store says"):
        read_movies(copied)


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ('"version": 1', '"version": 9', "the store has the version 9, this predjax reads 1"),
        ('"movies"', '"other"', "index.json: the index is damaged .'movies'"),
        ('"dtype": "<u2"', '"dtype": "<i2"', r"the index of the store says <i2 \[14, 12, 12, 1\], the file holds <u2"),
    ],
)
def test_another_index_is_refused(old, new, error, copied):
    index = copied / "index.json"
    index.write_text(index.read_text().replace(old, new))
    with pytest.raises(ValueError, match=error):
        read_movies(copied)


def test_what_a_store_does_not_hold_is_refused(store):
    assert read_movies(store, variable="dbz") and read_movies(store, variable="group/dbz")
    with pytest.raises(ValueError, match="the store holds dbz, not rain"):
        read_movies(store, variable="rain")
    with pytest.raises(ValueError, match="a store has no variable 'wind'"):
        read_movies(store, forcings=("wind",))


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="reads the memory of the process from /proc")
def test_only_windows_are_read_of_a_store_larger_than_memory(store, tmp_path):
    """200 GB, sparse on disk: 400,000 frames of 512x512."""
    side, number = 512, 400_000
    copy = shutil.copytree(store, tmp_path / "large")
    index = json.loads((copy / "index.json").read_text())
    (grid,) = index["grids"]
    header = {"descr": "<u2", "fortran_order": False}
    for name, shape, dtype in (("frames", (number, side, side, 1), "<u2"), ("times", (number,), "<i8")):
        with open(copy / "grid_0" / f"{name}.npy", "wb") as file:
            np.lib.format.write_array_header_1_0(file, header | {"shape": shape, "descr": dtype})
            if name == "times":
                file.write(np.arange(number, dtype="<i8") * 300 * 10**9)
            else:
                file.truncate(file.tell() + 2 * int(np.prod(shape)))
            grid["files"][f"{name}.npy"] = file.seek(0, os.SEEK_END)
    grid["shape"] = [number, side, side, 1]
    for axis in "yx":
        grid[axis]["values"] = list(range(side))
    (copy / "index.json").write_text(json.dumps(index))
    assert os.path.getsize(copy / "grid_0" / "frames.npy") > 200e9

    before = resident()
    (movies,) = read_movies(copy)
    check_movies(movies)
    source = BatchSource(WindowIndex([movies], find_periods([movies]), 20, DataConfig()), 8, 0)
    for step in range(3):
        assert source.batch(step, as_codes=True).frames.codes.shape == (8, 20, side, side, 1)
    spread = movies.frames.isel(time=[0, number // 2, number - 1])
    assert spread.values.shape == (1, 3, side, side, 1)
    assert movies.frames[0, ::100_000, 3:5, [0, 511]].values.shape == (4, 2, 2, 1)
    assert movies.frames[0, [5, number - 1], 4, ::-1, 0].values.shape == (2, side)
    assert resident() - before < 2**29


def write_rain(path, values):
    """A file of rain (time, 8, 8) every 5 minutes; nothing declares what is missing."""
    time = np.datetime64("2020-01-01", "ns") + np.arange(len(values)) * np.timedelta64(5, "m")
    rain = (("time", "y", "x"), values.astype("f4"), {"standard_name": "rainfall_rate", "units": "mm/h"})
    pixels = {axis: (axis, np.arange(8.0), {"units": "km"}) for axis in "yx"}
    xr.Dataset({"rain": rain}, {"time": time, **pixels}).to_netcdf(path)
    return path


def test_a_store_keeps_what_values_were_taken_for(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("predjax.radar.store.grids.SLAB_BYTES", 4 * 64)  # a frame
    values = np.ones((20, 8, 8))
    values[5:8, 0] = -3
    values[13, 4, 4] = -0.25
    store = make_store(write_rain(tmp_path / "a.nc", values), tmp_path / "s", "--dtype", "float32")
    lines = [
        "-3 is taken as no coverage, though nothing declares it: 24 of 1280 pixels",
        "negative rain, down to -0.25 mm/h, is taken as 0: 1 of 1280 pixels",
    ]
    assert f"changed     {lines[0]}\n            {lines[1]}\n" in capsys.readouterr().out + "\n"
    (movies,) = read_movies(store)
    assert movies.attrs["remarks"] == lines
    expected = np.where(values == -3, np.nan, np.maximum(values, 0))
    np.testing.assert_array_equal(movies.frames.values[0, ..., 0], expected.astype("f4"))
    (grid,) = json.loads((store / "index.json").read_text())["grids"]
    assert grid["changed"] == {"pixels": 1280, "-3": 24, "negative": 1, "least": -0.25}


@pytest.mark.parametrize("dtype", ["float32", "uint16"])
def test_the_values_of_older_stores_are_judged_when_they_are_read(tmp_path, dtype):
    values = np.full((3, 12, 12), 20.0)
    values[1, 0] = np.nan
    frames = np.where(values == 20, 2000, MISSING).astype("i2")
    store = make_store(
        write(tmp_path / "a.nc", frames, [0, 5, 10], scale_factor=0.01), tmp_path / "s", "--dtype", dtype
    )
    index = json.loads((store / "index.json").read_text())
    del index["grids"][0]["changed"]
    (store / "index.json").write_text(json.dumps(index))
    name = "frames.npy" if dtype == "float32" else "values.npy"
    array = np.load(store / "grid_0" / name)
    array[np.isnan(array)] = -99
    np.save(store / "grid_0" / name, array)
    found = read_movies(store)[0].frames.values[0, ..., 0]
    np.testing.assert_array_equal(found, np.where(values == 20, np.float32(20), np.nan))
