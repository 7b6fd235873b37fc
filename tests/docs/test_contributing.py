"""The changes that docs/contributing.md shows apply to the package and do what the page says."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from tiny import ROOT

PAGE = (ROOT / "docs" / "contributing.md").read_text()
CHANGES = dict(re.findall(r"<!-- (\w+) -->\n```diff\n(.*?)```", PAGE, re.S))

CELL = """
import jax, numpy as np
from predjax.models.config import ModelConfig, SamplingConfig
from predjax.jobs.compare_options import CompareOptions
from predjax.models.forecaster import make_forecaster
from predjax.models.stacks import list_options
from predjax.training.config import TrainConfig
from predjax.training.step import init_state, make_optimizer, make_update

assert list_options("learnt_leak") == {"activation": "tanh"}
CompareOptions(models=("learnt_leak", "elman"), save_dir="compared")
config = ModelConfig(model_name="learnt_leak", num_hidden=(4, 4), filter_size=3, input_length=2, total_length=4)
forecaster, optimizer = make_forecaster(config), make_optimizer(TrainConfig(lr=0.01, lr_schedule="constant"))
frames = np.random.default_rng(0).random((2, 4, 8, 8, 1), np.float32)
state = start = init_state(forecaster.init(jax.random.key(0), frames), optimizer, 0)
update = jax.jit(make_update(forecaster, optimizer, SamplingConfig().resolve(10)))
for _ in range(2):
    state, metrics = update(state, frames, None)
    assert np.isfinite(metrics["loss"])
leaks = [name for name in start.params if "s" in start.params[name]]
assert len(leaks) == 2
assert all(np.any(state.params[name]["s"] != start.params[name]["s"]) for name in leaks)
"""
FORMAT = """
import pathlib, numpy as np, predjax
labels = "ncols 3\\nnrows 2\\nxllcorner 1000\\nyllcorner 500\\ncellsize 100\\nNODATA_value -9\\n"
pathlib.Path("a.asc").write_text(labels + "1 2 3\\n4 -9 6\\n")
movies, = predjax.read_movies(".")
np.testing.assert_array_equal(movies.frames[0, 0, :, :, 0], [[1, 2, 3], [4, np.nan, 6]])
assert movies.y.values.tolist() == [650, 550] and movies.x.values.tolist() == [1050, 1150, 1250]
for text, message in (
    (labels + "1 2\\n3 4\\n", "a.asc: nrows x ncols must be 2 x 3, found (2, 2)"),
    ("ncols 3\\n", "a.asc: a label must be nrows, found ncols"),
    (labels + "1 2 three\\n4 5 6\\n", "a.asc: a grid must be of numbers alone: "),
):
    pathlib.Path("a.asc").write_text(text)
    try:
        predjax.read_movies("a.asc")
    except ValueError as error:
        assert str(error).startswith(message), error
    else:
        raise AssertionError(message)
"""
BASELINE = """
import numpy as np, predjax
skill = predjax.evaluate(None, SAMPLE, baselines=["persistence", "mean"], max_cases=2, num_steps=2)
assert skill.method.values.tolist() == ["persistence", "mean"] and np.isfinite(skill.rmse).all()
persistence, mean = skill.rmse.isel(lead_time=0).values
assert mean > persistence
"""
SCORE = """
import numpy as np
from predjax.verification.fields import Scoring
from predjax.verification.measure import measure, score
from predjax.verification.sums import add_statistics
from predjax.verification.volume import volume_skill, volume_statistics

observed = np.ones((4, 2, 8, 8, 1), np.float32)
forecast = 2 * observed
forecast[0, 1, :4] = 6  # an eighth of the pixels of the second lead time
forecast[1, 0], observed[2, 0] = np.nan, np.nan
whole = volume_statistics(forecast, observed)
np.testing.assert_array_equal(volume_skill(whole).volume_ratio, [2, 2.5])
assert add_statistics(*(volume_statistics(forecast[n : n + 2], observed[n : n + 2]) for n in (0, 2))).identical(whole)
together = score(measure(forecast, observed, Scoring([1.0], [3])))
assert {"rmse", "csi", "fss", "volume_ratio"} <= set(together.data_vars)
"""
OPTION = """
import json, pathlib, predjax
from predjax.commands.evaluate import main
arguments = ["--data_path", SAMPLE, "--baselines", "persistence", "--max_cases", "3", "--num_steps", "2"]
assert main([*arguments, "--skip_cases", "1", "--output", "skill"]) == 0
assert json.loads(pathlib.Path("skill/run.json").read_text())["skip_cases"] == 1
skill = predjax.evaluate(None, SAMPLE, baselines=["persistence"], max_cases=3, num_steps=2, skip_cases=1)
assert skill.attrs["cases"] == 2
"""
USES = {"cell": CELL, "format": FORMAT, "baseline": BASELINE, "score": SCORE, "option": OPTION}
# All in one process, because importing takes longer than the most of them.
RUN = """
import json, os, sys, traceback
found = {}
for name, code in json.loads(sys.argv[1]).items():
    os.mkdir(name)
    os.chdir(name)
    try:
        exec(compile(code, name, "exec"), {})
        found[name] = ""
    except Exception:
        found[name] = traceback.format_exc()
    os.chdir("..")
with open("found.json", "w") as file:
    json.dump(found, file)
"""


@pytest.fixture(scope="module")
def changed(tmp_path_factory):
    """A copy of the package with all changes of the page."""
    copy = tmp_path_factory.mktemp("changed")
    shutil.copytree(ROOT / "predjax", copy / "predjax", ignore=shutil.ignore_patterns("__pycache__"))
    for change in CHANGES.values():
        subprocess.run(["git", "apply", "-"], input=change, text=True, cwd=copy, check=True)
    return copy


def test_the_page_is_short_and_names_what_exists():
    assert len(re.sub(r"```diff\n.*?```", "", PAGE, flags=re.S).splitlines()) < 120
    named = {name.rstrip("/") for name in re.findall(r"`((?:predjax|tests|docs|benchmarks)/[\w./]+)`", PAGE)}
    assert [name for name in named if not (ROOT / name).exists()] == []
    assert set(re.findall(r"`--(\w+)", PAGE)) == {"model_name", "cell_options"}


@pytest.mark.parametrize(("name", "new"), [("cell", 1), ("format", 1), ("baseline", 1), ("score", 1), ("option", 0)])
def test_a_change_is_one_new_file_and_one_entry(name, new):
    change = CHANGES[name]
    assert len(re.findall(r"^diff ", change, re.M)) == 2 and len(re.findall(r"^--- /dev/null", change, re.M)) == new
    table = re.sub(r"^diff --git a/\S+ b/\S+\nnew file.*?(?=^diff|\Z)", "", change, flags=re.S | re.M)
    lines = [line for line in re.findall(r"^[+-](?![+-])(.*)", table, re.M) if not line.startswith("from ")]
    assert len(lines) == (2 if name == "option" else 1), lines


def test_every_change_is_used():
    assert set(USES) == set(CHANGES)


@pytest.mark.ci
def test_the_changed_package_does_what_the_page_says(changed, tmp_path):
    sample = repr(str(ROOT / "data" / "radar_movies.nc"))
    uses = json.dumps({name: code.replace("SAMPLE", sample) for name, code in USES.items()})
    command, environment = [sys.executable, "-W", "error", "-c", RUN, uses], {**os.environ, "PYTHONPATH": str(changed)}
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert json.loads((tmp_path / "found.json").read_text()) == dict.fromkeys(USES, "")
