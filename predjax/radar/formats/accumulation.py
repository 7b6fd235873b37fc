"""The accumulation period of frames: the labels that state it, and its checks against the frames."""

import itertools
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from predjax.radar.formats.decode import Decoder
from predjax.radar.formats.quantity import Conversion, UnitOptions
from predjax.radar.movies import Movies
from predjax.radar.step import Step
from predjax.unit_names import read_depth, read_duration
from predjax.units import DRY_DBZ, dbz_to_rain_rate

_WINDOWS, _FRAMES, _PIXELS = 4, 24, 256  # that are looked at, the last along each axis
_ENOUGH = 100  # pixels that must change or become wet before they tell something
_WET = 1e-3  # mm/h
_DURATION = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?[\s-]*(?:h|hr|hrs|hours?|min|mins|minutes?|days?))\b")
_INTERVAL = re.compile(r"\binterval:\s*([\d.]+\s*[a-z]+)")
_ADVERBS = {"hourly": 3600.0, "daily": 86400.0}
DIFFERENCES = (
    'make sums of one step of them first, rise = ds.{0}.diff("time"); '
    'ds["{0}"] = rise.where(rise.sum(rise.dims[1:]) >= 0, ds.{0}[1:]) with xarray'
)


class Period(NamedTuple):
    """The period over which rain is accumulated."""

    seconds: float
    found: str  # what tells it, as a remark says it
    declared: bool = False  # whether the user states it


def show_duration(seconds: float) -> str:
    """Return a duration as flags have it: "60min", "90s"."""
    return f"{seconds / 60:g}min" if seconds % 60 == 0 else f"{seconds:g}s"


def name_durations(attrs: dict, name: str) -> dict[str, float]:
    """Return the durations in seconds that are in the names of a variable and its cell_methods, by their text.

    Of several durations in a text the longest counts: an hourly sum may be made every 5 minutes.

    >>> name_durations({"long_name": "1-hour accumulation"}, "rain")
    {'1-hour accumulation': 3600.0}
    """
    found: dict[str, float] = {}
    for text in (str(attrs.get("long_name", "")), str(attrs.get("short_name", "")), name.replace("_", " ")):
        words = text.lower().split()
        durations = [read_duration(one) for one in _DURATION.findall(text.lower())]
        for seconds in (*durations, *(_ADVERBS.get(word) for word in words)):
            if seconds:
                found[text] = max(seconds, found.get(text, 0.0))
    interval = _INTERVAL.search(str(attrs.get("cell_methods", "")).lower())
    seconds = read_duration(interval[1]) if interval else None
    if interval and seconds:
        found[interval[0]] = seconds
    return found


def choose_period(measured: Period | None, unit: str, wanted: str, name: str) -> Period | None:
    """Return the period that is stated by the user (`wanted`, "60min"), by labels, or by the unit ("mm/5min").

    Errors: ValueError, two of them differ.
    """
    depth = read_depth(unit)
    stated = [measured] if measured else []
    if depth and depth.counted and depth.seconds:
        stated.append(Period(depth.seconds, f"the unit {unit}"))
    seconds = read_duration(wanted) if wanted else None
    if seconds:
        stated.append(Period(seconds, "--accumulation_period", declared=True))
    for one, other in itertools.pairwise(stated):
        if abs(one.seconds - other.seconds) > 0.01 * one.seconds:
            raise ValueError(
                f"{name}: the period of the sums is {show_duration(one.seconds)} by {one.found}, and "
                f"{show_duration(other.seconds)} by {other.found}"
            )
    return stated[-1] if stated else None


def settle_period(period: Period | None, named: dict[str, float], step: float | None, name: str) -> Period:
    """Return the period of accumulations: the stated one, else one that names contain, else the time step.

    Args:
      period: what a file or the user states.
      named: see `name_durations`; they count where nothing is stated.
      step: the seconds from one frame to the next, None for a single frame.
      name: the file and the variable, for messages.

    Errors: ValueError, nothing tells the period, or the periods of frames overlap and the user does not state so.
    """
    if period is None and step is None:
        raise ValueError(
            f"{name} is an accumulation, and nothing tells its period: there are no time bounds, no start_time, "
            "no accumulation_minutes and no time step; --accumulation_period 60min would state it"
        )
    if period is None:
        assert step is not None
        for text, seconds in named.items():
            # The interval of CF's cell_methods is that of the values that were added: shorter ones are usual.
            if not Step(step).fits(seconds) and not (text.startswith("interval") and seconds < step):
                raise ValueError(
                    f"{name}: {text!r} speaks of {show_duration(seconds)}, and frames are {show_duration(step)} apart: "
                    f"state the period of the sums, --accumulation_period {show_duration(seconds)} or another"
                )
        return Period(step, "the time step, as nothing else tells it")
    if step and not period.declared and _overlaps(period, step):
        shown = show_duration(period.seconds)
        raise ValueError(
            f"{name}: sums of {shown} (by {period.found}) every {show_duration(step)} overlap: "
            f"--accumulation_period {shown} reads them as mean rates of {shown}, which are smoother than rain"
        )
    return period


