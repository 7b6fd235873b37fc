"""Small inputs with a feature that people's files have: each is read right, or refused with the remedy."""

import runpy
import sys
from unittest import mock

import numpy as np
import pytest

from predjax.radar.forecasts import match_forecasts, read_forecasts
from predjax.radar.readers import read_movies
from predjax.radar.windows.runs import find_periods


@pytest.fixture(scope="module")
def make(shared, tmp_path_factory):
    """Write the files of a case, once, and return their folder."""
    made = {}

    def make(name, *arguments):
        case = (name, *arguments)
        if case not in made:
            made[case] = tmp_path_factory.mktemp(name)
            script = shared / "cases" / f"{name}.py"
            if not script.is_file():
                pytest.skip(f"no {script}")
            with mock.patch.object(sys, "argv", [str(script), str(made[case]), *map(str, arguments)]):
                runpy.run_path(str(script))
        return made[case]

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
    (movies,) = read_movies(make("mrms_cfgrib"), **options)
    assert movies.frames.attrs["units"] == "mm/h" and float(movies.frames.max()) == 6
    assert "taken as mm/h" in movies.attrs["remarks"][0]


def test_unsampled_negative(make, caplog):
    folder = make("unsampled_negative")
    for name, part in (("all", 0.5), ("some", 0.5 * 18 / 100)):  # two of the twenty frames were repaired
        values = read_movies(folder / f"{name}.nc")[0].frames.values
        assert np.isnan(values).mean() == pytest.approx(part)
        assert np.nanmin(values) == 0
        assert f"{name}.nc: -3 is taken as no coverage" in caplog.text


def test_undershoot(make, caplog):
    folder = make("lead_zero_and_undershoot")
    for name, least in (("accepted", -0.5), ("refused", -0.02)):
        assert read_movies(folder / f"{name}.nc")[0].frames.values.min() == 0
        assert f"{name}.nc: negative rain, down to {least} mm/h, is taken as 0" in caplog.text


THEIRS = {  # None: read, and scored as the one that says all
    "cf": None,
    "with_lead_0": None,
    "step": None,
    "km_grid": None,
    "members": None,
    "plain_xarray": "nothing says its init time: .* give --first_lead 5",
    "lead_time_only": "a forecast needs valid times",
    "many_inits": "forecast_reference_time must be one init time, found 2: write a file for each",
    "members_nan": "member 3 of 3 has no value at lead time 1 of 6",
    "no_coords": r"its pixels \(32x32, y 0\.\.31, x 0\.\.31\) are not those of",
    "negative": r"frame 0: 73\.9% of the pixels are negative rain, such as -0\.05 mm/h, .* set it to 0",
}


def test_forecasts_of_others(make):
    archive = make("archive", 1)
    folder = make("theirs", archive / "2026-06-01.nc")
    observed = read_movies(archive)
    truth = observed[0].frames.values[0, 25:31]
    for name, rule in THEIRS.items():
        if rule:
            with pytest.raises(ValueError, match=rf"{name}/f\.nc: (rain: )?{rule}"):
                match_forecasts(read_forecasts(folder / name), observed, 3)[0].read(6, (32, 32))
            continue
        (match,) = match_forecasts(read_forecasts(folder / name), observed, 3)
        factor = 1 if name == "with_lead_0" else np.float32(0.8)
        np.testing.assert_allclose(match.read(6, (32, 32))[0], truth * factor, rtol=1e-6)
    first = read_forecasts(folder / "plain_xarray", first_lead=5)
    assert match_forecasts(first, observed, 3)[0].window.start == 22


def test_knmi_forecast(make):
    folder = make("knmi_forecast")
    (forecast,) = read_forecasts(folder)
    assert str(forecast.init_time) == "2026-06-01T02:00:00.000000000"
    assert forecast.movies.sizes["time"] == 24  # one of 25 images is of the init time
    rates = forecast.movies.frames.values[0, :, 0, 0, 0]
    np.testing.assert_allclose(rates, 0.01 * (10 + np.arange(1, 25)) * 12, rtol=1e-6)  # mm in 5 minutes


CASES = {
    # the script: its file, the sizes of the frames, a frame with its greatest value, remarks
    "openstl_ntchw/one.npy": ((6, 24, 40, 40, 1), 1.0, "axes (6, 24, 1, 40, 40) taken as movie,time,channel,y,x"),
    "openstl_ntchw/three.npy": ((6, 24, 40, 40, 3), 1.0, "axes (6, 24, 3, 40, 40) taken as movie,time,channel,y,x"),
    "mnist_test_seq/mnist_test_seq.npy": (
        (200, 20, 32, 32, 1),
        255.0,
        "axes (20, 200, 32, 32) taken as time,movie,y,x",
    ),
    "bare_latlon/a.nc": (
        (1, 30, 24, 20, 1),
        6.0,
        "lat and lon of each pixel are left out: rows and columns are numbered",
    ),
    "both_fill/a.nc": ((1, 20, 24, 20, 1), 5.5, "rows and columns are numbered"),
    "unsigned_false/a.nc": ((1, 30, 24, 20, 1), 5.0, "rows and columns are numbered"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_script_makes_is_read_and_what_was_taken_for_what_is_said(case, make):
    script, _, name = case.partition("/")
    shape, greatest, remark = CASES[case]
    (movies,) = read_movies(make(script) / name)
    assert movies.frames.shape == shape
    np.testing.assert_allclose(np.nanmax(movies.frames.values), greatest, rtol=1e-3)
    assert remark in "".join(movies.attrs["remarks"])


def test_objects_that_are_no_dataset(shared, capsys):
    runpy.run_path(str(shared / "cases" / "datatree.py"))
    tree, array, several, named, table = capsys.readouterr().out.splitlines()
    for line in (tree, array, several, named):
        assert "'time': 8, 'y': 24, 'x': 20" in line
    assert "DataFrame ValueError" in table and "give frame.to_xarray()" in table


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


@pytest.mark.parametrize(
    ("name", "arguments", "runs", "remark"),
    [
        ("iso_string_time", (), [30, 30], "time: texts are read as dates"),
        ("iso_single_frames", (), [30], "time: texts are read as dates"),
        ("stamp_int_time", (), [30, 30], "time: numbers YYYYMMDDHHMM are read as dates, taken as UTC"),
        ("feed", (), [16], None),
        ("feed", ("jump",), [15, 1], None),
        (
            "feed",
            ("jitter",),
            [16],
            "the times are not equally spaced: a step of 300 s is taken, times may be off by 45 s; --step sets it",
        ),
        ("archive", (), [96, 96], None),
    ],
)
def test_times(make, name, arguments, runs, remark):
    (movies,) = read_movies(make(name, *arguments))
    assert movies.attrs["step_seconds"] == 300 and movies.time.values[0, 0] >= np.datetime64("2026-06-01")
    assert [period.frames for period in find_periods([movies])] == runs
    assert [one for one in movies.attrs["remarks"] if "of the pixels" not in one] == ([remark] if remark else [])


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def test_mlcast_zarr(make):
    pytest.importorskip("zarr")
    folder = make("mlcast_zarr")
    for store in ("v2", "v3"):
        (movies,) = read_movies(folder / f"{store}.zarr")
        assert [period.frames for period in find_periods([movies])] == [20, 23, 14]
