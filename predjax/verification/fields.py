"""Forecast and observation as arrays of one shape: their checks, their valid pixels, and the settings of scoring."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

EVENT_RULE = "value >= threshold"


@dataclass(frozen=True)
class Scoring:
    """The settings of scoring, and facts about the fields that their values do not show. All statistics take one.

    Attributes:
      thresholds: thresholds of events, in `units`; kept sorted.
      windows: odd sides of the square windows of the FSS in pixels; kept sorted.
      units: the unit of the fields.
      lead_times, lead_units: labels of the T frames; without them 1 ... T with units "1" (frames).
      data_range: largest minus smallest possible value (1 for data in [0, 1]); adds SSIM and PSNR.
      fill: the value of a dry pixel. Spectra put it into both fields where one is missing, and count frames of which at
        least half is valid; with None they count frames without a missing pixel alone.
      side: spectra are of the central square of so many pixels; None: of the whole frame. Spectra of frames of
        different sizes add only when they have the same side.
      pixel_size: side of a pixel in metres, where it is known.
      areas: the areas whose totals of rain are scored, a `verification.areas.AreaScoring`.

    Errors: ValueError, thresholds, windows or numbers that make no sense.
    """

    thresholds: Sequence[float] = ()
    windows: Sequence[int] = ()
    units: str = "1"
    lead_times: Sequence[float] | None = None
    lead_units: str = "minutes"
    data_range: float | None = None
    fill: float | None = None
    side: int | None = None
    pixel_size: float | None = None
    areas: Any = None

    def __post_init__(self) -> None:
        thresholds = sorted(float(threshold) for threshold in self.thresholds)
        if not np.all(np.isfinite(thresholds)) or len(set(thresholds)) < len(thresholds):
            raise ValueError(f"thresholds must be finite and different, not {thresholds}")
        windows = sorted(int(side) for side in self.windows)
        odd = all(side > 0 and side % 2 for side in windows)
        if windows != sorted(self.windows) or not odd or len(set(windows)) < len(windows):
            raise ValueError(f"windows must be different odd numbers of pixels, not {list(self.windows)}")
        if self.data_range is not None and not self.data_range > 0:
            raise ValueError(f"data_range must be positive, not {self.data_range}")
        if self.fill is not None and not np.isfinite(self.fill):
            raise ValueError(f"fill must be finite, not {self.fill}")
        if self.pixel_size is not None and not self.pixel_size > 0:
            raise ValueError(f"pixel_size must be positive, not {self.pixel_size}")
        leads = None if self.lead_times is None else tuple(np.asarray(self.lead_times).tolist())
        for name, value in (("thresholds", tuple(thresholds)), ("windows", tuple(windows)), ("lead_times", leads)):
            object.__setattr__(self, name, value)


PLAIN = Scoring()


def check_fields(forecast: np.ndarray, observed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both as (case, T, H, W, C) floating point arrays of one shape, where NaN is missing.

    Errors: ValueError, other shapes or types, masked arrays.
    """
    forecast, observed = check_field("forecast", forecast), check_field("observed", observed)
    if forecast.shape != observed.shape:
        raise ValueError(f"forecast has the shape {forecast.shape} but observed has {observed.shape}")
    return forecast, observed


def check_field(name: str, values: np.ndarray, axes: Sequence[str] = ("case", "T", "H", "W", "C")) -> np.ndarray:
    """Return `values` as a floating point array with these axes; errors are ValueErrors that name the field."""
    if isinstance(values, np.ma.MaskedArray):
        raise ValueError(f"{name} is a masked array: fill it with NaN first")
    values = np.asarray(values)
    if values.ndim != len(axes) or not values.size:
        raise ValueError(f"{name} must be ({', '.join(axes)}) with at least one value, not {values.shape}")
    if values.dtype.kind != "f":
        raise ValueError(f"{name} must be floating point, where NaN is missing, not {values.dtype}")
    return values


def check_members(members: np.ndarray, observed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return members (case, member, T, H, W, C) and observation (case, T, H, W, C), checked as by `check_fields`."""
    members = check_field("members", members, ("case", "member", "T", "H", "W", "C"))
    observed = check_field("observed", observed)
    if members.shape[:1] + members.shape[2:] != observed.shape:
        raise ValueError(f"members has the shape {members.shape} but observed has {observed.shape}")
    return members, observed


def find_valid(forecast: np.ndarray, observed: np.ndarray, frame: int) -> np.ndarray:
    """Return where both have a value, as a Boolean array.

    Errors: ValueError, an infinite value; the message counts `frame` from 1.
    """
    if np.isinf(forecast).any() or np.isinf(observed).any():
        raise ValueError(f"infinite value in frame {frame} of forecast or observed; only NaN is missing")
    return ~(np.isnan(forecast) | np.isnan(observed))


def split_cases(shape: tuple[int, ...], pixels: int) -> Iterator[slice]:
    """Return slices of the first axis, each of at least one case and of about `pixels` values of one frame (axis 1)."""
    size = max(1, pixels // int(np.prod(shape[2:])))
    return (slice(start, start + size) for start in range(0, shape[0], size))


def label_leads(steps: int, scoring: Scoring) -> tuple[str, np.ndarray, dict[str, str]]:
    """Return the coordinate lead_time of `steps` frames. Errors: ValueError, another number of lead times."""
    times, units = scoring.lead_times, scoring.lead_units
    if times is None:
        times, units = range(1, steps + 1), "1"
    if len(times) != steps:
        raise ValueError(f"{len(times)} lead times for {steps} frames")
    return "lead_time", np.asarray(times), {"long_name": "lead time", "units": units}


def label_thresholds(scoring: Scoring) -> tuple[str, np.ndarray, dict[str, str]]:
    """Return the coordinate threshold."""
    attrs = {"long_name": "event threshold", "units": scoring.units}
    return "threshold", np.asarray(scoring.thresholds, np.float64), attrs


def describe_events(scoring: Scoring) -> dict[str, Any]:
    """Return the attributes of sums that count events."""
    return {"event_rule": EVENT_RULE, "units": scoring.units, "thresholds": list(scoring.thresholds)}
