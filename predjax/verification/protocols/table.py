"""The scores of a protocol as text: a row for each method."""

import math
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import xarray as xr

DECIMALS = {"mse": 4, "mae": 4, "ssim": 4, "psnr": 2, "lpips": 4}


class ProtocolTable(NamedTuple):
    """The scores of a protocol as text: sentences about it, the headings of its columns, and a row for each method."""

    notes: Sequence[str]
    heads: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]


def tabulate(scores: xr.Dataset) -> ProtocolTable:
    """Return the table of the scores of all methods.

    Scores of frames are means over all lead times; CSI are of the counts of all lead times.
    """
    attrs, methods = scores.attrs, scores["method"].values.tolist()
    notes = [f"protocol {attrs['protocol']}: {attrs['rule']}"]
    notes += [f"scaled by {attrs['scaling']}"] if "scaling" in attrs else []
    list_cells = _list_frames if "frames" in scores else _list_events
    cells = [list_cells(scores.sel({"method": method})) for method in methods]
    rows = [(method, list(one.values())) for method, one in zip(methods, cells)]
    return ProtocolTable([*notes, attrs["source"]], list(cells[0]), rows)


def format_scores(scores: xr.Dataset, width: int = 110) -> str:
    """Return the table as text; only the sentences above it are folded at the width."""
    notes, heads, rows = tabulate(scores)
    table = [["", *heads], *([name, *cells] for name, cells in rows)]
    widths = [max(map(len, column)) for column in zip(*table)]
    lines = [part for note in notes for part in textwrap.wrap(note, width, subsequent_indent="  ")]
    for first, *cells in table:
        lines.append("  ".join([first.ljust(widths[0]), *(c.rjust(w) for c, w in zip(cells, widths[1:]))]).rstrip())
    return "\n".join(lines) + "\n"


def _list_frames(one: xr.Dataset) -> dict[str, str]:
    cells = {name.upper(): _show(one[f"{name}_mean"].item(), DECIMALS[name]) for name in DECIMALS if name in one}
    return cells | {"frames": str(int(one["frames"].sum()))}


def _list_events(one: xr.Dataset) -> dict[str, str]:
    cells = {}
    for pool in one["pool"].values:
        cells["CSI-M" if pool == 1 else f"pool {pool}"] = _show(one["csi_m"].sel(pool=pool).item(), 4)
    single = one.sel(pool=1)
    cells |= {f"CSI-{t:.4g}": _show(single["csi_all"].sel(level=t).item(), 4) for t in one["level"].values}
    return cells | {"mean of leads": _show(single["csi_frames"].item(), 4)}


def _show(value: float, decimals: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{decimals}f}"
