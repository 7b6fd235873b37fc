"""The distribution of forecast rain drawn to that of the newest frame.

A forecast of what is likely is smoother than rain: it has too little heavy and too much light rain. Probability
matching keeps the order of its pixels and gives them the values of an observed frame, as S-PROG does (Ebert, 2001,
https://doi.org/10.1175/1520-0493(2001)129<2461:AOAPMS>2.0.CO;2).
"""

import numpy as np

# The newest frame's share where it is among its strongest pixels, before fading, and what each step leaves of it.
KEPT, FADING = 0.6, 0.97
CORES = (0.98, 0.99)  # of the pixels below: where being among the strongest begins, and where it is full
# Of the pixels below: all the same in between, and up to the strongest one, where rain is rare.
_TAIL = 1 - np.geomspace(0.02, 1e-6, 200)
LEVELS = np.unique(np.concatenate([np.linspace(0, 0.98, 800), _TAIL, [1.0]]))


def keep_cores(frames: np.ndarray, newest: np.ndarray) -> np.ndarray:
    """Frames (T, H, W, C) with a share w of the newest one (H, W, C) in their place: (1 - w) f + w newest, with
    w = s KEPT FADING^n at step n = 1 ... T. For frames in moving coordinates.

    s rises from 0 to 1 between the quantiles CORES of the newest frame. Smoothing takes the small cores of heavy rain
    away, and the strongest live longest: where they were they are still the likeliest for a while.
    """
    steps = np.arange(1, len(frames) + 1, dtype=frames.dtype)[:, None, None, None]
    return frames + KEPT * FADING**steps * _find_cores(newest) * (newest - frames)


def _find_cores(newest: np.ndarray) -> np.ndarray:
    """How much each pixel (H, W, C) is among the strongest of its channel: 0 to 1; 0 without coverage."""
    strength = np.zeros_like(newest)
    for channel in range(newest.shape[-1]):
        frame = newest[..., channel]
        ends = _quantiles(frame, CORES)
        if ends is not None:
            low, high = ends
            rise = (frame - low) / (high - low) if high > low else frame > low
            strength[..., channel] = np.clip(np.nan_to_num(rise), 0, 1)
    return strength


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


def _quantiles(frame: np.ndarray, levels=LEVELS) -> np.ndarray | None:
    """The values of a frame at levels, each one that is there; None where nothing is covered."""
    values = np.sort(frame[np.isfinite(frame)], axis=None)
    return values[np.round(np.asarray(levels) * (len(values) - 1)).astype(int)] if len(values) else None
