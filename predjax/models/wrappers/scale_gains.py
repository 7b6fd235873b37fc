"""A network that corrects the extrapolation of each scale of the frame by gains.

Fine patterns of rain live shorter than coarse ones. S-PROG (Seed, 2003,
https://doi.org/10.1175/1520-0450(2003)042<0381:ADASSA>2.0.CO;2) extrapolates every scale by an autoregression of order
2 that is fitted to the observed frames of the case. The scales here come from the a trous transform with the B3 spline
(Starck, Fadili & Murtagh, 2007, https://doi.org/10.1109/TIP.2006.887733): scale k is the part that blurring at a
distance of 2^k pixels removes, the last scale is the rest, and the scales add up to the frame.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from predjax.models.config import ModelConfig
from predjax.models.patches import from_patches, pad_frames, to_patches
from predjax.models.stacks.base import StackOutput
from predjax.models.wrappers.network import Network

SPLINE = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
LARGEST, NARROWING = 0.2, 0.7  # largest gain of the finest scale, and the ratio of each coarser scale to its finer one
LONGEST = 0.9999  # largest correlation of two frames: what does not change at all is no autoregression


class GainsState(NamedTuple):
    """The state of the wrapped network, the last input frame `(B, H, W, C)`, and the autoregression `(B, K, 2, C)`."""

    inner: Any
    before: jax.Array
    fitted: jax.Array


def extend_frame(network: Network, config: ModelConfig) -> Network:
    """Return a network that extrapolates the scales of its input frame, corrected by the gains that `network` gives."""

    def to_pixels(features: jax.Array) -> jax.Array:
        return from_patches(features[..., : config.output_features], config.patch_size)

    def begin(observed: jax.Array) -> GainsState:
        first = pad_frames(observed[:, 0], config.patch_size)
        first = jnp.where(jnp.isfinite(first), first, 0.0)
        return GainsState(network.begin(observed), first, fit_scales(observed, config.scales))

    def step(features: jax.Array, state: GainsState) -> tuple[StackOutput, GainsState]:
        output, inner = network.step(features, state.inner)
        frame = to_pixels(features)
        following = frame + extend_scales(frame, state.before, state.fitted, output.features)
        output = output._replace(features=to_patches(following, config.patch_size))
        return output, GainsState(inner, frame, state.fitted)

    def unroll(features: jax.Array, state: GainsState) -> tuple[StackOutput, GainsState]:
        output, inner = network.unroll(features, state.inner)
        frames = to_pixels(features)
        before = jnp.concatenate([state.before[:, None], frames[:, :-1]], 1)
        fitted = jnp.broadcast_to(state.fitted[:, None], (*frames.shape[:2], *state.fitted.shape[1:]))
        # All steps at once, as cases of their own.
        change = extend_scales(*(a.reshape(-1, *a.shape[2:]) for a in (frames, before, fitted, output.features)))
        patches = to_patches(frames + change.reshape(frames.shape), config.patch_size)
        return output._replace(features=patches), GainsState(inner, frames[:, -1], state.fitted)

    return Network(begin, step, unroll)


def split_scales(frames: jax.Array, count: int) -> list[jax.Array]:
    """Split frames `(..., H, W)` into `count` scales of the same shape, from fine to coarse, which add up to them.

    Beyond the frame the pixels of its edge are repeated.
    """
    scales = []
    for level in range(count - 1):
        blurred = frames
        for axis in (frames.ndim - 2, frames.ndim - 1):
            blurred = _blur(blurred, 2**level, axis)
        scales.append(frames - blurred)
        frames = blurred
    return [*scales, frames]


def _blur(frames: jax.Array, distance: int, axis: int) -> jax.Array:
    """Blur along an axis by the spline, whose weights are `distance` pixels apart."""
    size = frames.shape[axis]
    pads = [(0, 0)] * frames.ndim
    pads[axis] = (2 * distance, 2 * distance)
    padded = jnp.pad(frames, pads, mode="edge")
    parts = (jax.lax.slice_in_dim(padded, n * distance, n * distance + size, axis=axis) for n in range(len(SPLINE)))
    return functools.reduce(jnp.add, (weight * part for weight, part in zip(SPLINE, parts)))


def fit_scales(frames: jax.Array, count: int) -> jax.Array:
    """Fit the autoregression of each scale, `(B, count, 2, C)`, to scaled frames `(B, T, H, W, C)`, NaN = no coverage.

    The autoregression y(t+1) = p1 y(t) + p2 y(t-1) is written as a change: y(t+1) - y(t) = a y(t) + b (y(t) - y(t-1))
    with a = p1 + p2 - 1 and b = -p2, which are returned. With the mean correlations r1, r2 of frames that are one and
    two steps apart (Yule-Walker)

        p1 = r1 (1 - r2) / (1 - r1^2),  p2 = (r2 - r1^2) / (1 - r1^2)

    Where that would not be stationary, and where there are only two frames, p1 = r1 and p2 = 0. The coarsest scale
    does not change (a = b = 0); with one frame no scale does. Pixels that lack coverage in any frame are left out. The
    fit has no gradient.
    """
    frames = jnp.moveaxis(frames, -1, 2)
    exists = jnp.isfinite(frames).all(1, keepdims=True)
    filled = jnp.where(jnp.isfinite(frames), frames, 0.0)
    none = jnp.zeros((len(frames), 2, frames.shape[2]), filled.dtype)
    if frames.shape[1] == 1:
        return jnp.stack([none] * count, 1)
    fitted = [_fit(scale, exists) for scale in split_scales(filled, count)[:-1]]
    return jax.lax.stop_gradient(jnp.stack([*fitted, none], 1))


def _fit(scale: jax.Array, exists: jax.Array) -> jax.Array:
    """Return a and b `(B, 2, C)` of one scale `(B, T, C, H, W)`."""
    number = jnp.maximum(exists.sum((3, 4), keepdims=True), 1)
    mean = jnp.where(exists, scale, 0.0).sum((3, 4), keepdims=True) / number
    anomaly = jnp.where(exists, scale - mean, 0.0)
    power = jnp.square(anomaly).sum((3, 4))

    def correlate(lag: int) -> jax.Array:
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


def extend_scales(frame: jax.Array, before: jax.Array, fitted: jax.Array, gains: jax.Array) -> jax.Array:
    """Return the change of a frame `(B, H, W, C)` to the next one, the sum over its scales y of a y + b (y - y').

    y' are the scales of the frame `before`. a and b are the autoregression `fitted` `(B, K, 2, C)` plus the bounded
    gains LARGEST NARROWING^k tanh(gains) of scale k = 0, 1 ...; the network gives `gains` `(B, h, w, 2 K C)` for every
    patch. So nothing grows faster than rain does, and coarse patterns grow slower than fine ones. Gains are
    interpolated between the middles of patches, so that there are no seams. H and W are multiples of h and w.
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
    scales = split_scales(jnp.stack([frame, frame - before]), count)
    for kind in (0, 1):
        for number, scale in enumerate(scales):
            change += weights[kind, number] * scale[kind].reshape(change.shape)
    return jnp.moveaxis(change.reshape(frame.shape), 1, -1)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _interpolate_rows(fields: jax.Array, height: int) -> jax.Array:
    """Interpolate fields `(..., h, W)` of patches linearly between the middles of their rows.

    Returns `(..., h, p, W)` for the p = H / h rows of pixels of each patch, constant beyond the outermost middles.
    """
    pads = [(0, 0)] * (fields.ndim - 2) + [(1, 1), (0, 0)]
    padded, size = jnp.pad(fields, pads, mode="edge")[..., None, :], height // fields.shape[-2]
    place = jnp.asarray((np.arange(size) + 0.5) / size - 0.5, fields.dtype)[:, None]
    above, middle, below = padded[..., :-2, :, :], padded[..., 1:-1, :, :], padded[..., 2:, :, :]
    return jnp.maximum(0, -place) * above + (1 - abs(place)) * middle + jnp.maximum(0, place) * below


def _pull_rows(height: int, _: None, dpixels: jax.Array) -> tuple[jax.Array]:
    """Return the gradient of the fields by a matrix product, which is faster than the derivative of the sums."""
    matrix = jnp.asarray(_interpolate(dpixels.shape[-3], height), dpixels.dtype)
    return (jnp.einsum("ih,...iw->...hw", matrix, dpixels.reshape(*dpixels.shape[:-3], height, dpixels.shape[-1])),)


_interpolate_rows.defvjp(lambda fields, height: (_interpolate_rows(fields, height), None), _pull_rows)


def _interpolate(patches: int, pixels: int) -> np.ndarray:
    """Return the matrix (pixels, patches) that interpolates linearly between the middles of patches."""
    place = np.clip((np.arange(pixels) + 0.5) * patches / pixels - 0.5, 0, patches - 1)
    return np.maximum(0, 1 - np.abs(place[:, None] - np.arange(patches)))
