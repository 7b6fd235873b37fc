"""The scores of SEVIR's nowcasting benchmark: CSI of pooled fields (Veillette et al. 2020; Gao et al. 2022).

Fields are digital VIL, 0 to 254, and events are `value >= threshold`. Counts of all frames and cases are added first.
CSI-M is the mean over the thresholds. Pooled CSI are of the greatest values in squares of 4 and of 16 pixels side by
side (Gao et al. 2023; Yu et al. 2024); squares at the edge may have fewer pixels. Pixels without a value in one of the
fields do not count.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from predjax.verification.fields import Scoring, check_fields, describe_events, label_leads
from predjax.verification.sums import keep_labels, ratio

RULE = "CSI from the counts of all frames; CSI-M: mean over thresholds; pooled: greatest values in squares of N pixels"
SOURCE = "Veillette et al. (2020), SEVIR, NeurIPS; Gao et al. (2022), Earthformer, NeurIPS, arXiv:2207.05833"
THRESHOLDS = (16.0, 74.0, 133.0, 160.0, 181.0, 219.0)
POOLS = (1, 4, 16)
COUNTS = ("hits", "misses", "false_alarms")


def count_events(
    forecast: np.ndarray, observed: np.ndarray, scoring: Scoring, thresholds: Sequence[float] = THRESHOLDS
) -> xr.Dataset:
    """Count events in fields (case, T, H, W, C): hits, misses and false_alarms (lead_time, pool, level), int64.

    Errors: ValueError, other shapes or types.
    """
    forecast, observed = check_fields(forecast, observed)
    missing = np.isnan(forecast) | np.isnan(observed)
    fields = [np.where(missing, -np.inf, field) for field in (forecast, observed)]
    counts = np.zeros((len(COUNTS), forecast.shape[1], len(POOLS), len(thresholds)), np.int64)
    for pool, side in enumerate(POOLS):
        f, o = (_pool(field, side) for field in fields)
        for level, threshold in enumerate(thresholds):
            predicted, happened = f >= threshold, o >= threshold
            found = predicted & happened, happened & ~predicted, predicted & ~happened
            counts[:, :, pool, level] = [one.sum((0, 2, 3, 4)) for one in found]
    coords = {
        "lead_time": label_leads(forecast.shape[1], scoring),
        "pool": ("pool", list(POOLS), {"long_name": "side of the squares of greatest values", "units": "pixels"}),
        "level": ("level", list(thresholds), {"long_name": "event threshold", "units": scoring.units}),
    }
    dims = ("lead_time", "pool", "level")
    return xr.Dataset({name: (dims, one) for name, one in zip(COUNTS, counts)}, coords, describe_events(scoring))


def score_events(statistics: xr.Dataset) -> xr.Dataset:
    """Return the scores of summed counts; NaN without an event.

    csi (lead_time, pool, level); of the counts of all lead times csi_all, pod_all and success_all (pool, level), and
    csi_m (pool), the mean of csi_all over the thresholds. csi_frames (pool) is the mean over lead times and thresholds
    of csi, as DiffCast prints it, where 0/0 counts as 0.
    """
    s = {name: statistics.variables[name].astype(np.float64) for name in COUNTS}
    h, m, f = (s[name].sum("lead_time") for name in COUNTS)
    csi = ratio(s["hits"], s["hits"] + s["misses"] + s["false_alarms"])
    csi_all = ratio(h, h + m + f)
    scores = {"csi": csi, "csi_all": csi_all, "pod_all": ratio(h, h + m), "success_all": ratio(h, h + f)}
    scores["csi_m"] = csi_all.mean("level", skipna=False)
    scores["csi_frames"] = csi.fillna(0).mean(("level", "lead_time"))
    return keep_labels(statistics, scores | {name: statistics.variables[name] for name in COUNTS})


def _pool(fields: np.ndarray, side: int) -> np.ndarray:
    """Return the greatest values (case, T, H', W', C) in squares of `side` pixels."""
    if side == 1:
        return fields
    rows, columns = (np.arange(0, size, side) for size in fields.shape[2:4])
    return np.maximum.reduceat(np.maximum.reduceat(fields, rows, axis=2), columns, axis=3)
