"""The windows of a data set in one order; they are computed from their numbers, never listed."""

import bisect
import itertools
from collections.abc import Sequence
from typing import NamedTuple, overload

from predjax.radar.config import DataConfig
from predjax.radar.movies import Movies, Sources
from predjax.radar.windows.runs import Period, find_longest


class Window(NamedTuple):
    """Consecutive frames from `start`; (y, x) is the upper left pixel of the crop, (0, 0) without one."""

    source: int
    movie: int
    start: int
    y: int
    x: int


class WindowIndex(Sequence[Window]):
    """All windows of `length` frames in some periods, ordered by period, then by start, then by crop.

    An index takes the memory of its periods, whatever the number of windows. Training, validation and verification
    number their windows in the same way. Of the `config`, `window_stride`, `crop` and `crop_mode` are used: the frames
    between two starts, and the places of crops. "grid" gives all tiles that cover the frame, "centre" the central crop,
    and "random" the corner (0, 0), to be drawn later.

    Attributes:
      periods: the periods that hold a window.
      used: the numbers of the sources of all periods.

    Errors: ValueError, there are periods, but none is as long as a window; or the crop is larger than a frame.
    """

    def __init__(self, sources: Sources, periods: Sequence[Period], length: int, config: DataConfig):
        _check_length(sources, periods, length)
        self.sources, self.length, self.config = sources, length, config
        self.periods = [period for period in periods if period.frames >= length]
        self.used = sorted({period.source for period in periods})
        self._corners = {one: find_corners(sources[one], config.crop, config.crop_mode) for one in self.used}
        starts = [(period.frames - length) // config.window_stride + 1 for period in self.periods]
        counts = (number * len(self._corners[period.source]) for number, period in zip(starts, self.periods))
        self._before = [0, *itertools.accumulate(counts)]  # the number of windows before each period, and of all

    def __len__(self) -> int:
        return self._before[-1]

    @overload
    def __getitem__(self, number: int) -> Window: ...
    @overload
    def __getitem__(self, number: slice) -> list[Window]: ...
    def __getitem__(self, number: int | slice) -> Window | list[Window]:
        if isinstance(number, slice):
            return [self[one] for one in range(len(self))[number]]
        number = range(len(self))[number]  # counts a negative number from the end, or raises an IndexError
        place = bisect.bisect_right(self._before, number) - 1
        period = self.periods[place]
        corners = self._corners[period.source]
        start, corner = divmod(number - self._before[place], len(corners))
        first = period.start + start * self.config.window_stride
        return Window(period.source, period.movie, first, *corners[corner])


def _check_length(sources: Sources, periods: Sequence[Period], length: int) -> None:
    """Raise a ValueError if none of the periods is as long as a window of `length` frames; no periods are no error."""
    if length < 1:
        raise ValueError(f"a window must have at least 1 frame, not {length}")
    longest = find_longest(periods)
    if longest and longest.frames < length:
        raise ValueError(
            f"a window of {length} frames is longer than any run of frames without a gap: "
            f"the longest has {longest.frames}, in {sources[longest.source].attrs['source']}"
        )


def find_corners(movies: Movies, crop: int, crop_mode: str) -> list[tuple[int, int]]:
    """Return the upper left pixels (y, x) of the crops of a frame; the last tiles of a grid are shifted inwards.

    Errors: ValueError, the crop is larger than the frame.
    """
    height, width = movies.sizes["y"], movies.sizes["x"]
    if crop > min(height, width):
        raise ValueError(f"crop {crop} is larger than the frame {height}x{width} of {movies.attrs['source']}")
    if not crop or crop_mode == "random":
        return [(0, 0)]
    if crop_mode == "centre":
        return [((height - crop) // 2, (width - crop) // 2)]
    rows, columns = ([min(start, size - crop) for start in range(0, size, crop)] for size in (height, width))
    return [(y, x) for y in rows for x in columns]
