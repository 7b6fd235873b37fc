"""The lines that docs/your_data.md says refused data end with are those that the command prints."""

import re

import numpy as np
import pytest
import xarray as xr
from tiny import ROOT

from predjax.commands.train import main

PAGE = (ROOT / "docs" / "your_data.md").read_text()
LINES = re.findall(r"^\| `(.*?)` \|", PAGE.partition("## What is refused")[2], re.M)
UNITS = {"units": "mm h-1", "standard_name": "rainfall_rate"}
DBZ = {"units": "dBZ", "standard_name": "equivalent_reflectivity_factor"}
STEP = np.timedelta64(5, "m")


def rain(frames=40, size=32, value=2.5, **attrs):
    values = np.zeros((frames, size, size), np.float32)
    values[:, 5:12, 5:20] = value
    times = np.datetime64("2026-06-01T12:00", "ns") + np.arange(frames) * STEP
    pixels = 1000.0 * np.arange(size)
    return xr.Dataset({"rain": (("time", "y", "x"), values, attrs or UNITS)}, {"time": times, "y": pixels, "x": pixels})


def replace(data, value, *, declared=True, **where):
    data["rain"][where] = value
    data["rain"].encoding = {} if declared else {"_FillValue": None}
    return data


# What every line of the table, in its order, is printed for: files by name, and flags.
CASES = [
    ({}, ["nowhere/*.nc"]),
    ({"radar.grib": b"GRIB"}, ["radar.grib"]),
    ({"two.nc": lambda: rain().assign(quality=rain().rain * 0)}, ["two.nc"]),
    ({"rain.nc": rain}, ["rain.nc", "--variable", "snow"]),
    ({"levels.nc": lambda: rain().expand_dims(elevation=2)}, ["levels.nc"]),
    ({"one.nc": lambda: rain().isel(time=0, drop=True)}, ["one.nc"]),
    ({"words.nc": lambda: rain(2).assign_coords(time=["first", "second"])}, ["words.nc"]),
    ({"order.nc": lambda: rain().isel(time=[0, 1, 2, 4, 3, *range(5, 40)])}, ["order.nc"]),
    ({"fill.nc": lambda: replace(rain(), -8888, declared=False, time=3, y=slice(3))}, ["fill.nc"]),
    ({"raw.nc": lambda: replace(rain(), -0.5, time=3, y=slice(10))}, ["raw.nc"]),
    ({"high.nc": lambda: rain(value=150, **DBZ)}, ["high.nc"]),
    ({"sum.nc": lambda: rain(1, units="mm", standard_name="rainfall_amount")}, ["sum.nc"]),
    ({"hourly.nc": lambda: rain(units="mm", long_name="1-hour accumulation")}, ["hourly.nc"]),
    (
        {"sweep.nc": lambda: xr.Dataset({"DBZH": (("azimuth", "range"), np.zeros((36, 20), np.float32), DBZ)})},
        ["sweep.nc"],
    ),
    ({"level.nc": lambda: rain(units="dB")}, ["level.nc", "--units", "mm/h"]),
    ({"kelvin.nc": lambda: rain(units="K", standard_name="air_temperature")}, ["kelvin.nc", "--units", "mm/h"]),
    ({"rain.nc": rain, "dbz.nc": lambda: rain(**DBZ)}, ["rain.nc,dbz.nc"]),
    ({"rain.nc": rain, "large.nc": lambda: rain(size=48)}, ["rain.nc,large.nc"]),
    ({"rain.nc": rain}, ["rain.nc", "--crop", "64"]),
    ({"square.npy": np.zeros((20, 20, 20, 20), np.float32)}, ["square.npy"]),
    ({"short.nc": lambda: rain(12)}, ["short.nc"]),
    ({"missing.nc": lambda: replace(rain(), np.nan)}, ["missing.nc"]),
    ({"edge.nc": lambda: replace(replace(rain(), np.nan, x=slice(10, None)), np.nan, y=slice(5))}, ["edge.nc"]),
    ({"cut.nc": lambda: rain()}, ["cut.nc"]),
    ({"page.nc": b"<html>"}, ["page.nc"]),
]


@pytest.mark.parametrize(("line", "files", "flags"), [(line, *case) for line, case in zip(LINES, CASES, strict=True)])
def test_refused_data_end_with_the_documented_line(line, files, flags, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, content in files.items():
        if isinstance(content, bytes):
            (tmp_path / name).write_bytes(content)
        elif isinstance(content, np.ndarray):
            np.save(name, content)
        else:
            content().to_netcdf(name)
    if "cut.nc" in files:
        (tmp_path / "cut.nc").write_bytes((tmp_path / "cut.nc").read_bytes()[:-100_000])
    assert main(["--data_path", *flags, "--num_hidden", "4,4", "--n_gpu", "1", "--save_dir", "run"]) == 2
    assert capsys.readouterr().err == f"predjax: {line}\n"
    assert not (tmp_path / "run").exists()
