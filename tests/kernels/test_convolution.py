"""Convolutions: their gradients are the gradients, however computed; in float64 where nothing else is said."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sequences import draw

from predjax.kernels import winograd
from predjax.kernels.convolution import convolve, convolve_same, convolve_transposed
from predjax.kernels.execution import Execution
from predjax.kernels.shared import ComputedProducts, KernelCollector, SharedKernels

GRIDS = [(5, 8), (7, 7), (1, 4)]
pytestmark = pytest.mark.usefixtures("double")


def plain(x, w, stride, padding, dilation=1):
    """The same convolution without gradients of our own."""
    layout = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(
        x, w, (stride, stride), padding, lhs_dilation=(dilation, dilation), dimension_numbers=layout
    )


def assert_same_with_gradients(ours, theirs, x, w):
    """Values and both gradients of two functions of x and w, for a random weighting of the outputs."""

    def all_of(function):
        y, pull = jax.vjp(function, x, w)
        return y, *pull(draw(*y.shape, seed=2))

    for mine, other in zip(jax.jit(lambda: all_of(ours))(), jax.jit(lambda: all_of(theirs))()):
        np.testing.assert_allclose(mine, other, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("k", [1, 3, 5, 7])
@pytest.mark.parametrize("grid", GRIDS)
def test_gradients_of_a_same_convolution(grid, k, stride):
    x, w = draw(2, *grid, 3), draw(k, k, 3, 2, seed=1)
    pads = ((k // 2, k // 2),) * 2
    assert_same_with_gradients(lambda x, w: convolve_same(x, w, stride), lambda x, w: plain(x, w, stride, pads), x, w)


@pytest.mark.parametrize("k", [1, 3, 5, 7])
@pytest.mark.parametrize("output_size", [(5, 8), (6, 7), (1, 2)])
def test_gradients_of_a_transposed_convolution(output_size, k):
    x, w = draw(2, *(-(-n // 2) for n in output_size), 3), draw(k, k, 3, 2, seed=1)
    low = k - 1 - k // 2
    pads = [(low, size + k // 2 - (2 * n - 1)) for size, n in zip(output_size, x.shape[1:3])]
    ours = functools.partial(convolve_transposed, output_size=output_size)
    assert_same_with_gradients(ours, lambda x, w: plain(x, w, 1, pads, 2), x, w)
    assert ours(x, w).shape == (2, *output_size, 2)


def test_gradients_with_uneven_padding_stride_and_dilation():
    x, w = draw(2, 6, 5, 3), draw(3, 3, 3, 2, seed=1)
    for stride, dilation, pads in ((2, 1, ((0, 1), (2, 1))), (1, 2, ((2, 3), (1, 0))), (3, 2, ((1, 1), (0, 2)))):
        options = {"stride": stride, "padding": pads, "dilation": dilation}
        assert_same_with_gradients(functools.partial(convolve, **options), functools.partial(plain, **options), x, w)


def test_the_gradient_of_the_gradient():
    x, w = draw(1, 4, 5, 2), draw(3, 3, 2, 2, seed=1)

    def curvature(function):
        gradient = jax.grad(lambda x: jnp.sin(function(x, w)).sum())
        return jax.grad(lambda x: jnp.square(gradient(x)).sum())(x)

    reference = curvature(lambda x, w: plain(x, w, 1, ((1, 1), (1, 1))))
    np.testing.assert_allclose(curvature(convolve_same), reference, rtol=1e-11, atol=1e-11)


def test_a_convolution_is_the_sum_over_its_window():
    x, w = draw(1, 4, 5, 2), draw(3, 3, 2, 3, seed=1)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    y = np.zeros((1, 4, 5, 3))
    for p in range(4):
        for q in range(5):
            y[0, p, q] = np.einsum("abi,abio->o", padded[0, p : p + 3, q : q + 3], w)
    np.testing.assert_allclose(convolve_same(x, w), y, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(convolve_same(x, w, 2), y[:, ::2, ::2], rtol=1e-12, atol=1e-12)


def same(x, w):
    return plain(x, w, 1, ((w.shape[0] // 2,) * 2,) * 2)


@pytest.mark.parametrize("k,m", [(k, m) for k, sizes in winograd.TILE_SIZES.items() for m in sizes])
@pytest.mark.parametrize("shape", [(2, 7, 10, 3, 4), (1, 1, 4, 1, 2), (3, 16, 9, 2, 5)])
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


def multiply_in_scan(execution):
    return ComputedProducts(SharedKernels({}, execution)).multiply


def test_the_gradient_of_a_product_in_a_scan_is_made_as_the_kernel_lies():
    """x^T dy, `(I, O)`: of its transpose XLA on CPUs makes a copy of dy, feature by feature, which takes far longer."""
    x, w, dy = draw(2, 4, 5, 3), draw(3, 7, seed=1), draw(2, 4, 5, 7, seed=2)

    def pull(x, w, dy):
        return jax.vjp(multiply_in_scan(Execution()), x, w)[1](dy)

    lines = jax.jit(pull).lower(x, w, dy).as_text().splitlines()
    products = [line.split("-> ")[1] for line in lines if "dot_general" in line]
    assert any(product.startswith("tensor<3x7x") for product in products), products
    for ours, plain in zip(pull(x, w, dy), jax.vjp(jnp.matmul, x, w)[1](dy), strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-12)


def test_a_product_in_a_scan_has_the_dtype_of_any_other():
    x, w = jnp.ones((2, 3), jnp.float32), draw(3, 7)
    assert multiply_in_scan(Execution())(x, w).dtype == (x @ w).dtype == w.dtype
    assert multiply_in_scan(Execution(precision="bfloat16"))(x, w).dtype == x.dtype


@pytest.mark.parametrize("k", winograd.TILE_SIZES)
@pytest.mark.parametrize("grid", [(16, 16), (10, 10), (19, 33)])
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


def test_a_kernel_that_a_step_uses_twice_is_refused():
    """Its gradient would otherwise miss one use without a word."""
    x, w, products = draw(1, 4, 4, 1), draw(3, 3, 1, 1), KernelCollector()
    products.convolve("a", x, lambda: w)
    with pytest.raises(ValueError, match="a convolves twice in a step"):
        products.convolve("a", x, lambda: w)
