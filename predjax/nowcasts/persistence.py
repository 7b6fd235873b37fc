"""Eulerian persistence: the last observed frame stays. Every skill is measured against it."""

import numpy as np


def persist(observed: np.ndarray, num_steps: int) -> np.ndarray:
    """Return the last of the frames observed (B, T_in, H, W, C) for every lead time: (B, num_steps, H, W, C).

    A pixel that the last frame does not cover (NaN) is NaN at every lead time, also where an earlier frame covered it.
    The type of the frames is kept.

    Errors: ValueError, another number of dimensions, no observed frame, num_steps below 1.
    """
    observed = np.asarray(observed)
    if observed.ndim != 5 or observed.shape[1] == 0:
        raise ValueError(f"observed must be (B, T_in, H, W, C) with T_in >= 1, not {observed.shape}")
    if num_steps < 1:
        raise ValueError(f"num_steps must be at least 1, not {num_steps}")
    return np.repeat(observed[:, -1:], num_steps, axis=1)
