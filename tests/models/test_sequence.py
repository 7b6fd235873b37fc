"""A sequence task: every frame from the forcings up to it, none of the frames."""

import dataclasses
import functools

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from predjax.cells.physical import Physical
from predjax.models.config import ModelConfig, with_usual
from predjax.models.forecaster import make_forecaster
from predjax.models.scaling import Scaling

compile_quickly = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
KEY = jax.random.key(0)
B, T = 2, 5
SCALING = Scaling("linear", (-60.0, -60.0, -30.0), (60.0, 60.0, 30.0))
SHARED = {"num_action_ch": 3, "img_channel": 3, "total_length": T, "task": "sequence", "input_length": 0}
SHARED |= {"patch_size": 1, "filter_size": 1, "scaling": SCALING}
GRU = ModelConfig("gru", (4, 3), **SHARED, forcing_scaling=Scaling("linear", 0.0, 0.02))
LRU = dataclasses.replace(GRU, model_name="lru", num_hidden=(4, 4))
PHYSICAL = ModelConfig("physical", (2,), **SHARED)


def draw(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


STRAIN, STRESS = 0.02 * draw(B, T, 3), 30 * draw(B, T, 1, 1, 3)


@functools.cache
def start(config):
    forecaster = make_forecaster(config)
    shapes = jax.eval_shape(forecaster.init, KEY, STRESS, STRAIN)
    leaves, structure = jax.tree.flatten(shapes)
    params = structure.unflatten([0.5 * draw(*leaf.shape, seed=i) for i, leaf in enumerate(leaves)])
    return forecaster, params, compile_quickly(forecaster.predict, static_argnums=3)


def predict(config, strain, frames=STRESS[:, :0], steps=T):
    _, params, run = start(config)
    return np.asarray(run(params, None, frames, steps, strain))


@pytest.mark.parametrize("config", [GRU, LRU, PHYSICAL], ids=lambda config: config.model_name)
def test_a_prediction_knows_the_forcings_up_to_its_own_time(config):
    predicted = predict(config, STRAIN)
    assert predicted.shape == STRESS.shape and np.isfinite(predicted).all()
    for t in range(T):
        other = STRAIN.copy()
        other[:, t] += 0.01
        changed = np.abs(predict(config, other) - predicted).max((0, 2, 3, 4))
        assert not changed[:t].any() and changed[t] > 1e-3


@pytest.mark.parametrize("config", [GRU, PHYSICAL], ids=lambda config: config.model_name)
def test_no_frame_goes_in_and_every_step_counts_in_the_loss(config):
    forecaster, params, _ = start(config)
    loss = compile_quickly(lambda frames: forecaster.loss(params, KEY, frames, None, STRAIN)[0])
    predicted = config.scaling.scale(jnp.asarray(predict(config, STRAIN)))
    for missing in (None, 0, T - 1):
        frames = STRESS.copy()
        if missing is not None:
            frames[:, missing] = np.nan
        error = (np.asarray(predicted) - np.asarray(config.scaling.scale(jnp.asarray(frames)))) ** 2
        np.testing.assert_allclose(loss(frames), np.nanmean(error), rtol=1e-4)


def test_a_longer_sequence_goes_on():
    longer = np.concatenate([STRAIN, 0.02 * draw(B, 3, 3, seed=5)], 1)
    for config in (LRU, PHYSICAL):
        np.testing.assert_allclose(
            predict(config, longer, steps=T + 3)[:, :T], predict(config, STRAIN), rtol=1e-4, atol=1e-4
        )


def test_the_physical_stack_is_its_cell_in_the_units_of_the_frames():
    _, params, _ = start(PHYSICAL)
    params = {name.replace("physical/~/", "", 1): values for name, values in params.items()}

    def run(strain):
        cell = Physical(2, name="cell")
        return cell.unroll(strain, cell.initial_state(B))[0]

    stress = hk.without_apply_rng(hk.transform(run)).apply(params, STRAIN)
    np.testing.assert_allclose(predict(PHYSICAL, STRAIN)[:, :, 0, 0], stress, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"input_length": 3}, "input_length must be 0: a sequence task observes no frame, got 3"),
        ({"num_action_ch": 0}, "task sequence reads forcings alone: num_action_ch is 0"),
        ({"coverage_channel": True}, "coverage_channel 1 shows the coverage of frames"),
        ({"model_name": "predrnn"}, "predrnn reads frames; task sequence"),
        ({"task": "series"}, "task 'series' is not one of forecast, sequence"),
        ({"model_name": "physical", "task": "forecast"}, "physical takes strains and no frames, got forecast"),
        (
            {"model_name": "physical", "num_action_ch": 2},
            "num_action_ch must be 3, strains xx, yy, xy .*, got 2",
        ),
        ({"model_name": "physical", "img_channel": 1}, "img_channel must be 3, the stresses"),
        (
            {"model_name": "physical", "num_hidden": (4, 4)},
            "num_hidden must be one number, of .*, got 4,4",
        ),
    ],
)
def test_what_cannot_be_a_sequence_task_is_refused(fields, reason):
    with pytest.raises(ValueError, match=reason):
        ModelConfig(**{"model_name": "gru", "num_hidden": (4,), **SHARED, **fields})


def test_physical_needs_to_be_told_nothing_but_its_name():
    usual = with_usual({"model_name": "physical", "num_action_ch": 3, "img_channel": 3, "total_length": 9})
    assert ModelConfig(**usual).sequence and usual["input_length"] == 0
    assert with_usual({"model_name": "gru", "task": "sequence"})["input_length"] == 0
