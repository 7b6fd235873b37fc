"""A survey reads what can be read, and has a reason for every other file."""

import numpy as np
import pytest
import xarray as xr

from predjax.radar.readers import read_movies
from predjax.radar.survey import survey_files


def write(path, first, units="mm h-1", **attrs):
    """Two frames, 5 minutes apart."""
    times = np.datetime64("2026-06-01T00:00", "ns") + np.timedelta64(5, "m") * np.arange(first, first + 2)
    attrs |= {"units": units, "standard_name": "rainfall_rate"} if "standard_name" not in attrs else {"units": units}
    xr.Dataset({"rain": (("time", "y", "x"), np.ones((2, 3, 4), np.float32), attrs)}, {"time": times}).to_netcdf(path)


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "b.nc", 0)
    write(tmp_path / "c.nc", 2)
    np.save(tmp_path / "a.npy", np.ones((2, 6, 3, 3), np.float32))
    np.save(tmp_path / "z.npy", np.ones((3, 3, 3, 3), np.float32))
    (tmp_path / "cut.nc").write_bytes((tmp_path / "b.nc").read_bytes()[:300])
    (tmp_path / "notes.csv").write_text("1,2")
    return tmp_path


def test_other_files_are_read_beside_those_that_cannot_be(folder):
    found = survey_files(str(folder))
    assert [one.attrs["source"] for one in found.movies] == ["a.npy", "b.nc, c.nc"]
    assert [one.sizes["time"] for one in found.movies] == [6, 4]
    assert {path.rpartition("/")[2] for path in found.unreadable} == {"cut.nc", "z.npy"}
    assert "does not tell the axes" in found.unreadable[str(folder / "z.npy")]
    assert not any("\n" in reason or str(folder) in reason for reason in found.unreadable.values())
    assert found.ignored == ["notes.csv"]


def test_the_movies_are_those_of_read_movies(folder):
    names = [folder / name for name in ("a.npy", "b.nc", "c.nc")]
    for one, other in zip(survey_files(names, units="mm/h").movies, read_movies(names, units="mm/h"), strict=True):
        xr.testing.assert_identical(one, other)


def test_files_that_cannot_be_joined_have_a_reason(tmp_path):
    """A single sum of rain whose period nothing tells."""
    attrs = {"units": "mm", "standard_name": "rainfall_amount"}
    for name, minute in (("a", 0), ("b", 5)):
        rain = xr.DataArray(np.ones((1, 2, 2)), dims=("time", "y", "x"), attrs=attrs, name="rain")
        rain["time"] = np.datetime64(f"2026-06-01T00:{minute:02}", "ns") + np.zeros(1, "timedelta64[ns]")
        rain.to_netcdf(tmp_path / f"{name}.nc")
    found = survey_files(tmp_path / "a.nc")
    assert found.movies == [] and "nothing tells its period" in found.unreadable[str(tmp_path / "a.nc")]


def test_frames_of_the_same_time_are_a_remark(tmp_path):
    write(tmp_path / "a.nc", 0)
    write(tmp_path / "b.nc", 1)
    (movies,) = survey_files(tmp_path).movies
    assert movies.attrs["remarks"][-1] == (
        "frames left out because an earlier file has frames of their times: 1, the first of 2026-06-01 00:05:00"
    )


def test_a_file_of_an_unknown_format_and_a_path_to_nothing(folder):
    assert "the format '.csv' is unknown" in survey_files([folder / "notes.csv"]).unreadable[str(folder / "notes.csv")]
    with pytest.raises(FileNotFoundError, match="no file matches"):
        survey_files(str(folder / "nothing.nc"))
