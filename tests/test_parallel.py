"""The precision of products, by platform, and the options of the compiler."""

import re

import jax
import jax.numpy as jnp
import pytest

from predjax import parallel
from predjax.kernels.convolution import convolve


@pytest.mark.parametrize(
    "platform,precision,expected",
    [
        ("gpu", "float32", "HIGHEST"),
        ("gpu", "tf32", "HIGH"),
        ("gpu", "bfloat16", "None"),
        ("cpu", "float32", "None"),
    ],
)
def test_products_and_their_gradients_have_the_chosen_precision(platform, precision, expected):
    def pull(x, w):
        return jax.grad(lambda x, w: convolve(x, w).sum() + (x @ w[0, 0]).sum(), (0, 1))(x, w)

    function = parallel.in_precision(pull, platform, precision)
    text = str(jax.make_jaxpr(function)(jnp.ones((1, 4, 4, 2)), jnp.ones((3, 3, 2, 2))))
    found = re.findall(r"[^_]precision=\(?(?:Precision\.)?(\w+)", text)
    assert len(found) >= 3 and set(found) == {expected}


def test_compiler_options_are_those_of_the_platform_unless_the_user_says_more(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "")
    assert parallel.choose_options("gpu") == {"xla_gpu_enable_triton_gemm": False}
    monkeypatch.setenv("XLA_FLAGS", "--xla_gpu_enable_triton_gemm=true")
    assert parallel.choose_options("gpu") is None
