"""Residual forecasts, moving coordinates and balanced losses: what a network that gives nothing forecasts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny import TINY, without_page

from predjax.commands.evaluate import main as evaluate
from predjax.commands.train import main as train
from predjax.models.config import ModelConfig
from predjax.models.forecaster import make_forecaster
from predjax.models.scaling import Scaling
from predjax.nowcasts.extrapolation import extrapolate
from predjax.nowcasts.model import load_model, make_nowcast

SIZES = {"num_hidden": (4,), "filter_size": 3, "patch_size": 2, "input_length": 4, "total_length": 7}
MM_H = Scaling("rain_rate", 0.1, 100.0, "mm/h")


def frames(count=1):
    rows, columns = np.mgrid[:33, :32]
    shown = [10 * np.exp(-((rows - 14) ** 2 + (columns - 8 - 1.5 * t) ** 2) / 20) for t in range(7)]
    found = np.array(shown, np.float32)[None, ..., None].repeat(count, 0)
    found[:, :, :3, :3] = np.nan
    return found


def make(name="conv_lstm", **options):
    forecaster = make_forecaster(ModelConfig(name, **SIZES, scaling=MM_H, residual=True, **options))
    params = forecaster.init(jax.random.key(0), frames())
    last = [module for module in params if module.split("/~/")[1:] in (["head"], ["conv_last"])]
    assert len(last) == 1
    return forecaster, params, params | {last[0]: jax.tree.map(jnp.zeros_like, params[last[0]])}


@pytest.mark.parametrize("name", ["predrnn_v2", "conv_lstm", "s5"])
def test_a_network_that_gives_nothing_is_persistence(name):
    forecaster, params, nothing = make(name)
    observed = frames(2)[:, :4]
    predict = jax.jit(forecaster.predict, static_argnums=3)
    found = predict(nothing, None, observed, 3)
    expected = np.broadcast_to(observed[:, -1:], found.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert np.nanmax(np.abs(predict(params, None, observed, 3) - expected)) > 1e-3


def test_in_moving_coordinates_it_is_extrapolation():
    forecaster, _, nothing = make(coordinates="moving")
    observed = frames(2)[:, :4]
    found = make_nowcast(forecaster, nothing)(observed, 3)
    expected = extrapolate(observed, 3, units="mm/h")
    assert np.nanmax(np.abs(expected - observed[:, -1:])) > 3  # it moves
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_what_does_not_go_together():
    with pytest.raises(ValueError, match="loss balanced is for rain in mm/h or dBZ, not in 1"):
        make_forecaster(ModelConfig(**SIZES, loss="balanced"))
    with pytest.raises(ValueError, match="coordinates must be one of fixed, moving, got still"):
        ModelConfig(**SIZES, coordinates="still")
    with pytest.raises(ValueError, match="residual must be False for tidhy, got True"):
        ModelConfig("tidhy", (3,), patch_size=1, filter_size=1, residual=True)


@pytest.mark.ci
def test_a_run_of_all_three(unverified, tmp_path, capsys):
    flags = [*TINY, "--crop", "32", "--coordinates", "moving", "--residual", "1", "--scales", "0"]
    flags += ["--loss", "balanced"]
    folder = str(tmp_path / "run")
    assert train([*flags, "--max_iterations", "2", "--save_dir", folder]) == 0
    assert train(["--resume", "--max_iterations", "3", "--save_dir", folder]) == 0
    assert train(["--resume", "--coordinates", "fixed", "--save_dir", folder]) == 2
    assert "has coordinates moving, not fixed" in capsys.readouterr().err
    config = load_model(folder).forecaster.config
    assert config.moving and config.residual and config.loss == "balanced"
    with without_page():
        assert evaluate(["--checkpoint", folder, "--baselines", "extrapolation", "--max_cases", "4"]) == 0
