"""Members that a network draws by noise in its features."""

import jax
import numpy as np
import pytest

from predjax.models.config import ModelConfig
from predjax.models.forecaster import make_forecaster
from predjax.nowcasts import ensembles
from predjax.nowcasts.model import make_nowcast

CONFIG = {"model_name": "elman", "num_hidden": (2,), "filter_size": 1, "input_length": 2, "total_length": 4}
FRAMES = np.random.default_rng(0).random((2, 2, 8, 8, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def network():
    forecaster = make_forecaster(ModelConfig(**CONFIG, noise=0.5))
    return forecaster, forecaster.init(jax.random.key(0), np.zeros((1, 4, 8, 8, 1), np.float32))


def test_draws_belong_to_the_seed_the_case_and_the_member(network, monkeypatch):
    members = make_nowcast(*network, members=3)(FRAMES, 2)
    assert members.shape == (2, 3, 2, 8, 8, 1) and np.isfinite(members).all()
    assert (members.std(1).mean((1, 2, 3, 4)) > 1e-4).all()
    assert np.abs(make_nowcast(*network, members=3, seed=1)(FRAMES, 2) - members).max() > 1e-4
    monkeypatch.setattr(ensembles, "GROUP_PIXELS", 1)  # the fewest at once
    alone = list(make_nowcast(*network, members=2).groups(FRAMES[1:], 2))
    np.testing.assert_allclose(np.concatenate(alone, 1), members[1:, :2], rtol=1e-5, atol=1e-5)


def test_a_network_without_noise_in_fixed_coordinates_draws_none():
    forecaster = make_forecaster(ModelConfig(**CONFIG))
    with pytest.raises(ValueError, match="members 2: elman has no noise and fixed coordinates, members must be 1"):
        make_nowcast(forecaster, {}, members=2)
