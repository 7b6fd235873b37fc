"""`predjax sweep` as a user runs it."""

import json
import shlex
import signal

import numpy as np
import pytest

from predjax.commands.evaluate import main as evaluate
from predjax.commands.sweep import format_training
from predjax.commands.sweep import main as sweep
from predjax.commands.train import COMMAND
from predjax.flags import parse
from predjax.jobs.study import SweepTrial
from predjax.jobs.sweep import Sweep


def test_flags_become_the_request(monkeypatch, tmp_path, capsys):
    asked = []

    def run_sweep(options, base, say):
        asked.append((options, base))
        return Sweep(tmp_path, "SIGTERM", [])

    monkeypatch.setattr("predjax.jobs.sweep.run_sweep", run_sweep)
    flags = "--trials 3 --budget 3it --data_path a.nc --num_hidden 4 --seed 5 --crop 8 --scaling_range 5,100 --resume"
    assert sweep(["--search", "lr=1..2", *flags.split(), "--save_dir", str(tmp_path)]) == 128 + signal.SIGTERM
    [(options, base)] = asked
    assert (options.search, options.trials, options.resume, base.data) == ("lr=1..2", 3, True, "a.nc")
    assert base.given.model == {"num_hidden": (4,)} and base.given.data == {"crop": 8}
    assert base.given.training == {"seed": 5} and base.options.scaling_range == (5.0, 100.0)
    assert "--resume goes on in" in capsys.readouterr().out


def test_the_end_says_what_the_best_is_worth_and_how_to_train_with_it(monkeypatch, tmp_path, capsys):
    values = {"num_hidden": (16, 8), "layer_norm": True, "lr": 1.25e-05, "max_iterations": 9}
    best = SweepTrial(2, "finished", 0.5, 9, 9, {"lr": 1.25e-05}, "")
    monkeypatch.setattr(
        "predjax.jobs.sweep.run_sweep", lambda *_: Sweep(tmp_path, "finished", [best], values, "the table")
    )
    assert sweep(["--search", "lr=1..2", "--data_path", "my data.nc", "--save_dir", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert (
        "the table\ntrial_002 is the best of 1 on the validation data, which chose it: its loss is better than" in text
    )
    assert f"predjax evaluate --checkpoint {tmp_path}/trial_002" in text
    [command] = [line.partition(": ")[2] for line in text.splitlines() if line.startswith("To train")]
    assert command == format_training({"train_data_paths": "my data.nc", **values})
    typed = parse(COMMAND, shlex.split(command)[2:])
    assert typed == {"train_data_paths": "my data.nc", **values}
    assert json.loads((tmp_path / "run.json").read_text())["search"] == "lr=1..2"


@pytest.mark.ci
def test_a_sweep_of_a_series(tmp_path, capsys, unverified, real_pictures):
    pytest.importorskip("optuna", reason="the extra sweep")
    np.save(tmp_path / "series.npy", np.random.default_rng(0).random((12, 14, 2), dtype=np.float32))
    flags = "--layout movie,time,feature --model_name elman --total_length 6 --input_length 3 --batch_size 2 --n_gpu 1"
    paths = ["--data_path", str(tmp_path / "series.npy"), "--save_dir", str(tmp_path / "s")]
    search = ["--search", "lr=1e-3..1e-1:log num_hidden=2|3", "--sampler", "random", "--budget", "3it"]
    assert sweep([*search, *flags.split(), *paths, "--trials", "2"]) == 0
    assert sweep([*search, *flags.split(), *paths, "--trials", "3", "--resume"]) == 0
    text = capsys.readouterr().out
    found = json.loads((tmp_path / "s" / "sweep.json").read_text())
    scores = [one["score"] for one in found["trials"]]
    assert scores == sorted(scores) and len(scores) == 3 and text.count("trial_000: lr") == 1
    assert (tmp_path / "s" / "sweep.png").stat().st_size > 5000
    run = tmp_path / "s" / found["trials"][0]["folder"]
    assert not (run / "skill.nc").exists()
    assert evaluate(["--checkpoint", str(run), "--baselines", "persistence"]) == 0
