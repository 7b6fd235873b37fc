"""Sweeps: what each trial gets, what is repeated after a stop, what is pruned, what fails, what is refused."""

import json
import math
import pathlib
from types import SimpleNamespace

import numpy as np
import pytest

from predjax.checkpoint_names import step_path
from predjax.jobs import alike, sweep
from predjax.jobs.sweep_options import SweepOptions
from predjax.jobs.train import TrainResult
from predjax.jobs.train_options import Given, TrainOptions, TrainRequest
from predjax.training.callbacks import Event
from predjax.training.config import TrainConfig
from predjax.training.loop import Estimate

pytest.importorskip("optuna", reason="the extra sweep")
SIZES = {
    "model_name": "elman",
    "num_hidden": (2,),
    "total_length": 6,
    "input_length": 3,
    "layout": "movie,time,feature",
}
SERIES = np.random.default_rng(0).random((12, 14, 2), dtype=np.float32)
SEARCH = "lr=1e-4..1e-2:log num_hidden=2|3,2 batch_size=1..3"


@pytest.fixture
def trainings(monkeypatch):
    """The requests of trainings that make up their scores: (log10(lr) + 3)^2 + 1 / iteration.

    `stop` has the number of a training that a signal stops at half of its iterations; one of `fails` raises an error.
    """
    found = SimpleNamespace(requests=[], stop=0, fails={}, score=None)

    def find_score(values, iteration):
        return (math.log10(values["lr"]) + 3) ** 2 + 1 / iteration

    def run_training(request, listener=None):
        cost, training = Estimate(10, 2**20, 0.5, 1.0), request.given.training
        if request.options.dry_run:
            return TrainResult(None, 0, "dry run", "", cost=cost)
        found.requests.append(request)
        number, folder = len(found.requests), pathlib.Path(request.options.save_dir)
        if number in found.fails:
            raise found.fails[number]
        folder.mkdir(parents=True, exist_ok=True)
        last, name = training["max_iterations"], f"valid_{training['stop_on']}"
        interval = TrainConfig(**training).resolve().test_interval
        record = {"training": {"test_interval": interval}}
        first = last // 2 if request.options.resume else 0
        for callback in request.callbacks:
            callback(Event("begin", first, record, folder))
        for iteration in range(first + interval, last + 1, interval):
            score = (found.score or find_score)(training, iteration)
            asked = [callback(Event("validation", iteration, {name: score}, folder)) for callback in request.callbacks]
            step_path(folder, iteration).touch()
            if any(isinstance(one, bool | np.bool_) and one for one in asked):  # as the loop of training has it
                return TrainResult(folder, iteration, "a callback asked", "", cost=cost)
            if number == found.stop and iteration >= last // 2:
                return TrainResult(folder, iteration, "SIGTERM", "", cost=cost)
        return TrainResult(folder, last, "finished", "", cost=cost)

    monkeypatch.setattr("os.fsync", lambda file: None)  # of which Optuna makes many
    monkeypatch.setattr(alike, "run_training", run_training)
    monkeypatch.setattr(sweep, "draw_sweep", lambda path, *_, **options: path.touch())
    return found


def run(folder, say=lambda text: None, given=None, **options):
    options = SweepOptions(**{"search": SEARCH, "save_dir": str(folder), "trials": 8, "budget": "20it", **options})
    base = TrainRequest(SERIES, None, TrainOptions(), Given.of(SIZES | {"seed": 3, "test_interval": 5} | (given or {})))
    return sweep.run_sweep(options, base, say)


def asked_for(found):
    names = ("lr", "batch_size")
    return [
        (*(request.given.training[name] for name in names), request.given.model["num_hidden"])
        for request in found.requests
    ]


def test_a_sweep_finds_the_best_and_is_the_same_after_a_stop(trainings, tmp_path):
    whole = run(tmp_path / "whole", trials=12)
    values = asked_for(trainings)
    assert len(set(values)) == 12 and {1, 3} <= {value[1] for value in values}
    assert {value[2] for value in values} == {(2,), (3, 2)} and all(1e-4 <= value[0] <= 1e-2 for value in values)
    assert whole.best.score == min(one.score for one in whole.trials if one.state == "finished")
    assert whole.best.score == pytest.approx((math.log10(whole.best.chosen["lr"]) + 3) ** 2 + 1 / 20)
    assert whole.values["lr"] == whole.best.chosen["lr"] and whole.values["max_iterations"] == 20
    assert "stop_on" not in whole.values and whole.values["total_length"] == 6
    assert not any(request.verified for request in trainings.requests)

    trainings.requests.clear()
    trainings.stop = 11
    said = []
    stopped = run(tmp_path / "parts", trials=12)
    assert (stopped.reason, len(stopped.trials)) == ("SIGTERM", 10)
    trainings.stop = 0
    again = run(tmp_path / "parts", said.append, trials=12, resume=True)
    assert asked_for(trainings) == [*values[:11], *values[10:]]
    assert [request.options.resume for request in trainings.requests] == [False] * 11 + [True, False]
    assert [one._asdict() for one in again.trials] == [one._asdict() for one in whole.trials]
    assert said[0].startswith("trial_010 goes on from iteration 10: lr ")
    more = run(tmp_path / "parts", trials=13, resume=True)
    assert len(trainings.requests) == 14 and len(more.trials) == 13
    written = json.loads((tmp_path / "parts" / "sweep.json").read_text())
    assert written["trials"][0]["folder"] == more.best.name and len(written["trials"]) == 13
    assert more.table.splitlines()[0].split() == ["trial", "loss", "lr", "num_hidden", "batch_size", "iterations"]
    assert more.table.splitlines()[1].startswith(more.best.name)


