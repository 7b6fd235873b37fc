"""Statistics of the members of an ensemble at one lead time: pure functions of arrays.

Members are (E, H, W) in physical units. A pixel has a value where all members have one, else it is NaN.
"""

from collections.abc import Sequence

import numpy as np


def average(members: np.ndarray) -> np.ndarray:
    """Return the mean of members (E, H, W): (H, W), the forecast with the smallest mean square error."""
    return members.mean(axis=0)


def find_quantiles(members: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Return the quantiles of members (E, H, W) at levels from 0 to 1: (level, H, W), linear between the members.

    The level 0.5 is the median, the forecast with the smallest mean absolute error.
    """
    ordered = np.sort(members, axis=0)  # NaN comes last
    unknown = np.isnan(ordered[-1])
    found = np.empty((len(levels), *members.shape[1:]), members.dtype)
    for values, level in zip(found, levels):
        low, share = divmod(level * (len(members) - 1), 1)
        lower, upper = ordered[int(low)], ordered[min(int(low) + 1, len(members) - 1)]
        values[:] = lower + members.dtype.type(share) * (upper - lower)
        values[unknown] = np.nan
    return found


def match_pool(mean: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Return the mean (H, W) with the distribution of the members (E, H, W): the probability-matched mean.

    All values of all members are sorted, and of every E of them the middle one is kept. These take the places of the
    mean's own values, from the smallest to the largest (Ebert, 2001,
    https://doi.org/10.1175/1520-0493(2001)129<2461:AOAPMS>2.0.CO;2).
    """
    known = np.isfinite(mean)
    matched, order = mean[known], np.argsort(mean[known], kind="stable")
    matched[order] = np.sort(members[:, known], axis=None)[len(members) // 2 :: len(members)]
    result = mean.copy()
    result[known] = matched
    return result


def find_probability(members: np.ndarray, threshold: float, reach: float = 0.0) -> np.ndarray:
    """Return the share of members (E, H, W) that reach a threshold, `value >= threshold`: (H, W), from 0 to 1.

    With `reach`, in pixels, a member counts where it reaches the threshold at any pixel whose centre is within this
    distance. Pixels without a value, and those outside the frame, reach nothing.
    """
    events = members >= members.dtype.type(threshold)
    share = (spread(events, reach) if reach else events).mean(axis=0, dtype=np.float32)
    share[np.isnan(members).any(axis=0)] = np.nan
    return share


def spread(events: np.ndarray, reach: float) -> np.ndarray:
    """Return whether any event (..., H, W) is within `reach` pixels, from centre to centre."""
    height, width = events.shape[-2:]
    near, row, half = np.zeros_like(events), events.copy(), 0  # row: events within `half` pixels of the same row
    for offset in range(min(int(reach), height - 1), -1, -1):  # from the shortest rows of the disk to the longest
        while half < min(int(np.sqrt(reach**2 - offset**2)), width - 1):
            half += 1
            row[..., half:] |= events[..., :-half]
            row[..., :-half] |= events[..., half:]
        near[..., offset:, :] |= row[..., : height - offset, :]
        near[..., : height - offset, :] |= row[..., offset:, :]
    return near
