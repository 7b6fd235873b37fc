"""The distribution of forecast rain drawn to that of the newest frame.

A forecast of what is likely is smoother than rain: it has too little heavy and too much light rain. Probability
matching keeps the order of its pixels and gives them the values of an observed frame, as S-PROG does (Ebert, 2001,
https://doi.org/10.1175/1520-0493(2001)129<2461:AOAPMS>2.0.CO;2).
"""

import numpy as np

# Of the pixels below: all the same in between, and up to the strongest one, where rain is rare.
_TAIL = 1 - np.geomspace(0.02, 1e-6, 200)
LEVELS = np.unique(np.concatenate([np.linspace(0, 0.98, 800), _TAIL, [1.0]]))


def match(frames: np.ndarray, newest: np.ndarray, weight: float) -> np.ndarray:
    """Frames (T, H, W, C) of which each is `weight` times what it becomes with the distribution of `newest` (H, W, C),
    plus 1 - `weight` times what it is.

    The order of pixels stays, equal ones stay equal. Every channel on its own; NaN = no coverage, in no distribution.
    """
    if not weight:
        return frames
    matched = np.array(frames)
    for channel in range(frames.shape[-1]):
        wanted = _quantiles(newest[..., channel])
        if wanted is None:
            continue
        for frame in matched[..., channel]:  # views
            found = _quantiles(frame)
            if found is not None:
                values, first, count = np.unique(found, return_index=True, return_counts=True)
                # A value that fills several levels, as dry pixels do, becomes what is in their middle.
                middle = wanted[first + (count - 1) // 2]
                frame[:] = weight * np.interp(frame, values, middle) + (1 - weight) * frame
    return matched


def _quantiles(frame: np.ndarray) -> np.ndarray | None:
    """The values of a frame at LEVELS, each one that is there; None where nothing is covered."""
    values = np.sort(frame[np.isfinite(frame)], axis=None)
    return values[np.round(LEVELS * (len(values) - 1)).astype(int)] if len(values) else None
