"""Winograd's filtering is the convolution: exactly in float64, within its error in float32."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sequences import draw

from predjax.kernels import winograd
from predjax.kernels.convolution import convolve_same

pytestmark = pytest.mark.usefixtures("double")


def same(x, w):
    """The SAME convolution by XLA."""
    return jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


@pytest.mark.parametrize("k,m", [(k, m) for k, sizes in winograd.TILE_SIZES.items() for m in sizes])
@pytest.mark.parametrize("shape", [(1, 1, 4, 1, 2), (3, 16, 9, 2, 5)])
def test_filtering_by_tiles_is_the_convolution_for_any_size(shape, k, m):
    """Values and both gradients; any position of a frame may lie in an unfinished tile."""
    batch, height, width, inputs, outputs = shape
    x, w = draw(batch, height, width, inputs), draw(k, k, inputs, outputs, seed=1)
    tiling = winograd.Tiling(m, k)
    y, pull = jax.vjp(same, x, w)
    dy = draw(*y.shape, seed=2)
    ours = winograd.convolve_tiles(x, winograd.transform_filters(w, tiling), tiling=tiling)
    np.testing.assert_allclose(ours, y, rtol=0, atol=1e-12 * np.abs(y).max())
    dx, dw = pull(dy)
    turned = winograd.convolve_tiles_turned(dy, winograd.transform_filters(w, tiling), tiling=tiling)
    np.testing.assert_allclose(turned, dx, rtol=0, atol=1e-12 * np.abs(dx).max())
    gradient = winograd.filter_gradient(x, dy, tiling=tiling)
    np.testing.assert_allclose(gradient, dw, rtol=0, atol=1e-11 * np.abs(dw).max())


def test_gradients_of_more_kernels_take_no_more_memory():
    """The transformed inputs of one are gone before those of the next are made, also of few images."""

    def measure(count):
        def gradients(x, dy):
            return [winograd.filter_gradient(x * (i + 1), dy, tiling=winograd.Tiling(4, 5)) for i in range(count)]

        x, dy = (jax.ShapeDtypeStruct((8, 16, 16, channels), jnp.float32) for channels in (8, 24))
        return jax.jit(gradients).lower(x, dy).compile().memory_analysis().temp_size_in_bytes

    transformed = 4 * 64 * (8 * 16) * (8 + 24)  # bytes: positions, tiles, channels
    assert measure(12) < measure(1) + transformed


@pytest.mark.parametrize("k", winograd.TILE_SIZES)
@pytest.mark.parametrize("grid", [(16, 16), (19, 33)])
def test_float32_stays_within_1e_5_of_the_direct_convolution(grid, k):
    """Relative to the root mean square of the result, over 64 channels, and no value off by 1e-5 of the largest."""
    x, w = draw(2, *grid, 64), draw(k, k, 64, 48, seed=1)
    assert winograd.choose_tiling(x.shape, w.shape) is not None

    def all_of(function, x, w):
        y, pull = jax.vjp(function, x, w)
        return y, *pull(draw(*y.shape, seed=2).astype(y.dtype))

    exact = jax.jit(functools.partial(all_of, same))(x, w)
    ours = jax.jit(functools.partial(all_of, convolve_same))(x.astype(jnp.float32), w.astype(jnp.float32))
    for mine, reference in zip(ours, exact):
        assert mine.dtype == jnp.float32
        error = np.asarray(mine, float) - reference
        assert np.linalg.norm(error) < 1e-5 * np.linalg.norm(reference)
        assert np.abs(error).max() < 1e-5 * np.abs(reference).max()


def test_bfloat16_is_rounded_in_and_out_only():
    x, w = draw(2, 12, 12, 32).astype(jnp.bfloat16), draw(5, 5, 32, 32, seed=1).astype(jnp.bfloat16)
    assert winograd.choose_tiling(x.shape, w.shape) is not None
    y = convolve_same(x, w)
    assert y.dtype == jnp.bfloat16
    reference = np.asarray(same(x.astype(float), w.astype(float)))
    np.testing.assert_allclose(np.asarray(y, float), reference, rtol=2**-8, atol=1e-4 * np.abs(reference).max())


def test_tiny_frames_pointwise_and_wide_kernels_are_direct():
    assert winograd.choose_tiling((2, 8, 8, 2), (5, 5, 2, 2)) is None
    assert winograd.choose_tiling((2, 16, 16, 64), (1, 1, 64, 64)) is None
    assert winograd.choose_tiling((4, 16, 16, 64), (7, 7, 64, 64)) is None
    assert winograd.choose_tiling((4, 16, 16, 128), (5, 5, 128, 256)).m == 4
