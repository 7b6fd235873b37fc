"""A check that all processes of a training start from the same parameters, on the same data."""

import json
import zlib
from typing import Any

import numpy as np

from predjax import checkpoint, parallel
from predjax.training.step import TrainState


def check_same(record: dict[str, Any], state: TrainState) -> None:
    """Raise a ValueError if the processes have different records, parameters or iterations."""
    checksum = zlib.crc32(json.dumps(record, sort_keys=True).encode())
    for array in checkpoint.flatten((state.params, state.opt_state)).values():
        checksum = zlib.crc32(np.ascontiguousarray(array), checksum)  # type: ignore[arg-type]  # an array is a buffer
    for what, number in (("iteration", int(state.step)), ("checksum of parameters and data", checksum & 0x7FFFFFFF)):
        found = parallel.gather(number)
        if len(set(found)) > 1:
            raise ValueError(
                f"the processes do not start from the same {what} ({', '.join(map(str, found))}): all need the same "
                "flags, data files and --save_dir, on a file system that they share"
            )
