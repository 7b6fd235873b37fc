"""Forecast files: what CF readers find in them."""

import os
import pathlib
import re
import subprocess
import sys

import netCDF4
import numpy as np
import pytest
import xarray as xr

from predjax.files import appearing
from predjax.nowcasts.config import EnsembleOptions
from predjax.nowcasts.forecast import to_forecast
from predjax.nowcasts.persistence import persist
from predjax.nowcasts.products import make_products
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.radar.movies import build_movies
from predjax.radar.windows.index import Window
from predjax.radar.writers import write_forecast

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden" / "forecast_header.cdl"
WINDOW = Window(source=0, movie=0, start=0, y=0, x=0)
ALBERS = {
    "grid_mapping_name": "albers_conical_equal_area",
    "standard_parallel": np.array([-26.2, -29.3]),
    "longitude_of_central_meridian": 153.24,
    "latitude_of_projection_origin": -27.7178,
    "false_easting": 2.0,
    "false_northing": 0.0,
}


def make_forecast(*, rising=False, times=True, units="km", channel=(0,), variable="precipitation", **frame_attrs):
    """A forecast of three frames of 4 x 5 pixels with a hole, from movies of 2 frames."""
    y = 10.0 + np.arange(4) if rising else 13.0 - np.arange(4)
    x = -2.0 + np.arange(5)
    pixels = {}
    if units:
        pixels = {n: xr.Variable(n, values, {"units": units}) for n, values in (("y", y), ("x", x))}
    time = np.array([["2020-10-31T05:50", "2020-10-31T06:00"]], "datetime64[ns]")
    attrs = {"units": "mm/h", "standard_name": "rainfall_rate", "long_name": "rain rate", "variable": variable}
    attrs |= {"grid_mapping": "proj"} | frame_attrs
    movies = build_movies(
        np.zeros((1, 2, 4, 5, len(channel)), np.float32),
        {"time": time if times else None, "channel": channel, **pixels},
        attrs=attrs,
        source="bom_frames/*.nc",
        files=["a.nc"],
    )
    movies["proj"] = xr.Variable((), 0, ALBERS)
    movies.attrs |= {"title": "Rain", "institution": "Bureau", "history": "made once"}
    frames = np.random.default_rng(0).gamma(0.3, 3, (3, 4, 5, len(channel))).astype(np.float32)
    frames[:, 1, 2] = np.nan
    forecast = to_forecast(frames, movies, WINDOW, 2, "persistence", "predjax 0.1.0, persistence")
    return forecast, frames


def add_members(forecast, count):
    """Member n is n times the forecast."""
    members = np.stack([number * forecast.precipitation.values for number in range(1, count + 1)])
    variable = (("realization", *forecast.precipitation.dims), members, forecast.precipitation.attrs)
    return forecast.assign(precipitation=variable).assign_coords(realization=np.arange(1, count + 1))


def written(path, forecast, **options):
    write_forecast(path, forecast, **options)
    with NETCDF_LOCK, xr.open_dataset(path, decode_timedelta=False) as found:
        return found.load()


def header(path) -> str:
    """The header of a netCDF file in the manner of CDL, without values and with the time of writing as NOW."""

    def literal(value):
        if isinstance(value, str):
            return '"' + value.replace("\n", "\\n") + '"'
        return ", ".join(f"{v!s}{'f' * (v.dtype == np.float32)}" for v in np.atleast_1d(value))

    types = {"f8": "double", "f4": "float", "i4": "int"}
    with NETCDF_LOCK, netCDF4.Dataset(path) as file:
        lines = ["netcdf forecast {", "dimensions:"]
        lines += [f"\t{name} = {len(dimension)} ;" for name, dimension in file.dimensions.items()]
        lines.append("variables:")
        for name, variable in file.variables.items():
            dimensions = f"({', '.join(variable.dimensions)})" if variable.dimensions else ""
            lines.append(f"\t{types[variable.dtype.str[1:]]} {name}{dimensions} ;")
            lines += [f"\t\t{name}:{key} = {literal(variable.getncattr(key))} ;" for key in variable.ncattrs()]
        lines += ["", "// global attributes:"]
        lines += [f"\t\t:{key} = {literal(file.getncattr(key))} ;" for key in file.ncattrs()]
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "NOW", "\n".join([*lines, "}"]) + "\n")


