"""The formulas of published protocols once more, pixel by pixel, as tests compare them."""

import numpy as np


def ssim_by_hand(a, b, data_range, side=7):
    """The mean SSIM of two frames (H, W, C) over all windows inside, with equal weights and sample covariances."""
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    found = []
    for channel in range(a.shape[2]):
        for row in range(a.shape[0] - side + 1):
            for column in range(a.shape[1] - side + 1):
                x, y = (f[row : row + side, column : column + side, channel].astype(float).ravel() for f in (a, b))
                (vx, cov), (_, vy) = np.cov(x, y)
                mx, my = x.mean(), y.mean()
                found.append((2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2)))
    return np.mean(found)


def unfold(patches, side):
    """The frames (B, T, H, W, C) of patches (B, T, h, w, side * side * C)."""
    batch, steps, rows, columns, features = patches.shape
    split = patches.reshape(batch, steps, rows, columns, side, side, features // side**2).transpose(0, 1, 2, 4, 3, 5, 6)
    return split.reshape(batch, steps, rows * side, columns * side, -1)