def convert_unlabelled(
    conversion: Conversion, packing: Decoder, units: UnitOptions, name: str
) -> tuple[Decoder, list[str]]:
    """Return the decoder of values without labels, whose unit and period the user states, and remarks on both."""
    if not conversion.accumulation:
        return conversion.apply(packing, None), list(conversion.remarks)
    period = settle_period(
        choose_period(None, conversion.source_units, units.accumulation_period, name), {}, None, name
    )
    return conversion.apply(packing, period.seconds), [*conversion.remarks, describe_period(period, None)]


def describe_period(period: Period, step: float | None) -> str:
    """Return the remark on the period of accumulations."""
    overlap = f"; there is one every {show_duration(step)}, so they overlap" if step and _overlaps(period, step) else ""
    return f"sums of {show_duration(period.seconds)} (by {period.found}) are read as mean rain rates{overlap}"


def _overlaps(period: Period, step: float) -> bool:
    return period.seconds > step and not Step(step).fits(period.seconds)


def check_sums(movies: Movies, name: str) -> list[str]:
    """Check that accumulations are sums over one time step each, where no label says so.

    In at most 4 times 24 frames, the first with enough rain decide. Of sums of one step a good part of the pixels that
    become wet are dry again in the next frame (14 % to 62 % in pieces of six radar events in Australia and Europe). Of
    sums over two or more steps that are made at every step, no such pixels are. Running totals never fall except where
    they start again.

    Returns:
      A remark if there was too little rain for the check, else nothing.

    Errors: ValueError, which names the kind of sums that the frames look like, and how to read it.
    """
    count, length = movies.sizes["movie"], movies.sizes["time"]
    windows = min(_WINDOWS, -(-count * length // _FRAMES))
    starts = np.linspace(0, max(length - _FRAMES, 0), windows).astype(int)
    for movie, start in zip(np.linspace(0, count - 1, windows).astype(int).tolist(), starts.tolist()):
        try:
            frames = _read_frames(movies, movie, range(start, min(start + _FRAMES, length)))
        except ValueError:  # a damaged frame is an error where it is used
            continue
        if _run_on(frames):
            variable = movies.frames.attrs["variable"]
            raise ValueError(
                f"{name}: the sums never fall but where they start again, as running sums do: "
                f"{DIFFERENCES.format(variable)}; if they do not run on, --accumulation_period states their period"
            )
        became, brief = _count_brief(frames)
        if became >= _ENOUGH:
            if brief < 0.01 * became:
                raise ValueError(
                    f"{name}: of {became} pixels that become wet {brief} are dry in the next frame, as in sums that "
                    "overlap: state the period of the sums, such as --accumulation_period 60min"
                )
            return []
    return ["the frames looked at have too little rain to see whether the sums overlap"]


def _read_frames(movies: Movies, movie: int, times: Sequence[int]) -> np.ndarray:
    """Return rates (time, y, x, channel) in mm/h of at most 256 x 256 pixels, evenly spread."""
    y, x = (-(-movies.sizes[axis] // _PIXELS) for axis in ("y", "x"))
    frames = np.stack([movies.frames[movie, time].values[::y, ::x] for time in times])
    if movies.frames.attrs["units"] == "dBZ":
        frames = np.where(frames <= DRY_DBZ, 0, dbz_to_rain_rate(frames))
    return frames


def _run_on(frames: np.ndarray) -> bool:
    """Return whether frames are running totals, which only grow, except in a quarter of the steps at most."""
    before, after = frames[:-1], frames[1:]
    changed = np.abs(after - before) > np.maximum(0.01 * before, _WET)
    falls = (changed & (after < before)).sum(axis=(1, 2, 3))
    changes = changed.sum(axis=(1, 2, 3))
    active = changes > 0
    falling = falls[active] > 0.05 * changes[active]
    return changes.sum() >= _ENOUGH and len(falling) >= 4 and falling.sum() <= 0.25 * len(falling)


def _count_brief(frames: np.ndarray) -> tuple[int, int]:
    """Return the number of pixels that become wet, and of those that are dry in the next frame; NaN is neither."""
    before, now, after = frames[:-2], frames[1:-1], frames[2:]
    became = (before <= _WET) & (now > _WET) & ~np.isnan(after)
    return int(became.sum()), int((became & (after <= _WET)).sum())
