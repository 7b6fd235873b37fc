"""Noise in the hidden features of every stack."""

import functools

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from predjax.cells.context import BatchKey, StepContext
from predjax.models.catalogue import MODELS
from predjax.models.config import ModelConfig
from predjax.models.stacks import make_stack
from predjax.models.stacks.noise import LATENTS, Noise, is_noise

compile_quickly = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
NAMES = {spec.stack: name for name, spec in reversed(MODELS.items()) if spec.stack and "noise" not in spec.only}
INPUTS = jnp.asarray(np.random.default_rng(0).normal(size=(3, 2, 3, 4)), jnp.float32)


def run_noise(params, batch_key, hidden, size=0.5):
    """Apply the layer at the step of the key."""

    def apply(hidden):
        context = StepContext(first_sample=batch_key.first_sample, all_steps=batch_key.all_steps)
        return Noise(size, context, name="noise_0")(hidden)

    return compile_quickly(hk.transform(apply).apply)(params, batch_key.key, hidden)


def test_noise_is_normal_of_the_strength_of_its_member_and_feature():
    """h = 0: the noise of a feature has the standard deviation f |(W z) m|, which is the same at all steps."""
    rng = np.random.default_rng(1)
    params = {"noise_0": {"w": jnp.asarray(rng.normal(size=(LATENTS, 2)), jnp.float32), "m": jnp.array([1.0, 3.0])}}
    key = BatchKey(jax.random.key(2))
    first, second = (np.asarray(run_noise(params, key.at(step), jnp.zeros((3, 200, 200, 2)))) for step in (0, 1))
    deviations = first.std((1, 2))
    np.testing.assert_allclose(first.mean((1, 2)) / deviations, 0, atol=0.03)
    np.testing.assert_allclose(second.std((1, 2)), deviations, rtol=0.03)
    assert abs(np.corrcoef(first[0, ..., 0].ravel(), second[0, ..., 0].ravel())[0, 1]) < 0.03
    assert abs(np.corrcoef(first[0, ..., 0].ravel(), first[0, ..., 1].ravel())[0, 1]) < 0.03
    assert np.ptp(deviations, 0).min() > 0.1  # members differ in strength
    tripled = {"noise_0": params["noise_0"] | {"m": jnp.array([3.0, 3.0])}}
    np.testing.assert_allclose(run_noise(tripled, key.at(0), jnp.zeros((3, 200, 200, 2)))[..., 0], 3 * first[..., 0])


def test_noise_starts_with_its_size_and_belongs_to_the_sample():
    init = hk.transform(lambda hidden: Noise(0.1, StepContext(), name="noise_0")(hidden)).init
    params = init(jax.random.key(0), jnp.zeros((1, 512)))
    np.testing.assert_array_equal(params["noise_0"]["m"], 1)
    key, hidden = BatchKey(jax.random.key(1)).at(3), jnp.ones((64, 512))
    drawn = run_noise(params, key, hidden, 0.1)
    np.testing.assert_allclose((drawn - hidden).std(), 0.1, rtol=0.1)
    part = run_noise(params, key._replace(first_sample=40), hidden[40:], 0.1)
    np.testing.assert_allclose(part, drawn[40:], rtol=1e-6)


@pytest.mark.parametrize("name", NAMES.values())
def test_every_stack_has_noise_in_each_layer(name):
    spec = MODELS[name]
    sizes = {"patch_size": 1, "num_action_ch": 1 if spec.action else 0, "filter_size": 3}

    def make(noise):
        config = ModelConfig(name, (4, 4), noise=noise, **sizes)

        def run(inputs, key):
            context = StepContext(all_steps=key and key.all_steps)
            stack = make_stack(config, INPUTS.shape[1:3], context)
            return stack(inputs, stack.initial_state(len(inputs)))[0].features

        return hk.transform(run)

    inputs = INPUTS[..., : 1 + bool(spec.action)]
    noisy, plain, key = make(0.1), make(0.0), BatchKey(jax.random.key(1)).at(0)
    shapes, without = (jax.eval_shape(stack.init, jax.random.key(0), inputs, None) for stack in (noisy, plain))
    noises = [module for module in shapes if is_noise(module)]
    assert {name: shape for name, shape in shapes.items() if name not in noises} == without and len(noises) == 2
    rng = np.random.default_rng(1)
    params = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(0, 0.4, leaf.shape), jnp.float32), shapes)
    silent = params | {module: {**params[module], "m": jnp.zeros(4)} for module in noises}
    run = compile_quickly(noisy.apply)
    forecast = run(silent, key.key, inputs, key)
    for module in noises:
        assert np.abs(run(silent | {module: params[module]}, key.key, inputs, key) - forecast).max() > 1e-5