def test_a_stop_that_kept_nothing_of_its_trial_begins_it_again(trainings, tmp_path):
    """As after a kill before the first checkpoint."""
    trainings.fails[2] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "s", trials=3)
    found = run(tmp_path / "s", trials=3, resume=True)
    values = asked_for(trainings)
    assert values[1] == values[2] and len(found.trials) == 3 and not trainings.requests[2].options.resume


def test_bad_trials_are_pruned_and_the_score_may_be_another(trainings, tmp_path):
    trainings.score = lambda values, iteration: -abs(math.log10(values["lr"]) + 3) - 1 / iteration
    said = []
    found = run(tmp_path / "s", said.append, trials=11, objective="csi_0.5")
    pruned = [one for one in found.trials if one.state == "pruned"]
    assert pruned and all(one.iterations < 20 and one.score < found.best.score for one in pruned)
    assert found.best.score == max(one.score for one in found.trials) and found.values["stop_on"] == "csi_0.5"
    assert any("pruned at iteration" in line for line in said)
    everything = run(tmp_path / "t", trials=11, objective="csi_0.5", pruner="none")
    assert {one.state for one in everything.trials} == {"finished"}


def test_a_trial_that_fails_is_kept_as_failed(trainings, tmp_path):
    trainings.fails = {1: ValueError("20 updates in a row without a finite gradient"), 2: MemoryError()}
    trainings.score = lambda values, iteration: math.nan if len(trainings.requests) == 3 else values["lr"]
    found = run(tmp_path / "s", trials=4)
    assert [one.state for one in found.trials] == ["finished", "failed", "failed", "failed"]
    assert [one.error for one in found.trials[1:]] == [
        "20 updates in a row without a finite gradient",
        "there is not enough memory",
        "no validation has a finite loss",
    ]
    trainings.requests.clear()
    with pytest.raises(ValueError, match="none of 2 trials has a score; trial_000: 20 updates"):
        run(tmp_path / "t", trials=2)
    trainings.fails = {len(trainings.requests) + 1: OSError(28, "No space left on device", "log.jsonl")}
    with pytest.raises(OSError, match="No space left"):
        run(tmp_path / "u", trials=2)


def test_a_grid_has_every_combination_once_and_in_order(trainings, tmp_path):
    search, trainings.stop = "lr=1e-3|1e-4 batch_size=2|4", 2
    run(tmp_path / "s", search=search, sampler="grid", trials=None)
    found = run(tmp_path / "s", search=search, sampler="grid", trials=None, resume=True)
    assert [value[:2] for value in asked_for(trainings)] == [(1e-3, 2), (1e-3, 4), (1e-3, 4), (1e-4, 2), (1e-4, 4)]
    assert len(found.trials) == 4 and found.values["lr"] == 1e-3


def test_minutes_become_iterations_of_each_trial_once(trainings, tmp_path):
    trainings.stop, said = 2, []
    run(tmp_path / "s", trials=2, budget="0.5min")
    run(tmp_path / "s", said.append, trials=2, budget="0.5min", resume=True)
    assert {request.given.training["max_iterations"] for request in trainings.requests} == {60}
    assert not any("makes 60 iterations" in line for line in said)


def test_other_sweeps_and_other_files_are_refused(trainings, tmp_path):
    run(tmp_path / "s", trials=1)
    for refused, error, message in (
        ({}, FileExistsError, "--resume goes on"),
        ({"resume": True, "budget": "8it"}, ValueError, "made with budget 20it, not 8it"),
        ({"resume": True, "given": {"noise": 0.1}}, ValueError, "made with noise None, not 0.1"),
    ):
        with pytest.raises(error, match=message):
            run(tmp_path / "s", trials=1, **refused)
    with pytest.raises(FileExistsError, match="holds other files than a sweep"):
        run(tmp_path)
    with open(tmp_path / "s" / "study.log", "r+") as file:
        file.write("x")
    with pytest.raises(ValueError, match=r"study\.log is no study of a sweep, or a damaged one"):
        run(tmp_path / "s", trials=1, resume=True)


@pytest.mark.parametrize(
    "search, message",
    [
        ("batch_size=2|0", "search batch_size=0: batch_size must be positive, got 0"),
        ("ema=0..1", "search ema=1.0: ema must be from 0 to below 1, got 1"),
        ("model_name=elman|physical", "search model_name=physical: "),
        ("filter_size=2|3", "filter_size"),
    ],
)
def test_values_that_cannot_be_are_refused_before_the_first_trial(trainings, tmp_path, search, message):
    with pytest.raises(ValueError, match=message):
        run(tmp_path / "s", search=search)
    assert not trainings.requests and not (tmp_path / "s").exists()


def test_keywords_of_python_are_the_flags(trainings, tmp_path):
    found = sweep.sweep(SERIES, search="lr=1e-3|1e-2", save_dir=tmp_path / "s", trials=2, budget="20it", **SIZES)
    assert len(found.trials) == 2 and found.values["model_name"] == "elman"
    with pytest.raises(ValueError, match="sweep takes no max_iterations: budget and objective set it"):
        sweep.sweep(SERIES, search="lr=1e-3|1e-2", save_dir=tmp_path / "t", max_iterations=3)


def test_without_optuna_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'predjax\[sweep\]'"):
        run(tmp_path / "s")
