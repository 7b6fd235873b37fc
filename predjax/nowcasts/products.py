"""Products of the members of a forecast: statistics, percentiles and probabilities, as labelled variables."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from predjax.nowcasts.config import EnsembleOptions
from predjax.nowcasts.forecast import Forecast
from predjax.nowcasts.members import average, find_probability, find_quantiles, match_pool
from predjax.units import find_ranges, metre_factor

PERIODS = (15, 30, 60)  # minutes from the init time, in which rain accumulates
PIXELS = ("y", "x", "channel")
TOTALS = ("accumulation_threshold", "accumulation_period")
_ROUNDING = 1e-3  # of the side of a pixel, by which coordinates are off
STATISTICS: dict[str, tuple[str, str, Callable[[np.ndarray], np.ndarray]]] = {  # long name, cell method, function
    "mean": ("ensemble mean of", "mean", average),
    "median": ("ensemble median of", "median", lambda members: find_quantiles(members, [0.5])[0]),
    "matched": (
        "ensemble mean, with the distribution of the members, of",
        "mean (matched)",
        lambda members: match_pool(average(members), members),
    ),
}


class _Place(NamedTuple):
    """The pixels at which an event counts: their part of a name, their attributes, and their reach in pixels."""

    key: str
    attrs: dict[str, str]
    reach: float


def make_products(forecast: Forecast, options: EnsembleOptions) -> Forecast:
    """Return the products of the members of a forecast that the options ask for; without any, the forecast.

    The members are read at one lead time after another. A pixel has a value where all members have one.

    Returns:
      For members of the variable `rain`:

      - The statistics. The first has the name of the variable, the others add their own to it: `rain_median`.
      - `rain_percentile (percentile, lead_time, y, x, channel)`.
      - `probability_of_rain_above_threshold (threshold, lead_time, y, x, channel)`; an event is `value >= threshold`.
      - `probability_of_accumulation_above_threshold (accumulation_threshold, accumulation_period, y, x, channel)`. The
        accumulation is the sum of rate times time step from the init time on, over 15, 30 and 60 minutes as far as
        these are lead times.
      - With a radius also both probabilities of an event at any pixel within it, with `_in_vicinity` in the name.

    Raises:
      ValueError: several channels, a threshold that tells nothing, a unit, lead times or coordinates that a product
        cannot use.
    """
    if not options.product:
        return forecast
    name = str(next(iter(forecast.data_vars)))
    frames = forecast[name]
    if frames.sizes["channel"] > 1:
        raise ValueError(f"{options.product} needs frames of one channel, there are {frames.sizes['channel']}")
    what, units = frames.attrs.get("long_name") or name, frames.attrs["units"]
    places = _find_places(options.radius, forecast)
    found: dict[str, Any] = {}
    labels: dict[str, Any] = {}
    statistics = options.statistic or ("members",)
    for statistic in statistics:
        key = name if statistic == statistics[0] else f"{name}_{statistic}"
        found[key] = frames.variable if statistic == "members" else _take_statistic(frames, statistic, what)
    if options.percentiles:
        levels = [percentile / 100 for percentile in options.percentiles]
        values = _map_leads(frames, lambda members: find_quantiles(members, levels))
        attrs = {**frames.attrs, "long_name": f"percentile of the members of {what}"}
        found[f"{name}_percentile"] = ("percentile", "lead_time", *PIXELS), values, attrs
        labels["percentile"] = _label("percentile", options.percentiles, "percentile of the members", "percent")
    if options.probability:
        _check_thresholds(options.probability, units)
        text, dims = f"probability that {what} reaches the threshold", ("threshold", "lead_time", *PIXELS)
        for place in places:
            exceed = functools.partial(_exceed, thresholds=options.probability, reach=place.reach)
            key = f"probability_of_{name}{place.key}_above_threshold"
            found[key] = dims, _map_leads(frames, exceed), _describe(frames, text, place)
        labels["threshold"] = _label("threshold", options.probability, f"least {what} of the event", units)
        if "standard_name" in frames.attrs:
            labels["threshold"][2]["standard_name"] = frames.attrs["standard_name"]
    if options.accumulation:
        periods, totals = _accumulate(frames, options.accumulation, [place.reach for place in places])
        text, dims = "probability that the rain from the init time on reaches the threshold", (*TOTALS, *PIXELS)
        for place, values in zip(places, totals):
            key = f"probability_of_accumulation{place.key}_above_threshold"
            found[key] = dims, values, _describe(frames, text, place)
        for key, values, about, unit in (
            (TOTALS[0], options.accumulation, "least accumulation of the event", "mm"),
            (TOTALS[1], periods, "period from the init time on", "minutes"),
        ):
            labels[key] = _label(key, values, about, unit)
    kept = {key: one for key, one in forecast.coords.items() if key != "realization" or "members" in statistics}
    return xr.Dataset(found, {**kept, **labels}, forecast.attrs)


def _take_statistic(frames: xr.DataArray, statistic: str, what: str) -> tuple[tuple, np.ndarray, dict]:
    text, method, function = STATISTICS[statistic]
    attrs = {**frames.attrs, "long_name": f"{text} {what}", "cell_methods": f"realization: {method}"}
    return ("lead_time", *PIXELS), _map_leads(frames, function), attrs


def _map_leads(frames: xr.DataArray, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Apply a function of members (E, H, W) to every lead time: (..., T, H, W, 1) of its results (..., H, W)."""
    each = [function(_read(frames, lead)) for lead in range(frames.sizes["lead_time"])]
    return np.stack(each, axis=-3)[..., None]


