"""A frame that is missing, from those before and after it."""

import numpy as np

from predjax.motion.advection import advect
from predjax.motion.optical_flow import estimate_motion


def interpolate(before: np.ndarray, after: np.ndarray, units: str = "1") -> np.ndarray:
    """The frame in the middle of two `(H, W, C)`: both moved half of the way along the motion between them, averaged.

    Rain is where it went through, not twice at half its rate as in the mean of the two. Where one of them has no
    coverage the other counts alone. `units`: see `estimate_motion`.
    """
    motion = estimate_motion(np.stack([before, after])[None, ..., 0], units)[0] / 2
    moved = np.stack([advect(before, motion, 1)[0], advect(after, -motion, 1)[0]])
    known = np.isfinite(moved)
    count = known.sum(0)
    total = np.where(known, moved, 0).sum(0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
