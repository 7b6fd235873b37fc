"""Spectra as drawn: the numbers of the comparison, long waves on the left."""

import numpy as np
import pytest
import xarray as xr

from predjax.pictures.lead_times import style_methods
from predjax.pictures.spectra import draw_spectra, has_spectra

METHODS = ("predrnn_v2", "persistence")


def spectra(wavelength=True, units="(mm/h)^2", frames=2):
    number = np.arange(1, 33)
    observed = np.broadcast_to(100.0 * number**-2.0, (2, frames, 32))
    ratio = np.stack([np.exp(-number / 8), np.ones(32)])[:, None] * np.ones((2, frames, 1))
    dims = ("method", "lead_time", "wavenumber")
    coords = {
        "method": list(METHODS),
        "lead_time": ("lead_time", 5 * np.arange(1, frames + 1), {"units": "minutes"}),
        "wavenumber": ("wavenumber", number, {"long_name": "waves along 64 pixels"}),
    }
    if wavelength:
        coords["wavelength"] = ("wavenumber", 64_000 / number, {"units": "m"})
    data = {"rapsd_observed": (dims, observed, {"units": units}), "rapsd_forecast": (dims, observed * ratio)}
    return xr.Dataset({**data, "rapsd_ratio": (dims, ratio)}, coords)


def draw(comparison, lead=0):
    return draw_spectra(comparison, lead, style_methods(METHODS), (760, 660), 200)


def test_curves_are_the_powers_and_the_ratios(assert_readable):
    data = spectra()
    figure = draw(data, lead=1)
    assert_readable(figure)
    upper, lower = ({line.get_label(): line.get_xydata() for line in axes.lines} for axes in figure.axes)
    np.testing.assert_allclose(upper["observed"][:, 1], data.rapsd_observed[0, 1])
    for number, method in enumerate(METHODS):
        np.testing.assert_allclose(upper[method][:, 0], data.wavelength / 1000)
        np.testing.assert_allclose(upper[method][:, 1], data.rapsd_forecast[number, 1])
        np.testing.assert_allclose(lower[method][:, 1], data.rapsd_ratio[number, 1])


@pytest.mark.parametrize(("wavelength", "label"), [(True, "wavelength (km)"), (False, "waves along 64 pixels")])
def test_long_waves_are_on_the_left(wavelength, label):
    lower = draw(spectra(wavelength)).axes[1]
    left, right = lower.get_xlim()
    assert (left > right) == wavelength and {left, right} == ({64.0, 2.0} if wavelength else {1.0, 32.0})
    assert lower.get_xlabel() == label


def test_a_unit_is_not_read_as_mathematics(assert_readable):
    figure = draw(spectra(units="$\\frac{"))
    assert_readable(figure)
    assert figure.axes[0].get_ylabel() == "power ($\\frac{)"


def test_spectra_that_are_all_undefined_are_none():
    assert has_spectra(spectra()) and not has_spectra(spectra() * np.nan) and not has_spectra(xr.Dataset())
    assert not has_spectra(spectra() * 0)


def test_a_forecast_without_rain_and_dry_observations_have_no_curve():
    data = spectra()
    data["rapsd_forecast"][0], data["rapsd_ratio"][:] = 0, np.nan
    figure = draw(data)
    figure.canvas.draw()
    assert [len(axes.lines) for axes in figure.axes] == [2, 1]  # of the observation and persistence; the line at 1
