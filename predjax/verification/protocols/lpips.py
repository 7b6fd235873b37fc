"""LPIPS, a distance of images in the features of AlexNet (Zhang et al. 2018, arXiv:1801.03924), with given weights.

With the features f_l of the five convolutions after their ReLU, divided by their norm over channels, and weights w_l,

    d(x, y) = sum over l of the mean over pixels of sum over channels of w_l (f_l(x) - f_l(y))^2.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

# Number in the names of torchvision, stride, padding, and whether a maximum over 3 x 3 pixels, stride 2, comes before.
LAYERS = ((0, 4, 2, False), (3, 1, 2, True), (6, 1, 1, True), (8, 1, 1, False), (10, 1, 1, False))
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of the channels, as that code has them
EPSILON = 1e-10
LEAST_SIDE = 31  # pixels: less is nothing after the two maxima


class Lpips:
    """A function that measures LPIPS; `weights` are those of `lpips.LPIPS(net="alex").state_dict()`, by name.

    Errors: ValueError, which names `path`, the file of the weights: one is missing, or has another shape.
    """

    def __init__(self, weights: Mapping[str, Any], path: str) -> None:
        self.layers: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        channels = 3
        for number, (index, *_) in enumerate(LAYERS):
            names = f"net.slice{number + 1}.{index}.weight", f"net.slice{number + 1}.{index}.bias"
            names = *names, f"lin{number}.model.1.weight"
            missing = [name for name in names if name not in weights]
            if missing:
                raise ValueError(f'{path}: LPIPS needs weights of lpips.LPIPS(net="alex"), there is no {missing[0]}')
            kernel, bias, weight = (np.asarray(weights[name], np.float64) for name in names)
            features = kernel.shape[:1]
            if kernel.ndim != 4 or kernel.shape[1] != channels or (*bias.shape, weight.size) != features * 2:
                shapes = ", ".join(map(str, (kernel.shape, bias.shape, weight.shape)))
                raise ValueError(f"{path}: {names[0]} must take {channels} channels, the layer has the shapes {shapes}")
            self.layers.append((kernel, bias, weight.ravel()))
            channels = features[0]

    def __call__(self, forecast: np.ndarray, observed: np.ndarray) -> np.ndarray:
        """Return the distances (case,) of frames (case, H, W, C) of 1 or 3 channels; NaN of frames below 31 x 31."""
        if min(forecast.shape[1:3]) < LEAST_SIDE or forecast.shape[-1] not in (1, 3):
            return np.full(len(forecast), np.nan)
        return np.array([self._measure(*pair) for pair in zip(forecast, observed, strict=True)])

    def _measure(self, forecast: np.ndarray, observed: np.ndarray) -> float:
        pair = np.stack([forecast, observed]).astype(np.float64)
        pair = (np.broadcast_to(pair, (*pair.shape[:3], 3)) - SHIFT) / SCALE
        distance = 0.0
        for (kernel, bias, weight), (_, stride, padding, pooled) in zip(self.layers, LAYERS):
            pair = _take_windows(pair, 3, 2).max((-2, -1)) if pooled else pair
            padded = np.pad(pair, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
            windows = _take_windows(padded, kernel.shape[-1], stride)
            pair = np.maximum(np.tensordot(windows, kernel, ((3, 4, 5), (1, 2, 3))) + bias, 0)
            f, o = pair / (np.sqrt(np.square(pair).sum(-1, keepdims=True)) + EPSILON)
            distance += float((np.square(f - o) @ weight).mean())
        return distance


def _take_windows(images: np.ndarray, side: int, stride: int) -> np.ndarray:
    """Return the windows (B, H', W', C, side, side) of images (B, H, W, C)."""
    return np.lib.stride_tricks.sliding_window_view(images, (side, side), (1, 2))[:, ::stride, ::stride]
