"""Polar sweeps are refused as such, whatever the layout of the file."""

import netCDF4
import numpy as np
import pytest
import xarray as xr

from predjax.radar.readers import read_movies

ADVICE = "grid it first, by the two lines of pyart"


def sweep(dims=("azimuth", "range")):
    return xr.Dataset({"DBZH": (dims, np.full((36, 20), 20.0, "f4"), {"units": "dBZ"})})


@pytest.mark.parametrize("dims", [("azimuth", "range"), ("rays", "bins"), ("nrays", "gate")])
def test_sweeps_at_the_top_and_in_groups(tmp_path, dims):
    names = ", ".join(dims)
    with pytest.raises(ValueError, match=rf"dataset: DBZH is a polar sweep \({names}\), not a map: {ADVICE}"):
        read_movies(sweep(dims))
    sweep(dims).to_netcdf(tmp_path / "a.nc", group="sweep_0")
    for variable in ("", "sweep_0/DBZH"):
        with pytest.raises(ValueError, match=rf"a\.nc: sweep_0/DBZH is a polar sweep \({names}\)"):
            read_movies(tmp_path / "a.nc", variable=variable)


def test_sweeps_along_time(tmp_path):
    with netCDF4.Dataset(tmp_path / "cfradial.nc", "w") as file:
        for name, size in (("time", 36), ("range", 20)):
            file.createDimension(name, size)
        file.createVariable("time", "f8", ("time",)).units = "seconds since 2026-06-01"
        file["time"][:] = np.arange(36)
        file.createVariable("azimuth", "f4", ("time",))[:] = 10 * np.arange(36)
        for name in ("DBZH", "VRADH"):
            file.createVariable(name, "f4", ("time", "range"))[:] = 0
    with pytest.raises(ValueError, match=r"cfradial\.nc: DBZH is a polar sweep \(time, range\)"):
        read_movies(tmp_path / "cfradial.nc")


def test_a_series_along_something_called_range_is_no_sweep():
    time = np.datetime64("2026-06-01", "ns") + np.arange(36) * np.timedelta64(5, "m")
    movies = read_movies(sweep(("time", "range")).assign_coords(time=time))[0]
    assert movies.sizes["channel"] == 20


@pytest.mark.parametrize("name", ["KTLX20130520_200356_V06", "KTLX.nc", "KTLX.ar2v"])
def test_files_of_nexrad(tmp_path, name):
    (tmp_path / name).write_bytes(b"AR2V0006.123" + bytes(100))
    with pytest.raises(ValueError, match=f"{name}: a file of NEXRAD has polar sweeps, not maps: {ADVICE}"):
        read_movies(tmp_path / name)
