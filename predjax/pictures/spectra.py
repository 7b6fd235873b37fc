"""Power spectra of the forecasts and of the observation: a forecast with less power is blurred."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from predjax.pictures.figures import new_figure
from predjax.pictures.lead_times import style_axes
from predjax.pictures.panels import FAINT, INK
from predjax.units import metre_factor

OBSERVED_STYLE: dict[str, Any] = {"color": INK, "linestyle": "-", "linewidth": 2.2}
DECADES_BELOW = 2  # how far below the observed spectrum a forecast is still drawn


def draw_spectra(
    comparison: xr.Dataset, lead: int, styles: Mapping[str, Mapping], size: tuple[int, int], dpi: int
) -> Figure:
    """Draw the spectra of the observation and of every method at one lead time, and below them their ratios.

    The longest waves are on the left. The axis is the wavelength where the comparison has that coordinate, else the
    wave number.

    Args:
      comparison: rapsd_forecast, rapsd_observed and rapsd_ratio over (method, lead_time, wavenumber).
      lead: the position of the lead time.
      styles: the style of each method, from `style_methods`.
      size: width and height in pixels.
    """
    figure = new_figure(size[0], size[1], dpi)
    upper, lower = figure.add_axes((0.135, 0.43, 0.845, 0.545)), figure.add_axes((0.135, 0.135, 0.845, 0.25))
    waves, label = _measure_waves(comparison)
    now = comparison.isel(lead_time=lead)
    observed = now["rapsd_observed"].values
    for axes in (upper, lower):
        style_axes(axes)
        axes.set_xscale("log")
        axes.set_xlim(waves[0], waves[-1])  # from long waves to short ones, whichever grows
        mark_decades(axes)
    # On common pixels all methods share the observed spectrum; elsewhere the one of the first method is drawn.
    upper.plot(waves, observed[0], label="observed", **OBSERVED_STYLE)
    for number, method in enumerate(map(str, now["method"].values)):
        marks = {"markersize": 3.0, "markevery": (0.02 + 0.02 * number, 0.13)}
        style = {**styles[method], **marks, "linewidth": 1.3, "label": method}
        power, ratio = now["rapsd_forecast"].values[number], now["rapsd_ratio"].values[number]
        # Matplotlib cannot place markers on a curve without a point: of no rain on a logarithmic axis, of 0/0.
        if (power > 0).any():
            upper.plot(waves, power, **style)
        if np.isfinite(ratio).any():
            lower.plot(waves, ratio, **style)
    upper.set_yscale("log")
    positive = observed[np.isfinite(observed) & (observed > 0)]
    if positive.size:
        upper.set_ylim(positive.min() / 10**DECADES_BELOW, 3 * positive.max())
    upper.yaxis.set_minor_formatter(NullFormatter())
    upper.tick_params(labelbottom=False)
    lower.axhline(1, color=INK, linewidth=1.2)
    lower.set(ylim=(0, 1.6), yticks=(0, 0.5, 1, 1.5))
    units = comparison["rapsd_observed"].attrs.get("units", "1")
    upper.set_ylabel("power" + ("" if units == "1" else f" ({units.replace('^2', '²')})"), **_small())
    lower.set_ylabel("fcst / obs", **_small())
    lower.set_xlabel(label, **_small(), labelpad=1)
    figure.align_ylabels((upper, lower))
    return figure


def has_spectra(comparison: xr.Dataset) -> bool:
    """Return whether any lead time has a spectrum; fields without any rain have no power."""
    return any(
        bool((comparison[name] > 0).any()) for name in ("rapsd_forecast", "rapsd_observed") if name in comparison
    )


def _measure_waves(comparison: xr.Dataset) -> tuple[np.ndarray, str]:
    """Return the positions along the axis, and its label."""
    if "wavelength" not in comparison.coords:
        number = comparison["wavenumber"]
        return np.asarray(number.values, float), number.attrs.get("long_name", "wave number")
    length = comparison["wavelength"]
    units = length.attrs.get("units", "m")
    factor = metre_factor(units)
    if factor:
        return length.values * (factor / 1000), "wavelength (km)"
    return np.asarray(length.values, float), "wavelength" + ("" if units == "1" else f" ({units})")


def mark_decades(axes: Axes) -> None:
    """Mark 1, 2 and 5 of each power of ten along a logarithmic x axis, as plain numbers."""
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=20))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _small() -> dict:
    return {"fontsize": 7.5, "color": FAINT}
