"""The comparison of models over seeds as text."""

import textwrap
from collections.abc import Sequence

import numpy as np
import xarray as xr

from predjax.verification.seeds import LEVEL, pool_leads

WIDTH = 110
FIGURES = 4  # significant ones of the largest score


def format_comparison(compared: xr.Dataset, comparison: xr.Dataset) -> str:
    """Return the costs of each model, then a table for each score over all lead times.

    Args:
      compared: of `compare_seeds`, with `parameters`, `iterations` and `megabytes` (model) and `iteration_seconds`
        (model, seed).
      comparison: the scores of all methods on the same cases: the networks first, then methods without seeds.
    """
    models, count = [str(model) for model in compared["model"].values], compared.sizes["seed"]
    costs = [
        [
            model,
            f"{compared['parameters'].values[row]:,}",
            f"{compared['iterations'].values[row]:,}",
            f"{compared['iteration_seconds'].values[row].mean():.3g}",
            f"{compared['megabytes'].values[row]:,.1f}",
        ]
        for row, model in enumerate(models)
    ]
    lines = _lay_out(["model", "parameters", "iterations", "s an iteration", "MB"], costs, numbers=True)
    units = compared.attrs["units"]
    networks = len(models) * count
    others = pool_leads(comparison.isel(method=slice(networks, None)))
    for name in ("rmse", "mae"):
        heading = f"{name.upper()}{f', {units}' if units != '1' else ''}"
        lines += ["", *_format_score(heading, f"overall_{name}", compared, others)]
    for threshold in compared["threshold"].values:
        heading = f"CSI, >= {threshold:g}{f' {units}' if units != '1' else ''}"
        chosen = compared.sel(threshold=threshold), others.sel(threshold=threshold)
        lines += ["", *_format_score(heading, "overall_csi", *chosen)]
    interval = (
        f"[low, high]: {100 * LEVEL:g} % interval of the mean over {count} seeds (Student's t, {count - 1} degree"
        f"{'' if count == 2 else 's'} of freedom); differences are paired by seed."
        if count > 1
        else "One seed: nothing tells how much of a difference is luck."
    )
    notes = [
        "All scores are of the sums over all lead times.",
        interval,
        "Intervals over seeds do not say what other cases would give: skill.nc has intervals over cases.",
    ]
    return "\n".join([*lines, "", *(textwrap.fill(note, WIDTH) for note in notes)])


def _format_score(heading: str, name: str, compared: xr.Dataset, others: xr.Dataset) -> list[str]:
    """Return the table of one score: mean and interval, difference to the reference, and verdict."""
    reference = compared.attrs["reference"]
    largest = np.nanmax(np.abs(np.append(compared[name].values, others[name].values)), initial=0)
    decimals = max(0, FIGURES - 1 - int(np.floor(np.log10(largest)))) if largest > 0 else 2

    def show(part: str, row: int, sign: str = "") -> str:
        value, low, high = (compared[f"{name}_{one}"].values[row] for one in (part, *_ENDS[part]))
        if np.isnan(value):
            return "-"
        ends = "" if np.isnan(low) else f" [{low:{sign}.{decimals}f}, {high:{sign}.{decimals}f}]"
        return f"{value:{sign}.{decimals}f}{ends}"

    rows = []
    for row, model in enumerate(compared["model"].values):
        verdict = str(compared[f"{name}_verdict"].values[row])
        difference = "" if model == reference else show("difference", row, "+")
        rows.append([str(model), show("mean", row), difference, verdict])
    for method, value in zip(others["method"].values, others[name].values):
        rows.append([str(method), "-" if np.isnan(value) else f"{value:.{decimals}f}", "", ""])
    return _lay_out([heading, "mean", f"difference to {reference}", ""], rows)


_ENDS = {"mean": ("low", "high"), "difference": ("difference_low", "difference_high")}


def _lay_out(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: bool = False) -> list[str]:
    """Return the lines of a table with columns aligned to the left; with `numbers`, all but the first to the right."""
    sizes = [max(map(len, column)) for column in zip(head, *rows)]

    def place(column: int, cell: str) -> str:
        return cell.rjust(sizes[column]) if numbers and column else cell.ljust(sizes[column])

    return ["  ".join(place(column, cell) for column, cell in enumerate(row)).rstrip() for row in (head, *rows)]
