"""Forecast files that pysteps wrote are read here, and ours are read by pysteps."""

import datetime
import importlib.util
import warnings

import numpy as np
import pytest
import xarray as xr

from predjax.commands.prepare import main as prepare
from predjax.nowcasts.forecast import to_forecast
from predjax.radar.forecasts import match_forecasts, read_forecasts
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.radar.movies import build_movies
from predjax.radar.readers import read_movies
from predjax.radar.windows.index import Window
from predjax.radar.writers import write_forecast

INIT = np.datetime64("2020-05-01T12:20", "ns")
STEP = np.timedelta64(5, "m")
SHAPE = (8, 6)
PROJECTIONS = {
    "stereographic": "+proj=stere +lon_0=25E +lat_0=90N +lat_ts=60 +a=6371288 +x_0=380886.310 +y_0=3395677.920",
    "albers": "+proj=aea +lat_0=-27.7178 +lon_0=153.24 +lat_1=-26.2 +lat_2=-29.3 +x_0=0 +y_0=0 +ellps=GRS80 +units=m",
    "swiss": "+proj=somerc +lon_0=7.439583333333 +lat_0=46.952405555556 +k_0=1 +x_0=600000 +y_0=200000 +ellps=bessel",
}
STEREOGRAPHIC = {
    "grid_mapping_name": "polar_stereographic",
    "straight_vertical_longitude_from_pole": 25.0,
    "latitude_of_projection_origin": 90.0,
    "standard_parallel": 60.0,
}
SPHERE = {**STEREOGRAPHIC, "earth_radius": 6371288.0, "false_easting": 380886.31, "false_northing": 3395677.92}


