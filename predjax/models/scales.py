"""The scales of a frame, and how long each of them keeps its pattern: what a forecast can start from.

Fine patterns of rain live shorter than coarse ones. S-PROG (Seed, 2003,
https://doi.org/10.1175/1520-0450(2003)042<0381:ADASSA>2.0.CO;2) lets every scale go on by an autoregression of order 2
that is fitted to the observed frames of the case. Here the scales are those of the a trous transform with the B3 spline
(Starck, Fadili & Murtagh, 2007, https://doi.org/10.1109/TIP.2006.887733): scale k is what blurring at a distance of
2^k pixels takes away, the last one is what remains, and their sum is the frame.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

SPLINE = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
LARGEST, NARROWING = 0.2, 0.7  # gain of a step: of the finest scale, and that of each coarser one by its finer
LONGEST = 0.9999  # correlation of two frames: what does not change at all is no autoregression


def split_scales(frames, count: int) -> list:
    """The scales of frames `(..., H, W)`, from fine to coarse: `count` arrays of that shape, whose sum they are.

    Beyond the frame is the pixel of its edge.
    """
    scales = []
    for level in range(count - 1):
        blurred = frames
        for axis in (frames.ndim - 2, frames.ndim - 1):
            blurred = _blur(blurred, 2**level, axis)
        scales.append(frames - blurred)
        frames = blurred
    return [*scales, frames]


def _blur(frames, distance: int, axis: int):
    """The spline along an axis, its weights `distance` pixels apart."""
    size = frames.shape[axis]
    pads = [(0, 0)] * frames.ndim
    pads[axis] = (2 * distance, 2 * distance)
    padded = jnp.pad(frames, pads, mode="edge")
    parts = (jax.lax.slice_in_dim(padded, n * distance, n * distance + size, axis=axis) for n in range(len(SPLINE)))
    return sum(weight * part for weight, part in zip(SPLINE, parts))


def fit_scales(frames, count: int):
    """How the scales of each case go on: `(B, count, 2, C)` of scaled frames `(B, T, H, W, C)`, NaN = no coverage.

    The autoregression y(t+1) = p1 y(t) + p2 y(t-1) of a scale as a change, y(t+1) - y(t) = a y(t) + b (y(t) - y(t-1)):
    a = p1 + p2 - 1, b = -p2. With r1, r2 the mean correlations of frames one and two steps apart (Yule-Walker)

        p1 = r1 (1 - r2) / (1 - r1^2),  p2 = (r2 - r1^2) / (1 - r1^2)

    and p1 = r1, p2 = 0 where that would not be stationary, or two frames are all there are. The coarsest scale stays as
    it is (a = b = 0), and so do all of a single frame. Pixels that lack coverage in any frame are left out. There is
    no gradient.
    """
    frames = jnp.moveaxis(frames, -1, 2)
    exists = jnp.isfinite(frames).all(1, keepdims=True)
    filled = jnp.where(jnp.isfinite(frames), frames, 0.0)
    none = jnp.zeros((len(frames), 2, frames.shape[2]), filled.dtype)
    if frames.shape[1] == 1:
        return jnp.stack([none] * count, 1)
    fitted = [_fit(scale, exists) for scale in split_scales(filled, count)[:-1]]
    return jax.lax.stop_gradient(jnp.stack([*fitted, none], 1))


def _fit(scale, exists):
    """a and b `(B, 2, C)` of one scale `(B, T, C, H, W)`."""
    number = jnp.maximum(exists.sum((3, 4), keepdims=True), 1)
    mean = jnp.where(exists, scale, 0.0).sum((3, 4), keepdims=True) / number
    anomaly = jnp.where(exists, scale - mean, 0.0)
    power = jnp.square(anomaly).sum((3, 4))

    def correlate(lag):
        product = (anomaly[:, lag:] * anomaly[:, :-lag]).sum((3, 4))
        norm = jnp.sqrt(power[:, lag:] * power[:, :-lag])
        return jnp.where(norm > 0, product / jnp.where(norm > 0, norm, 1.0), 0.0).mean(1)

    r1 = jnp.clip(correlate(1), 0.0, LONGEST)
    p1, p2 = r1, jnp.zeros_like(r1)
    if scale.shape[1] > 2:
        r2 = jnp.clip(correlate(2), -1.0, LONGEST)
        second = (r2 - r1**2) / (1 - r1**2)
        stationary = jnp.abs(second) < 1
        p1 = jnp.where(stationary, r1 * (1 - second), r1)
        p2 = jnp.where(stationary, second, 0.0)
    return jnp.stack([p1 + p2 - 1, -p2], 1)


def extend_scales(frame, before, fitted, gains):
    """The change of a frame `(B, H, W, C)` to the next: the sum over scales of a y + b (y - y'), y' being of `before`.

    a and b are `fitted` `(B, K, 2, C)` plus LARGEST NARROWING^k tanh of the `gains` `(B, h, w, 2 K C)` that a network
    gives every patch and scale k = 0, 1 ..., so that nothing grows faster than rain does, and coarse patterns slower
    than fine ones. Between the middles of patches gains are interpolated: there are no seams. H and W are a multiple
    of h and w.
    """
    batch, height, width, channels = frame.shape
    (rows, columns), count = gains.shape[1:3], fitted.shape[1]
    bounds = LARGEST * NARROWING ** np.arange(count)[:, None]
    gains = jnp.asarray(bounds, gains.dtype) * jnp.tanh(gains.reshape(batch, rows, columns, 2, count, channels))
    weights = gains + fitted.swapaxes(1, 2)[:, None, None]
    across = jnp.asarray(_interpolate(columns, width), gains.dtype)
    weights = _interpolate_rows(jnp.einsum("bhwksc,jw->ksbchj", weights, across), height)
    frame, before = jnp.moveaxis(frame, -1, 1), jnp.moveaxis(before, -1, 1)
    change = jnp.zeros(weights.shape[2:], weights.dtype)
    for kind, fields in enumerate((frame, frame - before)):
        for number, scale in enumerate(split_scales(fields, count)):
            change += weights[kind, number] * scale.reshape(change.shape)
    return jnp.moveaxis(change.reshape(frame.shape), 1, -1)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _interpolate_rows(fields, height: int):
    """Fields `(..., h, W)` of patches, interpolated linearly between the middles of their rows: `(..., h, p, W)` for
    the p = H / h rows of pixels of each; constant beyond the last."""
    pads = [(0, 0)] * (fields.ndim - 2) + [(1, 1), (0, 0)]
    padded, size = jnp.pad(fields, pads, mode="edge")[..., None, :], height // fields.shape[-2]
    place = jnp.asarray((np.arange(size) + 0.5) / size - 0.5, fields.dtype)[:, None]
    above, middle, below = padded[..., :-2, :, :], padded[..., 1:-1, :, :], padded[..., 2:, :, :]
    return jnp.maximum(0, -place) * above + (1 - abs(place)) * middle + jnp.maximum(0, place) * below


def _pull_rows(height, _, dpixels):
    """The gradient of the fields: a matrix product, which is faster here than what would be derived."""
    matrix = jnp.asarray(_interpolate(dpixels.shape[-3], height), dpixels.dtype)
    return (jnp.einsum("ih,...iw->...hw", matrix, dpixels.reshape(*dpixels.shape[:-3], height, dpixels.shape[-1])),)


_interpolate_rows.defvjp(lambda fields, height: (_interpolate_rows(fields, height), None), _pull_rows)


def _interpolate(patches: int, pixels: int) -> np.ndarray:
    """The matrix (pixels, patches) of linear interpolation between the middles of patches; constant beyond the last."""
    place = np.clip((np.arange(pixels) + 0.5) * patches / pixels - 0.5, 0, patches - 1)
    return np.maximum(0, 1 - np.abs(place[:, None] - np.arange(patches)))
