"""Zarr stores with CF variables, as MLCast archives are."""

import importlib.util
import json

import numpy as np
import pytest
import xarray as xr

from predjax import messages
from predjax.commands.prepare import main as prepare
from predjax.radar.formats.lazy import find_codes
from predjax.radar.formats.open_files import OPEN_FILES
from predjax.radar.readers import expand_paths, read_movies

zarr = pytest.importorskip("zarr", reason="zarr writes the test stores (extra zarr)")

SHAPE = (6, 10, 12)
START = np.datetime64("2021-03-01T00:00", "ns")
CRS = {"grid_mapping_name": "latitude_longitude", "crs_wkt": "GEOGCS[]", "spatial_ref": "GEOGCS[]"}


@pytest.fixture
def rain():
    values = np.random.default_rng(0).integers(0, 100, SHAPE).astype("f4") / 4
    values[:, 0] = np.nan
    return values


def write(path, values, *, version=3, start=0, name="rainfall_rate", encoding=(), attrs=(), **store):
    """A store of one frame a chunk."""
    frames = {"units": "mm h-1", "standard_name": "rainfall_rate", "long_name": "rain", "grid_mapping": "crs"}
    times = START + np.timedelta64(5, "m") * (start + np.arange(len(values)))
    coords = {
        "time": ("time", times, {"standard_name": "time"}),
        "y": ("y", 1000.0 * np.arange(values.shape[1])[::-1], {"units": "m", "axis": "Y"}),
        "lat": (("y", "x"), np.zeros(values.shape[1:]), {"standard_name": "latitude", "units": "degrees_north"}),
        "x": ("x", 1000.0 * np.arange(values.shape[2]), {"units": "m", "axis": "X"}),
    }
    dataset = xr.Dataset({name: (("time", "y", "x"), values, frames | dict(attrs)), "crs": ((), 0, CRS)}, coords, store)
    packing = {"chunks": (1, *values.shape[1:])} | dict(encoding)
    dataset.to_zarr(path, mode="w", zarr_format=version, consolidated=version == 2, encoding={name: packing})
    return path


@pytest.fixture(autouse=True)
def fresh():
    messages.warn_once.cache_clear()
    yield
    OPEN_FILES.close()


def read(path, **options):
    (movies,) = read_movies(path, **options)
    return movies


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_real_numbers(tmp_path, rain, version, dtype):
    movies = read(write(tmp_path / "a.zarr", rain.astype(dtype), version=version, license="CC-BY-4.0", title="Rain"))
    np.testing.assert_array_equal(movies.frames.values[0, ..., 0], rain)
    np.testing.assert_array_equal(movies.frames[0, 4:1:-2, 2:7, 3, 0].values, rain[4:1:-2, 2:7, 3])
    assert movies.frames.attrs["units"] == "mm/h" and movies.frames.attrs["grid_mapping"] == "crs"
    assert movies.attrs["step_seconds"] == 300 and movies.time.values[0, 1] == START + np.timedelta64(5, "m")
    np.testing.assert_array_equal(movies.y, 1000.0 * np.arange(SHAPE[1])[::-1])
    assert movies["crs"].attrs["crs_wkt"] == "GEOGCS[]" and movies.attrs["title"] == "Rain"
    assert find_codes(movies.frames) is None


@pytest.mark.parametrize("version", [2, 3])
def test_packed_integers_are_left_in_the_store(tmp_path, rain, version):
    encoding = {"dtype": "u1", "scale_factor": 0.25, "_FillValue": 255}
    movies = read(write(tmp_path / "a.zarr", rain, version=version, encoding=encoding))
    codes, table = find_codes(movies.frames)
    assert codes.dtype == np.uint8 and np.isnan(table[255]) and table[1] == 0.25
    np.testing.assert_array_equal(table[codes.values[0, ..., 0]], rain)


def test_only_the_frames_that_are_asked_for_are_read(tmp_path, rain):
    path = write(tmp_path / "a.zarr", rain)
    movies = read(path)
    for chunk in (path / "rainfall_rate" / "c" / "3").rglob("*"):
        if chunk.is_file():
            chunk.write_bytes(b"damaged")
    np.testing.assert_array_equal(movies.frames[0, :3, ..., 0], rain[:3])
    with pytest.raises(ValueError, match=r"a\.zarr: rainfall_rate: frame 3 cannot be read"):
        movies.frames[0, 2:5].load()


