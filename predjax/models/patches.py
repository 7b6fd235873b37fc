"""Frames to patches and back: p x p pixels become the features of one patch, as PredRNN folds them."""

import jax
import jax.numpy as jnp


def to_patches(frames: jax.Array, patch_size: int) -> jax.Array:
    """Turn `(..., H, W, C)` into `(..., H/p, W/p, p p C)`, with feature (row p + column) C + channel.

    p must divide H and W.

    >>> to_patches(jnp.arange(4).reshape(2, 2, 1), 2).tolist()
    [[[0, 1, 2, 3]]]
    """
    *lead, height, width, channels = frames.shape
    p, n = patch_size, len(lead)
    split = frames.reshape(*lead, height // p, p, width // p, p, channels)
    order = (*range(n), n, n + 2, n + 1, n + 3, n + 4)
    return split.transpose(order).reshape(*lead, height // p, width // p, p * p * channels)


def from_patches(patches: jax.Array, patch_size: int) -> jax.Array:
    """Turn patches into frames: the inverse of `to_patches`."""
    *lead, rows, columns, features = patches.shape
    p, n = patch_size, len(lead)
    split = patches.reshape(*lead, rows, columns, p, p, features // (p * p))
    order = (*range(n), n, n + 2, n + 1, n + 3, n + 4)
    return split.transpose(order).reshape(*lead, rows * p, columns * p, features // (p * p))


def patch_grid(height: int, width: int, patch_size: int) -> tuple[int, int]:
    """Return how many rows and columns of patches cover a frame of any size."""
    return -(-height // patch_size), -(-width // patch_size)


def pad_frames(frames: jax.Array, patch_size: int, value: float = jnp.nan) -> jax.Array:
    """Extend frames `(..., H, W, C)` at the bottom and the right to whole patches, with `value` (NaN: no coverage)."""
    *lead, height, width, _ = frames.shape
    rows, columns = patch_grid(height, width, patch_size)
    below, right = rows * patch_size - height, columns * patch_size - width
    if not below and not right:
        return frames
    pads = [(0, 0)] * len(lead) + [(0, below), (0, right), (0, 0)]
    return jnp.pad(frames, pads, constant_values=value)
