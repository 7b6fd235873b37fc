"""Frames carried along a motion that stays as it is: to other times, and into the coordinates that move with the rain.

Semi-Lagrangian (Robert, 1981, https://doi.org/10.1080/07055900.1981.9649098): the path of the air through each pixel is
followed step by step, d = u(p + d/2) iterated, and a frame is read bilinearly, once, at the end of it. Beyond the
frame the motion is that of its edge.
"""

import concurrent.futures
from collections.abc import Iterator

import numpy as np

from predjax.motion.optical_flow import estimate_motion, sample

ITERATIONS = 2  # of the midpoint of a step; it starts from the step before, which is nearly the same
SNAP = 1e-3  # pixels: what comes this close to a pixel is that pixel, so that rounding needs no neighbour


def advect(frame: np.ndarray, motion: np.ndarray, num_steps: int) -> np.ndarray:
    """A frame (H, W, C) carried along a steady motion (2, H, W) in pixels per step: (num_steps, H, W, C).

    NaN where the air comes from outside the frame or from a pixel without coverage.
    """
    return np.stack([read(frame, points) for points in trace(-motion, num_steps)])


def to_moving(frames: np.ndarray, motion: np.ndarray, origin: int) -> np.ndarray:
    """Frames (T, H, W, C) in the coordinates that move with the rain and are those of frame `origin` at its time.

    What only moves stands still there: pixel p of frame t is where the air is at that time that was, or will be, at p.
    Frame `origin` itself is as it was.
    """
    frames = np.asarray(frames)
    moved = np.empty_like(frames)
    moved[origin] = frames[origin]
    for number, points in enumerate(trace(motion, len(frames) - origin - 1), origin + 1):
        moved[number] = read(frames[number], points)
    for number, points in enumerate(trace(-motion, origin), 1):
        moved[origin - number] = read(frames[origin - number], points)
    return moved


def from_moving(frames: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """Frames (T, H, W, C) at 1 to T steps after the origin of moving coordinates, at their places again.

    Where all frames are one, what `advect` makes of it.
    """
    with concurrent.futures.ThreadPoolExecutor() as pool:  # frames are read while the paths to the next are followed
        return np.stack(list(pool.map(read, frames, trace(-motion, len(frames)))))


def into_moving(frames: np.ndarray, input_length: int, units: str) -> tuple[np.ndarray, np.ndarray]:
    """Windows (B, T, H, W, C) in the coordinates that move with their observed frames, and that motion (B, 2, H, W).

    `units`: as `estimate_motion` takes them.
    """
    motion = estimate_motion(frames[:, :input_length, ..., 0], units)
    return np.stack([to_moving(one, u, input_length - 1) for one, u in zip(frames, motion)]), motion


def trace(motion: np.ndarray, num_steps: int) -> Iterator[np.ndarray]:
    """Where the air of each pixel is after 1, 2 ... `num_steps` steps: (rows, columns) as (2, H, W) float32."""
    height, width = motion.shape[1:]
    points = np.mgrid[:height, :width].astype(np.float32)
    step = motion
    for _ in range(num_steps):
        for _ in range(ITERATIONS):
            step = sample(motion, *(points + step / 2))
        points = points + step
        yield points


def read(frame: np.ndarray, points: np.ndarray) -> np.ndarray:
    """A frame (H, W, C) at the points (2, h, w): (h, w, C); NaN beyond it and next to pixels without coverage."""
    height, width, channels = frame.shape
    missing = ~np.isfinite(frame)
    fields = np.concatenate([np.where(missing, 0, frame), missing], axis=-1, dtype=frame.dtype)
    fields = np.ascontiguousarray(np.moveaxis(fields, -1, 0))
    nearest = np.round(points)
    rows, columns = np.where(np.abs(points - nearest) < SNAP, nearest, points)
    values = sample(fields, rows, columns)
    unknown = (rows < 0) | (rows > height - 1) | (columns < 0) | (columns > width - 1)
    unknown = unknown | (values[channels:] > 0)
    return np.moveaxis(np.where(unknown, np.nan, values[:channels]), 0, -1)
