"""The motion of rain: optical flow over the last observed frames, smooth and in pixels per step.

The brightness constancy equation u_r dI/dr + u_c dI/dc + dI/dt = 0 is solved by least squares in a Gaussian window
around each pixel (Lucas & Kanade, 1981, IJCAI, 674-679), from coarse to fine with warped frames (Bouguet, 2001,
Pyramidal implementation of the Lucas Kanade feature tracker), as in the radar nowcasts of Pulkkinen et al. (2019),
https://doi.org/10.5194/gmd-12-4185-2019. Their method follows features, drops outliers and interpolates between them;
this one gives a dense field at once, with these differences:

- The first guess is the shift of the whole frame that correlates best (Leese et al., 1971,
  https://doi.org/10.1175/1520-0450(1971)010<0118:AATFOC>2.0.CO;2): rain may move further in a step than it is wide.
- All pairs of consecutive frames enter the equations of a pixel. Each pair weighs half as much as the next one.
- Pixels that change by growth or decay weigh less: the Cauchy weight of Black & Anandan (1996),
  https://doi.org/10.1006/cviu.1996.0006.
- A ridge draws each window towards the common motion of the frame, which holds where there is nothing to follow.
- Both frames of a pair are warped, each by half the motion: the motion belongs to the time between them.
"""

import concurrent.futures
import contextlib
import functools
import math
from collections.abc import Callable, Iterator

import numpy as np
from scipy import fft, ndimage

from predjax.unit_names import canonical_unit
from predjax.units import RAIN_UNITS, rain_rate_to_dbz

MAX_FRAMES = 4
# 0.1 mm/h by the relation of Marshall & Palmer: weaker echoes are mostly noise. The ceiling is the strongest rain.
FLOOR_DBZ, CEILING_DBZ = 7.0, 57.0
MIN_SIZE = 8  # pixels: nothing can be followed in a smaller frame
COARSEST_SIZE = 32  # rows or columns of the coarsest level, at least
FULL_RESOLUTION_SIZE = 128  # from here on half the resolution is enough for a smooth motion
MAX_SHIFT = 0.25  # of rows and columns: the largest first guess
WINDOW = 12.0  # standard deviation in pixels of a level
ITERATIONS = 3
RIDGE = 0.1  # of the mean squared gradient
AGEING = 0.5  # weight of a pair of frames relative to the weight of the next pair
MAX_INCREMENT = 1.5  # pixels of a level: a gradient tells nothing of pixels further away
PART = 2**15  # numbers that are interpolated at a time: with what is needed for them they fit the cache of a core


def estimate_motion(frames: np.ndarray, units: str = "1") -> np.ndarray:
    """Estimate the motion field of each case from its last frames (B, T, H, W), at equal time steps (four at most).

    Frames in "mm/h" and "dBZ" are compared in dBZ above 0.1 mm/h; any other quantity is scaled by its own range, so
    that factor and offset do not matter. NaN = no coverage.

    Returns:
      (B, 2, H, W) float32: (rows, columns) per step at every pixel, also where there is no coverage. The air at
      p + u/2 was at p - u/2 one step earlier. Zero where nothing can be followed: a single frame, all dry, all
      missing, or fewer than 8 rows or columns.

    Errors: ValueError, another number of dimensions.
    """
    frames = np.asarray(frames)
    if frames.ndim != 4:
        raise ValueError(f"frames must be (B, T, H, W), not {frames.shape}")
    motion = np.zeros((len(frames), 2, *frames.shape[2:]), np.float32)
    if frames.shape[1] > 1 and min(frames.shape[2:]) >= MIN_SIZE:
        for case, last in enumerate(frames[:, -MAX_FRAMES:]):
            covered = np.isfinite(last)
            motion[case] = _follow(_to_intensity(last, covered, units), covered.astype(np.float32))
    return motion


