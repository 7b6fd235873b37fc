"""Rain rates of areas, from rain rates of pixels: means, maxima and the covered share."""

from typing import NamedTuple

import numpy as np

from predjax.radar.areas.place import PlacedAreas

ROUNDING = 1e-9
HOUR = 60.0  # minutes


class AreaRates(NamedTuple):
    """Rain rates of areas. They are NaN where too little of the area has data; missing data never count as dry.

    Attributes:
      mean: (member, area), the mean over the covered part.
      maximum: (member, area), the greatest rate of the covered pixels that the area touches.
      coverage: (area,), the share of the whole area where all members have a value.
    """

    mean: np.ndarray
    maximum: np.ndarray
    coverage: np.ndarray


def find_rates(rates: np.ndarray, areas: PlacedAreas, least: float) -> AreaRates:
    """Return the rain rates of areas from rates of pixels (member, H, W); NaN where less than `least` has data."""
    values = rates.reshape(len(rates), -1)[:, areas.pixels].astype(float)
    valid = np.isfinite(values).all(axis=0)
    covered = areas.shares @ valid.astype(float)
    coverage = covered / areas.sizes
    known = (coverage >= least - ROUNDING) & (covered > 0)
    sums = (areas.shares @ np.where(valid, values, 0.0).T).T
    mean, maximum = np.full((2, *sums.shape), np.nan)
    mean[:, known] = sums[:, known] / covered[known]
    touched, ends = np.where(valid, values, -np.inf)[:, areas.shares.indices], areas.shares.indptr
    inside = ends[:-1] < ends[1:]
    greatest = np.maximum.reduceat(touched, ends[:-1][inside], axis=1)
    maximum[:, known] = greatest[:, known[inside]]
    return AreaRates(mean, maximum, np.minimum(coverage, 1.0))


def accumulate(rates: np.ndarray, minutes: np.ndarray) -> dict[str, np.ndarray]:
    """Return two accumulations in mm of rates (..., lead time) in mm/h: from the init time on, and of the last hour.

    The second is left out if no lead time is a full hour. A sum with a missing rate is NaN.
    """
    amounts = rates * np.diff(minutes, prepend=0.0) / 60
    found = {"accumulation": amounts.cumsum(axis=-1)}
    starts = np.array([0.0, *minutes])
    begins = [np.isclose(starts, minute - HOUR, rtol=0, atol=ROUNDING) for minute in minutes]
    if not np.any(begins):
        return found
    hourly = np.full(amounts.shape, np.nan)
    for last, begin in enumerate(begins):
        first = np.flatnonzero(begin)
        if first.size:
            hourly[..., last] = amounts[..., first[0] : last + 1].sum(axis=-1)
    return found | {"hourly_accumulation": hourly}
