"""Forecast and observation as arrays side by side: what they must look like, which pixels count, their labels."""

from collections.abc import Iterator, Sequence

import numpy as np


def check_fields(forecast: np.ndarray, observed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as (case, T, H, W, C) floating point arrays of one shape, where NaN is missing.

    Raises:
      ValueError: other shapes or types, masked arrays.
    """
    forecast, observed = check_field("forecast", forecast), check_field("observed", observed)
    if forecast.shape != observed.shape:
        raise ValueError(f"forecast has the shape {forecast.shape} but observed has {observed.shape}")
    return forecast, observed


def check_field(name: str, values: np.ndarray, axes: Sequence[str] = ("case", "T", "H", "W", "C")) -> np.ndarray:
    """`values` as a floating point array with these axes, or a ValueError that names the field."""
    if isinstance(values, np.ma.MaskedArray):
        raise ValueError(f"{name} is a masked array: fill it with NaN first")
    values = np.asarray(values)
    if values.ndim != len(axes) or not values.size:
        raise ValueError(f"{name} must be ({', '.join(axes)}) with at least one value, not {values.shape}")
    if values.dtype.kind != "f":
        raise ValueError(f"{name} must be floating point, where NaN is missing, not {values.dtype}")
    return values


def check_thresholds(thresholds: Sequence[float]) -> list[float]:
    """The thresholds, sorted; ValueError where one is not finite or comes twice."""
    thresholds = sorted(float(t) for t in thresholds)
    if not np.all(np.isfinite(thresholds)) or len(set(thresholds)) < len(thresholds):
        raise ValueError(f"thresholds must be finite and different, not {thresholds}")
    return thresholds


def find_valid(forecast: np.ndarray, observed: np.ndarray, frame: int) -> np.ndarray:
    """Where both have a value: a Boolean array; ValueError where one is infinite (`frame` counts from 1)."""
    if np.isinf(forecast).any() or np.isinf(observed).any():
        raise ValueError(f"infinite value in frame {frame} of forecast or observed; only NaN is missing")
    return ~(np.isnan(forecast) | np.isnan(observed))


def split_cases(shape: tuple[int, ...], pixels: int) -> Iterator[slice]:
    """Slices of the first axis with about `pixels` values of one frame each (axis 1 left out), at least one case."""
    size = max(1, pixels // int(np.prod(shape[2:])))
    return (slice(start, start + size) for start in range(0, shape[0], size))


def label_leads(steps: int, lead_times: Sequence[int] | None, lead_units: str) -> tuple:
    """The coordinate lead_time of `steps` frames; without `lead_times` 1, 2, ... with units "1" (frames)."""
    if lead_times is None:
        lead_times, lead_units = range(1, steps + 1), "1"
    if len(lead_times) != steps:
        raise ValueError(f"{len(lead_times)} lead times for {steps} frames")
    return "lead_time", np.asarray(lead_times), {"long_name": "lead time", "units": lead_units}


def label_thresholds(thresholds: Sequence[float], units: str) -> tuple:
    """The coordinate threshold."""
    return "threshold", np.asarray(thresholds, np.float64), {"long_name": "event threshold", "units": units}
