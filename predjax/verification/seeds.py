"""The comparison of models over seeds: several networks of each model, trained alike, scored on the same cases.

For scores s of n seeds the interval of their mean is mean ± t sd/√n, with the quantile t of Student's distribution with
n - 1 degrees of freedom. The same is done for the differences to a reference model, seed by seed.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from scipy.special import stdtrit

from predjax.verification.sums import ratio

LEVEL = 0.95
BY_LEAD = ("rmse", "mae", "mean_error", "csi")
VERDICTS = ("resolved", "not resolved", "too few seeds", "undefined", "reference")


def pool_leads(comparison: xr.Dataset) -> xr.Dataset:
    """Return scores over all lead times: overall_rmse, overall_mae (method) and overall_csi (method, threshold).

    Scores are not averaged: squared errors, absolute errors and events are added over the lead times first.
    """
    pairs = comparison["pairs"]

    def mean(name: str) -> xr.DataArray:
        return ratio((comparison[name] * pairs).where(pairs > 0, 0).sum("lead_time"), pairs.sum("lead_time"))

    sums = comparison[["hits", "misses", "false_alarms"]].sum("lead_time")
    csi = ratio(sums["hits"], sums["hits"] + sums["misses"] + sums["false_alarms"])
    found = {"rmse": np.sqrt(mean("mse")), "mae": mean("mae"), "csi": csi}
    overall = {f"overall_{name}": values.assign_attrs(comparison[name].attrs) for name, values in found.items()}
    for values in overall.values():
        values.attrs["long_name"] = f"{values.attrs['long_name']} over all lead times"
    return xr.Dataset(overall)


def by_model_and_seed(comparison: xr.Dataset, models: Sequence[str], seeds: Sequence[int]) -> xr.Dataset:
    """Return the scores of the networks by (model, seed, ...).

    The networks are the first methods, all seeds of each model in turn.
    """
    shape = len(models), len(seeds)
    names = [name for name in BY_LEAD if name in comparison]
    chosen = xr.merge([comparison[names], pool_leads(comparison)]).isel(method=slice(shape[0] * shape[1]))
    variables = {}
    for name, values in chosen.data_vars.items():
        values = values.transpose("method", ...)
        array = values.values.reshape(*shape, *values.shape[1:])
        variables[name] = ("model", "seed", *values.dims[1:]), array, values.attrs
    coords = {name: c for name, c in chosen.coords.items() if "method" not in c.dims}
    return xr.Dataset(variables, coords).assign_coords(model=list(models), seed=list(seeds))


def compare_seeds(scores: xr.Dataset, reference: str) -> xr.Dataset:
    """Return the scores with the means over seeds, their intervals, and the differences to a reference model.

    Args:
      scores: by (model, seed, ...). Seed by seed the models are trained alike, so that differences are paired.
      reference: one of the models.

    Returns:
      For each score `s` also, over (model, ...): `s_mean`, `s_low`, `s_high`; `s_difference` (model - reference, the
      mean over seeds), `s_difference_low`, `s_difference_high`; `s_verdict`, one of VERDICTS: "resolved" where the
      interval of the difference does not hold zero, "not resolved" where it does, "too few seeds" for a single one,
      "undefined" where the score of a seed is.

    Errors: ValueError, the reference is not among the models.
    """
    models = [str(model) for model in scores["model"].values]
    if reference not in models:
        raise ValueError(f"the reference {reference!r} is not among the models {', '.join(models)}")
    result = scores.assign_attrs(reference=reference, interval="Student's t over seeds", interval_level=LEVEL)
    for name, values in scores.data_vars.items():
        mean, low, high = _bound(values)
        difference, less, more = _bound(values - values.sel(model=reference))
        told = xr.where((less > 0) | (more < 0), "resolved", "not resolved")
        told = told.where(less.notnull(), "too few seeds").where(difference.notnull(), "undefined")
        told = told.where(told["model"] != reference, "reference").transpose(*mean.dims)
        parts = {"mean": mean, "low": low, "high": high, "difference": difference}
        parts |= {"difference_low": less, "difference_high": more}
        for part, array in parts.items():
            text = f"{part.replace('_', ' ')} over seeds of the {values.attrs.get('long_name', name)}"
            result[f"{name}_{part}"] = array.transpose(*mean.dims).assign_attrs({**values.attrs, "long_name": text})
        result[f"{name}_verdict"] = told.astype(str)
    return result.assign_coords(scores.coords)  # whose attributes arithmetic drops


def _bound(values: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Return the mean over seeds and the ends of its interval; NaN where a seed has no score, ends NaN for one seed."""
    count = values.sizes["seed"]
    mean = values.mean("seed", skipna=False)
    if count == 1:
        return mean, mean * np.nan, mean * np.nan
    half = stdtrit(count - 1, (1 + LEVEL) / 2) * values.std("seed", ddof=1, skipna=False) / np.sqrt(count)
    return mean, mean - half, mean + half


def make_curves(compared: xr.Dataset, comparison: xr.Dataset) -> xr.Dataset:
    """Return the means of the models by lead time, with intervals, and the other methods, for `draw_skill`.

    `comparison` has the networks of `compared` first, then the other methods, which have no interval over seeds.
    """
    models = [str(model) for model in compared["model"].values]
    networks = len(models) * compared.sizes["seed"]
    others = [str(method) for method in comparison["method"].values[networks:]]
    kept = ["cases", "hits", "misses", *(name for name in BY_LEAD if name in compared)]
    curves = comparison[kept].isel(method=[0] * len(models) + list(range(networks, comparison.sizes["method"])))
    curves = curves.assign_coords(method=[*models, *others])
    for name in kept[3:]:
        whole = curves[name]
        for end, part in (("", "mean"), ("_low", "low"), ("_high", "high")):
            own = compared[f"{name}_{part}"].rename(model="method").reindex_like(whole["method"])
            curves[f"{name}{end}"] = own if end else own.fillna(whole.where(~whole["method"].isin(models)))
    return curves.assign_coords(lead_time=comparison["lead_time"])  # with its unit
