"""Comparisons of models: what each training gets, what is repeated after a signal, what is refused."""

import json
import pathlib
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from predjax.checkpoint_names import step_path
from predjax.jobs import alike
from predjax.jobs import compare as jobs
from predjax.jobs.compare_options import CompareOptions, CompareRequest
from predjax.jobs.train import TrainResult
from predjax.jobs.train_options import Given
from predjax.models.catalogue import MODELS, ModelSpec
from predjax.training.loop import Estimate
from predjax.verification.fields import Scoring
from predjax.verification.scores import skill, statistics
from predjax.verification.skill import compare

SIZES = {"num_hidden": (2,), "total_length": 6, "input_length": 3}


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    path = tmp_path_factory.mktemp("series") / "series.npy"
    np.save(path, np.random.default_rng(0).random((12, 14, 2), dtype=np.float32))
    return str(path)


@pytest.fixture
def trainings(monkeypatch):
    """The requests of trainings that end at once, with a signal where `stop` has their number; scores are made up."""
    found = SimpleNamespace(requests=[], stop=set(), evaluations=[])

    def run_training(request, listener=None):
        found.requests.append(request)
        cost = Estimate(10, 2**20, 0.5, 1.0)
        if request.options.dry_run:
            return TrainResult(None, 0, "dry run", "", cost=cost)
        folder = pathlib.Path(request.options.save_dir)
        folder.mkdir(parents=True, exist_ok=True)
        step_path(folder, 1).touch()
        iterations = request.given.training["max_iterations"]
        reason = "SIGINT" if len(found.requests) in found.stop else "finished"
        return TrainResult(folder, iterations, reason, "", cost=cost)

    def run_evaluation(options):
        found.evaluations.append(options)
        rng = np.random.default_rng(0)
        observed = rng.random((2, 2, 1, 1, 1))
        names = ["/".join(path.split("/")[-2:]) for path in options.checkpoint] + ["persistence"]
        scoring = Scoring([], lead_times=[1, 2], lead_units="1", units="1")
        scores = {n: skill(statistics(observed + rng.random(observed.shape), observed, scoring)) for n in names}
        common = compare(scores).assign_attrs(cases=2, data="series.npy")
        model = SimpleNamespace(record={"data": {"test": [1]}})
        verification = SimpleNamespace(common=common, whole=None)
        return SimpleNamespace(verification=verification, comparison=SimpleNamespace(models={"a": model}))

    monkeypatch.setattr(alike, "run_training", run_training)
    monkeypatch.setattr(jobs, "run_evaluation", run_evaluation)
    monkeypatch.setattr(jobs, "draw_skill", lambda path, curves, overwrite: path.touch())
    return found


def ask(series, folder, models=("elman", "gru"), given=None, **options):
    given = Given.of(SIZES | {"layout": "movie,time,feature", "seed": 3} | (given or {}))
    return CompareRequest(
        CompareOptions(models, str(folder), **{"seeds": 2, "budget": "7it", **options}), given, data=series
    )


def done(found):
    return [(r.given.model["model_name"], r.given.training["seed"], r.options.resume) for r in found.requests]


def test_a_stopped_comparison_goes_on_and_repeats_nothing(series, trainings, tmp_path):
    trainings.stop = {3}
    stopped = jobs.run_comparison(ask(series, tmp_path / "c"))
    assert (stopped.reason, stopped.compared) == ("SIGINT", None)
    said = []
    found = jobs.run_comparison(ask(series, tmp_path / "c", resume=True), said.append)
    assert done(trainings) == [
        ("elman", 3, False), ("gru", 3, False), ("elman", 4, False), ("elman", 4, True), ("gru", 4, False)
    ]  # fmt: skip
    assert {request.given.training["max_iterations"] for request in trainings.requests} == {7}
    assert said == ["elman/seed_4:", "gru/seed_4:"] and found.reason == "finished"
    more = jobs.run_comparison(ask(series, tmp_path / "c", ("elman", "gru", "lstm"), resume=True))
    assert done(trainings)[5:] == [("lstm", 3, False), ("lstm", 4, False)]
    written = json.loads((tmp_path / "c" / "compare.json").read_text())
    assert len(written["trainings"]) == 6 and written["scores"]["coords"]["model"]["data"] == ["elman", "gru", "lstm"]
    with xr.open_dataset(tmp_path / "c" / "compare.nc") as dataset:
        np.testing.assert_array_equal(dataset.rmse_mean, more.compared.rmse_mean)
        assert dataset.iteration_seconds.values.tolist() == [[0.5, 0.5]] * 3 and dataset.seed.values.tolist() == [3, 4]
    assert {"compare.png", "skill.nc", "skill.json"} < {path.name for path in (tmp_path / "c").iterdir()}
    assert "scores of 2 cases of the test data" in more.table and "persistence" in more.table


