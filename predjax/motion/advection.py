"""The advection of frames by a motion that is constant in time.

Semi-Lagrangian (Robert, 1981, https://doi.org/10.1080/07055900.1981.9649098): the path of the air through each pixel is
followed step by step, d = u(p + d/2) iterated. The frame is interpolated bilinearly, once, at the end of the path.
Beyond the frame the motion is the motion at its edge.
"""

from collections.abc import Iterator

import numpy as np

from predjax.motion.optical_flow import cut_rows, mapping, sample

ITERATIONS = 2  # of the midpoint of a step; it starts from the step before, which is nearly the same
SNAP = 1e-3  # pixels: a point this close to a pixel is that pixel, so that rounding needs no neighbour


def advect(frame: np.ndarray, motion: np.ndarray, num_steps: int) -> np.ndarray:
    """Carry a frame (H, W, C) along a steady motion (2, H, W) in pixels per step: (num_steps, H, W, C).

    NaN where the air comes from outside the frame or from a pixel without coverage.
    """
    return np.stack([sample_frame(frame, points) for points in trace(-motion, num_steps)])


def trace(motion: np.ndarray, num_steps: int) -> Iterator[np.ndarray]:
    """Yield where the air of each pixel is after 1, 2 ... `num_steps` steps: (rows, columns) as (2, H, W) float32."""
    height, width = motion.shape[1:]
    points, step = np.mgrid[:height, :width].astype(np.float32), motion.copy()

    def follow(part: slice) -> np.ndarray:
        for _ in range(ITERATIONS):
            step[:, part] = sample(motion, *(points[:, part] + step[:, part] / 2))
        return points[:, part] + step[:, part]

    with mapping(motion[0].size) as apply:
        for _ in range(num_steps):
            points = np.concatenate(list(apply(follow, cut_rows(motion.shape[1:], 2))), axis=1)
            yield points


def sample_frame(frame: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Interpolate a frame (H, W, C) at the points (2, h, w): (h, w, C).

    NaN beyond the frame and next to pixels without coverage.
    """
    height, width, channels = frame.shape
    missing = ~np.isfinite(frame)
    fields = np.concatenate([np.where(missing, 0, frame), missing], axis=-1, dtype=frame.dtype)
    fields = np.ascontiguousarray(np.moveaxis(fields, -1, 0))
    sampled = np.empty((channels, *points.shape[1:]), frame.dtype)
    for part in cut_rows(points.shape[1:], len(fields)):
        nearest = np.round(points[:, part])
        rows, columns = np.where(np.abs(points[:, part] - nearest) < SNAP, nearest, points[:, part])
        values = sample(fields, rows, columns)
        unknown = (rows < 0) | (rows > height - 1) | (columns < 0) | (columns > width - 1)
        sampled[:, part] = np.where(unknown | (values[channels:] > 0), np.nan, values[:channels])
    return np.moveaxis(sampled, 0, -1)
