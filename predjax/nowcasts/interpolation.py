"""A missing frame, interpolated between the frames before and after it."""

import numpy as np

from predjax.motion.advection import advect
from predjax.motion.optical_flow import estimate_motion


def interpolate(before: np.ndarray, after: np.ndarray, units: str = "1") -> np.ndarray:
    """Return the frame halfway between two frames (H, W, C): the mean of both, each moved half of the way to the other.

    In this frame rain lies halfway between its two places; in a plain mean it would lie in both at half its rate. Where
    one of the frames has no coverage the other counts alone. `units`: see `estimate_motion`.
    """
    motion = estimate_motion(np.stack([before, after])[None, ..., 0], units)[0] / 2
    moved = np.stack([advect(before, motion, 1)[0], advect(after, -motion, 1)[0]])
    known = np.isfinite(moved)
    count = known.sum(0)
    total = np.where(known, moved, 0).sum(0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
