"""Fractions skill score (FSS): how well a forecast matches the fraction of events in windows of several sizes.

Roberts & Lean (2008), Mon. Wea. Rev. 136, 78-97: FSS = 1 - sum (Pf - Po)^2 / (sum Pf^2 + sum Po^2) with the
fractions Pf and Po of forecast and observed events in each window. Here a fraction is events / valid pixels of the
window, and a window counts when it lies inside the field and enough of it is valid. Other codes pad the field with dry
pixels and count missing pixels as dry, so their values differ near edges.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from predjax.verification.fields import (
    Scoring,
    check_fields,
    describe_events,
    find_valid,
    label_leads,
    label_thresholds,
    split_cases,
)
from predjax.verification.sums import keep_labels, ratio

SUMS = ("fss_squared_difference", "fss_forecast_squared", "fss_observed_squared")
BOUNDARY_RULE = "only windows that lie inside the field"
MIN_COVERAGE = 0.5  # the least valid part of a window that counts
BLOCK_PIXELS = 2**18  # pixels at a time: they fit into a processor's cache


class _Work(NamedTuple):
    """Memory that is used again for each part of the cases; new pages each time would take longer than the sums."""

    areas: np.ndarray  # (2, N, H + 1, W + 1), int32; the first row and column are zeros
    rows: np.ndarray  # int32 vector
    counts: np.ndarray  # three float64 vectors


def fss_statistics(
    forecast: np.ndarray, observed: np.ndarray, scoring: Scoring, *, min_coverage: float = MIN_COVERAGE
) -> xr.Dataset:
    """Return the additive sums of the FSS of some cases, by lead time, threshold and window.

    An event is `value >= threshold` in the precision of the field. A pixel is valid where forecast and observation
    have a value, and a window counts where at least `min_coverage` in (0, 1] of it is valid. A window that is larger
    than the field counts nowhere. Channels count as fields of their own. The fields are those of `scores.statistics`.

    Returns:
      fss_squared_difference, fss_forecast_squared, fss_observed_squared (lead_time, threshold, window): float64
      sums over windows of (Pf - Po)^2, Pf^2, Po^2; fss_windows (lead_time, window): int64, how many windows counted;
      fss_observed_events (lead_time, threshold) and fss_pixels (lead_time): int64, observed events and valid pixels.
      The attributes of the coordinate `window` state the rules.

    Errors: ValueError, bad fields, labels or min_coverage.
    """
    forecast, observed = check_fields(forecast, observed)
    thresholds, windows = scoring.thresholds, scoring.windows
    if not 0 < min_coverage <= 1:
        raise ValueError(f"min_coverage must be above 0 and at most 1, not {min_coverage}")
    steps = forecast.shape[1]
    leads = label_leads(steps, scoring)

    sums = np.zeros((len(SUMS), steps, len(thresholds), len(windows)))
    counts = np.zeros((steps, len(windows)), np.int64)
    events = np.zeros((steps, len(thresholds)), np.int64)
    pixels = np.zeros(steps, np.int64)
    work = known = None
    for lead in range(steps):
        for part in split_cases(forecast.shape, BLOCK_PIXELS):
            f, o = (_as_fields(values[part, lead]) for values in (forecast, observed))
            work = _make_work(f.shape) if work is None or len(work.areas[0]) != len(f) else work
            valid = find_valid(f, o, lead + 1)
            pixels[lead] += np.count_nonzero(valid)
            if known is None or not np.array_equal(valid, known):  # the coverage of a radar seldom changes
                weights, known = _weigh_windows(valid, windows, min_coverage, work), valid
            counts[lead] += [number for number, _ in weights]
            for j, threshold in enumerate(thresholds):
                forecast_events, observed_events = (_is_event(values, threshold, valid) for values in (f, o))
                events[lead, j] += np.count_nonzero(observed_events)
                sums[:, lead, j] += _sum_fractions(
                    forecast_events, observed_events, windows, [weight for _, weight in weights], work
                )

    variables: dict[str, Any] = {
        name: (("lead_time", "threshold", "window"), values) for name, values in zip(SUMS, sums)
    }
    variables["fss_windows"] = ("lead_time", "window"), counts
    variables["fss_observed_events"] = ("lead_time", "threshold"), events
    variables["fss_pixels"] = "lead_time", pixels
    rules = {
        "long_name": "side of the square window",
        "units": "pixels",
        "boundary_rule": BOUNDARY_RULE,
        "coverage_rule": f"at least {min_coverage:g} of the window valid",
        "fraction": "events / valid pixels of the window",
    }
    coords = {
        "lead_time": leads,
        "threshold": label_thresholds(scoring),
        "window": ("window", np.asarray(windows, np.int64), rules),
    }
    return xr.Dataset(variables, coords, describe_events(scoring))


def fss_skill(statistics: xr.Dataset) -> xr.Dataset:
    """Return the FSS of summed statistics; NaN where forecast and observation have no event, or no window counted.

    Returns:
      fss (lead_time, threshold, window): 0 to 1, 1 is perfect.
      fss_useful (lead_time, threshold): 0.5 + f0/2 with the observed frequency f0 of the event, halfway between the
      score of a forecast of f0 everywhere and a perfect one. A window whose fss is above is useful.
      fss_windows (lead_time, window): the windows that counted.
    """
    s = statistics.variables
    difference, forecast, observed = (s[name] for name in SUMS)
    frequency = ratio(s["fss_observed_events"], s["fss_pixels"])
    scores = {
        "fss": 1 - ratio(difference, forecast + observed),
        "fss_useful": 0.5 + frequency / 2,
        "fss_windows": s["fss_windows"],
    }
    result = keep_labels(statistics, scores)
    result.fss.attrs = {"long_name": "fractions skill score", "units": "1"}
    result.fss_useful.attrs = {"long_name": "FSS above which a window is useful: 0.5 + f0/2", "units": "1"}
    result.fss_windows.attrs = {"long_name": "windows in the fractions skill score", "units": "1"}
    return result


def _as_fields(values: np.ndarray) -> np.ndarray:
    """Return (N, H, W, C) as (N * C, H, W)."""
    return np.moveaxis(values, -1, 1).reshape(-1, *values.shape[1:3])


def _is_event(values: np.ndarray, threshold: float, valid: np.ndarray) -> np.ndarray:
    return (values >= values.dtype.type(threshold)) & valid


def _make_work(shape: tuple[int, int, int]) -> _Work:
    number, height, width = shape
    areas = np.zeros((2, number, height + 1, width + 1), np.int32)
    return _Work(areas, np.empty(number * height * (width + 1), np.int32), np.empty((3, number * height * width)))


def _sum_areas(cells: np.ndarray, areas: np.ndarray) -> None:
    """Fill `areas` (N, H + 1, W + 1) with the sums of Boolean fields (N, H, W) above and to the left of each corner.

    The first row and the first column of `areas` must be zero.
    """
    inner = areas[:, 1:, 1:]
    np.cumsum(cells, axis=2, dtype=np.int32, out=inner)
    np.cumsum(inner, axis=1, out=inner)


def _sum_windows(areas: np.ndarray, window: int, rows: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Count the cells in each window inside the field; return the counts, which are the first part of `out`."""
    number, height, width = areas.shape[0], areas.shape[1] - window, areas.shape[2] - window
    if min(height, width) <= 0:
        return out[:0]
    rows = rows[: number * height * areas.shape[2]].reshape(number, height, -1)
    found = out[: number * height * width]
    np.subtract(areas[:, window:], areas[:, :-window], out=rows)
    np.subtract(rows[:, :, window:], rows[:, :, :-window], out=found.reshape(number, height, width))
    return found


