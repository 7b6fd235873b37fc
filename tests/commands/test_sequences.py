"""Stress from strain by the commands: trained, resumed, scored, exported, and what is refused."""

import json

import netCDF4
import numpy as np
import pytest
import xarray as xr
from tiny import without_page, without_scores

from predjax import checkpoint
from predjax.checkpoint_names import step_path
from predjax.commands.evaluate import main as evaluate
from predjax.commands.train import main as train

PATHS, STEPS = 8, 12
SEQUENCE = ["--task", "sequence", "--forcings", "strain", "--variable", "stress", "--n_gpu", "1"]


def write_paths(path, strain, stress):
    with netCDF4.Dataset(path, "w") as file:
        for name, values in (("strain", strain), ("stress", stress)):
            if values is not None:
                for dimension, size in zip(("path", "time", "component"), values.shape):
                    if dimension not in file.dimensions:
                        file.createDimension(dimension, size)
                file.createVariable(name, "f4", ("path", "time", "component"))[:] = values
        file.createVariable("component", str, ("component",))[:] = np.array(["xx", "yy", "xy"], object)
        if stress is not None:
            file["stress"].units = "MPa"
    return path


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """An elastic response with some curvature along random loops."""
    rng = np.random.default_rng(0)
    times = np.linspace(0, 2 * np.pi, STEPS)[:, None]
    strain = 0.02 * rng.uniform(-1, 1, (PATHS, 1, 3)) * np.sin(times) * np.ones((PATHS, STEPS, 1))
    stress = 50 * np.tanh(60 * strain + 20 * strain[..., ::-1])
    return write_paths(tmp_path_factory.mktemp("paths") / "paths.nc", strain, stress)


@pytest.fixture(scope="module", params=["physical", "gru"])
def run(request, paths, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    hidden = {"physical": "2", "gru": "3"}[request.param]
    command = ["--data_path", str(paths), "--model_name", request.param, *SEQUENCE, "--num_hidden", hidden]
    command += ["--batch_size", "2", "--lr_schedule", "constant", "--save_dir", str(folder)]
    with without_scores():
        assert train([*command, "--max_iterations", "2"]) == 0
    return request.param, folder


PHYSICAL = pytest.mark.parametrize("run", ["physical"], indirect=True)


def test_the_run_knows_its_task(run):
    name, folder = run
    record = json.loads((folder / "config.json").read_text())
    model = record["model"]
    assert record["training"]["lr"] == {"physical": 0.1, "gru": 0.003}[name]
    assert (model["task"], model["input_length"], model["total_length"]) == ("sequence", 0, STEPS)
    scaled = model["forcing_scaling"]["kind"] != "none"
    assert scaled == (name == "gru")  # materials know what a strain is


@PHYSICAL
def test_the_run_goes_on(run, unverified):
    folder = run[1]
    started = checkpoint.load(step_path(folder, 2))[0]
    assert train(["--resume", "--save_dir", str(folder), "--max_iterations", "3"]) == 0
    went_on, record = checkpoint.load(step_path(folder, 3))
    moved = [key for key in started if key.startswith("params/") and (started[key] != went_on[key]).any()]
    assert record["iteration"] == 3 and moved


@PHYSICAL
def test_it_is_scored_beside_what_needs_no_memory_and_exported(run, tmp_path, capsys):
    name, folder = run
    output, frames = tmp_path / "skill", tmp_path / "frames"
    flags = ["--checkpoint", folder, "--output", output, "--export", frames, "--num_save_samples", 1]
    with without_page():
        assert evaluate([str(flag) for flag in flags]) == 0
    assert "RMSE" in capsys.readouterr().out
    skill = json.loads((output / "skill.json").read_text())
    assert set(skill["methods"]) == {name, "linear"} and len(skill["methods"][name]["rmse"]) == STEPS
    assert sorted(path.suffix for path in frames.iterdir()) == [".nc", ".npy", ".png", ".png"]
    with xr.open_dataset(next(frames.glob("*.nc")), decode_timedelta=False) as forecast:
        assert forecast.stress.sizes == {"time": STEPS, "feature": 3} and forecast.stress.attrs["units"] == "MPa"
        assert forecast.feature.values.tolist() == ["xx", "yy", "xy"] and np.isfinite(forecast.stress).all()


@PHYSICAL
@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--input_length", "3"], "was trained to observe no frame"),
        (["--baselines", "persistence"], "persistence goes on from observed frames, a sequence task has none"),
    ],
)
def test_what_a_sequence_cannot_be_asked_is_refused(run, flags, reason, capsys):
    assert evaluate(["--checkpoint", str(run[1]), *flags]) == 2
    error = capsys.readouterr().err
    assert reason in error and error.count("\n") == 1


def refuse(command, capsys):
    capsys.readouterr()
    assert train([str(part) for part in command]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_bad_paths_are_refused_in_one_line(paths, tmp_path, capsys):
    command = ["--model_name", "physical", *SEQUENCE, "--save_dir", tmp_path / "run"]
    good = np.zeros((4, 6, 3))
    alone = write_paths(tmp_path / "alone.nc", good, None)
    assert "alone.nc: there is no variable 'stress'" in refuse([*command, "--data_path", alone], capsys)
    unknown = [part if part != "strain" else "strians" for part in command]
    assert "paths.nc: strians: there is no such forcing variable; there are" in refuse(
        [*unknown, "--data_path", paths], capsys
    )
    gap = good.copy()
    gap[:, 3, 1] = np.nan
    write_paths(tmp_path / "gap.nc", gap, good)
    assert "gap.nc: forcing 1 is missing in frame 3" in refuse([*command, "--data_path", tmp_path / "gap.nc"], capsys)
    silent = [part for part in command if part not in ("--forcings", "strain")]
    assert "num_action_ch must be 3" in refuse([*silent, "--data_path", paths], capsys)
    table = tmp_path / "paths.dat"
    np.savetxt(table, np.ones((10, 6)))
    assert "10 rows are no whole number of paths of path_length 4" in refuse(
        [*command, "--data_path", table, "--path_length", 4], capsys
    )
    assert not (tmp_path / "run").exists()


def test_a_table_trains_like_a_file(tmp_path):
    table, run = tmp_path / "paths.dat", tmp_path / "run"
    strain = 0.01 * np.random.default_rng(1).normal(size=(20, 3))
    np.savetxt(table, np.hstack([strain, 1000 * strain]))
    command = ["--data_path", table, "--path_length", 5, "--model_name", "physical", *SEQUENCE, "--num_hidden", 2]
    command += ["--batch_size", 2, "--max_iterations", 1, "--save_dir", run]
    assert train([str(part) for part in command]) == 0
    assert json.loads((run / "config.json").read_text())["model"]["total_length"] == 5
