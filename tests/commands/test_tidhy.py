"""TiDHy by the commands, on a vector series."""

import json

import numpy as np
import pytest
import xarray as xr
from tiny import without_scores

from predjax import checkpoint
from predjax.analysis.timescales import score_readout
from predjax.checkpoint_names import step_path
from predjax.commands.evaluate import main as evaluate
from predjax.commands.train import main as train
from predjax.synthetic.__main__ import main as make

OPTIONS = {"r2_dim": 2, "mix_dim": 2, "hyper_dim": 4, "max_iter": 10}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tidhy")
    assert make(["rossler", "--output", str(folder / "rossler.nc"), "--num_movies", "4", "--length", "30"]) == 0
    command = ["--data_path", folder / "rossler.nc", "--model_name", "tidhy", "--num_hidden", 3, "--n_gpu", 1]
    command += ["--input_length", 6, "--total_length", 10, "--batch_size", 2, "--lr_schedule", "constant"]
    command += ["--cell_options", json.dumps(OPTIONS), "--save_dir", folder / "run", "--max_iterations", 2]
    with without_scores():
        assert train([str(part) for part in command]) == 0
    return folder / "run"


def test_it_trains_on_standardised_features_and_goes_on(run, unverified):
    scaling = json.loads((run / "config.json").read_text())["model"]["scaling"]
    with xr.open_dataset(run.parent / "rossler.nc") as data:
        spread = data.rossler.std(("movie", "time")).values
    np.testing.assert_allclose(np.subtract(scaling["high"], scaling["low"]), spread, rtol=0.6)  # of a sample
    started = checkpoint.load(step_path(run, 2))[0]
    assert train(["--resume", "--save_dir", str(run), "--max_iterations", "3"]) == 0
    went_on = checkpoint.load(step_path(run, 3))[0]
    same = [key for key in started if key.startswith("params/") and (started[key] == went_on[key]).all()]
    assert not same


def test_forecasts_are_scored_and_exported_with_what_explains_the_series(run, tmp_path, capsys):
    command = ["--checkpoint", run, "--export", tmp_path / "frames", "--latents", tmp_path / "latents"]
    command = [str(part) for part in (*command, "--num_save_samples", 1)]
    assert evaluate(command) == 0
    assert "tidhy" in capsys.readouterr().out
    assert sorted(path.suffix for path in (tmp_path / "frames").iterdir()) == [".nc", ".npy", ".png"]
    names = sorted(path.name for path in (tmp_path / "latents").glob("latents_0*"))
    assert [name.split(".")[-1] for name in names] == ["nc", "png"] * (len(names) // 2) and names
    with xr.open_dataset(tmp_path / "latents" / names[0]) as latents:
        assert latents.sizes == {"time": 30, "latent": 3, "slow": 2, "component": 2, "feature": 3, "coordinate": 3}
        assert (
            np.isfinite(latents.r).all()
            and (latents.w >= 0).all()
            and latents.feature.values.tolist() == ["x", "y", "z"]
        )
        error = (latents.x_hat - latents.x).values
        assert np.isfinite(error).all() and latents.x_hat.attrs["units"] == latents.x.attrs["units"]
    assert evaluate(command) == 2 and "exists" in capsys.readouterr().err


@pytest.mark.ci
def test_states_are_read_off_and_timescales_drawn(run, tmp_path, capsys):
    """The states here are the observed features, which the latent states show."""
    command = ["--checkpoint", run, "--data_path", run.parent / "rossler.nc", "--latents", tmp_path]
    command = [str(part) for part in (*command, "--states", "rossler")]
    assert evaluate(command) == 0
    table = [
        line.split("|")[-1].split() for line in capsys.readouterr().out.splitlines() if line.startswith(("r ", "mode "))
    ]
    files = [xr.load_dataset(path) for path in sorted(tmp_path.glob("latents_0*.nc"))]
    expected = score_readout([one.r.values[20:] for one in files], [one.x.values[20:] for one in files])
    np.testing.assert_allclose(np.array(table, float)[0], 100 * expected, rtol=1e-3, atol=0.06)
    assert (tmp_path / "latents_timescales.png").is_file()
    with xr.open_dataset(tmp_path / "latents_000.nc") as latents:
        assert latents.z.dims == ("time", "coordinate") and latents.period.shape == latents.modulus.shape == (3,)
        assert (latents.period.values[1:] <= latents.period.values[:-1]).all()
    assert evaluate([*command[:-1], "mode", "--overwrite"]) == 2
    assert "no variable 'mode' of states; there are" in capsys.readouterr().err
    assert evaluate([*command[:-2], "--modes", "rossler", "--overwrite"]) == 2
    assert "rossler has the shape (4, 30, 3), the series are (4, 30)" in capsys.readouterr().err


def test_only_a_model_with_latents_has_them(tmp_path, tiny_run, capsys):
    assert evaluate(["--checkpoint", str(tiny_run), "--latents", str(tmp_path / "latents")]) == 2
    assert "predrnn_v2 has no latents: --latents is for tidhy" in capsys.readouterr().err