def sample(fields: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Interpolate fields (N, H, W) bilinearly at the pixel coordinates (h, w): (N, h, w).

    A point outside the frame takes the value of the nearest pixel of the edge.
    """
    sampled = np.empty((len(fields), *rows.shape), np.result_type(fields, rows))
    for part in cut_rows(rows.shape, len(fields)):
        sampled[:, part] = _sample(fields, rows[part], columns[part])
    return sampled


@contextlib.contextmanager
def mapping(size: int) -> Iterator[Callable[..., Iterator]]:
    """Give the `map` for frames of `size` pixels: by threads, unless these take longer to start than to work."""
    if size <= PART:
        yield map
    else:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            yield pool.map


def cut_rows(shape: tuple[int, ...], count: int) -> list[slice]:
    """Return slices of rows that cut `count` fields of this shape into parts of about PART numbers each."""
    size = max(1, PART // max(1, count * math.prod(shape[1:])))
    return [slice(start, start + size) for start in range(0, shape[0], size)]


def _sample(fields: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    height, width = fields.shape[-2:]
    rows, columns = np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)
    top, left = rows.astype(np.intp), columns.astype(np.intp)
    down, right = rows - top.astype(rows.dtype), columns - left.astype(columns.dtype)
    corner = top * width + left
    below, beside = width * (top < height - 1), left < width - 1
    pixels = fields.reshape(len(fields), -1)

    def take(index: np.ndarray) -> np.ndarray:  # three times as fast with a mode that cannot fail
        return pixels.take(index, axis=1, mode="clip")

    upper, lower = take(corner), take(corner + below)
    upper = upper + (take(corner + beside) - upper) * right
    lower = lower + (take(corner + below + beside) - lower) * right
    return upper + (lower - upper) * down


def _to_intensity(frames: np.ndarray, covered: np.ndarray, units: str) -> np.ndarray:
    """Scale frames (T, H, W) to about [0, 1] so that rain of all rates has edges; 0 where there is no coverage."""
    if not covered.any():
        return np.zeros(frames.shape, np.float32)
    unit = canonical_unit(units)
    values = frames[covered].astype(np.float32)
    if unit in RAIN_UNITS:
        low, high = FLOOR_DBZ, CEILING_DBZ
        values = rain_rate_to_dbz(values) if unit == "mm/h" else values
    else:
        low = values.min()
        high = np.quantile(values[values > low], 0.99) if values.max() > low else low + 1
    intensity = np.zeros(frames.shape, np.float32)
    intensity[covered] = np.clip((values - low) / (high - low), 0, 1)
    return intensity


def _follow(intensity: np.ndarray, covered: np.ndarray) -> np.ndarray:
    """Return the motion (2, H, W) of one case (T, H, W), from the coarsest level to the finest."""
    levels = [_smooth(intensity, covered)]
    while min(levels[-1][0].shape[1:]) >= 2 * COARSEST_SIZE:
        finer, known = _smooth(*levels[-1])
        levels.append((_halve(finer), (_halve(known) == 1).astype(np.float32)))
    coarsest, first = len(levels) - 1, min(2, len(levels) - 1)
    shift = _correlate(*levels[first]) * 2.0 ** (first - coarsest)
    motion = np.empty((2, *levels[-1][0].shape[1:]), np.float32)
    motion[:] = shift[:, None, None]
    finest = int(min(intensity.shape[1:]) >= FULL_RESOLUTION_SIZE)
    for level in range(coarsest, -1, -1):
        if level >= finest:
            finer, known = levels[level]
            motion = _refine(finer, known, motion)
        if level:
            motion = _double(motion, levels[level - 1][0].shape[1:])
    return motion


def _refine(intensity: np.ndarray, covered: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """Return the motion (2, h, w) after some least-squares increments on one level of the frames (T, h, w)."""
    height, width = intensity.shape[1:]
    grid = np.mgrid[:height, :width].astype(np.float32)
    channels = np.stack([intensity, *np.gradient(intensity, axis=(1, 2)), covered], axis=1)  # (T, 4, h, w)
    ageing = AGEING ** np.arange(len(intensity) - 2, -1, -1, dtype=np.float32)[:, None, None]
    for _ in range(ITERATIONS):
        with mapping(height * width) as apply:
            points = grid - motion / 2, grid + motion / 2
            before, after = apply(_warp, (channels[:-1], channels[1:]), points)
        change = after[:, 0] - before[:, 0]
        by_row, by_column = (before[:, 1] + after[:, 1]) / 2, (before[:, 2] + after[:, 2]) / 2
        known = before[:, 3] * after[:, 3]
        # The scale of the changes where there is anything to see: dry air would make it vanish.
        textured = known * (by_row**2 + by_column**2 > 1e-6)
        scale = (textured * change**2).sum() / max(textured.sum(), 1) + 1e-12
        weight = known * ageing / (1 + change**2 / scale)
        pairs = [(by_row, by_row), (by_row, by_column), (by_column, by_column), (by_row, -change), (by_column, -change)]
        sums = np.stack([(weight * a * b).sum(axis=0) for a, b in pairs])
        motion = motion + np.clip(_solve(sums), -MAX_INCREMENT, MAX_INCREMENT)
    return motion


def _solve(sums: np.ndarray) -> np.ndarray:
    """Return the increment (2, h, w) from the products of gradients and changes (5, h, w): [rr, rc, cc, r, c]."""
    rr, rc, cc, r, c = sums.mean(axis=(1, 2), dtype=np.float64)
    damping = 1e-3 * (rr + cc) + 1e-9
    common = np.linalg.solve([[rr + damping, rc], [rc, cc + damping]], [r, c])
    ridge = RIDGE * (rr + cc) + 1e-9
    rr, rc, cc, r, c = ndimage.gaussian_filter(sums, (0, WINDOW, WINDOW), mode="nearest", truncate=3.0)
    rr, cc, r, c = rr + ridge, cc + ridge, r + ridge * common[0], c + ridge * common[1]
    determinant = rr * cc - rc**2
    return np.stack([cc * r - rc * c, rr * c - rc * r]).astype(np.float32) / determinant


def _warp(channels: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Interpolate channels (T, 4, h, w) at the points (2, h, w).

    The last channel becomes 1 where all pixels that enter a value have coverage, else 0.
    """
    height, width = channels.shape[2:]
    rows, columns = points
    warped = sample(channels.reshape(-1, height, width), rows, columns).reshape(channels.shape)
    inside = (rows >= 0) & (rows <= height - 1) & (columns >= 0) & (columns <= width - 1)
    warped[:, 3] = (warped[:, 3] > 0.999) & inside
    return warped


def _correlate(intensity: np.ndarray, covered: np.ndarray) -> np.ndarray:
    """Return the shift (rows, columns) per step of the whole frame that has the largest covariance.

    The covariance of consecutive frames is not divided by their overlap: of two shifts that fit equally well the
    smaller is more likely.
    """
    number = np.maximum(covered.sum(axis=(1, 2), keepdims=True), 1)
    anomaly = (intensity - (intensity * covered).sum(axis=(1, 2), keepdims=True) / number) * covered
    size = [fft.next_fast_len(int(n * (1 + MAX_SHIFT)) + 1, real=True) for n in intensity.shape[1:]]
    waves = fft.rfft2(anomaly, size)
    covariance = fft.irfft2((waves[:-1].conj() * waves[1:]).sum(axis=0), size)
    shifts = [np.fft.fftfreq(n, 1 / n) for n in size]
    near = [np.abs(shift) <= MAX_SHIFT * n for shift, n in zip(shifts, intensity.shape[1:])]
    peak = np.unravel_index(np.argmax(np.where(near[0][:, None] & near[1], covariance, -np.inf)), size)
    best = []
    for axis, shift in enumerate(shifts):
        line = covariance.take(peak[1 - axis], axis=1 - axis)
        left, middle, right = line.take([peak[axis] - 1, peak[axis], peak[axis] + 1], mode="wrap")
        curvature = left - 2 * middle + right  # of the parabola through the three
        best.append(shift[peak[axis]] + (np.clip((left - right) / (2 * curvature), -1, 1) if curvature < 0 else 0))
    return np.array(best, np.float32)


def _smooth(intensity: np.ndarray, covered: np.ndarray, sigma: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Blur over covered pixels alone; a pixel with too few of them around it is no longer covered."""
    with mapping(intensity[0].size) as apply:
        blur = functools.partial(ndimage.gaussian_filter, sigma=(0, sigma, sigma), mode="nearest")
        share, blurred = apply(blur, (covered, intensity * covered))
    return blurred / np.maximum(share, 1e-3), covered * (share > 0.95)


def _halve(fields: np.ndarray) -> np.ndarray:
    """Return the means of 2 x 2 pixels of fields (T, H, W); an odd last row or column is left out."""
    height, width = fields.shape[1] // 2, fields.shape[2] // 2
    return fields[:, : 2 * height, : 2 * width].reshape(len(fields), height, 2, width, 2).mean(axis=(2, 4))


def _double(motion: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the motion of a level on the next finer level of this shape, in pixels of the finer level."""
    rows, columns = (((np.arange(n) - 0.5) / 2).astype(np.float32) for n in shape)
    return 2 * sample(motion, *np.broadcast_arrays(rows[:, None], columns))
