"""Blocks of cases that belong together, as a bootstrap draws them, and the statistics of blocks."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from predjax.radar.windows.index import Window
from predjax.verification.sums import check_same_labels, keep_labels

MOST_BLOCKS = 100  # more would take memory and would not make an interval better


class Blocks(NamedTuple):
    """The block of each window, numbered from 0 without a gap, and a phrase that describes the blocks."""

    numbers: np.ndarray
    rule: str


def assign_blocks(windows: Sequence[Window], length: int, most: int = MOST_BLOCKS) -> Blocks:
    """Assign windows of `length` frames to blocks: events, or, for a single event, stretches of init times.

    An event is a movie of a source. Cases of one event resemble each other, therefore whole events are drawn. Stretches
    of a single event have equal lengths and are at least as long as a window, so that only neighbours share frames.
    Where there would be more than `most` blocks, neighbouring ones are joined.

    Errors: ValueError, no windows, or `length` or `most` below 1.
    """
    if not windows or length < 1 or most < 1:
        raise ValueError(f"blocks need windows, got {len(windows)} of {length} frames for at most {most} blocks")
    events = sorted({(window.source, window.movie) for window in windows})
    if len(events) > 1:
        place = {event: number for number, event in enumerate(events)}
        numbers = np.array([place[window.source, window.movie] for window in windows])
        count, span = min(len(events), most), len(events)
    else:
        numbers = np.array([window.start for window in windows])
        numbers -= numbers.min()
        span = int(numbers.max()) + 1
        count = min(max(span // length, 1), most)
    numbers = np.unique(numbers * count // span, return_inverse=True)[1]
    found = int(numbers.max()) + 1
    if len(events) == 1:
        return Blocks(numbers, f"{found} stretches of at least {length} init times of one event")
    each = "" if found == len(events) else f" in {found} groups"
    return Blocks(numbers, f"{len(events)} events{each}")


def stack_blocks(totals: Mapping[int, xr.Dataset]) -> xr.Dataset:
    """Return the statistics of all blocks along a first dimension `block`, in the order of their numbers.

    Errors: ValueError, nothing given, or statistics of different labels.
    """
    if not totals:
        raise ValueError("no statistics to stack")
    numbers = sorted(totals)
    for number in numbers[1:]:
        names = [f"block {n}" for n in (numbers[0], number)]
        check_same_labels(totals[numbers[0]], totals[number], names)
    block = xr.Variable("block", np.array(numbers), {"long_name": "block of cases", "units": "1"})
    first = totals[numbers[0]]
    stacked = {}
    for name, one in first.data_vars.items():
        values = [totals[number].variables[name].transpose(*one.dims).values for number in numbers]
        stacked[name] = ("block", *one.dims), np.stack(values)
    return xr.Dataset(stacked, first.coords, first.attrs).assign_coords(block=block)


def sum_blocks(statistics: xr.Dataset) -> xr.Dataset:
    """Return the sums of the statistics over all blocks, equal to the statistics of all cases."""
    return keep_labels(statistics, {name: values.variable.sum("block") for name, values in statistics.items()})