def _weigh_windows(
    valid: np.ndarray, windows: Sequence[int], min_coverage: float, work: _Work
) -> list[tuple[Any, Any]]:
    """Return for each window size the number of windows that count, and the factor from events to fractions.

    The factor is one number where all pixels are valid, else a vector with a factor for each window.
    """
    if valid.all():
        number, height, width = valid.shape
        return [(number * max(height - n + 1, 0) * max(width - n + 1, 0), 1.0 / (n * n)) for n in windows]
    areas, found = work.areas[0], []
    _sum_areas(valid, areas)
    for n in windows:
        cells = _sum_windows(areas, n, work.rows, work.counts[0])
        counted = cells >= min_coverage * n * n
        weight = np.divide(1.0, cells, out=np.zeros_like(cells), where=counted)
        found.append((np.count_nonzero(counted), weight))
    return found


def _sum_fractions(
    predicted: np.ndarray, happened: np.ndarray, windows: Sequence[int], weights: list, work: _Work
) -> np.ndarray:
    """Return the sums (3, window), in the order of SUMS, of Boolean fields (N, H, W)."""
    sums = np.zeros((len(SUMS), len(windows)))
    for events, areas in zip((predicted, happened), work.areas):
        _sum_areas(events, areas)
    for k, (n, weight) in enumerate(zip(windows, weights)):
        f, o = (_sum_windows(areas, n, work.rows, out) for areas, out in zip(work.areas, work.counts))
        if not isinstance(weight, float):
            f *= weight
            o *= weight
        d = np.subtract(f, o, out=work.counts[2, : f.size])
        sums[:, k] = d @ d, f @ f, o @ o
        if isinstance(weight, float):  # until here the sums are of whole numbers
            sums[:, k] *= weight**2
    return sums