@pytest.fixture
def no_pyproj(monkeypatch):
    """Files are the same whether or not pyproj is there, but for lat and lon."""
    monkeypatch.setitem(sys.modules, "pyproj", None)


def test_the_header_is_the_one_in_the_golden_file(tmp_path, no_pyproj):
    write_forecast(tmp_path / "a.nc", make_forecast()[0])
    found = header(tmp_path / "a.nc")
    assert found == GOLDEN.read_text(), f"the header of forecast files changed; it is now\n{found}"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["one", "members", "products"])
def test_a_cf_checker_finds_nothing(tmp_path, kind):
    checker = pathlib.Path(sys.executable).with_name("compliance-checker")
    if not checker.is_file():
        pytest.skip("compliance-checker is not installed")
    forecast, _ = make_forecast()
    forecast = forecast if kind == "one" else add_members(forecast, 2)
    if kind == "products":
        wanted = {"percentiles": (10, 90), "probability": (1.0,), "accumulation": (1.0,), "radius": 3.0}
        statistics = ("members", "mean", "median", "matched")
        forecast = make_products(forecast, EnsembleOptions(statistic=statistics, **wanted))
    write_forecast(tmp_path / "a.nc", forecast)
    command = [checker, "--test=cf:1.11", "--criteria=strict", tmp_path / "a.nc"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    # CF also lets cell methods name a standard name, which the checker does not know of.
    allowed = "cell_methods name component realization does not match a dimension"
    found = [line for line in result.stdout.splitlines() if line.startswith("* ") and allowed not in line]
    passed = kind == "products" or (result.returncode == 0 and "All tests passed!" in result.stdout)
    assert "IOOS Compliance Checker" in result.stdout and not found and passed, result.stdout


def test_values_and_gaps_come_back_as_they_were(tmp_path):
    forecast, frames = make_forecast()
    found = written(tmp_path / "a.nc", forecast)
    assert found.precipitation.dims == ("time", "y", "x") and found.precipitation.dtype == np.float32
    np.testing.assert_array_equal(found.precipitation, frames[..., 0])
    with NETCDF_LOCK, netCDF4.Dataset(tmp_path / "a.nc") as file:
        file.set_auto_mask(False)
        assert (file["precipitation"][:, 1, 2] == -9999).all()


def test_times_are_decoded(tmp_path):
    found = written(tmp_path / "a.nc", make_forecast()[0])
    init = np.datetime64("2020-10-31T06:00")
    assert found.forecast_reference_time.values == init
    assert (found.time.values == init + np.array([10, 20, 30], "timedelta64[m]")).all()
    assert found.forecast_period.values.tolist() == [10, 20, 30]
    assert found.forecast_period.attrs["units"] == "minutes"


def test_kilometres_become_metres_and_the_projection_is_carried_over(tmp_path):
    found = written(tmp_path / "a.nc", make_forecast()[0])
    assert found.y.values.tolist() == [13000, 12000, 11000, 10000] and found.x.values[0] == -2000
    for axis in ("y", "x"):
        assert found[axis].attrs["units"] == "m"
        assert found[axis].attrs["standard_name"] == f"projection_{axis}_coordinate"
    # The false easting is in the unit of the coordinates (CF, appendix F).
    assert found.proj.attrs["false_easting"] == 2000
    assert found.proj.attrs["longitude_of_central_meridian"] == 153.24
    np.testing.assert_array_equal(found.proj.attrs["standard_parallel"], [-26.2, -29.3])


def test_a_projection_in_metres_is_left_alone(tmp_path):
    found = written(tmp_path / "a.nc", make_forecast(units="m")[0])
    assert found.y.values.tolist() == [13, 12, 11, 10] and found.proj.attrs["false_easting"] == 2


def test_a_text_that_says_kilometres_is_not_written_beside_metres(tmp_path):
    forecast, _ = make_forecast()
    forecast.proj.attrs |= {"crs_wkt": 'PROJCRS["x",AXIS["E",LENGTHUNIT["kilometre",1000]]]', "proj4": "+units=m"}
    found = written(tmp_path / "a.nc", forecast)
    assert "crs_wkt" not in found.proj.attrs and found.proj.attrs["proj4"] == "+units=m"


def test_rows_that_run_north_are_turned(tmp_path):
    forecast, frames = make_forecast(rising=True)
    found = written(tmp_path / "a.nc", forecast)
    assert found.y.values.tolist() == [13000, 12000, 11000, 10000]
    np.testing.assert_array_equal(found.precipitation, frames[:, ::-1, :, 0])
    assert np.isnan(found.precipitation.sel(x=0, y=11000)).all()  # where the hole was: row 1, y = 11 km


def test_row_numbers_are_not_turned(tmp_path):
    forecast, frames = make_forecast(units=None)
    found = written(tmp_path / "a.nc", forecast)
    assert found.y.values.tolist() == [0, 1, 2, 3] and found.y.attrs["units"] == "1"
    assert "standard_name" not in found.y.attrs
    np.testing.assert_array_equal(found.precipitation, frames[..., 0])


def test_without_times_the_frames_are_numbered(tmp_path):
    found = written(tmp_path / "a.nc", make_forecast(times=False)[0])
    assert found.time.values.tolist() == [2, 3, 4]
    assert found.time.attrs == {"long_name": "frame number", "axis": "T", "units": "1"}
    assert "forecast_reference_time" not in found.variables
    assert found.forecast_period.values.tolist() == [1, 2, 3] and found.forecast_period.attrs["units"] == "1"


@pytest.mark.parametrize(
    ("units", "name", "expected"),
    [("mm/h", "rainfall_rate", "mm h-1"), ("dBZ", "equivalent_reflectivity_factor", "dBZ"), ("1", None, "1")],
)
def test_units_are_spelt_as_in_cf(tmp_path, units, name, expected):
    forecast, _ = make_forecast(units="m")
    attrs = forecast.precipitation.attrs | {"units": units}
    attrs.pop("standard_name")
    forecast.precipitation.attrs = attrs | ({"standard_name": name} if name else {})
    found = written(tmp_path / "a.nc", forecast)
    assert found.precipitation.attrs["units"] == expected and found.precipitation.attrs.get("standard_name") == name


def test_several_channels_are_several_variables(tmp_path):
    forecast, frames = make_forecast(channel=("rain", "hail"))
    found = written(tmp_path / "a.nc", forecast)
    np.testing.assert_array_equal(found.hail, frames[..., 1])
    forecast, frames = make_forecast(channel=(0, 1))
    found = written(tmp_path / "b.nc", forecast)
    np.testing.assert_array_equal(found.precipitation_1, frames[..., 1])
    assert found.precipitation_0.attrs["units"] == found.precipitation_1.attrs["units"] == "mm h-1"


def test_members_come_first_and_are_numbered(tmp_path):
    forecast, frames = make_forecast()
    found = written(tmp_path / "a.nc", add_members(forecast, 2))
    assert found.precipitation.dims == ("realization", "time", "y", "x")
    np.testing.assert_array_equal(found.precipitation, np.stack([frames, 2 * frames])[..., 0])
    assert found.realization.values.tolist() == [1, 2]
    assert found.realization.attrs["standard_name"] == "realization"


def test_variables_with_dimensions_of_their_own_have_their_coordinates(tmp_path):
    forecast, frames = make_forecast()
    attrs = {"long_name": "probability of rain", "units": "1", "grid_mapping": "proj"}
    forecast["likely"] = (("threshold", *forecast.precipitation.dims), np.stack([frames, 0 * frames]), attrs)
    forecast["total"] = (("period", "y", "x", "channel"), frames[:1], attrs)
    described = {"long_name": "least rain rate", "units": "mm/h", "standard_name": "rainfall_rate"}
    labels = {"threshold": ("threshold", [0.5, 2.0], described)}
    labels["period"] = ("period", [30], {"long_name": "period", "units": "minutes"})
    found = written(tmp_path / "a.nc", forecast.assign_coords(labels))
    assert found.likely.dims == ("threshold", "time", "y", "x") and found.total.dims == ("period", "y", "x")
    np.testing.assert_array_equal(found.likely[0], frames[..., 0])
    assert found.threshold.values.tolist() == [0.5, 2.0]
    assert found.threshold.attrs == described | {"units": "mm h-1"} and found.period.dtype == np.int32
    with NETCDF_LOCK, netCDF4.Dataset(tmp_path / "a.nc") as file:
        assert "forecast_period" in file["likely"].coordinates and "forecast_period" not in file["total"].coordinates
        assert {file[name].grid_mapping for name in ("precipitation", "likely", "total")} == {"proj"}


def test_places_are_written_where_they_can_be_known(tmp_path):
    pytest.importorskip("pyproj", reason="pyproj is not installed (extra projection)")
    forecast, _ = make_forecast(rising=True)
    forecast = forecast.assign_coords(x=("x", 2.0 + np.arange(5), {"units": "km"}))  # 2 km: the false easting
    found = written(tmp_path / "a.nc", forecast)
    for name, standard_name, units in (("lat", "latitude", "degrees_north"), ("lon", "longitude", "degrees_east")):
        assert found[name].dims == ("y", "x") and found[name].dtype == np.float64
        assert (found[name].attrs["standard_name"], found[name].attrs["units"]) == (standard_name, units)
    np.testing.assert_allclose(found.lon[:, 0], 153.24, atol=1e-9)
    assert (np.diff(found.lat, axis=0) < 0).all() and (np.diff(found.lon, axis=1) > 0).all()
    np.testing.assert_allclose(found.lat[-1, 0], -27.7178 + 10 / 110.8, atol=1e-3)  # y is 10 km
    with NETCDF_LOCK, netCDF4.Dataset(tmp_path / "a.nc") as file:
        assert file["precipitation"].coordinates == "lat lon forecast_reference_time forecast_period"
    assert "lat" not in written(tmp_path / "b.nc", make_forecast(units=None)[0]).variables


def test_an_existing_file_is_replaced_only_when_asked(tmp_path):
    path = tmp_path / "a.nc"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match=re.escape(str(path))) as error:
        write_forecast(path, make_forecast()[0])
    assert "\n" not in str(error.value) and path.read_text() == "mine"
    assert written(path, make_forecast()[0], overwrite=True).sizes["time"] == 3


