"""The table of all families of scores, their sums together, and their scores together."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import xarray as xr

from predjax.verification.amounts import amount_skill, amount_statistics
from predjax.verification.areas import area_skill, area_statistics
from predjax.verification.common_domain import coverage_skill, coverage_statistics
from predjax.verification.distribution import distribution_skill, histogram_statistics
from predjax.verification.ensembles import ensemble_skill, ensemble_statistics
from predjax.verification.fields import Scoring
from predjax.verification.scores import skill, statistics
from predjax.verification.spatial import fss_skill, fss_statistics
from predjax.verification.spectra import spectrum_skill, spectrum_statistics


class Family(NamedTuple):
    """Scores that come from the same sums.

    `statistics`: the additive sums of (forecast, observed, scoring). `skill`: the scores of summed statistics.
    `of_maps`: frames of a single pixel, which are vector series, do not have them.
    `of_members`: the forecast has an axis of members, also a deterministic one; the others score the ensemble mean.
    `compared`: the differences between methods are tested; of all families that would take most of the time.
    """

    statistics: Callable[[np.ndarray, np.ndarray, Scoring], xr.Dataset]
    skill: Callable[[xr.Dataset], xr.Dataset]
    of_maps: bool = False
    of_members: bool = False
    compared: bool = False


FAMILIES = (
    Family(statistics, skill, compared=True),
    Family(histogram_statistics, distribution_skill),
    Family(coverage_statistics, coverage_skill),
    Family(fss_statistics, fss_skill, of_maps=True, compared=True),
    Family(spectrum_statistics, spectrum_skill, of_maps=True),
    Family(ensemble_statistics, ensemble_skill, of_members=True, compared=True),
    Family(amount_statistics, amount_skill, of_maps=True, of_members=True, compared=True),
    Family(area_statistics, area_skill, of_maps=True, of_members=True, compared=True),
)


def measure(forecast: np.ndarray, observed: np.ndarray, scoring: Scoring) -> xr.Dataset:
    """Return the additive sums behind every score of some cases; `sums.add_statistics` adds the sums of more cases.

    The functions in FAMILIES describe the variables. Sums of frames of different sizes add only with one
    `scoring.side`.

    Args:
      forecast: (case, T, H, W, C), or (case, member, T, H, W, C) of an ensemble.
      observed: (case, T, H, W, C), as for `scores.statistics`.

    Errors: ValueError, from any of the functions.
    """
    maps = forecast.shape[-3:-1] != (1, 1)
    mean, members = (forecast.mean(1), forecast) if forecast.ndim == 6 else (forecast, forecast[:, None])
    families = [family for family in FAMILIES if maps or not family.of_maps]
    return _join([f.statistics(members if f.of_members else mean, observed, scoring) for f in families])


def score(statistics: xr.Dataset) -> xr.Dataset:
    """Return all scores of the sums of `measure`, over any further dimensions that the sums have."""
    return _join([family.skill(statistics) for family in _find_families(statistics)])


def score_compared(statistics: xr.Dataset) -> xr.Dataset:
    """Return the scores whose differences between methods are tested."""
    return _join([family.skill(statistics) for family in _find_families(statistics) if family.compared])


def _find_families(statistics: xr.Dataset) -> list[Family]:
    """Return the families of the sums, which are of maps or of vector series."""
    return [family for family in FAMILIES if "spectrum_frames" in statistics or not family.of_maps]


def _join(parts: list[xr.Dataset]) -> xr.Dataset:
    """Return the variables of all parts, which have labels of the same cases; variables of several parts are equal."""
    variables = {name: part.variables[name] for part in parts for name in part.data_vars}
    coords = {name: part.variables[name] for part in parts for name in part.coords}
    return xr.Dataset(variables, coords, {name: value for part in parts for name, value in part.attrs.items()})