def test_stores_are_joined_with_each_other_and_found_in_folders(tmp_path, rain):
    write(tmp_path / "second", rain, start=6, version=2)
    write(tmp_path / "first.zarr", rain)
    assert [file.name for file in expand_paths(tmp_path)] == ["first.zarr", "second"]
    assert [file.name for file in expand_paths(f"{tmp_path}/f*")] == ["first.zarr"]
    movies = read(tmp_path)
    assert movies.frames.shape == (1, 12, *SHAPE[1:], 1)
    np.testing.assert_array_equal(movies.frames.values[0, 6:, ..., 0], rain)


def test_frames_for_times_to_come_are_left_out(tmp_path, rain):
    rain[4:] = np.nan
    movies = read(write(tmp_path / "a.zarr", rain, last_valid_timestep="2021-03-01T00:15:00Z"))
    assert movies.frames.sizes["time"] == 4
    with pytest.raises(ValueError, match="last_valid_timestep must be an ISO 8601 time, found 'soon'"):
        read(write(tmp_path / "b.zarr", rain, last_valid_timestep="soon"))
    with pytest.raises(ValueError, match="all times are after last_valid_timestep"):
        read(write(tmp_path / "c.zarr", rain, last_valid_timestep="2020-01-01"))


def test_the_fill_value_0_of_version_2_is_dry(tmp_path, caplog):
    rain = np.ones(SHAPE, "f4")
    rain[:, 3] = 0
    path = write(tmp_path / "a.zarr", rain, version=2)
    description = json.loads((path / "rainfall_rate" / ".zarray").read_text()) | {"fill_value": 0.0}
    (path / "rainfall_rate" / ".zarray").write_text(json.dumps(description))
    values = read(path).frames.values
    assert (values[0, :, 3] == 0).all() and "fill value is 0" in caplog.text


def test_several_variables_are_chosen_among(tmp_path, rain):
    path = write(tmp_path / "a.zarr", rain)
    attrs = {"units": "dBZ", "standard_name": "equivalent_reflectivity_factor"}
    xr.Dataset({"dbz": (("time", "y", "x"), rain, attrs)}).to_zarr(path, mode="a", consolidated=False)
    with pytest.raises(ValueError, match=r"several variables could be the frames: .*choose one with --variable"):
        read(path)
    assert read(path, variable="dbz").frames.attrs["units"] == "dBZ"
    assert read(path, variable="dbz", forcings=("rainfall_rate",))["forcings"].shape[1:] == (6, *SHAPE[1:], 1)


def test_a_store_of_predjax_is_made_of_one(tmp_path, rain, capsys):
    path = write(tmp_path / "a.zarr", rain, encoding={"dtype": "u1", "scale_factor": 0.25, "_FillValue": 255})
    assert prepare(["--data_path", str(path), "--output", str(tmp_path / "store")]) == 0
    np.testing.assert_array_equal(read(tmp_path / "store").frames.values[0, ..., 0], rain)


def test_what_is_wrong_is_said_in_one_line(tmp_path, rain, monkeypatch):
    path = write(tmp_path / "a.zarr", rain)
    (path / "zarr.json").write_text("{")
    with pytest.raises(ValueError, match=r"a\.zarr: the Zarr store is damaged or holds no variables \(.*\)$"):
        read(path)
    zarr.create_array(tmp_path / "array.zarr", shape=(3, 4), dtype="f4")
    with pytest.raises(ValueError, match=r"array\.zarr: ") as error:
        read(tmp_path / "array.zarr")
    assert "\n" not in str(error.value)
    zarr.create_group(tmp_path / "empty.zarr")
    with pytest.raises(ValueError, match=r"empty\.zarr: no variable has the dimensions time, y and x; found none"):
        read(tmp_path / "empty.zarr")
    path = write(tmp_path / "b.zarr", rain)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"b\.zarr: Zarr stores need the extra zarr: pip install 'predjax\[zarr\]'"):
        read(path)
