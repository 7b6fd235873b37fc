"""A nowcast in coordinates that move with the rain."""

from collections.abc import Callable

import numpy as np

from predjax.motion.moving import from_moving, into_moving
from predjax.nowcasts.matching import each_member, stack


def move_with_rain(nowcast: Callable[..., np.ndarray], units: str) -> Callable[..., np.ndarray]:
    """Return a nowcast that works in coordinates that move with the rain: frames are moved into them and back.

    The motion of each case is estimated from its observed frames, in `units`.
    """

    def moving(observed: np.ndarray, num_steps: int, forcings: np.ndarray | None = None) -> np.ndarray:
        observed = np.asarray(observed)
        observed, motion = into_moving(observed, observed.shape[1], units)
        frames = nowcast(observed, num_steps, forcings)
        return stack([each_member(from_moving, *pair) for pair in zip(frames, motion)])

    return moving
