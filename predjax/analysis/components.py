"""Principal components of the states of a network: the plane or space that holds most of their variance."""

from typing import NamedTuple

import numpy as np


class Components(NamedTuple):
    """The first principal components of states of N variables."""

    mean: np.ndarray  # (N,), of the states
    axes: np.ndarray  # (count, N), orthonormal, by decreasing variance; the largest weight of each is positive
    explained: np.ndarray  # (count,), the fraction of the variance along each axis; zeros where the states do not vary


def fit_components(states: np.ndarray, count: int) -> Components:
    """Find the `count` orthonormal axes through the mean that hold the most variance of states `(..., N)`, by SVD.

    Axes along which the states do not vary are arbitrary; their explained fraction is 0. Errors: ValueError for states
    that are not `(..., N)` or not finite, and for a count that is not within 1 to N.
    """
    states = np.asarray(states, np.float64)
    if states.ndim < 2 or 0 in states.shape:
        raise ValueError(f"states must be (..., N), found the shape {states.shape}")
    if not np.isfinite(states).all():
        raise ValueError(f"states must be finite, found {np.sum(~np.isfinite(states))} values that are not")
    size = states.shape[-1]
    if not 1 <= count <= size:
        raise ValueError(f"the count of components must be within 1 to {size}, found {count}")
    states = states.reshape(-1, size)
    mean = states.mean(axis=0)
    # Rows of zeros change nothing, and give fewer states than variables N axes too.
    centred = np.concatenate([states - mean, np.zeros((max(size - len(states), 0), size))])
    _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    variances = sizes**2
    # The sign of an axis is arbitrary.
    signs = np.sign(axes[np.arange(size), np.abs(axes).argmax(axis=1)])
    axes = axes * signs[:, None]
    return Components(mean, axes[:count], variances[:count] / (variances.sum() or 1.0))


def project(components: Components, states: np.ndarray) -> np.ndarray:
    """Return the coordinates `(..., count)` of states `(..., N)` along the axes, measured from the mean."""
    return (np.asarray(states, np.float64) - components.mean) @ components.axes.T


def unproject(components: Components, coordinates: np.ndarray) -> np.ndarray:
    """Return the states `(..., N)` at coordinates `(..., count)`: with all N axes, the inverse of `project`."""
    return np.asarray(coordinates, np.float64) @ components.axes + components.mean
