"""Patches are frames, folded."""

import jax.numpy as jnp
import numpy as np
import pytest

from predjax.models.patches import from_patches, pad_frames, patch_grid, to_patches


def draw(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(("shape", "patch_size"), [((4, 6, 1), 2), ((2, 3, 6, 9, 2), 3), ((5, 7, 3), 1)])
def test_unfolding_undoes_folding(shape, patch_size):
    frames = draw(*shape)
    patches = to_patches(frames, patch_size)
    assert patches.shape[-3:-1] == (shape[-3] // patch_size, shape[-2] // patch_size)
    np.testing.assert_array_equal(from_patches(patches, patch_size), frames)


def test_features_of_a_patch_go_by_row_column_channel():
    frames = draw(4, 6, 3)
    patches = to_patches(frames, 2)
    for row in range(2):
        for column in range(2):
            for channel in range(3):
                expected = frames[row::2, column::2, channel]
                np.testing.assert_array_equal(patches[..., (row * 2 + column) * 3 + channel], expected)


@pytest.mark.parametrize(("height", "width", "patch_size"), [(5, 7, 4), (8, 8, 4), (1, 9, 3)])
def test_padding_completes_the_last_patches_and_keeps_the_frame(height, width, patch_size):
    frames = draw(2, height, width, 1)
    rows, columns = patch_grid(height, width, patch_size)
    assert 0 <= rows * patch_size - height < patch_size
    assert 0 <= columns * patch_size - width < patch_size
    padded = pad_frames(frames, patch_size)
    assert padded.shape == (2, rows * patch_size, columns * patch_size, 1)
    np.testing.assert_array_equal(padded[:, :height, :width], frames)
    assert jnp.isnan(padded).sum() == padded.size - frames.size
    assert not jnp.isnan(pad_frames(frames, patch_size, 0.0)).any()