def test_minutes_become_iterations_once_for_each_model(series, trainings, tmp_path):
    said = []
    jobs.run_comparison(ask(series, tmp_path / "c", budget="1.5min"), said.append)
    dry = [request for request in trainings.requests if request.options.dry_run]
    assert [request.given.model["model_name"] for request in dry] == ["elman", "gru"]
    real = [request for request in trainings.requests if not request.options.dry_run]
    assert {request.given.training["max_iterations"] for request in real} == {180}
    assert "elman makes 180 iterations in 1.5min" in said


def test_the_cases_have_the_crop_of_the_trainings(tmp_path, trainings):
    """A network with parameters for each element of the grid forecasts no larger frames."""
    path = tmp_path / "movies.npy"
    np.save(path, np.random.default_rng(0).random((12, 14, 10, 12), dtype=np.float32))
    sizes = {"layout": "movie,time,y,x", "crop": 8, "patch_size": 2}
    jobs.run_comparison(ask(str(path), tmp_path / "c", ("conv_lstm",), seeds=1, given=sizes))
    assert [options.reading for options in trainings.evaluations] == [(("crop", 8),)]


def test_keywords_of_python_are_the_flags(series, trainings, tmp_path):
    sizes = {**SIZES, "layout": "movie,time,feature", "seed": 3}
    found = jobs.compare(series, models=["elman"], save_dir=tmp_path / "c", seeds=1, budget="7it", **sizes)
    assert found.reason == "finished" and done(trainings) == [("elman", 3, False)]
    again = jobs.run_comparison(ask(series, tmp_path / "c", ("elman",), seeds=1, resume=True))
    assert again.table == found.table and len(trainings.requests) == 1
    for keywords, message in (
        ({"num_seeds": 2}, "compare takes no num_seeds: models, seeds and budget set"),
        ({"budgett": "7it"}, "compare has no budgett.*did you mean budget"),
        ({"data": np.zeros((2, 12, 2))}, "compare takes data in files"),
    ):
        with pytest.raises(ValueError, match=message):
            jobs.compare(**{"data": series, "models": "elman", "save_dir": tmp_path / "d", **keywords})


def test_other_comparisons_and_other_files_are_refused(series, trainings, tmp_path):
    jobs.run_comparison(ask(series, tmp_path / "c", ("elman",), seeds=1))
    for refused, error, message in (
        ({}, FileExistsError, "--resume goes on"),
        ({"resume": True, "budget": "8it"}, ValueError, "made with budget 7it, not 8it"),
        ({"resume": True, "given": {"num_hidden": (3,)}}, ValueError, "made with num_hidden 2, not 3"),
    ):
        with pytest.raises(error, match=message):
            jobs.run_comparison(ask(series, tmp_path / "c", ("elman",), seeds=1, **refused))
    with pytest.raises(FileExistsError, match="holds other files"):
        jobs.run_comparison(ask(series, tmp_path))
    (tmp_path / "c" / "compare.json").write_text("{}")
    with pytest.raises(ValueError, match="is not a comparison"):
        jobs.run_comparison(ask(series, tmp_path / "c", resume=True))


def test_models_that_cannot_be_trained_alike_are_refused_before_any_training(series, trainings, tmp_path, monkeypatch):
    usual = ModelSpec("longer by itself", "cells.elman.Elman", usual={"input_length": 2})
    monkeypatch.setitem(MODELS, "longer", usual)
    free = {"num_hidden": (2,), "total_length": 12}
    request = ask(series, tmp_path / "c", ("gru", "longer"))
    request = request._replace(given=Given.of(free | {"layout": "movie,time,feature"}))
    with pytest.raises(ValueError, match="longer cannot be compared: the other trainings have input_length 10, not 2"):
        jobs.run_comparison(request)
    with pytest.raises(ValueError, match=r"^physical: "):
        jobs.run_comparison(ask(series, tmp_path / "c", ("gru", "physical")))
    with pytest.raises(ValueError, match="compare scores held-out cases, and nothing is held out: valid_fraction and"):
        jobs.run_comparison(ask(series, tmp_path / "c", given={"valid_fraction": 0.0, "test_fraction": 0.0}))
    with pytest.raises(ValueError, match=r"series\.npy is a series: extrapolation moves maps"):
        jobs.run_comparison(ask(series, tmp_path / "c", baselines=("extrapolation",)))
    assert not trainings.requests and not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    "values, message",
    [
        ({"models": ("gru", "gru")}, "must be different ones"),
        ({"models": ("gri",)}, "gru"),
        ({"budget": "20"}, "budget must be iterations such as 500it, or minutes such as 20min, not '20'"),
        ({"budget": "1.5it"}, "'1.5it'"),
        ({"seeds": 0}, "seeds must be at least 1"),
        ({"reference": "lstm"}, "reference lstm is not one of the models gru"),
    ],
)
def test_options_that_cannot_be(values, message):
    with pytest.raises(ValueError, match=message):
        CompareOptions(**{"models": ("gru",), "save_dir": "x", **values})
