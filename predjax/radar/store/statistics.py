"""The statistics of every frame in a store, by which windows can be drawn by importance without reading pixels."""

import numpy as np

STATISTICS = ("covered", "wet", "mean")
WET_THRESHOLDS = {"mm/h": 0.1, "dBZ": 10.0}


def measure_frames(values: np.ndarray, wet_threshold: float | None) -> np.ndarray:
    """Return the STATISTICS (frame, 3), float32, of frames (frame, y, x, channel), float32 with NaN = no coverage.

    They are the fraction of all pixels that are covered, the fraction that are wet (at least `wet_threshold`; NaN where
    that is None), and the mean of the covered pixels (NaN without any).
    """
    statistics = np.full((len(values), len(STATISTICS)), np.nan, np.float32)
    for frame, row in zip(values, statistics):
        finite = np.isfinite(frame)
        covered = int(np.count_nonzero(finite))
        row[0] = covered / frame.size
        if wet_threshold is not None:
            row[1] = np.count_nonzero(frame >= wet_threshold) / frame.size
        if covered:
            row[2] = np.sum(frame, where=finite, dtype=np.float64) / covered
    return statistics
