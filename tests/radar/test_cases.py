"""Small inputs with a feature that people's files have, from the folder of reference data."""

import runpy
import sys

import numpy as np
import pytest

from predjax.radar.forecasts import match_forecasts, read_forecasts
from predjax.radar.readers import read_movies


@pytest.fixture
def make(shared, tmp_path, monkeypatch):
    """A function that runs a script by its name with arguments, and returns the folder that it fills."""

    def run(name, *arguments):
        folder = tmp_path / name
        script = shared / "cases" / f"{name}.py"
        monkeypatch.setattr(sys, "argv", [str(script), str(folder), *map(str, arguments)])
        runpy.run_path(str(script))
        return folder

    return run


def test_unsampled_negative(make, caplog):
    folder = make("unsampled_negative")
    for name, part in (("all", 0.5), ("some", 0.5 * 18 / 100)):  # two of the twenty frames were repaired
        values = read_movies(folder / f"{name}.nc")[0].frames.values
        assert np.isnan(values).mean() == pytest.approx(part)
        assert np.nanmin(values) == 0
        assert f"{name}.nc: rain: -3 is taken as no coverage" in caplog.text


def test_undershoot(make, caplog):
    folder = make("lead_zero_and_undershoot")
    for name, least in (("accepted", -0.5), ("refused", -0.02)):
        assert read_movies(folder / f"{name}.nc")[0].frames.values.min() == 0
        assert f"{name}.nc: rain: negative rain, down to {least} mm/h, is taken as 0" in caplog.text


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
