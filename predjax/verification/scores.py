"""Scores of nowcasts from sums that add: `statistics` of any part of the cases, then `skill` of the total.

Scores are never averaged. The sums of all cases are added first (counts as integers, the rest in float64), and a score
is one division at the end, so any partition of the cases gives the same scores. An event is `value >= threshold`,
compared in the precision of the field, so that a float32 value of 0.7 is an event at 0.7. A pair of pixels with NaN in
the forecast or in the observation is dropped and never counts as dry. An undefined score (0/0) is NaN, and the counts
stand beside it.

Formulas: Wilks (2019), Statistical Methods in the Atmospheric Sciences, 4th edition, chapter 9.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from predjax.verification.fields import (
    PLAIN,
    Scoring,
    check_fields,
    describe_events,
    find_valid,
    label_leads,
    label_thresholds,
    split_cases,
)
from predjax.verification.sums import keep_labels, ratio

COUNTS = ("hits", "misses", "false_alarms", "correct_negatives")
SUMS = ("error", "absolute_error", "squared_error", "forecast", "observed")
SUMS += ("forecast_squared", "observed_squared", "product")
PSNR_CAP = 100.0  # dB
SSIM_WINDOW = 11  # pixels: the Gaussian of sigma 1.5 cut at 3.5 sigma, as in Wang et al. (2004)
CACHED = 2**14  # pairs that are summed at a time: they fit into a processor's cache
BLOCK_PIXELS = 2**18  # pairs that are counted at a time: a few megabytes, whatever the number of cases


def statistics(forecast: np.ndarray, observed: np.ndarray, scoring: Scoring = PLAIN) -> xr.Dataset:
    """Return the additive sums of some cases, by lead time and threshold.

    Args:
      forecast, observed: (case, T, H, W, C), floating point, physical units, NaN = no coverage.
        float32 is summed in float64; float64 stays float64 throughout.
      scoring: its thresholds, units and lead times; a data_range adds SSIM and PSNR.

    Returns:
      hits, misses, false_alarms, correct_negatives (lead_time, threshold): int64.
      cases (with any valid pair), pairs (valid pairs of pixels, of all channels) (lead_time): int64.
      error (forecast - observed), absolute_error, squared_error, forecast, observed, forecast_squared,
      observed_squared, product (lead_time): float64 sums over the pairs.
      With data_range: ssim_sum, ssim_cases, psnr_sum, psnr_cases (lead_time), of the frames without any
      missing pixel. SSIM is as in Wang et al. (2004), doi:10.1109/TIP.2003.819861, computed by
      skimage.metrics.structural_similarity: Gaussian weights of sigma 1.5 (an 11 x 11 window), population
      covariances, K1 = 0.01, K2 = 0.03; mean over the pixels whose window lies inside the frame, and over
      channels. Frames smaller than the window have no SSIM. PSNR is 10 log10(data_range^2 / MSE) of each frame, at
      most 100 dB, so that a perfect frame leaves the mean finite.

    Errors: ValueError, other shapes or types, masked arrays, infinite values, another number of lead times.
    """
    forecast, observed = check_fields(forecast, observed)
    thresholds, data_range = scoring.thresholds, scoring.data_range
    steps = forecast.shape[1]
    leads = label_leads(steps, scoring)

    counts = np.zeros((len(COUNTS), steps, len(thresholds)), np.int64)
    sizes = np.zeros((2, steps), np.int64)
    sums = np.zeros((len(SUMS), steps))
    frames = np.zeros((2, steps))
    frame_counts = np.zeros((2, steps), np.int64)
    for lead in range(steps):
        for part in split_cases(forecast.shape, BLOCK_PIXELS):
            f, o = forecast[part, lead], observed[part, lead]
            valid = find_valid(f, o, lead + 1)
            sizes[:, lead] += valid.any(axis=(1, 2, 3)).sum(), valid.sum()
            if data_range is not None:
                complete = valid.all(axis=(1, 2, 3))
                frame_scores: tuple[Callable, ...] = (_ssim, _psnr)
                for k, score in enumerate(frame_scores):
                    values = score(f[complete].astype(np.float64), o[complete].astype(np.float64), data_range)
                    frames[k, lead] += np.sum(values)
                    frame_counts[k, lead] += len(values)
            f, o = (f.ravel(), o.ravel()) if valid.all() else (f[valid], o[valid])
            counts[:, lead] += _event_counts(f, o, thresholds)
            sums[:, lead] += _value_sums(f, o)

    variables: dict[str, Any] = {name: (("lead_time", "threshold"), values) for name, values in zip(COUNTS, counts)}
    by_lead = {"cases": sizes[0], "pairs": sizes[1], **dict(zip(SUMS, sums))}
    attrs = describe_events(scoring)
    if data_range is not None:
        by_lead |= {"ssim_sum": frames[0], "ssim_cases": frame_counts[0]}
        by_lead |= {"psnr_sum": frames[1], "psnr_cases": frame_counts[1]}
        attrs["data_range"] = float(data_range)
    variables |= {name: ("lead_time", values) for name, values in by_lead.items()}
    coords = {"lead_time": leads, "threshold": label_thresholds(scoring)}
    return xr.Dataset(variables, coords, attrs)


def skill(statistics: xr.Dataset) -> xr.Dataset:
    """Return the scores of summed statistics and the counts that they come from; undefined scores are NaN.

    With H hits, M misses, F false alarms, R correct negatives, n = H+M+F+R and a = (H+M)(H+F)/n:
    csi = H/(H+M+F), pod = H/(H+M), far = F/(H+F), bias = (H+F)/(H+M), ets = (H-a)/(H+M+F-a),
    hss = 2(HR-FM)/((H+M)(M+R)+(H+F)(F+R)), all (lead_time, threshold).
    mean_error (forecast - observed), mae, mse, rmse, correlation come from the sums over pairs; ssim, psnr from the
    sums over frames, where the statistics hold them; all (lead_time).
    """
    s = statistics.variables
    # Products of counts leave the range of int64; float64 holds each count exactly (up to 2^53).
    hits, misses, false_alarms, correct_negatives = (s[name].astype(np.float64) for name in COUNTS)
    observed, forecast, events = hits + misses, hits + false_alarms, hits + misses + false_alarms
    chance = ratio(observed * forecast, events + correct_negatives)
    scores = {
        "mean_error": ratio(s["error"], s["pairs"]),
        "mae": ratio(s["absolute_error"], s["pairs"]),
        "mse": ratio(s["squared_error"], s["pairs"]),
        "rmse": np.sqrt(ratio(s["squared_error"], s["pairs"])),
        "correlation": _correlation(s),
        "csi": ratio(hits, events),
        "pod": ratio(hits, observed),
        "far": ratio(false_alarms, forecast),
        "bias": ratio(forecast, observed),
        "ets": ratio(hits - chance, events - chance),
        "hss": ratio(
            2 * (hits * correct_negatives - false_alarms * misses),
            observed * (misses + correct_negatives) + forecast * (false_alarms + correct_negatives),
        ),
    }
    for name in ("ssim", "psnr"):
        if f"{name}_sum" in s:
            scores[name] = ratio(s[f"{name}_sum"], s[f"{name}_cases"])
    counts = {name: s[name] for name in (*COUNTS, "cases", "pairs", "ssim_cases", "psnr_cases") if name in s}
    result = keep_labels(statistics, scores | counts)
    for name, attrs in _describe(statistics.attrs.get("units", "1")).items():
        if name in result:
            result.variables[name].attrs = attrs
    return result


def _event_counts(f: np.ndarray, o: np.ndarray, thresholds: Sequence[float]) -> np.ndarray:
    """Return the counts (4, threshold), in the order of COUNTS, of two vectors of valid pairs."""
    counts = np.zeros((len(COUNTS), len(thresholds)), np.int64)
    for k, threshold in enumerate(thresholds):
        predicted, happened = f >= f.dtype.type(threshold), o >= o.dtype.type(threshold)
        hits = np.count_nonzero(predicted & happened)
        misses = np.count_nonzero(happened) - hits
        false_alarms = np.count_nonzero(predicted) - hits
        counts[:, k] = hits, misses, false_alarms, f.size - hits - misses - false_alarms
    return counts


def _value_sums(f: np.ndarray, o: np.ndarray) -> np.ndarray:
    """Return the sums in float64, in the order of SUMS, of two vectors of valid pairs."""
    sums = np.zeros(len(SUMS))
    for start in range(0, f.size, CACHED):
        a, b = (values[start : start + CACHED].astype(np.float64) for values in (f, o))
        e = a - b
        sums += e.sum(), np.abs(e).sum(), e @ e, a.sum(), b.sum(), a @ a, b @ b, a @ b
    return sums


def _ssim(f: np.ndarray, o: np.ndarray, data_range: float) -> list[float]:
    """Return the SSIM of each frame (case, H, W, C); nothing where the frames are smaller than its window."""
    if min(f.shape[1:3]) < SSIM_WINDOW:
        return []
    from skimage.metrics import structural_similarity  # slow to import, and few evaluations need it

    wang = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "K1": 0.01, "K2": 0.03}
    return [structural_similarity(a, b, data_range=data_range, channel_axis=-1, **wang) for a, b in zip(f, o)]


def _psnr(f: np.ndarray, o: np.ndarray, data_range: float) -> np.ndarray:
    """Return the PSNR of each frame (case, H, W, C) in dB."""
    mse = np.mean((f - o) ** 2, axis=(1, 2, 3))
    return 10 * np.log10(data_range**2 / np.maximum(mse, data_range**2 * 10 ** (-PSNR_CAP / 10)))


def _correlation(s: Mapping[Any, xr.Variable]) -> xr.Variable:
    covariance = s["pairs"] * s["product"] - s["forecast"] * s["observed"]
    variances = []
    for name in ("forecast", "observed"):
        square = s["pairs"] * s[f"{name}_squared"]
        variance = square - s[name] ** 2
        variances.append(variance.where(variance > 1e-12 * square))  # less is rounding: the field is constant
    return covariance / np.sqrt(variances[0] * variances[1])


def _describe(units: str) -> dict[str, dict[str, str]]:
    """Return the long name and the unit of every score and count."""
    long_names = {
        "mean_error": "mean error (forecast - observed)",
        "mae": "mean absolute error",
        "mse": "mean squared error",
        "rmse": "root mean squared error",
        "correlation": "correlation of forecast and observed",
        "csi": "critical success index",
        "pod": "probability of detection",
        "far": "false alarm ratio",
        "bias": "frequency bias",
        "ets": "equitable threat score",
        "hss": "Heidke skill score",
        "ssim": "structural similarity (Wang et al. 2004), mean over frames",
        "psnr": "peak signal-to-noise ratio, mean over frames, at most 100 dB each",
        "cases": "cases with any valid pair",
        "pairs": "valid pixel pairs",
    }
    long_names |= {name: name.replace("_", " ") for name in COUNTS}
    long_names |= {f"{name}_cases": f"frames in the {name.upper()}" for name in ("ssim", "psnr")}
    squared = units if units == "1" else f"({units})^2"
    own = {"mean_error": units, "mae": units, "rmse": units, "mse": squared, "psnr": "dB"}
    return {name: {"long_name": text, "units": own.get(name, "1")} for name, text in long_names.items()}