def _read(frames: xr.DataArray, lead: int) -> np.ndarray:
    return frames.isel(lead_time=lead, channel=0).values


def _exceed(members: np.ndarray, thresholds: Sequence[float], reach: float) -> np.ndarray:
    return np.stack([find_probability(members, threshold, reach) for threshold in thresholds])


def _accumulate(
    frames: xr.DataArray, thresholds: Sequence[float], reaches: Sequence[float]
) -> tuple[list[int], list[np.ndarray]]:
    """Return the periods, and for each reach the probabilities (threshold, period, H, W, 1) of accumulations in mm."""
    leads, units = frames["lead_time"], frames.attrs["units"]
    if units != "mm/h":
        raise ValueError(f"--accumulation needs rain rates, the frames are in {units}: give --units mm/h")
    minutes = leads.values * {"minutes": 1.0, "seconds": 1 / 60}.get(leads.attrs["units"], np.nan)
    periods = [period for period in PERIODS if period in minutes]
    if not periods:
        raise ValueError(f"--accumulation needs a lead time of {', '.join(map(str, PERIODS))} minutes, there is none")
    rates = [threshold * 60 / minutes[0] for threshold in thresholds]  # sums of rates that give the thresholds
    total, found = np.float32(0), []
    for lead, minute in enumerate(minutes[minutes <= periods[-1]]):
        total = total + _read(frames, lead)
        if minute in periods:
            found.append([_exceed(total, rates, reach) for reach in reaches])
    return periods, [np.stack(each, axis=1)[..., None] for each in zip(*found)]


def _find_places(radius: float | None, forecast: Forecast) -> list[_Place]:
    """Return the places of events: the pixel itself, and the circle of a radius in km around it."""
    places = [_Place("", {}, 0.0)]
    if radius is not None:
        height, width = (_measure_pixel(forecast[axis]) for axis in ("y", "x"))
        if abs(height - width) > 0.01 * width:
            raise ValueError(f"--radius needs square pixels, these are {height:g} km high and {width:g} km wide")
        # A pixel at exactly the radius is within it, also where the pixels of 1 km are 1.0000035 km.
        reach = radius / width * (1 + _ROUNDING)
        places.append(_Place("_in_vicinity", {"radius_of_vicinity": f"{radius:g} km"}, reach))
    return places


def _measure_pixel(axis: xr.DataArray) -> float:
    """Return the side of a pixel in km. Errors: ValueError, coordinates in another unit."""
    factor = metre_factor(axis.attrs.get("units"))
    if factor is None or axis.size < 2:
        raise ValueError("--radius needs pixels with coordinates in m or km")
    return abs(float(axis.values[-1] - axis.values[0])) / (axis.size - 1) * factor / 1000


def _check_thresholds(thresholds: Sequence[float], units: str) -> None:
    low, high = find_ranges(units).thresholds
    for threshold in thresholds:
        if not low <= threshold <= high or (low == 0 == threshold):
            text = f"--probability {threshold:g} {units} tells nothing: choose above {low:g} and up to {high:g}"
            raise ValueError(text)


def _describe(frames: xr.DataArray, text: str, place: _Place) -> dict[str, str]:
    """Return the attributes of a probability."""
    within = "".join(f" anywhere within {radius}" for radius in place.attrs.values())
    mapping = {key: frames.attrs[key] for key in ("grid_mapping",) if key in frames.attrs}
    return {"long_name": text + within, "units": "1", "event_rule": "value >= threshold", **place.attrs, **mapping}


def _label(name: str, values: Sequence[float], text: str, units: str) -> tuple[str, np.ndarray, dict[str, str]]:
    return name, np.array(values), {"long_name": text, "units": units}
