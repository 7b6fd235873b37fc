"""The scores of OpenSTL (Tan et al. 2023; openstl/core/metrics.py).

MSE and MAE are sums of squared and absolute errors over the pixels of a frame, of values as they are forecast. For SSIM
and PSNR forecasts are cut to [0, 1]. The SSIM is that of scikit-image for floating point numbers, whose data range is 2
(from -1 to 1) where none is given; the PSNR has a data range of 1. LPIPS gets values of -1 to 1. Every score is a mean
over frames.
"""

from collections.abc import Callable, Mapping

import numpy as np

from predjax.verification.protocols.frames import FrameScore, measure_psnr, measure_ssim, sum_pixels

RULE = "MSE and MAE summed over a frame on [0, 1]; of forecasts cut to [0, 1] SSIM (7 x 7, range 2) and PSNR (range 1)"
SOURCE = "Tan et al. (2023), OpenSTL, NeurIPS, arXiv:2306.11249; github.com/chengtan9907/OpenSTL"
FLOAT_RANGE = 2.0  # of scikit-image for floating point images without a data range, until version 0.20


def list_scores(lpips: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None) -> Mapping[str, FrameScore]:
    """Return the scores of frames on [0, 1]; `lpips` measures two frames whose values the caller scales."""
    scores: dict[str, FrameScore] = {
        "mse": lambda f, o: sum_pixels(np.square(f - o)),
        "mae": lambda f, o: sum_pixels(np.abs(f - o)),
        "ssim": lambda f, o: measure_ssim(f.clip(0, 1), o, FLOAT_RANGE),
        "psnr": lambda f, o: measure_psnr(f.clip(0, 1), o, 1.0),
    }
    return scores | ({"lpips": lambda f, o: lpips(2 * f.clip(0, 1) - 1, 2 * o - 1)} if lpips else {})
