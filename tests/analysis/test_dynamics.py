"""A trained model as an autonomous map: the steps it makes by itself, and what it holds."""

import jax
import numpy as np
import pytest

from predjax.analysis.dynamics import find_dynamics
from predjax.analysis.fixed_points import find_fixed_points
from predjax.models.abilities import make_state_map
from predjax.models.config import ModelConfig
from predjax.models.forecaster import make_forecaster
from predjax.models.sampling import forecast_mask

SIZES = {"patch_size": 1, "filter_size": 1, "img_channel": 2}
RNG = np.random.default_rng(0)
FRAMES = RNG.normal(size=(3, 6, 1, 1, 2)).astype(np.float32)
FORCINGS = np.repeat(RNG.normal(size=(1, 6, 1)).astype(np.float32), 3, 0)


def build(name, forcings=None, **fields):
    size = 0 if forcings is None else forcings.shape[-1]
    config = ModelConfig(name, (4,), **SIZES, num_action_ch=size, **{"input_length": 3, "total_length": 6, **fields})
    forecaster = make_forecaster(config)
    return forecaster, jax.jit(forecaster.init)(jax.random.key(0), FRAMES, forcings)


@pytest.mark.parametrize(("name", "size"), [("lstm", 8 + 2), ("lru", 2 * 4 + 2)])
def test_the_map_makes_the_steps_of_a_free_forecast(name, size):
    forecaster, params = build(name)
    mask = forecast_mask(3, 3, 6)
    dynamics = find_dynamics(forecaster, params, FRAMES, mask, None, num_steps=4)
    assert dynamics.trajectories.shape == (3, 5 + 4, size)  # time constants are held, complex numbers are pairs
    step = jax.jit(dynamics.step)
    for state, following in zip(dynamics.trajectories[0, 2:], dynamics.trajectories[0, 3:]):  # free from step 2 on
        np.testing.assert_allclose(step(state), following, rtol=1e-4, atol=1e-5)
    predicted = jax.jit(forecaster.predict, static_argnums=3)(params, None, FRAMES[:, :3], 7)
    last = forecaster.config.scaling.scale(predicted)[:, :, 0, 0]
    found = dynamics.trajectories[:, 2:, -2:]
    np.testing.assert_allclose(found, last, rtol=1e-4, atol=1e-5)  # the prediction is part of the state, at its end


def test_forcings_are_held_where_they_ended():
    forecaster, params = build("gru", FORCINGS, task="sequence", input_length=0)
    dynamics = find_dynamics(forecaster, params, FRAMES, None, FORCINGS, num_steps=30)
    assert dynamics.trajectories.shape == (3, 36, 4)
    held = np.concatenate([FORCINGS, np.repeat(FORCINGS[:, -1:], 30, 1)], 1)
    frames = np.zeros((3, 36, 1, 1, 2), np.float32)
    expected = make_state_map(forecaster.config).carries(params, frames, None, held)
    np.testing.assert_allclose(dynamics.trajectories[0], np.concatenate(expected, -1)[:, 0, 0, 0], rtol=1e-3, atol=1e-5)
    fixed = find_fixed_points(dynamics.step, dynamics.trajectories[:, -1])
    assert len(fixed.points) == 1 and fixed.stable.all()
    np.testing.assert_allclose(fixed.points[0], dynamics.trajectories[0, -1], atol=1e-3)


def test_maps_and_counts_are_refused():
    forecaster, params = build("gru")
    with pytest.raises(ValueError, match="dynamics are those of a series, the frames have 2x2 pixels"):
        find_dynamics(forecaster, params, np.ones((1, 4, 2, 2, 2)), forecast_mask(1, 2, 4), None, 2)
    forecaster, params = build("clockwork", cell_options={"periods": "1,2"})
    with pytest.raises(ValueError, match="a leaf of int32"):
        find_dynamics(forecaster, params, FRAMES, forecast_mask(3, 3, 6), None, 2)
