"""The time step of frames: the seconds from one frame to the next, and the tolerance of times."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

_EXACT = 0.01  # times are rounded to seconds in some archives
_JITTER = 0.15  # scans that end when they end: 45 seconds of 5 minutes
_ROUND = (3600, 1800, 900, 600, 300, 150, 120, 60, 30, 10, 5, 1)  # seconds; a step is a multiple of one of them


class Step(NamedTuple):
    """A time step in seconds."""

    seconds: float
    # The part of the step by which a time may be off.
    tolerance: float = _EXACT

    @classmethod
    def of_times(cls, time: np.ndarray) -> "Step | None":
        """Return the step of `time` (..., frames) datetime64, or None for a single frame.

        Most differences are near to the step, and all others are gaps. If more than half of the near differences are
        equal, as in regular archives, this is the step; else the step is their mean, rounded as far as its uncertainty
        allows. The tolerance of times is 1 % of the step if all near differences are within 1 %; else the times jitter,
        and it is 15 %.
        """
        times = np.atleast_2d(np.asarray(time).astype("datetime64[ns]").astype(np.int64))
        differences = np.diff(times, axis=-1)
        if differences.size == 0:
            return None
        ordered = np.sort(differences, axis=None)
        last = np.searchsorted(ordered, ordered * (1 + _JITTER), "right")
        centre = ordered[np.argmax(last - np.searchsorted(ordered, ordered * (1 - _JITTER)))]
        near = np.abs(differences - centre) <= _JITTER * centre
        steps, counts = np.unique(differences[near], return_counts=True)
        if not steps.size:
            return cls(float(centre) / 1e9)
        seconds = float(steps[np.argmax(counts)]) / 1e9
        if 2 * counts.max() <= counts.sum():
            # Inside a run the jitter of the times cancels in the mean, but for the jitter of both ends.
            runs = np.count_nonzero(np.diff(near, axis=-1, prepend=False) & near)
            seconds = _round(differences[near].mean() / 1e9, float(np.ptp(steps)) * runs / counts.sum() / 1e9)
        jitters = (np.abs(steps / 1e9 - seconds) > _EXACT * seconds).any()
        return cls(seconds, _JITTER if jitters else _EXACT)

    @classmethod
    def given(cls, seconds: float) -> "Step":
        """Return the step that a user states, with the tolerance of times that jitter."""
        return cls(seconds, _JITTER)

    @classmethod
    def of(cls, movies: xr.Dataset) -> "Step | None":
        """Return the step of Movies, or None for numbered frames and for a single frame."""
        if not np.issubdtype(movies["time"].dtype, np.datetime64):
            return None
        known = movies.attrs.get("step_seconds")
        tolerance = movies.attrs.get("step_tolerance", _EXACT)
        return cls(known, tolerance) if known else cls.of_times(movies["time"].values)

    @property
    def attrs(self) -> dict[str, float]:
        """The attributes of Movies that hold this step."""
        return {"step_seconds": self.seconds} | ({"step_tolerance": self.tolerance} if self.jitters else {})

    @property
    def jitters(self) -> bool:
        """Whether the times jitter, so that the tolerance is larger than rounding needs."""
        return self.tolerance > _EXACT

    def describe(self) -> str:
        """Return a line about a step whose times jitter; "" for times that are equally spaced."""
        if not self.jitters:
            return ""
        allowed = f"times may be off by {self.tolerance * self.seconds:g} s"
        return f"the times are not equally spaced: a step of {self.seconds:g} s is taken, {allowed}; --step sets it"

    def fits(self, seconds: Any) -> Any:
        """Return whether durations in seconds (a number or an array) are one step, within the tolerance."""
        return self.allows(seconds - self.seconds)

    def agrees(self, other: "Step") -> bool:
        """Return whether two steps are the same, within the tolerance."""
        return bool(self.fits(other.seconds) or other.fits(self.seconds))

    def allows(self, seconds: Any) -> Any:
        """Return whether a time that is off by `seconds` (a number or an array) is within the tolerance."""
        return np.abs(seconds) <= self.tolerance * self.seconds

    def follows(self, time: np.ndarray) -> np.ndarray:
        """Return whether each of `time` (frames,) datetime64, from the second on, is one step after the time before."""
        return self.fits(np.diff(time).astype("timedelta64[ns]").astype(np.float64) / 1e9)

    def count_back(self, times: Sequence[np.datetime64], init: np.datetime64, count: int) -> list[np.datetime64]:
        """Return `count` times up to `init`, one step apart; where one of `times` is near, this one is taken."""
        apart = np.timedelta64(round(self.seconds * 1e9), "ns")
        found = [init]
        while len(found) < count:
            wanted = found[-1] - apart
            near = min(times, key=lambda time: abs(time - wanted))
            found.append(near if self.allows((near - wanted) / np.timedelta64(1, "s")) else wanted)
        return found[::-1]


def _round(seconds: float, uncertainty: float) -> float:
    """Return the roundest number of seconds within the uncertainty or 0.2 %; else the seconds themselves."""
    multiples = [unit * round(seconds / unit) for unit in _ROUND]
    allowed = max(uncertainty, 0.002 * seconds)
    return float(next((one for one in multiples if one and abs(one - seconds) <= allowed), seconds))
