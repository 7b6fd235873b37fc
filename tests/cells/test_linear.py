"""Linear maps: transposed maps are adjoints, norms are norms; all in float64."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sequences import draw

from predjax.cells.linear import Downsample, FrameNorm, LinearMap, Upsample, add_maps, uniform_fan_in

GRIDS = [(5, 8), (7, 7), (1, 4)]
pytestmark = pytest.mark.usefixtures("double")


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


@pytest.mark.parametrize("kernel_shape", [(), (1, 1), (3, 3), (5, 5)], ids=str)
@pytest.mark.parametrize("grid", [(5, 8), (1, 4)])
def test_adjoint_is_the_transposed_map(grid, kernel_shape):
    """<W x, y> = <x, W^T y>; the bias takes no part in it."""

    def run(x, y):
        linear = LinearMap(3, kernel_shape, with_bias=True, name="map")
        return linear(x) - linear.bias(2), linear.adjoint(y, 2)

    x, y = draw(2, *grid, 2), draw(2, *grid, 3, seed=1)
    params = {"map": {"w": draw(*kernel_shape, 2, 3, seed=2), "b": draw(3, seed=3)}}
    low, high = hk.without_apply_rng(hk.transform(run)).apply(params, x, y)
    assert high.shape == x.shape
    np.testing.assert_allclose(jnp.vdot(low, y), jnp.vdot(x, high), rtol=1e-11)


@pytest.mark.parametrize("kernel_shape", [(), (1, 1), (3, 3)], ids=str)
def test_maps_that_are_added_are_each_map_on_its_own(kernel_shape):
    def run(x, y):
        one = LinearMap(4, kernel_shape, with_bias=True, name="one")
        other = LinearMap(4, kernel_shape, with_bias=True, name="other")
        return add_maps((one, x), (other, y)), one(x) + other(y)

    pure = hk.transform(run)
    x, y = draw(2, 5, 4, 2), draw(2, 5, 4, 3)
    together, apart = pure.apply(pure.init(jax.random.key(0), x, y), None, x, y)
    np.testing.assert_allclose(together, apart, rtol=1e-10, atol=1e-12)


def test_frame_norm_of_a_vector_is_layer_normalisation():
    norm = hk.without_apply_rng(hk.transform(lambda x: FrameNorm(name="norm")(x)))
    x, params = draw(4, 6), {"norm": {"scale": draw(6, seed=1), "offset": draw(6, seed=2)}}
    normal = (x - x.mean(1, keepdims=True)) / jnp.sqrt(x.var(1, keepdims=True) + 1e-5)
    expected = params["norm"]["scale"] * normal + params["norm"]["offset"]
    np.testing.assert_allclose(norm.apply(params, x), expected, rtol=1e-11)
