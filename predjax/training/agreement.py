"""What the processes of a run must agree on: where they start from, and when they stop."""

import json
import signal
import zlib

import numpy as np

from predjax import checkpoint, parallel
from predjax.training.step import TrainState


def check_same(record: dict, state: TrainState) -> None:
    """Raises a ValueError where processes do not start from the same parameters on the same data."""
    told = zlib.crc32(json.dumps(record, sort_keys=True).encode())
    for array in checkpoint.flatten((state.params, state.opt_state)).values():
        told = zlib.crc32(np.ascontiguousarray(array), told)  # type: ignore[arg-type]  # an array is a buffer
    for what, number in (("iteration", int(state.step)), ("checksum of parameters and data", told & 0x7FFFFFFF)):
        found = parallel.gather(number)
        if len(set(found)) > 1:
            raise ValueError(
                f"the processes do not start from the same {what} ({', '.join(map(str, found))}): all need the same "
                "flags, data files and --save_dir, on a file system that they share"
            )


class Stop:
    """Turns the first SIGINT or SIGTERM into a flag, its number; the second one acts at once."""

    def __init__(self):
        self.signal = 0

    def __enter__(self):
        self.previous = {}
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self.previous[number] = signal.signal(number, self._remember)
            except ValueError:  # not in the main thread: the caller's handlers stay
                break
        return self

    def _remember(self, number, frame):
        self.signal = number
        signal.signal(number, self.previous[number])

    def __exit__(self, *exception):
        for number, handler in self.previous.items():
            signal.signal(number, handler)
