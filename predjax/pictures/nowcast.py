"""The pictures of a nowcast: a strip of maps and an animation; of an ensemble its mean, two members, probabilities."""

import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr

from predjax.pictures.animation import write_gif
from predjax.pictures.maps import Row, draw_strip
from predjax.pictures.panels import label_forecast

MEMBERS = 2  # that are shown beside the mean
MAPS = ("lead_time", "y", "x", "channel")


def draw_nowcast(
    path: pathlib.Path,
    forecast: xr.Dataset,
    observed: np.ndarray,
    *,
    outlines: Sequence[np.ndarray] = (),
    overwrite: bool = False,
) -> None:
    """Draw the first channel of a forecast into a PNG and a GIF, named as `path` with these suffixes.

    The strip shows the forecast, or the statistics of an ensemble, or the mean and two members; below them the
    probabilities. The animation shows the same without the probabilities.

    Args:
      path: the path of the forecast.
      forecast: a Forecast, with members or products of them (see `nowcasts.products`) or without.
      observed: the frame (1, H, W) of the init time.
      outlines: lines (n, 2) to draw on all maps, or points (1, 2): x and y in the coordinates of the forecast.
      overwrite: replace existing files.

    Raises:
      FileExistsError: a file exists and `overwrite` is False.
    """
    first = next(iter(forecast.data_vars.values()))
    labels = label_forecast(forecast, first.attrs["units"], input_length=1, outlines=outlines)
    rows: dict[str, np.ndarray] = {}
    for frames in forecast.data_vars.values():
        if frames.dims == ("realization", *MAPS):
            rows |= _show_members(frames)
        elif frames.dims == MAPS:
            name = frames.attrs.get("cell_methods", "forecast").removeprefix("realization: ")
            rows[name] = frames.isel(channel=0).values
    probabilities = [row for one in forecast.data_vars.values() for row in _show_probabilities(one)]
    draw_strip(
        path.with_suffix(".png"),
        rows,
        labels,
        observed_input=observed,
        probabilities=probabilities,
        overwrite=overwrite,
    )
    write_gif(path.with_suffix(".gif"), observed, rows, labels, overwrite=overwrite)


def _show_members(frames: xr.DataArray) -> dict[str, np.ndarray]:
    """Return the mean, taken at one lead time after another, and the first members (T, H, W)."""
    frames = frames.isel(channel=0)
    leads = range(frames.sizes["lead_time"])
    rows = {"mean": np.stack([frames.isel(lead_time=lead).values.mean(axis=0) for lead in leads])}
    members = frames.isel(realization=slice(0, MEMBERS))
    return rows | {f"member {number}": member.values for number, member in zip(members["realization"].values, members)}


def _show_probabilities(found: xr.DataArray) -> Iterator[Row]:
    """Return a row for each threshold of a probability; nothing for other variables."""
    axis = str(found.dims[0])
    if not axis.endswith("threshold"):
        return
    periods = found["accumulation_period"].values if "accumulation_period" in found.dims else ()
    heads = [f"next {period} min" for period in periods]
    within = f" within {found.attrs['radius_of_vicinity']}" if "radius_of_vicinity" in found.attrs else ""
    for one in found.isel(channel=0):
        threshold = f"{one[axis].item():g} {found[axis].attrs['units']}"
        yield Row(f"P(≥ {threshold}){within}", one.values, heads)
