"""Physically recurrent networks: the exact outputs and gradients, and what material points remember."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sequences import apply_method, compile_quickly, draw, follow

from predjax.cells.physical import DECODERS, Physical
from predjax.cells.plasticity import rest

LAYERS = {"soft": "SoftLayer", "sparse_norm": "SparseNormLayer", "shared_norm": "SparseSharedNormLayer"}


def read_params(arrays, decoder, dtype=np.float64):
    weights = arrays[f"dec_{LAYERS[decoder]}"]
    weights = weights[:, None] if weights.ndim == 1 else weights
    return {"cell": {"decoder": dtype(weights)}, "cell/~/encoder": {"w": dtype(arrays["enc"])}}


def run_all(decoder, params, strains):
    """All steps at once."""
    state = rest((len(strains), 2), strains.dtype)
    return apply_method(lambda: Physical(2, decoder=decoder, name="cell"), params, Physical.unroll, strains, state)[0]


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("case", ["E_prnn", pytest.param("E_prnn_zero_start", marks=pytest.mark.slow)])
def test_outputs_and_gradients_are_the_exact_ones(read, case, decoder, double):
    """Gradients of the mean squared error, against finite differences of the exact model; in float64."""
    arrays, layer = read(case), LAYERS[decoder]
    params, strains = read_params(arrays, decoder), jnp.asarray(arrays["x"], float)

    def loss(params):
        outputs = run_all(decoder, params, strains)
        return jnp.square(outputs - arrays["y"]).mean(), outputs

    (value, outputs), gradient = compile_quickly(jax.value_and_grad(loss, has_aux=True))(params)
    np.testing.assert_allclose(outputs, arrays[f"{layer}/exact/out"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(value, arrays[f"{layer}/exact/loss"], rtol=1e-6)
    exact = arrays[f"{layer}/exact/grad_enc_fd"]
    np.testing.assert_allclose(gradient["cell/~/encoder"]["w"], exact, rtol=0, atol=1e-6 * np.abs(exact).max())
    exact = arrays[f"{layer}/exact/grad_dec_fd"]
    mine = gradient["cell"]["decoder"].reshape(exact.shape)
    np.testing.assert_allclose(mine, exact, rtol=0, atol=1e-6 * np.abs(exact).max())


@pytest.mark.parametrize("decoder", DECODERS)
def test_single_precision_is_close(read, decoder):
    arrays = read("E_prnn")
    params = read_params(arrays, decoder, np.float32)
    outputs = compile_quickly(run_all, static_argnums=0)(decoder, params, jnp.asarray(arrays["x"]))
    np.testing.assert_allclose(outputs, arrays[f"{LAYERS[decoder]}/exact/out"], rtol=0, atol=1e-3)


def test_all_steps_at_once_are_the_steps(read, double):
    arrays = read("E_prnn")
    params, strains = read_params(arrays, "soft"), jnp.asarray(arrays["x"], float)
    outputs, states = follow(lambda: Physical(2, name="cell"), params, strains)
    np.testing.assert_allclose(run_all("soft", params, strains), outputs, rtol=1e-12, atol=1e-9)
    assert (np.diff(states.kappa, axis=1) >= 0).all() and states.kappa[:, -1].min() > 0


def test_a_mean_of_equal_points_is_a_point(double):
    """Whatever the weights: the normed decoders take a mean of each component."""
    strains = 0.02 * draw(2, 6, 3)
    one = {"cell/~/encoder": {"w": jnp.eye(3)}, "cell": {"decoder": jnp.zeros((1, 3))}}
    single, _ = follow(lambda: Physical(1, decoder="sparse_norm", name="cell"), one, strains)
    for decoder, shape in (("sparse_norm", (2, 3)), ("shared_norm", (2, 1))):
        both = {"cell/~/encoder": {"w": jnp.tile(jnp.eye(3), 2)}, "cell": {"decoder": draw(*shape)}}
        np.testing.assert_allclose(run_all(decoder, both, strains), single, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"points": 0}, "points must be a whole number of at least 1, not 0"),
        ({"decoder": "dense"}, "decoder must be one of soft, sparse_norm, shared_norm, not 'dense'"),
        ({"yield_last": 10.0}, "yield_last must be at least 31.2, not 10.0"),
        ({"poisson": 0.6}, "poisson must be at most 0.5, not 0.6"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, reason):
    with pytest.raises(ValueError, match=reason):
        hk.transform(lambda: Physical(**{"points": 2} | options)).init(None)


def test_strains_have_three_components():
    with pytest.raises(ValueError, match="xx, yy and xy, not 2"):
        follow(lambda: Physical(2, name="cell"), {}, draw(1, 2, 2))
