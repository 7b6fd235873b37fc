"""Coordinates that move with the rain: rain that moves and does not change stands still in them."""

import numpy as np

from predjax.motion.advection import sample_frame, trace
from predjax.motion.optical_flow import estimate_motion, mapping


def to_moving(frames: np.ndarray, motion: np.ndarray, origin: int) -> np.ndarray:
    """Return frames (T, H, W, C) in coordinates that move with the rain and are at rest at frame `origin`.

    Pixel p of frame t shows the air that was at p, or will be there, at the time of frame `origin`. Frame `origin`
    itself does not change.
    """
    frames = np.asarray(frames)
    moved = np.empty_like(frames)
    moved[origin] = frames[origin]
    with mapping(motion[0].size) as apply:  # as in `from_moving`
        later = apply(sample_frame, frames[origin + 1 :], trace(motion, len(frames) - origin - 1))
        before = apply(sample_frame, frames[:origin][::-1], trace(-motion, origin))
        for number, frame in enumerate(later, origin + 1):
            moved[number] = frame
        for number, frame in enumerate(before, 1):
            moved[origin - number] = frame
    return moved


def from_moving(frames: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """Return frames (T, H, W, C), at 1 to T steps after the origin, from moving to fixed coordinates.

    T copies of one frame give the same result as `advect` of that frame.
    """
    moved = np.empty_like(frames)
    with mapping(motion[0].size) as apply:  # interpolates while the paths to the next are followed
        for number, frame in enumerate(apply(sample_frame, frames, trace(-motion, len(frames)))):
            moved[number] = frame
    return moved


def into_moving(frames: np.ndarray, input_length: int, units: str) -> tuple[np.ndarray, np.ndarray]:
    """Return windows (B, T, H, W, C) in coordinates that move with their rain, and its motion (B, 2, H, W).

    The motion, in pixels per step, is estimated from the first `input_length` frames (see `estimate_motion`); the last
    of these is the origin.
    """
    motion = estimate_motion(frames[:, :input_length, ..., 0], units)
    return np.stack([to_moving(one, u, input_length - 1) for one, u in zip(frames, motion)]), motion
