"""Products of a step in a scan: kernels by name, and gradients as the kernels lie; in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sequences import draw

from predjax.kernels.execution import Execution
from predjax.kernels.shared import ComputedProducts, KernelCollector, SharedKernels

pytestmark = pytest.mark.usefixtures("double")


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


def test_a_kernel_that_a_step_uses_twice_is_refused():
    """Its gradient would otherwise miss one use without a word."""
    x, w, products = draw(1, 4, 4, 1), draw(3, 3, 1, 1), KernelCollector()
    products.convolve("a", x, lambda: w)
    with pytest.raises(ValueError, match="a convolves twice in a step"):
        products.convolve("a", x, lambda: w)
