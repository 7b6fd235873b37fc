"""Linear maps: their own gradients are the gradients, transposed maps are adjoints, norms are norms; all in float64."""

import functools

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from predjax.cells.linear import (
    Downsample,
    FrameNorm,
    LinearMap,
    Upsample,
    convolve,
    convolve_same,
    convolve_transposed,
    uniform_fan_in,
)

GRIDS = [(5, 8), (7, 7), (1, 4)]


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def draw(*shape, seed=0):
    return jnp.asarray(np.random.default_rng([seed, *shape]).normal(size=shape))


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


@pytest.mark.parametrize("k", [1, 3, 5, 7])
@pytest.mark.parametrize("grid", GRIDS)
def test_upsample_is_the_adjoint_of_downsample(grid, k):
    """<D x, y> = <x, U y> when U has D's kernel, turned by half a turn and with its channels exchanged."""
    down = hk.without_apply_rng(hk.transform(lambda x: Downsample(3, k, name="down")(x)))
    up = hk.without_apply_rng(hk.transform(lambda y: Upsample(2, k, name="up")(y, grid)))
    x, w = draw(2, *grid, 2), draw(k, k, 2, 3, seed=1)
    low = down.apply({"down": {"w": w}}, x)
    assert low.shape == (2, -(-grid[0] // 2), -(-grid[1] // 2), 3)
    y = draw(*low.shape, seed=2)
    high = up.apply({"up": {"w": jnp.flip(w, (0, 1)).swapaxes(2, 3)}}, y)
    np.testing.assert_allclose(jnp.vdot(low, y), jnp.vdot(x, high), rtol=1e-11)


def apply_linear(x, w, b, **options):
    linear = hk.without_apply_rng(hk.transform(lambda x: LinearMap(w.shape[-1], name="map", **options)(x)))
    return linear.apply({"map": {"w": w, "b": b}}, x)


def test_a_linear_map_of_a_map_is_that_of_each_pixel():
    x, w, b = draw(2, 3, 4, 5), draw(5, 6, seed=1), draw(6, seed=2)
    dense = apply_linear(x, w, b, with_bias=True)
    vectors = apply_linear(x.reshape(-1, 5), w, b, with_bias=True)
    pointwise = apply_linear(x, w[None, None], b, kernel_shape=(1, 1), with_bias=True)
    np.testing.assert_allclose(dense.reshape(-1, 6), vectors, rtol=1e-12)
    np.testing.assert_allclose(dense, pointwise, rtol=1e-12)
    np.testing.assert_allclose(dense - apply_linear(x, w, b), jnp.broadcast_to(b, dense.shape), rtol=1e-9)


def test_frame_norm_against_numpy():
    norm = hk.without_apply_rng(hk.transform(lambda x: FrameNorm(name="norm")(x)))
    x, scale, offset = 3 + 2 * draw(2, 3, 4, 5), draw(3, 4, 5, seed=1), draw(3, 4, 5, seed=2)
    flat = np.asarray(x).reshape(2, -1)
    normal = (flat - flat.mean(1, keepdims=True)) / np.sqrt(flat.var(1, keepdims=True) + 1e-5)
    expected = np.asarray(scale) * normal.reshape(x.shape) + offset
    np.testing.assert_allclose(norm.apply({"norm": {"scale": scale, "offset": offset}}, x), expected, rtol=1e-11)


def test_frame_norm_of_a_constant_frame_is_its_offset():
    norm = hk.without_apply_rng(hk.transform(lambda x: FrameNorm(name="norm")(x)))
    params = {"norm": {"scale": draw(3, 4, 5, seed=1), "offset": draw(3, 4, 5, seed=2)}}
    gradient = jax.grad(lambda x: jnp.square(norm.apply(params, x)).sum())(jnp.full((1, 3, 4, 5), 0.7))
    np.testing.assert_allclose(norm.apply(params, jnp.full((1, 3, 4, 5), 0.7))[0], params["norm"]["offset"], atol=1e-9)
    assert jnp.isfinite(gradient).all()


def test_initial_kernels_fill_the_range_that_the_number_of_inputs_allows():
    sample = hk.transform(lambda: uniform_fan_in((3, 3, 2, 64), jnp.float32)).apply({}, jax.random.key(0))
    bound = 1 / np.sqrt(3 * 3 * 2)
    assert sample.dtype == jnp.float32
    assert 0.99 * bound < jnp.abs(sample).max() <= bound
    np.testing.assert_allclose(sample.std(), bound / np.sqrt(3), rtol=0.05)
