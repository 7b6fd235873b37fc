"""The scores that the PyTorch code of PredRNN prints (Wang et al. 2017, 2022; github.com/thuml/predrnn-pytorch).

Forecasts are cut to [0, 1]. MSE is the sum of squared errors over the pixels of a frame. SSIM and PSNR are of whole
grey levels, 255 times the values without their decimals, with a data range of 255. LPIPS gets values of 0 to 1,
although its network was trained on -1 to 1. Every score is a mean over frames.
"""

from collections.abc import Callable, Mapping

import numpy as np

from predjax.verification.protocols.frames import FrameScore, measure_psnr, measure_ssim, sum_pixels

RULE = "forecasts cut to [0, 1]; MSE summed over a frame; SSIM (7 x 7, range 255) and PSNR of whole grey levels"
SOURCE = "Wang et al. (2022), PredRNN, IEEE TPAMI, arXiv:2103.09504; github.com/thuml/predrnn-pytorch"
GREY = 255


def list_scores(lpips: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None) -> Mapping[str, FrameScore]:
    """Return the scores of frames on [0, 1]; `lpips` measures two frames whose values the caller scales."""
    scores: dict[str, FrameScore] = {
        "mse": lambda f, o: sum_pixels(np.square(_cut(f) - o)),
        "ssim": lambda f, o: measure_ssim(_to_grey(f), _to_grey(o), GREY),
        "psnr": lambda f, o: measure_psnr(_to_grey(f), _to_grey(o), GREY),
    }
    return scores | ({"lpips": lambda f, o: lpips(_cut(f), o)} if lpips else {})


def _cut(frames: np.ndarray) -> np.ndarray:
    return frames.clip(0, 1)


def _to_grey(frames: np.ndarray) -> np.ndarray:
    # That code multiplies float32 numbers: 0.1 x 255 is the level 25 in both, but other products differ by rounding.
    return np.floor(_cut(frames).astype(np.float32) * np.float32(GREY)).astype(np.float64)
