"""Convolutions: their gradients are the gradients, however computed; in float64."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sequences import draw

from predjax.kernels.convolution import convolve, convolve_same, convolve_transposed

GRIDS = [(5, 8), (7, 7), (1, 4)]
pytestmark = pytest.mark.usefixtures("double")


def plain(x, w, stride, padding, dilation=1):
    """The same convolution with the gradients of automatic differentiation."""
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
