"""The time step of frames: the seconds from one frame to the next, and how far a time may be off."""

from typing import Any, NamedTuple

import numpy as np
import xarray as xr


class Step(NamedTuple):
    """A time step in seconds."""

    seconds: float
    # The part of the step by which a time may be off: times are rounded to seconds in some archives.
    tolerance: float = 0.01

    @classmethod
    def of_times(cls, time: np.ndarray) -> "Step | None":
        """Return the most frequent difference of `time` (..., frames) datetime64, or None for a single frame."""
        times = np.asarray(time).astype("datetime64[ns]").astype(np.int64)
        differences = np.diff(times, axis=-1).ravel()
        if differences.size == 0:
            return None
        steps, counts = np.unique(differences, return_counts=True)
        return cls(float(steps[np.argmax(counts)]) / 1e9)

    @classmethod
    def of(cls, movies: xr.Dataset) -> "Step | None":
        """Return the step of Movies, or None for numbered frames and for a single frame."""
        if not np.issubdtype(movies["time"].dtype, np.datetime64):
            return None
        known = movies.attrs.get("step_seconds")
        return cls(known) if known else cls.of_times(movies["time"].values)

    def fits(self, seconds: Any) -> Any:
        """Return whether durations in seconds (a number or an array) are this step."""
        return self.allows(seconds - self.seconds)

    def allows(self, seconds: Any) -> Any:
        """Return whether a time that is off by `seconds` (a number or an array) still counts as exact."""
        return np.abs(seconds) <= self.tolerance * self.seconds
