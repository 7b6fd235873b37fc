"""What forcings alone tell of a frame, without any memory: a linear regression, the baseline of a sequence task."""

from collections.abc import Callable

import numpy as np


def fit_regression(pixels: np.ndarray, forcings: np.ndarray) -> np.ndarray:
    """The weights `(A + 1, C)` that make the squared error of (forcings, 1) W the smallest; the last row are offsets.

    Args:
      pixels: `(N, C)` of frames; those with a missing value are left out.
      forcings: `(N, A)` of the same steps and places.
    """
    valid = np.isfinite(pixels).all(1) & np.isfinite(forcings).all(1)
    return np.linalg.lstsq(_with_one(forcings[valid].astype(float)), pixels[valid].astype(float))[0]


def make_regression(weights) -> Callable:
    """Frames from the forcings of their step: `(observed (B,0,H,W,C), num_steps, forcings) -> (B,num_steps,H,W,C)`."""
    weights = np.asarray(weights, float)

    def nowcast(observed, num_steps, forcings):
        length, *shape = observed.shape[1:4]
        forcings = forcings[:, length : length + num_steps]
        if forcings.ndim == 3:
            forcings = np.broadcast_to(forcings[:, :, None, None], (*forcings.shape[:2], *shape, forcings.shape[-1]))
        return (_with_one(forcings) @ weights).astype(np.float32)

    return nowcast


def _with_one(forcings: np.ndarray) -> np.ndarray:
    return np.concatenate([forcings, np.ones((*forcings.shape[:-1], 1))], -1)
