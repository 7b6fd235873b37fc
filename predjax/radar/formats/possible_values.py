"""The decoded values that are possible weather: one rule for every format, and counts of the values that it changed.

Rain is not negative, and no reflectivity is near -99 dBZ. A file may hold such values all the same, undeclared:

==========  ==================================================  ========================================
kind        values before any conversion                        meaning
==========  ==================================================  ========================================
MARKER      one of MARKERS: -1, -3 (rain) or nines like -999    no coverage
UNDERSHOOT  rain from -NOISE, or half a packing step, to 0      0
NEGATIVE    other rain from -DEEPEST on                         0 in at most RARE of a frame, else error
IMPOSSIBLE  everything else outside of `units.RANGES`           error
==========  ==================================================  ========================================
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from predjax.units import RANGES

_LOG = logging.getLogger("predjax")
FINE, MARKER, UNDERSHOOT, NEGATIVE, IMPOSSIBLE = range(5)
QUANTITIES = {"mm/h": "rain", "dBZ": "reflectivity"}
UNITS = {quantity: unit for unit, quantity in QUANTITIES.items()}  # of the ranges
# Runs of nines are the usual marks of missing data. MRMS writes -1 and -3 in rain; both are possible in dBZ.
_NINES = (-99.0, -99.9, -99.99, -999.0, -999.9, -999.99, -9999.0, -9999.9, -9999.99, -99999.0)
MARKERS = {"rain": (-1.0, -3.0, -9.0, *_NINES), "reflectivity": _NINES}
NOISE = 0.01  # mm/h: rounding of packed rain, a hundredth of the least rain that a radar tells from none
# Cubic interpolation undershoots an edge by up to a ninth of it (Keys, 1981, with a = -3/4): of 100 mm/h by 11 mm/h. It
# does so in the one or two pixels beside the edge, so in few of a frame; a mark or an offset is in many.
DEEPEST, RARE = 11.0, 0.05
_LOWEST = {"rain": 0.0, "reflectivity": -98.9}  # below it a value may be a marker
_ROUNDING = 1e-6  # relative, of a marker that was multiplied by a scale or stored in 32 bits


class Judged(NamedTuple):
    """The kinds of some values, and the values themselves."""

    kinds: np.ndarray  # FINE, MARKER, UNDERSHOOT or NEGATIVE, uint8
    found: np.ndarray  # of the same shape, in the unit of the file; NaN = declared as missing
    factor: float  # from this unit to mm/h

    def change(self, function: Callable[[np.ndarray], np.ndarray]) -> "Judged":
        """Return both arrays after applying a function to each, such as a new order of their axes."""
        return Judged(function(self.kinds), function(self.found), self.factor)


def sort_values(values: np.ndarray, quantity: str, factor: float = 1.0, step: float = 0.0) -> np.ndarray | None:
    """Return the kind of each value as uint8; None where all are FINE. NaN is FINE.

    `quantity` is "rain", "reflectivity" or "", of which only infinity is impossible. `factor` leads to mm/h, and `step`
    is the packing step of integers, 0 for other numbers; both are in the unit of the values.
    """
    if quantity:
        low, high = _LOWEST[quantity], RANGES[UNITS[quantity]].frames[1] / factor
    else:
        low, high = float(np.finfo(np.float64).min), float(np.finfo(np.float64).max)
    least, greatest = (reduce(values, axis=None, initial=np.nan) for reduce in (np.fmin.reduce, np.fmax.reduce))
    if not (least < low or greatest > high):
        return None
    outside = (values < low) | (values > high)
    found = values[outside]
    kind = np.full(found.shape, IMPOSSIBLE, np.uint8)
    if quantity == "rain":
        rate = found * factor
        kind[(rate >= -DEEPEST) & (rate < 0)] = NEGATIVE
        kind[(rate >= -max(NOISE, step * factor / 2)) & (rate < 0)] = UNDERSHOOT
    elif quantity:
        kind[(found >= RANGES["dBZ"].frames[0]) & (found < low)] = FINE
    for marker in MARKERS.get(quantity, ()):
        kind[np.abs(found - marker) <= -_ROUNDING * marker] = MARKER
    kinds = np.zeros(values.shape, np.uint8)
    kinds[outside] = kind
    return kinds


def apply_rule(values: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """Return the values with NaN for markers and impossible values, and 0 for negative rain."""
    values = np.where((kinds == MARKER) | (kinds == IMPOSSIBLE), np.nan, values)
    return np.where((kinds == UNDERSHOOT) | (kinds == NEGATIVE), 0.0, values)


def refuse_impossible(values: np.ndarray, kinds: np.ndarray, quantity: str, factor: float, name: str) -> None:
    """Raise a ValueError, which names a value found, if any value is IMPOSSIBLE."""
    wrong = values[kinds == IMPOSSIBLE]
    if not wrong.size:
        return
    worst = wrong.flat[0]
    if np.isinf(worst):
        raise ValueError(f"{name}: holds an infinite value ({worst})")
    if not quantity or sort_values(worst, quantity, factor) is None:
        raise ValueError(f"{name}: holds {worst:g}, too large for a number of 32 bits")
    unit = UNITS[quantity]
    low, high = RANGES[unit].files
    if not low <= worst <= high:
        raise ValueError(
            f"{name}: holds {worst:g}, which cannot be weather: if it marks missing data, declare it as _FillValue"
        )
    low, high = RANGES[unit].frames
    raise ValueError(
        f"{name}: values in {unit} must be between {low:g} and {high:g}, but one is {worst * factor:g}: "
        "is the unit or the scale factor right?"
    )


def refuse_frequent(judged: Judged, name: str) -> None:
    """Raise a ValueError if more than RARE of the covered pixels of a whole frame are NEGATIVE."""
    negative = judged.kinds == NEGATIVE
    fraction = np.count_nonzero(negative) / np.count_nonzero(~np.isnan(judged.found)) if negative.any() else 0.0
    if fraction > RARE:
        worst = judged.found[negative].min() * judged.factor
        raise ValueError(
            f"{name}: {fraction:.1%} of the pixels are negative rain, such as {worst:g} mm/h, too many for undershoot "
            f"of interpolation (at most {RARE:.0%} of a frame): if it marks missing data, declare it as _FillValue; "
            "if it means dry, set it to 0"
        )


class Tally:
    """Counts of the values of one source that the rule changed; any number of threads may use it.

    A count is a dictionary of JSON values: "pixels" that were read (a pixel that is read twice counts twice), each
    marker that was found, such as "-3", "negative" for rain that became 0, and "least", its least value in mm/h. After
    `announce`, each kind is logged when it is first found.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter = Counter()
        self._least = 0.0
        self._source = ""
        self._said: set[str] | None = None  # before `announce`: nothing is logged
        self._checked: set[tuple] = set()  # frames whose negative rain is rare

    def __reduce__(self) -> tuple:
        return Tally, ()  # what another process reads is counted there

    def announce(self, source: str, said: set[str] | None = None) -> None:
        """Log the kinds found so far, with the name of the `source`, and from now on each kind when it is first found.

        Sources that share `said` log each kind once.
        """
        with self._lock:
            self._source, self._said = source, set() if said is None else said
            lines = self._find_new()
        self._log(lines)

    def add(self, pixels: int, judged: Judged | None = None) -> None:
        """Count `pixels` that were read, and the kinds of those that were judged."""
        found, least = Counter({"pixels": pixels}), 0.0
        if judged:
            numbers, counts = np.unique(judged.found[judged.kinds == MARKER].astype(np.float32), return_counts=True)
            found |= Counter({f"{number:g}": int(count) for number, count in zip(numbers, counts)})
            below = judged.found[(judged.kinds == UNDERSHOOT) | (judged.kinds == NEGATIVE)]
            if below.size:
                found["negative"], least = below.size, float(below.min() * judged.factor)
        with self._lock:
            self._counts.update(found)
            self._least = min(self._least, least)
            lines = self._find_new()
        self._log(lines)

    def _find_new(self) -> list[str]:
        """Return lines about kinds that were not logged yet, and mark them as logged; called under the lock."""
        if self._said is None:
            return []
        new = self._counts.keys() - self._said - {"pixels"}
        self._said |= new
        return describe_counts({key: self._counts[key] for key in (*new, "pixels")} | {"least": self._least})

    def _log(self, lines: list[str]) -> None:
        for line in lines:
            _LOG.warning("%s: %s so far", self._source, line)

    def check_rare(
        self, judged: Judged, frames: Iterable[tuple], whole: bool, read_frame: Callable[[tuple], Judged | None]
    ) -> None:
        """Raise a ValueError for frames in which NEGATIVE rain is frequent, also if only a part of them was read.

        `judged` has frames along its first axis, `whole` or in part. `frames` are their names: file and variable,
        movie, frame, and anything else. `read_frame` judges a whole frame; it is asked for each frame once.

        Errors: see `refuse_frequent`.
        """
        for number, frame in enumerate(frames):
            with self._lock:
                known = frame in self._checked
            if known or not (judged.kinds[number] == NEGATIVE).any():
                continue
            piece = judged.change(lambda array: array[number])  # noqa: B023  # called at once
            refuse_frequent(piece if whole else read_frame(frame) or piece, f"{frame[0]}: frame {frame[2]}")
            with self._lock:
                self._checked.add(frame)

    def counts(self) -> dict[str, Any]:
        """Return the counts so far."""
        with self._lock:
            return dict(self._counts) | ({"least": self._least} if self._least else {})

    def clear(self) -> None:
        """Set all counts to zero."""
        with self._lock:
            self._counts, self._least = Counter(), 0.0


def add_counts(counts: Iterable[dict]) -> dict[str, Any]:
    """Return the sum of counts, each as from `Tally.counts`."""
    total: Counter = Counter()
    least = 0.0
    for one in counts:
        total.update({key: number for key, number in one.items() if key != "least"})
        least = min(least, one.get("least", 0.0))
    return dict(total) | ({"least": least} if least else {})


def describe_counts(counts: dict[str, Any]) -> list[str]:
    """Return counts from `Tally.counts` in words, a line for each marker and one for negative rain.

    >>> describe_counts({"pixels": 800, "-3": 20})
    ['-3 is taken as no coverage, though nothing declares it: 20 of 800 pixels']
    """
    of = f"of {counts.get('pixels', 0)} pixels"
    lines = []
    for key in sorted(counts.keys() - {"pixels", "least"}):
        if key == "negative":
            lines.append(f"negative rain, down to {counts['least']:.3g} mm/h, is taken as 0: {counts[key]} {of}")
        else:
            lines.append(f"{key} is taken as no coverage, though nothing declares it: {counts[key]} {of}")
    return lines
