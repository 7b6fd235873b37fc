"""Several networks at once are each of them alone, and forecast as an ensemble."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from tiny import without_page, without_scores

from predjax import checkpoint
from predjax.checkpoint_names import step_path
from predjax.commands.analyse import main as analyse
from predjax.commands.evaluate import main as evaluate
from predjax.commands.train import main as train
from predjax.models.config import ModelConfig, SamplingConfig
from predjax.models.forecaster import make_forecaster
from predjax.nowcasts.model import load_model, make_nowcast
from predjax.synthetic.__main__ import main as make
from predjax.training.config import TrainConfig
from predjax.training.seeds import init_states, make_keys, measure_seeds, over_seeds
from predjax.training.step import init_state, make_optimizer, make_update

CONFIG = ModelConfig("gru", (3,), filter_size=1, patch_size=1, img_channel=2, input_length=2, total_length=5)
FRAMES = np.random.default_rng(0).random((3, 2, 5, 1, 1, 2)).astype(np.float32)


def test_each_network_goes_the_way_it_goes_alone():
    """Their moving averages too."""
    forecaster, sampling = make_forecaster(CONFIG), SamplingConfig().resolve(10)
    training = TrainConfig(lr=0.01, max_iterations=10, ema=0.5)
    optimizer = make_optimizer(training)
    update = make_update(forecaster, optimizer, sampling, training)
    update_alone, update_together = jax.jit(update), jax.jit(over_seeds(update))

    def init(key):
        return forecaster.init(key, FRAMES[0])

    def averaged(state):
        return state._replace(average=state.params)

    together, alone = averaged(init_states(jax.vmap(init)(make_keys(4, 2)), optimizer, 4, 2)), []
    for seed in (4, 5):
        state = averaged(init_state(init(jax.random.key(seed)), optimizer, seed))
        for frames in FRAMES:
            state, _ = update_alone(state, frames)
        alone.append(state)
    for frames in FRAMES:
        together, metrics = update_together(together, frames)
    assert int(together.step) == 3 and metrics["loss"].shape == () and float(metrics["bad"]) == 0
    for number, state in enumerate(alone):
        both = (state.params, state.average), (together.params, together.average)
        for one, other in zip(*map(jax.tree.leaves, both), strict=True):
            np.testing.assert_allclose(one, other[number], rtol=1e-4, atol=1e-6)
    first, second = (jax.tree.leaves(state.params)[0] for state in alone)
    assert np.abs(first - second).max() > 0.01

    bad = over_seeds(lambda state, *_: (state, {"bad": (state.params > 0).astype(float), "loss": state.params}))
    states = together._replace(params=jnp.array([-1.0, 3.0]))
    assert {k: float(v) for k, v in bad(states, None)[1].items()} == {"bad": 1.0, "loss": 1.0}
    mean = measure_seeds(lambda params, frames, *_: (params * frames.sum(), frames.size))
    assert [float(x) for x in mean(jnp.array([1.0, 3.0]), jnp.ones(5), None)] == [10.0, 5.0]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seeds")
    assert make(["lorenz63", "--output", str(folder / "lorenz.nc"), "--num_movies", "4", "--length", "20"]) == 0
    command = ["--data_path", folder / "lorenz.nc", "--model_name", "gru", "--num_hidden", 3, "--n_gpu", 1]
    command += ["--input_length", 4, "--total_length", 8, "--batch_size", 2, "--num_seeds", 3]
    command += ["--lr_schedule", "constant", "--save_dir", folder / "run", "--max_iterations", 2, "--ema", 0.5]
    with without_scores():
        assert train([str(part) for part in command]) == 0
    return folder / "run"


@pytest.mark.ci
def test_the_run_goes_on_and_forecasts_as_an_ensemble(run, unverified, tmp_path, capsys):
    assert train(["--resume", "--save_dir", str(run), "--max_iterations", "3"]) == 0
    arrays, record = checkpoint.load(step_path(run, 3))
    assert record["training"]["num_seeds"] == 3
    assert all(values.shape[0] == 3 for key, values in arrays.items() if key.startswith("params/"))
    name = next(key.removeprefix("params/") for key in arrays if key.startswith("params/") and key.endswith("/w"))
    assert (arrays[f"params/{name}"] != arrays[f"not_averaged/{name}"]).all()  # the averages forecast
    capsys.readouterr()
    frames = tmp_path / "frames"
    command = ["--checkpoint", run, "--output", tmp_path / "skill", "--export", frames, "--num_save_samples", 1]
    with without_page():
        assert evaluate([str(part) for part in command]) == 0
    assert "gru, persistence" in capsys.readouterr().out
    assert "crps" in json.loads((tmp_path / "skill" / "skill.json").read_text())["methods"]["gru"]
    with xr.open_dataset(next(frames.glob("*.nc"))) as forecast:
        assert forecast.lorenz63.sizes == {"realization": 3, "time": 4, "feature": 3}
    assert np.load(next(frames.glob("*.npy"))).shape == (3, 4, 1, 1, 3)


def test_a_member_is_a_network_of_its_own(run):
    observed = np.random.default_rng(0).random((2, 4, 1, 1, 3)).astype(np.float32)
    both = load_model(run)
    ensemble = make_nowcast(both.forecaster, both.params)(observed, 2)
    assert ensemble.shape == (2, 3, 2, 1, 1, 3)
    for member in range(3):
        one = load_model(run, member)
        alone = make_nowcast(one.forecaster, one.params)(observed, 2)
        np.testing.assert_allclose(alone, ensemble[:, member], rtol=1e-4, atol=1e-4)


def test_members_are_analysed_one_by_one_and_what_there_is_not_is_refused(run, capsys):
    assert analyse(["--checkpoint", str(run), "--member", "2", "--num_starts", "8"]) == 0
    assert analyse(["--checkpoint", str(run), "--member", "3"]) == 2
    assert "member must be from 0 to 2, not 3" in capsys.readouterr().err
    command = ["--num_seeds", "2", "--pretrained_model", str(run), "--save_dir", str(run.parent / "other")]
    assert train([*command, "--data_path", str(run.parent / "lorenz.nc")]) == 2
    assert "num_seeds 2 trains new networks" in capsys.readouterr().err
