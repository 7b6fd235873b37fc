"""Scores of single frames, which a protocol averages: their sums by lead time, and the means from the sums."""

from collections.abc import Callable, Mapping

import numpy as np
import xarray as xr

from predjax.verification.fields import Scoring, check_fields, label_leads
from predjax.verification.sums import keep_labels, ratio

FrameScore = Callable[[np.ndarray, np.ndarray], np.ndarray]  # forecast and observed (case, H, W, C) -> (case,)
SSIM_SIDE = 7  # pixels: the window that scikit-image takes unless told otherwise


def sum_frames(
    forecast: np.ndarray, observed: np.ndarray, scoring: Scoring, scores: Mapping[str, FrameScore]
) -> xr.Dataset:
    """Return the additive sums of the scores of each frame, by lead time.

    Args:
      forecast, observed: (case, T, H, W, C), floating point. Frames with a missing pixel in one of them are left out.
      scores: a function for each score; one that a frame of this size cannot have returns NaN.

    Returns:
      A Dataset by lead_time with `frames`, int64, and of each score `<name>_sum`, float64, and `<name>_frames`, int64,
      the frames that have it.

    Errors: ValueError, other shapes or types.
    """
    forecast, observed = check_fields(forecast, observed)
    complete = np.isfinite(forecast).all((2, 3, 4)) & np.isfinite(observed).all((2, 3, 4))
    leads = range(forecast.shape[1])
    pairs = [[a[complete[:, lead], lead].astype(np.float64) for a in (forecast, observed)] for lead in leads]
    variables = {"frames": complete.sum(0)}
    for name, score in scores.items():
        values = [score(*pair) for pair in pairs]
        variables[f"{name}_sum"] = np.array([float(np.nansum(one)) for one in values])
        variables[f"{name}_frames"] = np.array([np.count_nonzero(~np.isnan(one)) for one in values])
    coords = {"lead_time": label_leads(forecast.shape[1], scoring)}
    return xr.Dataset({name: ("lead_time", one) for name, one in variables.items()}, coords)


def average_frames(statistics: xr.Dataset) -> xr.Dataset:
    """Return the mean of each score by lead time, and its mean over the frames of all lead times as `<name>_mean`."""
    s, means = statistics.variables, {"frames": statistics.variables["frames"]}
    for name in (str(one).removesuffix("_sum") for one in statistics.data_vars if str(one).endswith("_sum")):
        total, frames = s[f"{name}_sum"], s[f"{name}_frames"]
        means |= {name: ratio(total, frames), f"{name}_mean": ratio(total.sum(), frames.sum())}
    return keep_labels(statistics, means)


def measure_ssim(forecast: np.ndarray, observed: np.ndarray, data_range: float) -> np.ndarray:
    """Return the SSIM (case,) of frames (case, H, W, C) by the defaults of scikit-image; NaN of frames below 7 x 7.

    These are a square window of 7 x 7 pixels with equal weights, sample covariances, K1 = 0.01, K2 = 0.03, and the mean
    over channels; both PyTorch codes rely on them.
    """
    if min(forecast.shape[1:3]) < SSIM_SIDE:
        return np.full(len(forecast), np.nan)
    from skimage.metrics import structural_similarity  # slow to import, and few evaluations need it

    pairs = zip(forecast, observed, strict=True)
    return np.array([structural_similarity(a, b, data_range=data_range, channel_axis=-1) for a, b in pairs])


def sum_pixels(values: np.ndarray) -> np.ndarray:
    """Return the sum (case,) over all pixels and channels of frames (case, H, W, C)."""
    return values.sum((1, 2, 3))


def measure_psnr(forecast: np.ndarray, observed: np.ndarray, data_range: float) -> np.ndarray:
    """Return the PSNR (case,) of frames in dB; infinite where they are equal, as in both PyTorch codes."""
    with np.errstate(divide="ignore"):
        return 10 * np.log10(data_range**2 / np.square(forecast - observed).mean((1, 2, 3)))
