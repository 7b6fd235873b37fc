"""Recipes: files of flags that start on data of their kind and end with the scores of their protocol."""

import json

import pytest
import xarray as xr
from recipe_data import MAKERS

from predjax.checkpoint import load_latest
from predjax.commands.recipes import main as recipes
from predjax.commands.train import COMMAND
from predjax.commands.train import main as train
from predjax.jobs.evaluate import compare
from predjax.jobs.options import EvaluateOptions
from predjax.jobs.recipes import FOLDER, REMARKS, find_recipe, list_recipes, read_recipe
from predjax.jobs.train_options import read_values
from predjax.models.config import ModelConfig, SamplingConfig
from predjax.radar.config import DataConfig
from predjax.run_file import collect, read_flags
from predjax.training.config import TrainConfig

SMALLEST = "--num_hidden 2 --filter_size 1 --max_iterations 1 --batch_size 1 --n_gpu 1".split()


def find_mark(name):
    """The mark of a training that is not of the default tests: files of each kind are trained on once in CI."""
    return pytest.mark.slow if name in ("meteonet", "shanghai", "moving_mnist") else pytest.mark.ci


@pytest.fixture
def cheap(monkeypatch):
    """Trainings end without pictures, intervals and extrapolation, which cost a tiny run most of its time."""
    for name in ("evaluation_files.draw_skill", "train.draw_losses", "train._draw_schedule"):
        monkeypatch.setattr(f"predjax.jobs.{name}", lambda *arguments, **options: None)
    monkeypatch.setattr("predjax.jobs.held_out.list_usual", lambda **task: ["persistence"])
    monkeypatch.setattr("predjax.verification.totals.find_baseline", lambda methods: None)
    monkeypatch.setattr("predjax.verification.totals.bootstrap", lambda *arguments, **options: xr.Dataset())


@pytest.mark.parametrize("name", [pytest.param(name, marks=find_mark(name)) for name in MAKERS])
@pytest.mark.usefixtures("cheap")
def test_each_starts_on_its_kind_of_data_and_ends_with_its_protocol(name, tmp_path, capsys):
    data, valid = MAKERS[name](tmp_path)
    flags = read_recipe(name)
    arguments = ["--recipe", name, "--train_data_paths", str(data), "--save_dir", str(tmp_path / "run"), *SMALLEST]
    arguments += ["--valid_data_paths", str(valid)] if valid else []
    arguments += ["--crop", "16"] if "crop" in flags else []
    arguments += ["--img_width", "0"] if "img_width" in flags else []
    arguments += ["--model_name", "conv_lstm"]  # compiles sooner than PredRNN-V2
    assert train(arguments) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"recipe {name}: ") and " s an iteration, 1 iterations" in text
    assert f"\nprotocol {flags['protocol']}: " in text
    record = load_latest(tmp_path / "run")[2]
    assert (record["recipe"], record["protocol"]) == (name, flags["protocol"])
    assert record["model"]["num_hidden"] == [2]  # typed flags win
    assert record["model"]["total_length"] == flags["total_length"]
    repeated = collect(COMMAND, ["--config", str(tmp_path / "run" / "run.json")], find_recipe)
    assert repeated["num_hidden"] == (2,) and repeated["lr"] == flags["lr"]
    if name == "moving_mnist_openstl":  # an evaluation goes on with it
        chosen = compare(EvaluateOptions(str(tmp_path / "run"), baselines=())).cases.protocol
        assert chosen and chosen.name == flags["protocol"]
    scores = json.loads((tmp_path / "run" / "skill.json").read_text())["protocol"]
    assert scores["attributes"]["protocol"] == flags["protocol"]


def test_all_recipes_have_data_of_their_kind_and_say_the_same():
    assert list_recipes() == sorted(MAKERS)
    for name in MAKERS:
        assert read_flags(find_recipe(name), COMMAND)
        given = read_values({"recipe": name})[1]
        assert ModelConfig(**given.model).model_name == "predrnn_v2"
        for config, values in zip((TrainConfig, SamplingConfig, DataConfig), given[1:], strict=True):
            config(**values)  # refuses what is not possible
        remarks = [key for key in json.loads((FOLDER / f"{name}.json").read_text("utf-8")) if key.startswith("#")]
        assert remarks == [f"#{remark}" for remark in REMARKS]


def test_python_takes_a_recipe_and_given_values_win():
    options, given = read_values({"recipe": "kth", "lr": 0.5})
    assert (options.recipe, options.on_protocol.protocol, given.training["lr"]) == ("kth", "predrnn", 0.5)
    assert given.training["reverse_input"] == 1 and given.model["num_hidden"] == (128,) * 4
    with pytest.raises(ValueError, match=r"recipe 'ktj' is not one of .*did you mean kth"):
        read_values({"recipe": "ktj"})


def test_the_command_lists_recipes_and_the_flags_of_one(capsys):
    assert recipes([]) == 0
    text = capsys.readouterr().out
    assert all(f"recipe {name}: " in text for name in list_recipes()) and "--lr" not in text
    assert recipes(["taxibj"]) == 0
    assert "\n  --scaling_range -1,1\n" in capsys.readouterr().out
    assert recipes(["none"]) == 2