def test_a_failed_write_leaves_nothing_and_the_old_file(tmp_path):
    path = tmp_path / "a.nc"
    path.write_text("old")
    with pytest.raises(OSError, match="disk full"), appearing(path, overwrite=True) as temporary:
        temporary.write_text("half")
        raise OSError("disk full")
    assert os.listdir(tmp_path) == ["a.nc"] and path.read_text() == "old"


def test_a_file_that_comes_in_between_is_kept(tmp_path):
    path = tmp_path / "a.nc"
    with pytest.raises(FileExistsError), appearing(path) as temporary:
        temporary.write_text("ours")
        path.write_text("theirs")
    assert os.listdir(tmp_path) == ["a.nc"] and path.read_text() == "theirs"


def test_a_forecast_of_a_real_event_keeps_its_coverage_and_projection(tmp_path, shared):
    from predjax.radar.readers import read_movies

    [movies] = read_movies(str(shared / "radar" / "knmi_20100826.nc"))
    window = Window(source=0, movie=0, start=10, y=100, x=50)
    crop = {"y": slice(100, 400), "x": slice(50, 350)}
    observed = movies.frames.isel(movie=[0], time=slice(10, 14), **crop).values
    frames = persist(observed, 2)[0]
    found = written(tmp_path / "a.nc", to_forecast(frames, movies, window, 4, "persistence", "predjax"))
    assert 0.1 < np.isnan(found.rainrate.values).mean() < 0.9
    np.testing.assert_array_equal(found.rainrate.values, frames[..., 0])
    with NETCDF_LOCK, netCDF4.Dataset(shared / "radar" / "knmi_20100826.nc") as file:
        mapping = found.rainrate.encoding.get("grid_mapping") or found.rainrate.attrs["grid_mapping"]
        assert found[mapping].attrs["crs_wkt"] == file["crs"].crs_wkt
        np.testing.assert_array_equal(found.y, file["y"][100:400])
        np.testing.assert_array_equal(found.x, file["x"][50:350])
        # frame 13 is the last observed: 00:00 + 13 x 5 minutes
        assert found.forecast_reference_time.values == np.datetime64("2010-08-26T01:05")
    assert found.rainrate.attrs["units"] == "mm h-1" and found.attrs["institution"].startswith("Royal Netherlands")
