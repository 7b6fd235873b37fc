"""The sums behind the scores of one forecast in `ensembles.py`, on given pixels; sums of several cases add."""

from typing import NamedTuple

import numpy as np
import xarray as xr

from predjax.nowcasts.members import match_pool, spread
from predjax.verification.amounts import amount_statistics
from predjax.verification.ensembles import ensemble_statistics
from predjax.verification.fields import Scoring
from predjax.verification.scores import statistics
from predjax.verification.spectra import spectrum_statistics
from predjax.verification.sums import add_statistics

DRY = 0.1  # mm/h: the rank histogram leaves out pixels where the observation and all members are below
EVENTS = (1.0, 5.0)  # mm/h
REACH_KM = 10.0
WAVES = (4.0, 32.0)  # pixels
MINUTES = (10, 30, 60)  # the lead times with a power spectrum
COARSE, SMALLEST = 4, 64  # pixels: sides of a rectangle with a power spectrum are multiples of COARSE, and not smaller
SETTINGS = (DRY, EVENTS, REACH_KM, WAVES, MINUTES, COARSE, SMALLEST)

Sums = dict[str, xr.Dataset]


class Fields(NamedTuple):
    """Members (E, T, H, W), the observation (T, H, W) and which pixels count (T, H, W); mm/h, and a NaN counts not."""

    members: np.ndarray
    observed: np.ndarray
    domain: np.ndarray
    pixel_km: float
    step_minutes: float

    @property
    def scoring(self) -> Scoring:
        minutes = [round(self.step_minutes * number) for number in range(1, len(self.domain) + 1)]
        return Scoring(thresholds=(DRY, *EVENTS), units="mm/h", lead_times=minutes)


def score_case(fields: Fields) -> Sums:
    """Return the sums of `fields` by the name of what is scored.

    `pixels`: the members; `ranks` of the observation; `amounts`: areas and the accumulation; `near`: 0 or the largest
    of EVENTS that is reached within REACH_KM; `median` of the members; `matched`: their mean with the distribution of
    all their values; `power`.
    """
    members, domain, scoring = fields.members, fields.domain, fields.scoring
    observed = np.where(domain, fields.observed, np.nan)
    near = [_find_near(np.where(domain, values, 0), fields.pixel_km) for values in (members, fields.observed)]
    matched = np.stack([match_pool(lead.mean(0), lead) for lead in members.swapaxes(0, 1)])
    return {
        "pixels": ensemble_statistics(*_add_axes(members, observed), scoring),
        "ranks": sum_ranks(fields),
        "amounts": amount_statistics(*_add_axes(members, observed), scoring),
        "near": ensemble_statistics(*_add_axes(near[0], np.where(domain, near[1], np.nan)), scoring),
        "median": statistics(*_add_axes(np.median(members, 0), observed), scoring),
        "matched": statistics(*_add_axes(matched, observed), scoring),
        "power": measure_power(fields),
    }


def sum_ranks(fields: Fields) -> xr.Dataset:
    """Return the sums of the ranks of the observation among the members.

    Rain below DRY is no rain, so that a dry observation and dry members are equal also where files have dBZ.
    """
    observed = np.where(fields.domain, fields.observed, np.nan)
    floored = [np.where(values < DRY, 0, values) for values in (fields.members, observed)]
    return ensemble_statistics(*_add_axes(*floored), fields.scoring)[["ranks", "rank_pixels"]]


def add_sums(a: Sums, b: Sums) -> Sums:
    """Return the sums of the cases of `a` and `b` together."""
    return {name: add_statistics(a[name], b[name]) for name in a}


def _find_near(frames: np.ndarray, pixel_km: float) -> np.ndarray:
    near = np.zeros_like(frames)
    for threshold in EVENTS:
        near[spread(frames >= threshold, REACH_KM / pixel_km)] = threshold
    return near


def measure_power(fields: Fields) -> xr.Dataset:
    """Return the variance of waves of WAVES pixels, in the mean of the members and of the observation: (lead_time,).

    It is of the largest rectangle in which every pixel counts, at MINUTES; 0 at other lead times and where a side of
    the rectangle would be below SMALLEST.
    """
    leads = fields.scoring.lead_times
    power = np.zeros((2, len(leads)))
    for lead in np.flatnonzero(np.isin(leads, MINUTES)):
        place = find_rectangle(fields.domain[lead])
        if min(side.stop - side.start for side in place) >= SMALLEST:
            members, observed = fields.members[:, lead, *place], fields.observed[lead, *place]
            power[:, lead] = _sum_waves(members), _sum_waves(observed[None])
    names = ("power_members", "power_observed")
    return xr.Dataset({name: ("lead_time", values) for name, values in zip(names, power)}, {"lead_time": list(leads)})


def _sum_waves(frames: np.ndarray) -> float:
    """Return the mean over frames (N, H, W) of the power at WAVES, per pixel."""
    spectrum = spectrum_statistics(*(frames[:, None, ..., None],) * 2)
    length = max(frames.shape[1:])
    wavelength = length / spectrum.wavenumber
    # A mean over a ring of wave numbers stands for as many waves as the ring is long.
    rings = spectrum.wavenumber * ((wavelength >= WAVES[0]) & (wavelength <= WAVES[1]))
    return float(spectrum.spectrum_forecast[0] @ rings) / length**2 / len(frames)


def find_rectangle(valid: np.ndarray) -> tuple[slice, slice]:
    """Return the largest rectangle of True pixels of a map (H, W), by squares of COARSE pixels; empty without any."""
    rows, columns = (size // COARSE for size in valid.shape)
    squares = valid[: rows * COARSE, : columns * COARSE].reshape(rows, COARSE, columns, COARSE).all((1, 3))
    best, found = 0, (slice(0, 0), slice(0, 0))
    for top in range(rows):
        free = np.ones(columns, bool)
        for bottom in range(top + 1, rows + 1):
            free &= squares[bottom - 1]
            edges = np.flatnonzero(np.diff(free, prepend=False, append=False)).reshape(-1, 2)  # of stretches
            if not len(edges):
                break
            left, right = edges[np.argmax(edges[:, 1] - edges[:, 0])].tolist()
            if (bottom - top) * (right - left) > best:
                best = (bottom - top) * (right - left)
                found = tuple(slice(a * COARSE, b * COARSE) for a, b in ((top, bottom), (left, right)))
    return found


def _add_axes(frames: np.ndarray, observed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both with the axes of a single case and of a single channel."""
    return frames[None, ..., None], observed[None, ..., None]
