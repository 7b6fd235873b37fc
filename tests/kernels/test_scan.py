"""A scan with shared kernels computes what a plain scan does, and its gradients are the gradients; in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from predjax.cells.context import BatchKey
from predjax.kernels import scan
from predjax.kernels.execution import REMATS, Execution
from predjax.kernels.scan import Sequence, packs, scan_shared
from predjax.kernels.shared import KernelCollector, Products

STEPS = 5
pytestmark = pytest.mark.usefixtures("double")


def draw(*shape, seed=0):
    return jnp.asarray(np.random.default_rng([seed, *shape]).normal(size=shape))


def step(products, params, key, carry, inputs, masks):
    """Two layers of h' = tanh(s (a * h + b * below) + noise), the sum below being 0 where the mask says so.

    Beside them a complex z' = exp(is) z + mean(h), and a count that lets z into every second output, read by a matrix.
    """
    below, layers = jnp.where(masks[..., None], inputs, 0.0), []
    carry, z, count = carry
    for layer, h in enumerate(carry):
        total = products.convolve(f"a{layer}", h, lambda layer=layer: params[f"a{layer}"])
        total += products.convolve(f"b{layer}", below, lambda layer=layer: params[f"b{layer}"])
        noise = 0.0 if key is None else 0.1 * jax.random.normal(jax.random.fold_in(key.key, layer), h.shape, h.dtype)
        below = jnp.tanh(params["scale"] * total + noise)
        layers.append(below)
    z = jnp.exp(1j * params["scale"]) * z + below.mean((1, 2))
    outputs = products.multiply(below.sum((1, 2)) + jnp.where(count % 2, z.real - z.imag, 0), params["read"])
    return (tuple(layers), z, count + 1), outputs


def scan_with_kernels(execution, *sequence):
    """`scan_shared` of the step with the kernels that it asks for."""
    params, key, first, inputs, masks = sequence
    collector = KernelCollector(matrices=packs(execution))
    step(collector, params, key, first, inputs[0], masks[0])
    assert set(collector.kernels) == {"a0", "b0", "a1", "b1"} | ({"product 0"} if packs(execution) else set())
    return scan_shared(step, collector.kernels, execution, Sequence(*sequence))


@pytest.fixture
def arguments():
    """Parameters, first carry, inputs and masks; half of the inputs are masked."""
    params = {name: 0.2 * draw(3, 3, 3, 3, seed=i) for i, name in enumerate(("a0", "b0", "a1", "b1"))}
    params |= {"scale": jnp.asarray(0.7), "read": draw(3, 2)}
    first = (draw(2, 6, 7, 3, seed=4),) * 2, jax.lax.complex(draw(2, 3), draw(2, 3, seed=1)), jnp.zeros((), int)
    return params, first, draw(STEPS, 2, 6, 7, 3), draw(STEPS, 2, 6, 7, seed=5) > 0


def differentiate(run, params, first, inputs, masks):
    """The outputs, and the gradients of a weighted sum of them."""
    layers, z, count = first

    def total(params, layers, z, inputs):
        outputs = run(params, (layers, z, count), inputs, masks)
        return (outputs * draw(*outputs.shape, seed=6)).sum(), outputs

    compiled = jax.jit(
        jax.value_and_grad(total, (0, 1, 2, 3), has_aux=True), compiler_options={"xla_backend_optimization_level": 0}
    )
    (_, outputs), gradients = compiled(params, layers, z, inputs)
    return outputs, gradients


@pytest.mark.parametrize(
    "execution,round_steps,rng",
    [({}, 1, None), ({}, 2, 7), ({}, STEPS, None)]
    + [pytest.param({"remat": remat}, 2, 7, marks=pytest.mark.ci) for remat in REMATS[1:]]
    + [({"convolution": "winograd"}, 2, None)]
    + [({"platform": "gpu"}, STEPS, 7), ({"platform": "gpu", "remat": "cell"}, 2, None)],
    ids=str,
)
def test_outputs_and_gradients_are_those_of_a_plain_scan(arguments, execution, round_steps, rng, monkeypatch):
    """Of parameters, first carry and inputs; also where the last round is not full."""
    key = None if rng is None else BatchKey(jax.random.key(rng))

    def plainly(params, first, inputs, masks):
        def body(carry, at):
            index, x, mask = at
            return step(Products(), params, key and key.at(index), carry, x, mask)

        return jax.lax.scan(body, first, (jnp.arange(STEPS), inputs, masks))[1]

    def ours(params, first, inputs, masks):
        return scan_with_kernels(Execution(**execution), params, key, first, inputs, masks)

    of_a_step = 4 * 2 * (2 * 6 * 7 * 3) * 8  # four kernels, inputs and gradients, float64
    monkeypatch.setattr(scan, "ROUND_BYTES", round_steps * of_a_step)
    for mine, other in zip(*(jax.tree.leaves(differentiate(f, *arguments)) for f in (ours, plainly)), strict=True):
        assert np.abs(other).max() > 0
        np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-11)


def test_what_is_computed_again_is_not_kept(arguments):
    """The more is computed again, the less memory a backward pass takes."""
    params, first, inputs, masks = arguments
    sizes = []
    for remat in REMATS:

        def total(params, remat=remat):
            return scan_with_kernels(Execution(remat), params, None, first, inputs, masks).sum()

        residuals = jax.eval_shape(lambda params, total=total: jax.vjp(total, params)[1], params)
        sizes.append(sum(leaf.size for leaf in jax.tree.leaves(residuals)))
    by_remat = dict(zip(REMATS, sizes))
    assert by_remat["step"] < by_remat["cell"] < by_remat["none"]
