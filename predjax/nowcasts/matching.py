"""Probability matching: forecast frames get the distribution of the newest observed frame.

A forecast of the expected rain is smoother than rain: it has too little heavy and too much light rain. Probability
matching keeps the order of the pixels and gives them the values of an observed frame, as S-PROG does (Ebert, 2001,
https://doi.org/10.1175/1520-0493(2001)129<2461:AOAPMS>2.0.CO;2).
"""

import concurrent.futures
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

# The share of the newest frame at its strongest pixels, and the factor by which the share fades with each step.
KEPT, FADING = 0.6, 0.97
CORES = (0.98, 0.99)  # quantiles of the newest frame between which the share rises from nothing to its full value
# Quantiles at which distributions are compared: evenly spaced, and denser towards the strongest pixel, as heavy rain is
# rare.
_TAIL = 1 - np.geomspace(0.02, 1e-6, 200)
LEVELS = np.unique(np.concatenate([np.linspace(0, 0.98, 800), _TAIL, [1.0]]))


def match_newest(nowcast: Callable[..., np.ndarray], weight: float, cores: bool) -> Callable[..., np.ndarray]:
    """Return a nowcast whose frames are drawn towards the distribution of the newest observed frame by `match`.

    With `cores`, for frames in moving coordinates, `keep_cores` comes first.
    """

    def matched(observed: np.ndarray, num_steps: int, forcings: np.ndarray | None = None) -> np.ndarray:
        frames = nowcast(observed, num_steps, forcings)
        return stack([each_member(draw, one, seen[-1]) for one, seen in zip(frames, np.asarray(observed))])

    def draw(frames: np.ndarray, newest: np.ndarray) -> np.ndarray:
        return match(keep_cores(frames, newest) if cores else frames, newest, weight)

    return matched


def each_member(function: Callable[..., np.ndarray], frames: np.ndarray, *arguments: Any) -> np.ndarray:
    """Apply the function to frames (T, H, W, C), or to the frames of every member (E, T, H, W, C)."""
    if frames.ndim == 5:
        return np.stack([function(member, *arguments) for member in frames])
    return function(frames, *arguments)


def stack(cases: Sequence[np.ndarray]) -> np.ndarray:
    """Stack the forecasts of cases on a new first axis; a single forecast, which may be large, is not copied."""
    return cases[0][None] if len(cases) == 1 else np.stack(cases)


def keep_cores(frames: np.ndarray, newest: np.ndarray) -> np.ndarray:
    """Mix the cores of the newest frame (H, W, C) into frames f (T, H, W, C): (1 - w) f + w newest.

    The share is w = s KEPT FADING^n at step n = 1 ... T; s rises from 0 to 1 between the quantiles CORES of the newest
    frame. Smoothing removes the small cores of heavy rain, yet the strongest cores live longest: for a while rain is
    still likeliest where they were. The frames must be in moving coordinates.
    """
    shares, cores = KEPT * FADING ** np.arange(1, len(frames) + 1, dtype=frames.dtype), _find_cores(newest)
    mixed = np.empty(frames.shape, np.result_type(frames, newest))

    def mix(frame: np.ndarray, share: np.floating, out: np.ndarray) -> None:
        np.add(frame, share * cores * (newest - frame), out=out)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(mix, frames, shares, mixed))  # views
    return mixed


def _find_cores(newest: np.ndarray) -> np.ndarray:
    """Return s of `keep_cores` for each pixel (H, W, C), from 0 to 1; 0 without coverage."""
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
    """Draw frames f (T, H, W, C) towards the distribution of the frame `newest` (H, W, C): weight m + (1 - weight) f.

    m has the values of `newest` in the order of the pixels of f; equal pixels stay equal. Every channel is matched on
    its own. Pixels without coverage (NaN) stay NaN and are in no distribution.
    """
    if not weight:
        return frames
    matched = np.array(frames)
    for channel in range(frames.shape[-1]):
        wanted = _quantiles(newest[..., channel])
        if wanted is None:
            continue
        with concurrent.futures.ThreadPoolExecutor() as pool:
            draw = functools.partial(_draw_towards, wanted, weight)
            list(pool.map(draw, matched[..., channel]))  # views
    return matched


def _draw_towards(wanted: np.ndarray, weight: float, frame: np.ndarray) -> None:
    """Draw a frame in place towards the distribution that has the values `wanted` at the levels."""
    found = _quantiles(frame)
    if found is not None:
        values, first, count = np.unique(found, return_index=True, return_counts=True)
        # A value that fills several levels, as dry pixels do, becomes the value at the middle level.
        middle = wanted[first + (count - 1) // 2]
        frame[:] = weight * np.interp(frame, values, middle) + (1 - weight) * frame


def _quantiles(frame: np.ndarray, levels: ArrayLike = LEVELS) -> np.ndarray | None:
    """Return the values of a frame at the levels, without interpolation; None where nothing is covered."""
    values = np.sort(frame[np.isfinite(frame)], axis=None)
    return values[np.round(np.asarray(levels) * (len(values) - 1)).astype(int)] if len(values) else None
