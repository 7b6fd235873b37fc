"""However a model is executed, it computes the same."""

import jax
import numpy as np
import pytest

from predjax.kernels.execution import Execution
from predjax.models.config import ModelConfig
from predjax.models.forecaster import make_forecaster

CONFIG = ModelConfig("predrnn_v2", (16,), filter_size=5, patch_size=2, input_length=2, total_length=5)


@pytest.fixture(scope="module")
def compute():
    """The loss and the gradient of a window with missing pixels, by the fields of an execution."""
    rng = np.random.default_rng(0)
    frames = rng.uniform(size=(2, 5, 18, 20, 1)).astype(np.float32)
    frames[0, :, :3] = np.nan
    use_truth = rng.uniform(size=(2, 4)) < 0.6
    params = make_forecaster(CONFIG).init(jax.random.key(0), frames)

    def compute(**options):
        forecaster = make_forecaster(CONFIG, Execution(**options))
        loss = jax.jit(
            jax.value_and_grad(lambda params: forecaster.loss(params, None, frames, use_truth)[0]),
            compiler_options={"xla_backend_optimization_level": 0},
        )
        return jax.device_get(loss(params))

    return compute


@pytest.fixture(scope="module")
def reference(compute):
    return compute(convolution="direct")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"remat": "step", "convolution": "winograd"},
        pytest.param({"remat": "cell"}, marks=pytest.mark.ci),
        {"platform": "gpu"},
    ],
    ids=str,
)
def test_losses_and_gradients_are_those_of_direct_convolutions(compute, reference, options):
    loss, gradient = compute(**options)
    np.testing.assert_allclose(loss, reference[0], rtol=1e-5)
    for (path, ours), theirs in zip(jax.tree.leaves_with_path(gradient), jax.tree.leaves(reference[1])):
        assert np.abs(theirs).max() > 0
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * np.abs(theirs).max(), err_msg=str(path))


def test_bfloat16_rounds_products_and_keeps_float32_parameters(compute, reference):
    """bfloat16 has 8 bits: losses agree to 1 %, and not to float32; gradients point the same way."""
    loss, gradient = compute(precision="bfloat16")
    assert 1e-6 < abs(loss - reference[0]) / reference[0] < 0.01
    ours, theirs = (
        np.concatenate([leaf.ravel() for leaf in jax.tree.leaves(tree)]) for tree in (gradient, reference[1])
    )
    assert ours.dtype == np.float32
    assert ours @ theirs > 0.99 * np.linalg.norm(ours) * np.linalg.norm(theirs)


@pytest.mark.parametrize("name", ["remat", "precision", "convolution"])
def test_an_unknown_execution_is_named(name):
    with pytest.raises(ValueError, match=f"{name} 'fast' is not one of"):
        Execution(**{name: "fast"})
