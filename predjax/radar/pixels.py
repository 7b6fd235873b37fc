"""The coverage and the range of movies, of all their frames or of as many as can be read in a given time."""

import time
from typing import NamedTuple

import numpy as np

from predjax.radar.movies import Movies

MOST_BLOCKS = 4096
BLOCK_PIXELS = 2**18  # frames that follow each other are read together up to this size


class Pixels(NamedTuple):
    """The coverage and the range of the pixels of some frames, in the unit of the frames."""

    frames: int  # the number of frames that were read
    covered: float  # the fraction of their pixels with a value
    empty: int  # the number of frames without any value
    low: float  # the smallest value; NaN where there is none
    high: float  # the greatest value
    brightest: tuple[int, int] | None  # movie and number of the frame with the greatest mean; None without values
    unreadable: int  # the number of frames that cannot be read
    reason: str  # why the first of these cannot be read


def measure_pixels(movies: Movies, seconds: float) -> Pixels:
    """Measure as many frames as can be read in about `seconds`, at least one.

    Where these are not all frames, they are spread evenly over the movies.
    """
    frames = movies["frames"]
    count, length = frames.shape[:2]
    size = int(np.clip(BLOCK_PIXELS // int(np.prod(frames.shape[2:])), 1, length))
    blocks = -(-length // size)
    deadline = time.monotonic() + seconds
    covered, low, high, unreadable, reason = 0, np.nan, np.nan, 0, ""
    means: dict[tuple[int, int], float] = {}  # of the frames that were read; -inf without any value
    for number in _spread(count * blocks):
        movie, block = divmod(number, blocks)
        first = block * size
        try:
            values = frames[movie, first : first + size].values
        except (ValueError, OSError) as error:
            unreadable, reason = unreadable + min(size, length - first), reason or str(error)
        else:
            finite = np.isfinite(values)
            counts = finite.sum(axis=(1, 2, 3))
            covered += int(counts.sum())
            low = np.fmin(low, np.fmin.reduce(values, axis=None))
            high = np.fmax(high, np.fmax.reduce(values, axis=None))
            sums = np.where(finite, values, 0).sum(axis=(1, 2, 3), dtype=float)
            for frame, (total, there) in enumerate(zip(sums.tolist(), counts.tolist()), first):
                means[movie, frame] = total / there if there else -np.inf
        if time.monotonic() > deadline:
            break
    pixels = int(np.prod(frames.shape[2:])) * len(means)
    best = max(means, key=means.__getitem__, default=None)
    empty = sum(mean == -np.inf for mean in means.values())
    brightest = None if len(means) == empty else best
    fraction = covered / pixels if pixels else np.nan
    return Pixels(len(means), fraction, empty, float(low), float(high), brightest, unreadable, reason)


def _spread(count: int) -> list[int]:
    """Return the numbers below `count` in the order of their reversed bits: any first part of them is spread evenly.

    >>> _spread(8)
    [0, 4, 2, 6, 1, 5, 3, 7]
    """
    numbers = np.linspace(0, count - 1, min(count, MOST_BLOCKS)).round().astype(int).tolist()
    bits = max(len(numbers) - 1, 1).bit_length()
    return [numbers[i] for i in sorted(range(len(numbers)), key=lambda i: f"{i:0{bits}b}"[::-1])]
