"""The common domain, the pixels that every method forecasts, and the coverage of each method."""

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
    lacking = find_lacking(forecasts, observed)
    return {name: drop_pixels(frames, lacking) for name, frames in forecasts.items()}


def find_lacking(forecasts: Mapping[str, np.ndarray], observed: np.ndarray) -> np.ndarray:
    """Return where any forecast or the observation has no value, (case, T, H, W, C). Args, errors: as `keep_common`."""
    lacking = np.isnan(observed)
    for name, values in forecasts.items():
        shape = values.shape[:1] + values.shape[2:] if values.ndim == 6 else values.shape
        if shape != observed.shape:
            raise ValueError(f"{name} has forecasts of the shape {values.shape} but observed has {observed.shape}")
        lacking |= find_missing(values)
    return lacking


def find_missing(frames: np.ndarray) -> np.ndarray:
    """Return where a forecast, or any of its members, is NaN: (case, T, H, W, C)."""
    return np.isnan(frames).any(axis=1) if frames.ndim == 6 else np.isnan(frames)


def drop_pixels(frames: np.ndarray, lacking: np.ndarray) -> np.ndarray:
    """Return a copy of a forecast, single or with members, with NaN where `lacking` (case, T, H, W, C) is true."""
    return np.where(lacking[:, None] if frames.ndim == 6 else lacking, frames.dtype.type(np.nan), frames)


def coverage_statistics(forecast: np.ndarray, observed: np.ndarray, scoring: Scoring = PLAIN) -> xr.Dataset:
    """Return the number of observed pixels, and the number of these that are also forecast.

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
    s = statistics.variables
    result = keep_labels(statistics, {"coverage": ratio(s["covered_pixels"], s["observed_pixels"])})
    result.coverage.attrs = {"long_name": "part of the observed pixels that is forecast", "units": "1"}
    return result
