"""Rain on areas from a forecast: rates, totals, percentiles and probabilities, as labelled variables."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from predjax.nowcasts.config import EnsembleOptions
from predjax.nowcasts.forecast import Forecast, lead_timedeltas
from predjax.nowcasts.members import find_probability, find_quantiles
from predjax.radar.areas.place import PlacedAreas
from predjax.radar.areas.rain import accumulate, find_rates
from predjax.radar.grid import Grid
from predjax.units import RAIN_UNITS, ZR_A, ZR_B, dbz_to_rain_rate

QUANTITIES = {  # long name, unit, cell methods, standard name
    "rain_rate": ("mean rain rate of the area", "mm/h", "area: mean", "rainfall_rate"),
    "maximum_rain_rate": ("greatest rain rate of a pixel of the area", "mm/h", "area: maximum", "rainfall_rate"),
    "accumulation": (
        "mean rain on the area from the init time to the valid time",
        "mm",
        "area: mean lead_time: sum",
        "thickness_of_rainfall_amount",
    ),
    "hourly_accumulation": (
        "mean rain on the area in the hour before the valid time",
        "mm",
        "area: mean lead_time: sum (interval: 1 hour)",
        "thickness_of_rainfall_amount",
    ),
}
PLACE = ("area", "lead_time")


def find_grid(forecast: Forecast) -> Grid:
    """Return the grid of a forecast."""
    y, x = forecast["y"].variable, forecast["x"].variable
    name = str(forecast[next(iter(forecast.data_vars))].attrs.get("grid_mapping", ""))
    name = name if name in forecast.variables else ""
    return Grid((y.size, x.size), y, x, name, forecast[name].attrs if name else {})


def find_areal_rain(forecast: Forecast, areas: PlacedAreas, options: EnsembleOptions, least: float) -> xr.Dataset:
    """Return the rain of a forecast on areas. Members are read for one lead time after another.

    A rate is the mean over the part of an area where all members have a value. If this part is less than `least` of the
    area, the rate is NaN, and every accumulation that contains it is NaN. A rate holds for the step before its time.
    Reflectivity is converted to a rain rate at each pixel, by the Z-R relation of the data, else by that of Marshall &
    Palmer; the attribute `comment` names the relation.

    Args:
      forecast: one variable ([realization,] lead_time, y, x, channel) in mm/h or dBZ, of one channel.
      areas: on the grid of the forecast (`find_grid`).
      options: `percentiles`; `probability`, thresholds of the rate in the unit of the data; `accumulation`, thresholds
        in mm.
      least: the least share of an area with data.

    Returns:
      Variables over (area, lead_time):
        `rain_rate`, `maximum_rain_rate`: mm/h.
        `accumulation`: mm from the init time on.
        `hourly_accumulation`: mm in the last hour; NaN before the first hour has ended, left out in shorter forecasts.
        `coverage`: the share of the area with data.
      Of an ensemble these are means of the members; the values of all members are in `<name>_members`, with the
      dimension `realization`. With percentiles there is `<name>_percentile`, with thresholds
      `probability_of_<name>_above_threshold`; an event is `value >= threshold`.

    Raises:
      ValueError: frames in another unit or of several channels, or lead times that are not durations.
    """
    name = str(next(iter(forecast.data_vars)))
    frames = forecast[name]
    units = str(frames.attrs.get("units", "1"))
    if units not in RAIN_UNITS or frames.sizes["channel"] != 1:
        kind = f"{frames.sizes['channel']} channels in {units}"
        raise ValueError(f"--areas needs one channel of rain in {' or '.join(RAIN_UNITS)}, the forecast has {kind}")
    zr_a, zr_b = (float(frames.attrs.get(key, usual)) for key, usual in (("zr_a", ZR_A), ("zr_b", ZR_B)))
    is_ensemble = "realization" in frames.dims
    each = []
    for lead in range(frames.sizes["lead_time"]):
        values = frames.isel(lead_time=lead, channel=0).values
        members = values if is_ensemble else values[None]
        each.append(find_rates(dbz_to_rain_rate(members, zr_a, zr_b) if units == "dBZ" else members, areas, least))
    minutes = lead_timedeltas(forecast["lead_time"]) / np.timedelta64(60, "s")
    quantities = {
        "rain_rate": np.stack([one.mean for one in each], axis=-1),
        "maximum_rain_rate": np.stack([one.maximum for one in each], axis=-1),
    }
    quantities |= accumulate(quantities["rain_rate"], minutes)
    coverage = np.stack([one.coverage for one in each], axis=-1)
    about = {"long_name": "share of the area with data", "units": "1"}
    found: dict[str, Any] = {"coverage": (PLACE, coverage, about)}
    for key, members in quantities.items():
        found |= _describe_members(key, members, options.percentiles, is_ensemble)
    rates: Sequence[float] = options.probability
    if units == "dBZ":
        rates = [float(dbz_to_rain_rate(threshold, zr_a, zr_b)) for threshold in rates]
    for key, thresholds, dim in (
        ("rain_rate", rates, "threshold"),
        ("accumulation", options.accumulation, "accumulation_threshold"),
        ("hourly_accumulation", options.accumulation, "accumulation_threshold"),
    ):
        if thresholds and key in quantities:
            members = quantities[key].astype(np.float32)  # the precision of the data: 0.7 mm/h reaches 0.7
            values = np.stack([find_probability(members, threshold) for threshold in thresholds])
            text = f"probability that the {QUANTITIES[key][0]} reaches the threshold"
            attrs = {"long_name": text, "units": "1", "event_rule": "value >= threshold"}
            found[f"probability_of_{key}_above_threshold"] = (dim, *PLACE), values, attrs
            label = {"long_name": f"least {QUANTITIES[key][0]} of the event", "units": QUANTITIES[key][1]}
            found[dim] = dim, np.array(thresholds, float), label
    result = xr.Dataset(found, attrs=_describe(forecast, frames, (zr_a, zr_b), least))
    coords = {key: forecast[key].variable for key in ("lead_time", "valid_time", "init_time")}
    coords["area"] = xr.Variable("area", np.array(areas.names, object), {"long_name": "name of the area"})
    if is_ensemble:
        coords["realization"] = forecast["realization"].variable
    if options.percentiles:
        attrs = {"long_name": "percentile of the members", "units": "percent"}
        coords["percentile"] = xr.Variable("percentile", np.array(options.percentiles, float), attrs)
    return result.assign_coords(coords)


def _describe_members(key: str, members: np.ndarray, percentiles: Sequence[float], is_ensemble: bool) -> dict[str, Any]:
    """Return the variables of a quantity from its members (member, area, lead time)."""
    text, unit, method, standard = QUANTITIES[key]
    attrs = {"standard_name": standard, "long_name": text, "units": unit, "cell_methods": method}
    if not is_ensemble:
        return {key: (PLACE, members[0], attrs)}
    mean = attrs | {"long_name": f"ensemble mean of the {text}", "cell_methods": f"{method} realization: mean"}
    found: dict[str, Any] = {key: (PLACE, members.mean(axis=0), mean)}
    found[f"{key}_members"] = ("realization", *PLACE), members, attrs
    if percentiles:
        values = find_quantiles(members, [percentile / 100 for percentile in percentiles])
        of_members = attrs | {"long_name": f"percentile of the members of the {text}"}
        found[f"{key}_percentile"] = ("percentile", *PLACE), values, of_members
    return found


def _describe(forecast: Forecast, frames: xr.DataArray, relation: tuple[float, float], least: float) -> dict[str, str]:
    """Return the global attributes of the forecast, with a comment on the Z-R relation and the least coverage."""
    notes = [str(forecast.attrs["comment"])] if forecast.attrs.get("comment") else []
    if frames.attrs["units"] == "dBZ":
        whose = "of the data" if "zr_a" in frames.attrs else "Marshall & Palmer"
        notes.append(f"rain rates from dBZ by Z = {relation[0]:g} R^{relation[1]:g} ({whose})")
    notes.append(f"missing where less than {100 * least:g} % of an area have data; else of the covered part")
    return {**forecast.attrs, "comment": "; ".join(notes)}
