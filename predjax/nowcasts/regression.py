"""Linear regression of frames on the forcings of their step, without memory: the baseline of sequence tasks."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike


def fit_regression(pixels: np.ndarray, forcings: np.ndarray) -> np.ndarray:
    """Return the weights W (A + 1, C) that minimise the squared error of (forcings, 1) W.

    The last row of W has the offsets.

    Args:
      pixels: (N, C), from frames; pixels with a missing value are left out.
      forcings: (N, A) of the same steps and places.
    """
    valid = np.isfinite(pixels).all(1) & np.isfinite(forcings).all(1)
    return np.linalg.lstsq(_with_one(forcings[valid].astype(float)), pixels[valid].astype(float))[0]


def make_regression(weights: ArrayLike) -> Callable[..., np.ndarray]:
    """Return the nowcast of these weights: (observed (B, 0, H, W, C), num_steps, forcings) -> (B, num_steps, H, W, C).

    Args:
      weights: (A + 1, C), as from `fit_regression`.
    """
    weights = np.asarray(weights, float)

    def nowcast(observed: np.ndarray, num_steps: int, forcings: np.ndarray) -> np.ndarray:
        length, *shape = observed.shape[1:4]
        forcings = forcings[:, length : length + num_steps]
        if forcings.ndim == 3:
            forcings = np.broadcast_to(forcings[:, :, None, None], (*forcings.shape[:2], *shape, forcings.shape[-1]))
        return (_with_one(forcings) @ weights).astype(np.float32)

    return nowcast


def _with_one(forcings: np.ndarray) -> np.ndarray:
    return np.concatenate([forcings, np.ones((*forcings.shape[:-1], 1))], -1)
