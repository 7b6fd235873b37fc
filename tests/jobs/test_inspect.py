"""What an inspection says of data, in words and as fields."""

import numpy as np
import pytest
import xarray as xr

import predjax
from predjax.jobs.inspect import describe_labels
from predjax.radar.config import READING, DataConfig
from predjax.radar.formats.catalogue import Reading
from predjax.radar.readers import read_movies

FIVE_MINUTES = np.timedelta64(5, "m")
TEXT = """\
rain.nc
  format     netCDF
  variable   rain, found by its labels; float32 in the file
  unit       mm/h, 'mm h-1' in the file
  frames     1 movie of 9 frames, 2 rows x 3 columns, 1 channel
  time       2026-06-01 00:00 to 2026-06-01 00:55 UTC, a frame every 5 minutes
  gaps       2, with 3 missing frames:
             2026-06-01 00:20 to 2026-06-01 00:35, 2 missing
             2026-06-01 00:45 to 2026-06-01 00:55, 1 missing
  grid       pixels of 1000 m, y 1 to 0 km, x 0 to 2 km; row 0 is in the north
  projection not known: the file has no grid mapping
  coverage   83.3 % of the pixels of all 9 frames; 1 frame of them without any value
  values     0.5 to 4 mm/h
  windows    2, each of 4 frames"""


@pytest.fixture
def rain():
    """Nine frames in a record of twelve."""
    values = np.full((9, 2, 3), 0.5, np.float32)
    values[4] = np.nan
    values[:, 0, 0] = np.where(np.arange(9) == 6, 4, values[:, 0, 0])
    values[:3, 1, 1] = np.nan
    times = np.datetime64("2026-06-01", "ns") + FIVE_MINUTES * np.array([0, 1, 2, 3, 4, 7, 8, 9, 11])
    axes = {"y": ("y", [1000.0, 0.0], {"units": "m"}), "x": ("x", [0.0, 1000.0, 2000.0], {"units": "m"})}
    attrs = {"units": "mm h-1", "standard_name": "rainfall_rate"}
    return xr.Dataset({"rain": (("time", "y", "x"), values, attrs)}, {"time": times, **axes})


@pytest.fixture
def file(rain, tmp_path):
    rain.to_netcdf(tmp_path / "rain.nc")
    return tmp_path / "rain.nc"


def test_the_text(file):
    assert str(predjax.inspect(file, total_length=4)) == TEXT


def test_fields_hold_what_the_text_says(file):
    (found,) = predjax.inspect(str(file), total_length=4).sources
    assert (found.variable, found.units, found.units_on_disk, found.windows) == ("rain", "mm/h", "mm h-1", 2)
    assert [gap.missing for gap in found.gaps] == [2, 1] and found.longest == 5 and found.step_seconds == 300
    assert found.gaps[1].before == np.datetime64("2026-06-01T00:45") and found.pixels.brightest == (0, 6)
    assert found.remarks == () and found.problem == ""


def test_every_line_fits_and_remarks_are_lines(file):
    text = str(predjax.inspect(file, units="dBZ"))
    assert "  remark     mm/h to dBZ by Z = 200 R^1.6 (Marshall and Palmer's, the file has none)\n" in text + "\n"
    assert "  windows    none of 20 frames: the longest run without a gap has 5\n" in text
    assert max(map(len, text.splitlines())) <= 100


def test_data_in_memory(rain, file):
    told = str(predjax.inspect(rain, total_length=4)).splitlines()
    assert told[0] == "dataset" and told[1] == "  format     data in memory"
    assert told[4:] == TEXT.splitlines()[4:]
    (movies,) = read_movies(file)
    assert str(predjax.inspect(movies, total_length=4)) == TEXT
    array = predjax.inspect(np.zeros((30, 4, 5), np.uint8), layout="time,y,x")
    assert "  numbers    uint8\n  unit       none, nothing in the file tells (--units does)\n" in str(array)
    assert "  grid       pixels are numbered" in str(array) and "  windows    11, each of 20 frames" in str(array)


def test_a_series_has_no_grid(tmp_path):
    np.save(tmp_path / "s.npy", np.random.default_rng(0).random((30, 3)))
    text = str(predjax.inspect(tmp_path / "s.npy"))
    assert "  frames     1 movie of 30 frames, 3 features\n" in text and "grid" not in text
    with pytest.raises(ValueError, match=r"s\.npy is a series, which has no map"):
        predjax.inspect(tmp_path / "s.npy", picture=tmp_path / "s.png")


def test_a_mixed_folder(file):
    folder = file.parent
    np.save(folder / "a.npy", np.ones((2, 6, 3, 3), np.float32))
    (folder / "bad.nc").write_bytes(b"<html>")
    (folder / "notes.csv").write_text("1")
    lines = str(predjax.inspect(folder)).splitlines()
    assert lines[0] == "a.npy" and "rain.nc" in lines
    assert "  in all     2 sources with 21 frames, 0 windows" in lines
    assert "  PROBLEM    a.npy is in 1 and rain.nc in mm/h: choose one with --units" in lines
    assert lines[-4] == "cannot be read: 1 of the files" and lines[-3].startswith(f"  {folder / 'bad.nc'}: ")
    assert lines[-2:] == ["not looked at, in the folder but of no known format: 1", "  notes.csv"]


def test_a_value_that_cannot_be_is_a_problem(rain, tmp_path):
    rain["rain"][3, 0, 0] = 5000
    rain.to_netcdf(tmp_path / "high.nc")
    (found,) = predjax.inspect(tmp_path / "high.nc").sources
    assert "between -0.01 and 2000, but one is 5000" in found.problem
    rain.where(False).to_netcdf(tmp_path / "empty.nc")
    (found,) = predjax.inspect(tmp_path / "empty.nc").sources
    assert found.problem == "no finite value in any of 9 frames looked at"


def test_many_sources_have_a_line_each(tmp_path):
    for number in range(10):
        np.save(tmp_path / f"{number}.npy", np.ones((2, 6, 3, 3), np.float32))
    lines = str(predjax.inspect(tmp_path, total_length=5)).splitlines()
    assert "8.npy: 2 x 6 frames, 3 x 3, 1, 4 windows" in lines
    assert "  in all     10 sources with 120 frames, 40 windows" in lines


def test_a_picture_of_the_frame_with_the_highest_mean(file, tmp_path):
    found = predjax.inspect(file, picture=tmp_path / "a.png")
    assert found.picture == f"{tmp_path / 'a.png'}: rain.nc, 2026-06-01 00:40 UTC"
    assert str(found).endswith(f"\npicture: {found.picture}")
    with pytest.raises(FileExistsError, match=r"a\.png exists"):
        predjax.inspect(file, picture=tmp_path / "a.png")


def test_a_plan_has_the_same_lines_without_pixels(file):
    expected = [line for line in TEXT.splitlines() if not line.startswith(("  coverage", "  values"))]
    assert describe_labels(read_movies(file), 4, DataConfig()).splitlines() == expected


def test_what_cannot_be_asked_for(file):
    with pytest.raises(ValueError, match="total_length must be at least 1 frame, not 0"):
        predjax.inspect(file, total_length=0)
    with pytest.raises(ValueError, match=r"inspect has no pictur; .*did you mean picture"):
        predjax.inspect(file, pictur="a.png")


def test_every_option_of_reading_is_an_option_of_an_inspection():
    assert (*READING, "reader") == Reading._fields
