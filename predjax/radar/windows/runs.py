"""Runs of frames without a gap in time, which windows never leave."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from predjax.radar.movies import Sources
from predjax.radar.step import Step


class Period(NamedTuple):
    """A run of frames [start, stop) of one movie of one source without a gap in time."""

    source: int
    movie: int
    start: int
    stop: int

    @property
    def frames(self) -> int:
        """The number of frames."""
        return self.stop - self.start


def find_periods(sources: Sources) -> list[Period]:
    """Return all runs of frames, in order. Two frames that are not one time step apart end a run.

    Movies without times have no gaps.
    """
    periods = []
    for source, movies in enumerate(sources):
        step = Step.of(movies)
        for movie, time in enumerate(movies["time"].values):
            edges = [0, len(time)]
            if step:
                edges[1:1] = (np.flatnonzero(~step.follows(time)) + 1).tolist()
            periods += [Period(source, movie, start, stop) for start, stop in itertools.pairwise(edges)]
    return periods


def find_longest(periods: Sequence[Period]) -> Period | None:
    """Return the first of the periods with most frames, or None without periods."""
    return max(periods, key=lambda period: period.frames, default=None)
