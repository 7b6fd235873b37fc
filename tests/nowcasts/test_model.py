"""A trained model as a nowcast: any number of samples over all devices, each as if it were alone."""

import jax
import numpy as np
import pytest

from predjax import parallel
from predjax.models.config import ModelConfig
from predjax.models.forecaster import make_forecaster
from predjax.nowcasts.model import make_nowcast

CONFIG = ModelConfig(num_hidden=(4,), filter_size=3, patch_size=4, input_length=3, total_length=5)


@pytest.fixture(scope="module")
def model():
    frames = np.random.default_rng(0).random((11, 5, 8, 8, 1), dtype=np.float32)
    forecaster = make_forecaster(CONFIG)
    return forecaster, forecaster.init(jax.random.key(0), frames[:1]), frames


@pytest.mark.parametrize("count", [1, 3, 4, 11])
def test_ragged_batches_over_four_devices(model, count):
    assert len(parallel.choose_local()) == 4
    forecaster, params, frames = model
    nowcast = make_nowcast(forecaster, params, batch_size=2)
    found = nowcast(frames[:count, :3], 2)
    predict = jax.jit(forecaster.predict, static_argnums=3)
    alone = np.concatenate([predict(params, None, frames[i : i + 1, :3], 2) for i in range(count)])
    np.testing.assert_allclose(found, alone, rtol=1e-5, atol=1e-6)


def test_a_smaller_batch_is_not_compiled_again(model):
    forecaster, params, frames = model
    traced = []

    def predict(*arguments):
        traced.append(1)
        return forecaster.predict(*arguments)

    nowcast = make_nowcast(forecaster._replace(predict=predict), params, batch_size=2)
    for count in (8, 5, 1, 11):
        assert nowcast(frames[:count, :3], 2).shape == (count, 2, 8, 8, 1)
    assert len(traced) == 1


@pytest.mark.parametrize(("members", "message"), [(0, "at least 1, not 0"), (3, "has no noise and fixed coordinates")])
def test_members_are_refused_where_nothing_can_draw_them(model, members, message):
    with pytest.raises(ValueError, match=message):
        make_nowcast(*model[:2], members=members)