@pytest.fixture(scope="module")
def pysteps():
    for package in ("pysteps", "pyproj"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed (extras pysteps and projection)")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pysteps
    return pysteps


def make_movies(units="mm/h", mapping=None, rows_fall=True):
    """Nine observed frames, the fifth at the init time."""
    y = 500.0 + 1000.0 * np.arange(SHAPE[0])
    movies = build_movies(
        np.random.default_rng(0).gamma(1.0, 2.0, (1, 9, *SHAPE, 1)).astype(np.float32),
        {
            "time": INIT + STEP * np.arange(-4, 5)[None],
            "y": xr.Variable("y", y[::-1] if rows_fall else y, {"units": "m"}),
            "x": xr.Variable("x", 500.0 + 1000.0 * np.arange(SHAPE[1]), {"units": "m"}),
        },
        attrs={"units": units, "variable": "rain", "grid_mapping": "crs"},
        source="observed.nc",
        files=["observed.nc"],
    )
    return movies.assign_coords(crs=((), 0, mapping or STEREOGRAPHIC))


def export(pysteps, folder, values, projection="stereographic", unit="mm/h", members=1, **options):
    """A file of pysteps' own exporter; values ([E,] T, H, W), row 0 is north."""
    exporters = pysteps.io.exporters
    folder.mkdir(exist_ok=True)
    metadata = {
        "projection": PROJECTIONS[projection],
        "unit": unit,
        "cartesian_unit": "m",
        "yorigin": "upper",
        **{"x1": 0.0, "x2": 6000.0, "y1": 0.0, "y2": 8000.0},
    }
    steps = values.shape[-3]
    start = INIT.astype("datetime64[s]").astype(datetime.datetime)
    with NETCDF_LOCK:
        exporter = exporters.initialize_forecast_exporter_netcdf(
            str(folder), "theirs", start, 5, steps, SHAPE, metadata, n_ens_members=members, **options
        )
        if options.get("incremental") == "timestep":
            for step in range(steps):
                exporters.export_forecast_dataset(values[..., step, :, :], exporter)
        elif options.get("incremental") == "member":
            for member in values:
                exporters.export_forecast_dataset(member, exporter)
        else:
            exporters.export_forecast_dataset(values, exporter)
        exporters.close_forecast_files(exporter)
    return folder / "theirs.nc"


def make_values(*shape):
    values = np.random.default_rng(1).gamma(0.5, 2.0, (*shape, *SHAPE)).astype(np.float32)
    values[..., 0, :2] = np.nan
    return values


@pytest.mark.parametrize("projection", PROJECTIONS)
@pytest.mark.parametrize("incremental", [None, "timestep"])
def test_a_file_of_pysteps_finds_its_window(pysteps, tmp_path, projection, incremental):
    values = make_values(3)
    path = export(pysteps, tmp_path, values, projection, incremental=incremental)
    (forecast,) = read_forecasts(path)
    assert forecast.init_time == INIT and forecast.movies.frames.attrs["units"] == "mm/h"
    (match,) = match_forecasts([forecast], [make_movies()], 4)
    assert match.window == Window(0, 0, 1, 0, 0) and match.part.turned == (False, False)
    np.testing.assert_array_equal(match.read(3, SHAPE)[0, ..., 0], values)


@pytest.mark.parametrize("incremental", [None, "timestep", "member"])
def test_members_of_pysteps_are_members(pysteps, tmp_path, incremental):
    values = make_values(4, 3)
    path = export(pysteps, tmp_path, values, members=4, incremental=incremental)
    (match,) = match_forecasts(read_forecasts(path), [make_movies(rows_fall=False)], 4)
    assert match.part.turned == (True, False)
    np.testing.assert_array_equal(match.read(3, SHAPE)[..., 0], values[:, :, ::-1])


def test_one_lead_time_and_one_member(pysteps, tmp_path):
    values = make_values(1, 1)
    path = export(pysteps, tmp_path, values, members=1, incremental="member")
    (match,) = match_forecasts(read_forecasts(path), [make_movies()], 4)
    np.testing.assert_array_equal(match.read(1, SHAPE)[..., 0], values)


def test_reflectivity_accumulations_and_packed_numbers(pysteps, tmp_path):
    values = np.round(make_values(3) * 4) / 4
    (forecast,) = read_forecasts(export(pysteps, tmp_path / "a", values, unit="dBZ"))
    assert forecast.movies.frames.attrs["units"] == "dBZ"
    np.testing.assert_array_equal(forecast.movies.frames[0, ..., 0], values)
    (forecast,) = read_forecasts(export(pysteps, tmp_path / "b", values, unit="mm"))
    assert forecast.movies.frames.attrs["units"] == "mm/h"
    np.testing.assert_allclose(forecast.movies.frames[0, ..., 0], values * 12, rtol=1e-6)  # in five minutes
    packing = {"datatype": np.int16, "scale_factor": 0.25, "fill_value": -1}
    whole = np.nan_to_num(values)
    (forecast,) = read_forecasts(export(pysteps, tmp_path / "c", whole, **packing))
    np.testing.assert_array_equal(forecast.movies.frames[0, ..., 0], whole)


@pytest.mark.parametrize(("units", "name"), [("mm/h", "precip_intensity"), ("dBZ", "reflectivity")])
@pytest.mark.parametrize("members", [0, 3])
def test_pysteps_reads_what_is_laid_out_for_it(pysteps, tmp_path, units, name, members):
    values = make_values(*([members] if members else []), 2)
    forecast = to_forecast(values[..., None], make_movies(units), Window(0, 0, 1, 0, 0), 4, "test", "predjax")
    before = forecast.copy(deep=True)
    write_forecast(tmp_path / "a.nc", forecast, layout="pysteps")
    xr.testing.assert_identical(forecast, before)
    with NETCDF_LOCK:
        field, metadata = pysteps.io.import_netcdf_pysteps(str(tmp_path / "a.nc"), onerror="raise")
        with xr.open_dataset(tmp_path / "a.nc") as file:
            assert name in file and file[name].attrs["units"] == ("mm h-1" if units == "mm/h" else "dBZ")
    np.testing.assert_array_equal(field, values)
    assert metadata["unit"] == units and metadata["leadtimes"].tolist() == [5, 10]
    assert (
        metadata["projection"].split() == "+proj=stere +lon_0=25.0 +lat_0=90.0 +lat_ts=60.0 +x_0=0.0 +y_0=0.0".split()
    )
    assert [metadata[key] for key in ("x1", "x2", "y1", "y2")] == [0, 6000, 0, 8000]
    assert str(metadata["timestamps"][0]) == "2020-05-01 12:25:00"


def make_file(name="DBZH", units="dBZ", period=None):
    """A Dataset of five observed frames, as somebody else names them."""
    values = np.random.default_rng(2).gamma(4.0, 5.0, (5, *SHAPE)).astype(np.float32)
    attrs = {"units": units, "grid_mapping": "crs", "standard_name": period or "equivalent_reflectivity_factor"}
    y, x = (1000.0 * np.arange(size) for size in SHAPE)
    axes = {"y": ("y", y[::-1], {"units": "m"}), "x": ("x", x, {"units": "m"})}
    coords = {"time": INIT + STEP * np.arange(5), **axes, "crs": ((), 0, SPHERE)}
    return xr.Dataset({name: (("time", "y", "x"), values, attrs)}, coords)


def forecast_frames(movies):
    return to_forecast(make_values(2)[..., None], movies, Window(0, 0, 0, 0, 0), 4, "test", "predjax")


def test_a_forecast_is_named_by_what_it_holds():
    for name, units, wanted, expected in (
        ("DBZH", "dBZ", "mm/h", "precip_intensity"),
        ("DBZH", "dBZ", "dBZ", "DBZH"),
        ("rate", "mm h-1", "dBZ", "reflectivity"),
        ("rate", "0.1 mm/h", "mm/h", "rate"),
    ):
        standard = None if units == "dBZ" else "rainfall_rate"
        (movies,) = read_movies(make_file(name, units, standard), units=wanted)
        (found,) = forecast_frames(movies).data_vars.values()
        long_name = {"precip_intensity": "rain rate", "reflectivity": "radar reflectivity"}.get(expected)
        assert (found.name, found.attrs["units"], found.attrs.get("long_name")) == (expected, wanted, long_name)


def test_sums_of_rain_become_rates_with_their_names():
    (movies,) = read_movies(make_file("ACRR", "mm", "thickness_of_rainfall_amount"), accumulation_period="5min")
    forecast = forecast_frames(movies)
    found = forecast["precip_intensity"].attrs
    assert (found["standard_name"], found["long_name"], found["units"]) == ("rainfall_rate", "rain rate", "mm/h")


def test_a_store_of_converted_frames_remembers_what_they_were(tmp_path):
    make_file().to_netcdf(tmp_path / "a.nc")
    prepare(["--data_path", f"{tmp_path}/a.nc", "--output", f"{tmp_path}/store", "--units", "mm/h"])
    for units, name in (("file", "precip_intensity"), ("dBZ", "DBZH")):
        (movies,) = read_movies(tmp_path / "store", units=units)
        assert list(forecast_frames(movies).data_vars) == [name]


def test_pysteps_reads_rates_made_from_reflectivity_as_rates(pysteps, tmp_path):
    (movies,) = read_movies(make_file("reflectivity"), units="mm/h")
    forecast = forecast_frames(movies)
    write_forecast(tmp_path / "a.nc", forecast)
    with NETCDF_LOCK:
        field, metadata = pysteps.io.import_netcdf_pysteps(str(tmp_path / "a.nc"), onerror="raise")
    np.testing.assert_array_equal(field, forecast["precip_intensity"].values[..., 0])
    assert metadata["unit"] == "mm/h"


def test_rates_that_are_called_reflectivity_are_still_read(tmp_path):
    (movies,) = read_movies(make_file("reflectivity"), units="mm/h")
    forecast = forecast_frames(movies)
    write_forecast(tmp_path / "a.nc", forecast.rename(precip_intensity="reflectivity"))
    (found,) = read_forecasts(tmp_path / "a.nc")
    assert found.movies.frames.attrs["units"] == "mm/h"
    np.testing.assert_array_equal(found.movies.frames[0], forecast["precip_intensity"])


def test_pysteps_takes_a_sphere_for_wgs_84_and_the_file_has_the_sphere(pysteps, tmp_path):
    """The places are 11 km off by the projection that pysteps makes, and right by the one that the file states."""
    import pyproj

    (movies,) = read_movies(make_file())
    forecast = forecast_frames(movies)
    write_forecast(tmp_path / "a.nc", forecast, layout="pysteps")
    with NETCDF_LOCK:
        _, metadata = pysteps.io.import_netcdf_pysteps(str(tmp_path / "a.nc"), onerror="raise")
        with xr.open_dataset(tmp_path / "a.nc", decode_timedelta=False) as file:
            stated, lat, lon = file.polar_stereographic.attrs, file.lat.values, file.lon.values
    assert stated["earth_radius"] == 6371288 and "+R=6371288" in stated["proj4"]
    corner, off = (metadata["x1"] + 500, metadata["y2"] - 500), {}
    for text in (metadata["projection"], stated["proj4"]):
        there = pyproj.Proj(text)(*corner, inverse=True)
        off[text] = pyproj.Geod(a=6371288, b=6371288).inv(*there, lon[0, 0], lat[0, 0])[2]
    assert off[stated["proj4"]] < 1 and 10_000 < off[metadata["projection"]] < 12_000


def test_other_projections_keep_the_name_of_their_grid_mapping(tmp_path):
    mapping = {"grid_mapping_name": "albers_conical_equal_area"}
    forecast = to_forecast(make_values(2)[..., None], make_movies(mapping=mapping), Window(0, 0, 1, 0, 0), 4, "a", "b")
    write_forecast(tmp_path / "a.nc", forecast, layout="pysteps")
    with NETCDF_LOCK, xr.open_dataset(tmp_path / "a.nc", decode_timedelta=False) as file:
        assert "crs" in file.variables and "polar_stereographic" not in file.variables


@pytest.mark.parametrize(
    ("change", "layout", "message"),
    [
        ({"units": "furlong"}, "pysteps", r"a\.nc: the pysteps layout holds mm/h or dBZ, not furlong"),
        ({"channels": 2}, "pysteps", r"a\.nc: the pysteps layout holds one channel, not 2"),
        ({"times": False}, "pysteps", r"a\.nc: the pysteps layout needs times"),
        ({}, "grib", "must be one of cf, pysteps, not 'grib'"),
    ],
)
def test_what_a_layout_cannot_hold_is_refused(tmp_path, change, layout, message):
    channels = change.get("channels", 1)
    movies = build_movies(
        np.ones((1, 9, *SHAPE, channels), np.float32),
        {"time": INIT + STEP * np.arange(9)[None] if change.get("times", True) else None},
        attrs={"units": change.get("units", "mm/h")},
        source="observed.nc",
        files=["observed.nc"],
    )
    forecast = to_forecast(np.ones((2, *SHAPE, channels)), movies, Window(0, 0, 1, 0, 0), 4, "a", "b")
    with pytest.raises(ValueError, match=message):
        write_forecast(tmp_path / "a.nc", forecast, layout=layout)
    assert not list(tmp_path.iterdir())
