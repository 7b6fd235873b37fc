"""No convolution of a training step takes XLA's slow path on CPU."""

import re

import jax
import jax.numpy as jnp
import pytest

from predjax.models.config import ModelConfig
from predjax.models.forecaster import make_forecaster

SIZES = {"num_hidden": (4,), "filter_size": 5, "patch_size": 2}
CONFIGS = {
    "predrnn_v2": ModelConfig("predrnn_v2", **SIZES),
    "action_cond_predrnn_v2": ModelConfig(
        "action_cond_predrnn_v2", **SIZES, num_action_ch=2, conv_on_input=True, res_on_conv=True
    ),
    "wide": ModelConfig("predrnn_v2", (16,), filter_size=5, patch_size=4),
    "gru": ModelConfig("gru", **SIZES),
    "conv_s5": ModelConfig("conv_s5", **SIZES),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.ci] * (name in ("wide", "conv_s5"))) for name in CONFIGS]
)
def test_every_convolution_and_gradient_reads_and_writes_nhwc(name):
    """XLA on CPU is fast for NHWC with HWIO kernels alone, and rewrites nothing inside a scan.

    A gradient of another form makes a training step an order of magnitude slower, without a wrong number anywhere.
    """
    config = CONFIGS[name]
    size = 32 if name == "wide" else 16
    forecaster = make_forecaster(config)
    frames, use_truth = jnp.zeros((2, 4, size, size, 1)), jnp.zeros((2, 3), bool)
    if config.spec.unrolls:
        use_truth = None  # all steps at once
    forcings = jnp.zeros((2, 4, 2)) if config.spec.action else None
    params = jax.eval_shape(forecaster.init, jax.random.key(0), frames, forcings)
    step = jax.jit(jax.value_and_grad(forecaster.loss, has_aux=True))
    # The optimisation of machine code that is left out comes after the form of the convolutions is settled.
    compiled = step.lower(params, jax.random.key(0), frames, use_truth, forcings).compile(
        {"xla_backend_optimization_level": 0}
    )
    convolutions = [line.strip() for line in compiled.as_text().splitlines() if " convolution(" in line]
    # Forward, towards the inputs and towards the kernel, of each layer: of the sums over x and h, over x and m, and of
    # o; with actions, of x, h, m and o alone; of a GRU and ConvS5, of three and two sums. Larger ones have no
    # convolution left, see `kernels.winograd`.
    sums = {"predrnn_v2": 3, "action_cond_predrnn_v2": 4, "wide": 0, "gru": 3, "conv_s5": 2}
    least = 3 * len(config.num_hidden) * sums[name]
    assert len(convolutions) >= least
    assert name != "wide" or not convolutions
    slow = [line for line in convolutions if not re.search(r"dim_labels=b01f_01io->b01f\b", line)]
    assert not slow, "\n".join(slow)
