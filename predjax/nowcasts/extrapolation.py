"""Lagrangian persistence: rain moves along the motion of the last frames and is otherwise as it was.

The rival of every trained nowcast (Germann & Zawadzki, 2002, https://doi.org/10.1175/1520-0493(2002)130<2859:SDOTPO>2.0.CO;2).
"""

import numpy as np

from predjax.nowcasts.motion import estimate_motion, sample

ITERATIONS = 2  # of the midpoint of a step; it starts from the step before, which is nearly the same
SNAP = 1e-3  # pixels: what comes this close to a pixel is that pixel, so that rounding needs no neighbour


def extrapolate(observed: np.ndarray, num_steps: int, *, units: str = "1") -> np.ndarray:
    """Moves the last of the frames observed (B, T_in, H, W, C) on for `num_steps`: (B, num_steps, H, W, C).

    The motion is that of the first channel over the last frames (four at most) and moves all channels. One frame, or
    nothing to follow, is persistence. NaN where the air comes from outside the frame or from a pixel that the last
    frame does not cover. The type of the frames is kept (integers become float32).

    Args:
      units: of the frames: "mm/h", "dBZ", or any other (see `estimate_motion`).

    Raises:
      ValueError: another number of dimensions, no observed frame, num_steps below 1.
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


def advect(frame: np.ndarray, motion: np.ndarray, num_steps: int) -> np.ndarray:
    """A frame (H, W, C) carried along a steady motion (2, H, W) in pixels per step: (num_steps, H, W, C).

    Backward semi-Lagrangian: the path that ends at each pixel is followed back step by step, d = u(p - d/2) iterated
    (Robert, 1981, https://doi.org/10.1080/07055900.1981.9649098), and the frame is read bilinearly, once, where the
    path started: nothing blurs with lead time. Beyond the frame the motion is that of its edge.
    """
    height, width, channels = frame.shape
    missing = ~np.isfinite(frame)
    fields = np.concatenate([np.where(missing, 0, frame), missing], axis=-1, dtype=frame.dtype)
    fields = np.ascontiguousarray(np.moveaxis(fields, -1, 0))
    moved = np.empty((num_steps, height, width, channels), frame.dtype)
    points = np.mgrid[:height, :width].astype(np.float32)
    step = motion
    for lead in range(num_steps):
        for _ in range(ITERATIONS):
            step = sample(motion, *(points - step / 2))
        points = points - step
        nearest = np.round(points)
        rows, columns = np.where(np.abs(points - nearest) < SNAP, nearest, points)
        values = sample(fields, rows, columns)
        unknown = (rows < 0) | (rows > height - 1) | (columns < 0) | (columns > width - 1)
        unknown = unknown | (values[channels:] > 0)
        moved[lead] = np.moveaxis(np.where(unknown, np.nan, values[:channels]), 0, -1)
    return moved
