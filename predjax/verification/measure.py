"""All statistics of deterministic forecasts in one set of sums, and all scores of the total."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from predjax.verification.common_domain import coverage_skill, coverage_statistics
from predjax.verification.distribution import distribution_skill, histogram_statistics
from predjax.verification.scores import skill, statistics
from predjax.verification.spatial import fss_skill, fss_statistics
from predjax.verification.spectra import spectrum_skill, spectrum_statistics


def measure(
    forecast: np.ndarray,
    observed: np.ndarray,
    thresholds: Sequence[float],
    windows: Sequence[int],
    *,
    data_range: float | None = None,
    fill: float | None = None,
    side: int | None = None,
    pixel_size: float | None = None,
    pixel_units: str = "m",
    lead_times: Sequence[int] | None = None,
    lead_units: str = "minutes",
    units: str = "1",
) -> xr.Dataset:
    """The additive sums behind every score of some cases; add those of more with `scores.add_statistics`.

    Counts and errors (`scores`), FSS (`spatial`), spectra (`spectra`), histograms (`distribution`) and coverage
    (`common_domain`), whose functions say what the arguments and the variables are. `units` is that of the fields.
    Sums of frames of different sizes add only with one `side` for their spectra. Frames of a single pixel, which are
    vector series, have neither FSS nor spectra.

    Raises:
      ValueError: what any of them raises.
    """
    labels: dict[str, Any] = {"lead_times": lead_times, "lead_units": lead_units}
    waves: dict[str, Any] = {"fill": fill, "side": side, "pixel_size": pixel_size, "pixel_units": pixel_units}
    parts = [
        statistics(forecast, observed, thresholds, data_range=data_range, units=units, **labels),
        histogram_statistics(forecast, observed, units=units, **labels),
        coverage_statistics(forecast, observed, **labels),
    ]
    if forecast.shape[2:4] != (1, 1):
        parts.append(fss_statistics(forecast, observed, thresholds, windows, units=units, **labels))
        parts.append(spectrum_statistics(forecast, observed, units=units, **waves, **labels))
    return _join(parts)


def score(statistics: xr.Dataset) -> xr.Dataset:
    """All scores of the sums of `measure`, over any further dimensions that they have."""
    parts = [skill, distribution_skill, coverage_skill]
    parts += [fss_skill, spectrum_skill] if "spectrum_frames" in statistics else []
    return _join([part(statistics) for part in parts])


def score_compared(statistics: xr.Dataset) -> xr.Dataset:
    """The scores whose differences are tested: the others would take most of the time."""
    parts = [skill(statistics), *([fss_skill(statistics)] if "spectrum_frames" in statistics else [])]
    return xr.merge(parts, join="exact", combine_attrs="drop_conflicts")


def _join(parts: list[xr.Dataset]) -> xr.Dataset:
    return xr.merge(parts, join="exact", compat="no_conflicts", combine_attrs="no_conflicts")
