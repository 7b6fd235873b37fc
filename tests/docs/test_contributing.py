"""The examples of docs/contributing.md do what the page says."""

import re
import sys
import types

import jax
import numpy as np
import pytest
from tiny import ROOT

from predjax.models import catalogue
from predjax.models.config import ModelConfig, SamplingConfig
from predjax.models.forecaster import make_forecaster
from predjax.models.stacks import list_options
from predjax.radar.movies import check_movies
from predjax.training.config import TrainConfig
from predjax.training.step import init_state, make_optimizer, make_update
from predjax.verification import measure
from predjax.verification.fields import Scoring
from predjax.verification.sums import add_statistics

PAGE = (ROOT / "docs" / "contributing.md").read_text()
DOMAIN = "ncols 3\nnrows 2\nxllcorner 1000\nyllcorner 500\ncellsize 100\nNODATA_value -9\n"


def names_of(example: str) -> dict:
    """What a block of the page defines."""
    code = re.search(rf"<!-- {example} -->\n```python\n(.*?)```", PAGE, re.S)[1]
    names = {"__name__": f"predjax_{example}"}
    exec(compile(code, f"contributing.md, {example}", "exec"), names)
    return names


def test_the_page_is_short_and_names_what_exists():
    assert len(PAGE.splitlines()) < 200
    of_examples = {"predjax/cells/learnt_leak.py", "predjax/radar/asc.py", "predjax/verification/volume.py"}
    named = {name.rstrip("/") for name in re.findall(r"`((?:predjax|tests|docs|benchmarks)/[\w./]+)`", PAGE)}
    assert {name for name in named if not (ROOT / name).exists()} == of_examples
    assert set(re.findall(r"`--(\w+)", PAGE)) == {"model_name", "cell_options"}


def test_the_cell_trains_in_a_stack_of_two(monkeypatch):
    module = types.SimpleNamespace(**names_of("cell"))
    monkeypatch.setitem(sys.modules, "predjax.cells.learnt_leak", module)
    entry = catalogue.ModelSpec("an example", "cells.learnt_leak.LearntLeak")
    monkeypatch.setitem(catalogue.MODELS, "learnt_leak", entry)
    assert list_options("learnt_leak") == {"activation": "tanh"}
    config = ModelConfig(model_name="learnt_leak", num_hidden=(4, 4), filter_size=3, input_length=2, total_length=4)
    forecaster, optimizer = make_forecaster(config), make_optimizer(TrainConfig(lr=0.01, lr_schedule="constant"))
    frames = np.random.default_rng(0).random((2, 4, 8, 8, 1), np.float32)
    state = start = init_state(forecaster.init(jax.random.key(0), frames), optimizer, 0)
    update = jax.jit(make_update(forecaster, optimizer, SamplingConfig().resolve(10)))
    losses = []
    for _ in range(2):
        state, metrics = update(state, frames, None)
        losses.append(float(metrics["loss"]))
    assert np.isfinite(losses).all() and int(state.step) == 2
    leaks = [name for name in start.params if "s" in start.params[name]]
    assert len(leaks) == 2
    for name in leaks:
        assert np.any(state.params[name]["s"] != start.params[name]["s"])


def test_the_reader_places_its_rows_from_north_to_south(tmp_path):
    (tmp_path / "a.asc").write_text(DOMAIN + "1 2 3\n4 -9 6\n")
    movies = check_movies(names_of("reader")["read_asc"](tmp_path / "a.asc", "mm/h"))
    np.testing.assert_array_equal(movies.frames[0, 0, :, :, 0], [[1, 2, 3], [4, np.nan, 6]])
    assert movies.y.values.tolist() == [650, 550] and movies.x.values.tolist() == [1050, 1150, 1250]
    assert movies.frames.attrs["units"] == "mm/h"


@pytest.mark.parametrize(
    "text, message",
    [
        (DOMAIN + "1 2\n3 4\n", r"a.asc: nrows x ncols must be 2 x 3, found \(2, 2\)"),
        ("ncols 3\n", "a.asc: a label must be nrows, found ncols"),
        (DOMAIN + "1 2 three\n4 5 6\n", "a.asc: a grid must be of numbers alone: .*three"),
    ],
    ids=["shape", "label", "number"],
)
def test_the_reader_says_what_is_wrong(tmp_path, text, message):
    (tmp_path / "a.asc").write_text(text)
    with pytest.raises(ValueError, match=message):
        names_of("reader")["read_asc"](tmp_path / "a.asc")


def test_the_score_adds_and_stands_beside_the_others(monkeypatch):
    names = names_of("score")
    statistics, skill = names["volume_statistics"], names["volume_skill"]
    observed = np.ones((4, 2, 8, 8, 1), np.float32)
    forecast = 2 * observed
    forecast[0, 1, :4] = 6  # an eighth of the pixels of the second lead time
    forecast[1, 0], observed[2, 0] = np.nan, np.nan
    np.testing.assert_array_equal(skill(statistics(forecast, observed)).volume_ratio, [2, 2.5])
    halves = [statistics(forecast[part], observed[part]) for part in (slice(0, 2), slice(2, 4))]
    assert add_statistics(*halves).identical(statistics(forecast, observed))

    monkeypatch.setattr(measure, "FAMILIES", (*measure.FAMILIES, measure.Family(statistics, skill)))
    together = measure.score(measure.measure(forecast, observed, Scoring([1.0], [3])))
    assert {"rmse", "csi", "fss", "volume_ratio"} <= set(together.data_vars)
