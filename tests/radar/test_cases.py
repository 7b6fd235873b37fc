"""Small inputs with a feature that people's files have: each is read right, or refused with the remedy."""

import runpy
import sys
from unittest import mock

import numpy as np
import pytest
import xarray as xr

from predjax.radar.readers import read_movies


@pytest.fixture(scope="module")
def make(shared, tmp_path_factory):
    """Write the files of a case, once, and return their folder."""
    made = {}

    def make(name):
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name)
            script = shared / "cases" / f"{name}.py"
            if not script.is_file():
                pytest.skip(f"no {script}")
            with mock.patch.object(sys, "argv", [str(script), str(made[name])]):
                runpy.run_path(str(script))
        return made[name]

    return make


# Script, file, options; the unit and the largest value that are read, or the message.
READ = [
    ("units_object", "pint_rate.nc", {}, ("mm/h", 0.5)),
    ("units_object", "pint_flux.nc", {}, ("mm/h", 0.5)),
    ("units_object", "acc_mm_named_hourly.nc", {"accumulation_period": "1h"}, ("mm/h", 0.5)),
    ("units_object", "acc_cell_methods.nc", {"accumulation_period": "15min"}, ("mm/h", 2.0)),
    ("units_object", "dbz_unit_dB.nc", {"source_units": "dBZ"}, ("dBZ", 30.0)),
    ("units_object", "dbz_logre.nc", {}, ("dBZ", 30.0)),
    ("units_object", "dbz_no_unit.nc", {"units": "dBZ"}, ("dBZ", 30.0)),
    ("wradlib_unit", "RY.nc", {}, ("mm/h", 6.0)),
    ("wradlib_unit", "RW.nc", {}, ("mm/h", 0.5)),
    ("wradlib_unit", "RX.nc", {}, ("dBZ", 30.0)),
]
REFUSED = [
    (
        "units_object",
        "acc_mm_named_hourly.nc",
        {},
        "'1-hour accumulation' speaks of 60min.*--accumulation_period 60min",
    ),
    ("units_object", "acc_cell_methods.nc", {}, "speaks of 15min.*--accumulation_period 15min"),
    ("units_object", "acc_cumulative.nc", {}, "the sums never fall.*ds.rain.diff"),
    ("units_object", "z_linear.nc", {"units": "dBZ"}, "the unit 'mm6 m-3' cannot be converted.*--source_units"),
    ("units_object", "dbz_unit_dB.nc", {"units": "mm/h"}, "the unit 'dB' cannot be converted.*--source_units"),
    ("units_object", "dbz_no_unit.nc", {"units": "mm/h"}, "'Reflectivity' is not in mm/h.*--source_units dBZ"),
    ("xradar_group", "a.nc", {}, "sweep_0/DBZH is a polar sweep.*docs/your_data.md"),
]


@pytest.mark.parametrize(("case", "file", "options", "expected"), READ)
def test_cases_that_are_read(make, case, file, options, expected):
    (movies,) = read_movies(make(case) / file, **options)
    assert (movies.frames.attrs["units"], float(movies.frames.max())) == expected


@pytest.mark.parametrize(("case", "file", "options", "expected"), REFUSED)
def test_cases_that_are_refused(make, case, file, options, expected):
    with pytest.raises(ValueError, match=expected):
        read_movies(make(case) / file, **options)


@pytest.mark.parametrize("options", [{"source_units": "mm/h"}, {"units": "mm/h"}])
def test_the_unit_of_grib_decoders_is_none(make, options):
    # Of one frame without the column of -3, which is no coverage.
    first = sorted(make("mrms_cfgrib").iterdir())[0]
    with xr.open_dataset(first) as dataset:
        (movies,) = read_movies(dataset.load().isel(longitude=slice(3, None)), **options)
    assert movies.frames.attrs["units"] == "mm/h" and float(movies.frames.max()) == 6
    assert "taken as mm/h" in movies.attrs["remarks"][0]


@pytest.mark.parametrize(
    ("name", "shape", "units", "step", "greatest"),
    [
        ("sevir_h5", (4, 49, 48, 48, 1), "digital VIL", None, 0),
        ("meteonet_npz", (1, 36, 24, 20, 1), "mm/h", 300, 4.8),
        ("taxibj_npz", (25, 8, 32, 32, 2), "1", None, 1),
        ("rydl_h5", (1, 12, 90, 90, 1), "mm/h", 300, 0),
    ],
)
def test_published_archives_are_read(make, name, shape, units, step, greatest):
    (movies,) = read_movies(make(name))
    assert (movies.frames.shape, movies.frames.attrs["units"]) == (shape, units)
    assert movies.attrs.get("step_seconds") == step
    assert np.nanmax(movies.frames.values) == pytest.approx(greatest, rel=1e-3)
    assert movies.attrs["remarks"]
