"""The common domain, which are the pixels that every method forecasts, and the coverage of each method."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from predjax.verification.fields import PLAIN, Scoring, check_fields, find_valid, label_leads
from predjax.verification.sums import keep_labels, ratio


def keep_common(forecasts: Mapping[str, np.ndarray], observed: np.ndarray) -> dict[str, np.ndarray]:
    """Return the forecasts with NaN wherever one of them or the observation has no value.

    The statistics of the result are of the same pixels for every method; the statistics of the forecasts as they came
    are of each method's own pixels (the whole domain). An ensemble lacks a pixel where one of its members does.

    Args:
      forecasts: the frames of each method: (case, T, H, W, C), or (case, member, T, H, W, C) of an ensemble; NaN = no
        value.
      observed: (case, T, H, W, C).

    Errors: ValueError, a forecast of another shape, with its name.
    """
    lacking = np.isnan(observed)
    for name, values in forecasts.items():
        shape = values.shape[:1] + values.shape[2:] if values.ndim == 6 else values.shape
        if shape != observed.shape:
            raise ValueError(f"{name} has forecasts of the shape {values.shape} but observed has {observed.shape}")
        missing = np.isnan(values)
        lacking |= missing.any(axis=1) if values.ndim == 6 else missing
    result = {}
    for name, values in forecasts.items():
        nowhere = lacking[:, None] if values.ndim == 6 else lacking
        result[name] = np.where(nowhere, values.dtype.type(np.nan), values)
    return result


def coverage_statistics(forecast: np.ndarray, observed: np.ndarray, scoring: Scoring = PLAIN) -> xr.Dataset:
    """Count the observed pixels, and how many of them are also forecast.

    Args and errors: as for `scores.statistics`.

    Returns:
      observed_pixels, covered_pixels (lead_time): int64.
    """
    forecast, observed = check_fields(forecast, observed)
    steps = forecast.shape[1]
    counts = np.zeros((2, steps), np.int64)
    for lead in range(steps):
        for f, o in zip(forecast[:, lead], observed[:, lead]):
            counts[:, lead] += np.count_nonzero(~np.isnan(o)), np.count_nonzero(find_valid(f, o, lead + 1))
    variables = {"observed_pixels": ("lead_time", counts[0]), "covered_pixels": ("lead_time", counts[1])}
    return xr.Dataset(variables, {"lead_time": label_leads(steps, scoring)})


def coverage_skill(statistics: xr.Dataset) -> xr.Dataset:
    """Return coverage (lead_time): the part of the observed pixels that is forecast; NaN where nothing is observed."""
    result = xr.Dataset({"coverage": ratio(statistics.covered_pixels, statistics.observed_pixels)})
    result = keep_labels(statistics, result)
    result.coverage.attrs = {"long_name": "part of the observed pixels that is forecast", "units": "1"}
    return result
