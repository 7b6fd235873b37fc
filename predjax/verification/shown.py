"""The cases that a report shows. Their forecasts are kept during scoring, so that none is made twice."""

import bisect
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

KEPT_BYTES = 2**29
FEWEST = 3  # cases that are kept whatever their size: the best, the worst and one near the median


class ShownCases:
    """A store of the forecasts of the best and the worst case so far, and of cases near the median.

    `kept` has the forecasts by the number of the window: float32 (T, H, W, C) of each method, the mean of an ensemble.
    There are as many as `most_bytes` hold, and at least FEWEST. Among few cases the median case itself is kept; among
    many cases, one near it.
    """

    def __init__(self, most_bytes: int = KEPT_BYTES) -> None:
        self.most_bytes = most_bytes
        self.kept: dict[int, dict[str, np.ndarray]] = {}
        self._order: list[tuple[float, int]] = []  # (error, number) of all cases so far, from the best to the worst

    def add(self, numbers: Sequence[int], errors: Sequence[float], forecasts: Mapping[str, np.ndarray]) -> None:
        """Take the forecasts of a batch, (case, T, H, W, C) or (case, member, T, H, W, C); skip cases without error."""
        for place, (number, error) in enumerate(zip(numbers, errors)):
            if not np.isfinite(error):
                continue
            bisect.insort(self._order, (error, number))
            self.kept[number] = {name: _average(frames[place]) for name, frames in forecasts.items()}
            size = sum(frames.nbytes for frames in self.kept[number].values())
            if len(self.kept) > max(FEWEST, self.most_bytes // size):
                self._drop_one()

    def _drop_one(self) -> None:
        """Drop the case that is farthest from the median, neither the best nor the worst."""
        last, middle = len(self._order) - 1, len(self._order) // 2
        inner = [
            (abs(rank - middle), n) for rank, (_, n) in enumerate(self._order) if n in self.kept and 0 < rank < last
        ]
        del self.kept[max(inner)[1]]


class Shown(NamedTuple):
    """A case to show: a phrase that says why, and the number of its window."""

    label: str
    number: int


def choose_shown(errors: np.ndarray, kept: Mapping[int, object]) -> list[Shown]:
    """Return the median, the best and the worst case by their errors, each once; NaN is a case without an error.

    If the forecasts of the median case were not kept, the nearest kept case stands for it.
    """
    order = [int(number) for number in np.argsort(errors, kind="stable") if np.isfinite(errors[number])]
    if not order:
        return []
    middle = len(order) // 2
    near = min((rank for rank, number in enumerate(order) if number in kept or not kept), key=lambda r: abs(r - middle))
    label = "median case" if near == middle else "case near the median"
    chosen = {order[near]: label}
    for number, name in ((order[0], "best case"), (order[-1], "worst case")):
        chosen.setdefault(number, name)
    return [Shown(label, number) for number, label in chosen.items()]


def _average(frames: np.ndarray) -> np.ndarray:
    """Return a float32 copy of the frames of a case, or of the mean of its members."""
    return np.array(frames.mean(0) if frames.ndim == 5 else frames, np.float32)
