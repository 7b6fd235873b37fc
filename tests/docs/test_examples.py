"""The examples run from the first cell to the last, with small numbers in the place of their constants."""

import re

import numpy as np
import pytest
import xarray as xr
from tiny import ROOT, without_scores

EXAMPLES = ROOT / "examples"
SMALL = {
    "physical_network": {"ITERATIONS": 3, "TESTED": 3, "PIXELS": 9, "LENGTH": 10},
    "radar_nowcast": {"ITERATIONS": 2, "LAYERS": '"4"'},
    "train_on_arrays": {"ITERATIONS": 3, "MOVIES": 8},
    "dynamical_system": {"ITERATIONS": 2, "CASES": 4, "PARAMETERS": 600, "LENGTH": 300, "STEPS": 40},
}


def run_example(name: str, folder, **more) -> dict:
    """Runs a script with other constants; its names afterwards."""
    code = (EXAMPLES / f"{name}.py").read_text()
    for constant, value in {**SMALL[name], **more, "OUTPUT": repr(str(folder))}.items():
        code, count = re.subn(rf"(?m)^{constant} = .*$", f"{constant} = {value}", code)
        assert count == 1, f"{name} has no constant {constant}"
    names = {"__name__": "__main__"}
    exec(compile(code, f"{name}.py", "exec"), names)
    return names


def assert_picture(path):
    from PIL import Image

    with Image.open(path) as picture:
        assert picture.format == "PNG" and min(picture.size) > 300
        assert len(picture.convert("RGB").getcolors(2**24)) > 20


@pytest.fixture(autouse=True)
def closed_figures(real_pictures):
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def test_every_example_is_tested():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == SMALL.keys()


@pytest.mark.parametrize("name", SMALL)
def test_cells_of_text_and_code_take_turns(name):
    """As notebooks made from the script will have them: text first, and text between any two cells of code."""
    cells = re.split(r"(?m)^# %%", (EXAMPLES / f"{name}.py").read_text())
    assert cells[0] == ""
    kinds = [cell.startswith(" [markdown]\n") for cell in cells[1:]]
    assert kinds == [number % 2 == 0 for number in range(len(kinds))] and len(kinds) >= 10
    for cell in cells[1::2]:
        assert all(line == "" or line.startswith("#") for line in cell.splitlines()[1:])


@pytest.mark.ci
def test_the_physical_network(tmp_path, capsys):
    names = run_example("physical_network", tmp_path)
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[2:5]] == ["physical", "gru", "lstm"]
    assert all(stress.shape == (3, 10, 3) for stress in names["predicted"].values())
    sizes = {name: sum(leaf.size for leaf in names["jax"].tree.leaves(p)) for name, p in names["trained"].items()}
    assert all(200 < size <= sizes["physical"] for size in sizes.values())
    assert_picture(tmp_path / "physical_network.png")


@pytest.mark.ci
def test_the_dynamical_system(tmp_path, capsys):
    names = run_example("dynamical_system", tmp_path)
    counts = [names["count_parameters"](config) for config in names["configs"].values()]
    assert all(400 < count <= 600 for count in counts) and list(names["configs"]) == ["gru", "s5", "co_rnn"]
    assert capsys.readouterr().out.count("Lyapunov times") == 3
    assert_picture(tmp_path / "dynamical_system.png")


@pytest.mark.ci
def test_training_on_arrays(tmp_path, capsys):
    names = run_example("train_on_arrays", tmp_path)
    result = names["result"]
    assert (result.reason, result.iteration) == ("finished", 3) and result.checkpoint.parent == tmp_path / "run"
    record = result.model.record
    assert record["own"] == ["loss", "optimizer"] and record["data"]["train_data_paths"] == "data in memory"
    # The corner without coverage moves with the rain.
    assert names["values"].shape == (4, 32, 32) and np.isnan(names["values"][:, :3, :3]).all()
    assert "RMSE" in capsys.readouterr().out
    assert_picture(tmp_path / "train_on_arrays.png")


@pytest.mark.ci
def test_the_radar_nowcast(tmp_path, capsys):
    data = tmp_path / "movies.nc"
    with xr.open_dataset(ROOT / "data" / "radar_movies.nc", mask_and_scale=False, decode_times=False) as sample:
        sample.isel(movie=slice(30)).to_netcdf(data)
    with without_scores():
        names = run_example("radar_nowcast", tmp_path, DATA=repr(str(data)))
    assert names["nowcast"]["reflectivity"].shape == (8, 40, 40, 1)
    assert names["skill"].method.values.tolist() == ["predrnn_v2", "persistence", "extrapolation"]
    assert "minutes" in capsys.readouterr().out and "warning" not in names["skill"].attrs
    assert_picture(tmp_path / "radar_nowcast.png")
