"""The exact share of each pixel that lies in a polygon.

The boundary is cut where it crosses the sides of pixels, so that each piece lies in one pixel. The region between a
piece and the right-hand side of its pixel is a trapezium, whose area counts for this pixel; all pixels further
right in the row get the rise of the piece. With the signs of the direction, the sum over all pieces is the area of the
polygon in each pixel (Green's theorem).
"""

from collections.abc import Sequence

import numpy as np

TOLERANCE = 1e-6  # of a pixel: a share this far below 0 or above 1 is rounding
LEAST = 1e-9  # smaller shares are rounding as well


def find_shares(rings: Sequence[np.ndarray], shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels that a polygon touches, as positions in the flat frame, and the share of each in the polygon.

    Args:
      rings: closed rings (N, 2) of (x, y) in pixels, where pixel (row, column) is the square from (column, row) to
        (column + 1, row + 1). Outer rings have a positive area (`measure_ring`), holes a negative one.
      shape: rows and columns of the frame. Parts outside the frame do not count.

    Raises:
      ValueError: a share below 0 or above 1, because the rings cross or overlap.
    """
    rows, columns = shape
    corners = [np.clip(f(ring, axis=0), 0, (columns, rows)) for ring in rings for f in (np.min, np.max)]
    left, top = np.floor(np.min(corners, axis=0)).astype(int)
    right, bottom = np.ceil(np.max(corners, axis=0)).astype(int)
    height, width = bottom - top, right - left
    if height < 1 or width < 1:
        return np.zeros(0, int), np.zeros(0)
    area = np.zeros((height, width + 1))
    for ring in rings:
        _add_ring(area, ring - (left, top))
    shares = area.cumsum(axis=1)[:, :-1]
    if shares.min() < -TOLERANCE or shares.max() > 1 + TOLERANCE:
        wrong = shares.min() if shares.min() < -TOLERANCE else shares.max()
        raise ValueError(f"its outlines cross or overlap: it has the share {wrong:.3g} of a pixel")
    row, column = np.nonzero(shares > LEAST)
    return (row + top) * columns + column + left, np.minimum(shares[row, column], 1.0)


def measure_ring(ring: np.ndarray) -> float:
    """Return the area of a closed ring (N, 2); it is positive where the ring runs from the x axis to the y axis."""
    x, y = (ring - ring[0]).T
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) / 2)


def orient(ring: np.ndarray, hole: bool) -> np.ndarray:
    """Return a ring with a positive area, or as a hole with a negative one."""
    return ring[::-1] if (measure_ring(ring) < 0) != hole else ring


def _add_ring(area: np.ndarray, ring: np.ndarray) -> None:
    """Add one ring to `area`, which holds the changes of the covered area from pixel to pixel along each row."""
    height, width = area.shape[0], area.shape[1] - 1
    x, y = _cut(_cut(ring, 1, height), 0, width).T
    # What lies left of the frame counts for its first pixel, what lies right of it for none.
    inside = np.clip(x, 0, width)
    row = np.floor((y[:-1] + y[1:]) / 2).astype(int)
    rise = np.diff(y)
    middle = (inside[:-1] + inside[1:]) / 2
    column = np.minimum(np.floor(middle).astype(int), width)
    kept = (row >= 0) & (row < height) & (rise != 0) & (column < width)
    row, rise, column, middle = row[kept], rise[kept], column[kept], middle[kept]
    # A ring of positive area has its inside to the left of a piece that rises in y, so the region to the right is lost.
    part = -rise * (column + 1 - middle)
    np.add.at(area, (row, column), part)
    np.add.at(area, (row, column + 1), -rise - part)


def _cut(ring: np.ndarray, axis: int, size: int) -> np.ndarray:
    """Return a line (N, 2) with further points where it crosses the whole numbers from 0 to `size` along an axis."""
    start, end = ring[:-1, axis], ring[1:, axis]
    low = np.maximum(np.floor(np.minimum(start, end)) + 1, 0)
    high = np.minimum(np.ceil(np.maximum(start, end)) - 1, size)
    counts = np.maximum(high - low + 1, 0).astype(int)
    piece = np.repeat(np.arange(len(start)), counts)
    nth = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)
    whole = np.where(end[piece] > start[piece], low[piece] + nth, high[piece] - nth)
    share = (whole - start[piece]) / (end - start)[piece]
    points = ring[piece] + share[:, None] * (ring[piece + 1] - ring[piece])
    points[:, axis] = whole
    return np.insert(ring, piece + 1, points, axis=0)
