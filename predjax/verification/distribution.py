"""The distribution of forecast and observed values: mean, variance and 99 % quantile of both.

A forecast that is right on average but blurred has too little variance and too low a quantile. The quantile comes from
histograms with fixed bins, which add exactly; its error is half a bin at most.
"""

from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from predjax.verification.fields import PLAIN, Scoring, check_fields, find_valid, label_leads, split_cases
from predjax.verification.sums import keep_labels, ratio

QUANTILE = 0.99
RATE_STEP = 1.02  # ratio of neighbouring edges: a quantile in the middle of a bin is at most 1 % off
DBZ_STEP = 0.25
BLOCK_PIXELS = 2**18


class Bins(NamedTuple):
    """The bins of a histogram; a value on an edge belongs to the bin above."""

    edges: np.ndarray  # (E,)
    values: np.ndarray  # (E + 1,): a value that stands for each bin
    error: str  # how far a bin's value may be from the values in the bin


def choose_bins(units: str) -> Bins:
    """Return the histogram bins for a unit: of equal width in dBZ, of equal ratio in mm/h and in other units.

    Other units have bins below zero, too. The bins below the first and above the last edge are open: they count values
    but do not tell how large these are.
    """
    if units == "dBZ":
        edges = np.linspace(-40, 90, round(130 / DBZ_STEP) + 1)
        middle = (edges[1:] + edges[:-1]) / 2
        return Bins(edges, np.r_[edges[0], middle, edges[-1]], f"at most {DBZ_STEP / 2:g} dBZ from -40 to 90 dBZ")
    first, last, step = (0.01, 1000.0, RATE_STEP) if units == "mm/h" else (1e-4, 1e4, RATE_STEP**2)
    edges = first * step ** np.arange(np.ceil(np.log(last / first) / np.log(step)) + 1)
    middle = np.sqrt(edges[1:] * edges[:-1])
    values = np.r_[0, middle, edges[-1]]
    if units != "mm/h":
        edges, values = np.r_[-edges[::-1], edges], np.r_[-values[:0:-1], values]
    error = f"at most {100 * (step - 1) / 2:.2g} % from {first:g} to {last:g}; below counts as 0"
    return Bins(edges, values, error)


def histogram_statistics(forecast: np.ndarray, observed: np.ndarray, scoring: Scoring = PLAIN) -> xr.Dataset:
    """Return the additive histograms of some cases, over the pixels where forecast and observation have a value.

    The fields are those of `scores.statistics`.

    Returns:
      histogram_forecast, histogram_observed (lead_time, bin): int64. The coordinate `bin` holds the value that stands
      for each bin; its attribute `quantile_error` is the largest possible error of that value.

    Errors: ValueError, bad fields or labels.
    """
    forecast, observed = check_fields(forecast, observed)
    leads = label_leads(forecast.shape[1], scoring)
    bins = choose_bins(scoring.units)
    counts = np.zeros((2, forecast.shape[1], bins.values.size), np.int64)
    for lead in range(forecast.shape[1]):
        for part in split_cases(forecast.shape, BLOCK_PIXELS):
            f, o = forecast[part, lead], observed[part, lead]
            valid = find_valid(f, o, lead + 1)
            for k, values in enumerate((f[valid], o[valid])):
                places = np.searchsorted(bins.edges.astype(values.dtype), values, side="right")
                counts[k, lead] += np.bincount(places, minlength=bins.values.size)
    names = ("histogram_forecast", "histogram_observed")
    variables = {name: (("lead_time", "bin"), values) for name, values in zip(names, counts)}
    rules = {"long_name": "value that stands for the bin", "units": scoring.units, "quantile_error": bins.error}
    return xr.Dataset(variables, {"lead_time": leads, "bin": ("bin", bins.values, rules)}, {"units": scoring.units})


def distribution_skill(statistics: xr.Dataset) -> xr.Dataset:
    """Return mean, variance and 99 % quantile of forecast and observation from summed statistics.

    These are `histogram_statistics` together with the sums of `scores.statistics` of the same cases.

    Returns:
      mean_forecast, mean_observed, variance_forecast, variance_observed, q99_forecast, q99_observed, and their ratios
      forecast / observed: variance_ratio, mean_ratio, q99_ratio, all (lead_time). Ratios of means and quantiles in dBZ
      have no meaning, because dBZ is a logarithm: they are left out. A quantile is the lowest bin up to which at least
      99 % of the values lie. NaN where there are no values, or where the observed one of a ratio is 0.
    """
    s, units = statistics.variables, statistics.attrs.get("units", "1")
    scores = {}
    for name in ("forecast", "observed"):
        mean = ratio(s[name], s["pairs"])
        square = ratio(s[f"{name}_squared"], s["pairs"])
        variance = square - mean**2
        scores[f"mean_{name}"] = mean
        # A smaller difference is rounding: the field is constant.
        scores[f"variance_{name}"] = variance.where((variance > 1e-12 * square) | np.isnan(variance), 0)
        scores[f"q99_{name}"] = find_quantile(statistics[f"histogram_{name}"])
    for name in ("mean", "variance", "q99"):
        if name == "variance" or units != "dBZ":
            scores[f"{name}_ratio"] = ratio(scores[f"{name}_forecast"], scores[f"{name}_observed"])
    result = keep_labels(statistics, scores)
    long_names = {"mean": "mean", "variance": "variance", "q99": "99 % quantile"}
    for name, values in result.data_vars.items():
        what, _, of = str(name).partition("_")
        if of == "ratio":
            values.attrs = {"long_name": f"{long_names[what]}, forecast / observed", "units": "1"}
            continue
        unit = f"({units})^2" if what == "variance" and units != "1" else units
        values.attrs = {"long_name": f"{long_names[what]} of the {of}", "units": unit}
        if what == "q99":
            values.attrs["error"] = s["bin"].attrs["quantile_error"]
    return result


def find_quantile(histogram: xr.DataArray, share: float = QUANTILE) -> xr.Variable:
    """Return the value of the first bin up to which at least `share` of the counts lie; NaN without counts."""
    up_to, total = histogram.variable.cumsum("bin"), histogram.variable.sum("bin")
    place: Any = (up_to >= share * total * (1 - 1e-12)).argmax("bin")  # 0.99 is not exact in binary
    return xr.Variable(place.dims, histogram["bin"].values[place.values]).where(total > 0)
