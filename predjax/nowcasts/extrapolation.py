"""Lagrangian persistence: rain moves along the motion of the last frames and does not change otherwise.

The rival of every trained nowcast (Germann & Zawadzki, 2002, https://doi.org/10.1175/1520-0493(2002)130<2859:SDOTPO>2.0.CO;2).
"""

import numpy as np

from predjax.motion.advection import advect
from predjax.motion.optical_flow import estimate_motion


def extrapolate(observed: np.ndarray, num_steps: int, *, units: str = "1") -> np.ndarray:
    """Extrapolate the last observed frame along its motion: (B, T_in, H, W, C) to (B, num_steps, H, W, C).

    The motion is estimated from the first channel of the last frames (four at most) and moves all channels. One frame
    alone, or frames without anything to follow, become persistence. A pixel is NaN where its air comes from outside the
    frame or from a pixel that the last frame does not cover. The type of the frames is kept (integers become float32).
    `units` are "mm/h", "dBZ", or any other (see `estimate_motion`).

    Errors: ValueError, another number of dimensions, no observed frame, num_steps below 1.
    """
    observed = np.asarray(observed)
    if observed.ndim != 5 or 0 in observed.shape[1:]:
        raise ValueError(f"observed must be (B, T_in, H, W, C) with T_in, H, W, C >= 1, not {observed.shape}")
    if num_steps < 1:
        raise ValueError(f"num_steps must be at least 1, not {num_steps}")
    if observed.dtype.kind != "f":
        observed = observed.astype(np.float32)
    forecast = np.empty((len(observed), num_steps, *observed.shape[2:]), observed.dtype)
    for case, motion in enumerate(estimate_motion(observed[..., 0], units)):
        forecast[case] = advect(observed[case, -1], motion, num_steps)
    return forecast
